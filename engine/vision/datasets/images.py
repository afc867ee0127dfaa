"""ImageDataset: labelled images held in memory as bytes, normalised batch by batch."""

from __future__ import annotations

import engine
from engine.ops.augment import normalize_images
from engine.utils.data import Dataset


class ImageDataset(Dataset):
    """Images `data` (uint8 Tensor [N, H, W] or [N, C, H, W]) with class numbers `targets` (int64 [N]).

    Without a transform a sample is `(image, label)`: float32 Tensor [C, H, W], `(v / 255 - mean) / std`
    per channel, and an int; a DataLoader then fetches a batch, float32 [B, C, H, W] and int64 [B], with
    one call; `batch_transform` maps the images of such a batch to what is returned (augmentation).
    With a `transform` samples are read one by one, and it receives the raw uint8 Tensor [C, H, W] of each.
    """

    classes: tuple[str, ...] = tuple("0123456789")
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __init__(self, images, labels, transform=None, batch_transform=None):
        if transform is not None and batch_transform is not None:
            raise ValueError(f"{type(self).__name__}: give either transform or batch_transform")
        self.data = engine.from_numpy(images)
        self.targets = engine.from_numpy(labels)
        self.transform = transform
        if transform is None:
            self.get_batch = self._get_batch
        self.batch_transform = batch_transform

    def __len__(self) -> int:
        return self.data.shape[0]

    def __getitem__(self, index):
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"{type(self).__name__}: sample {index} is out of range for {count} samples")
        label = int(self.targets[index].item())
        if self.transform is None:
            return self._normalized(engine.tensor([index % count], dtype=engine.int64))[0], label
        image = self.data[index]
        return self.transform(image.unsqueeze(0) if len(image.shape) == 2 else image), label

    def _get_batch(self, indices):
        images = self._normalized(indices)
        if self.batch_transform is not None:
            images = self.batch_transform(images)
        return images, self.targets[indices]

    def _normalized(self, indices):
        return normalize_images(self.data, indices, mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images of {tuple(self.data.shape[1:])}, {len(self.classes)} classes)"
