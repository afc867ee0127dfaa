"""ImageDataset: labelled images held in memory as bytes, made into batches with one call where the transform can."""

from __future__ import annotations

from functools import cache

import engine
from engine.ops.augment import normalize_images
from engine.utils.data import Dataset, default_collate
from engine.vision.pillow import pillow
from engine.vision.transforms import whole_batch
from engine.vision.transforms.functional import to_pil_image


class ImageDataset(Dataset):
    """Images `data` (uint8 Tensor [N, H, W] or [N, C, H, W]) with class numbers `targets` (int64 [N]).

    Without a transform a sample is `(image, label)`: float32 Tensor [C, H, W], `(v / 255 - mean) / std` per channel of
    the data set's own statistics, and an int. (torchvision gives the raw PIL image there.)
    A `transform` receives a PIL image as in torchvision, without Pillow a uint8 Tensor [C, H, W]; `target_transform`
    receives the label. A DataLoader without a `collate_fn` fetches batches whole, [B, C, H, W] and [B], when the
    transform is absent or one of `engine.vision.transforms` that works on batches; it then sees the bytes themselves,
    and every image of the batch has draws of its own.
    """

    classes: list[str] = list("0123456789")
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __init__(self, images, labels, transform=None, target_transform=None):
        self.data = engine.as_tensor(images)
        self.targets = engine.as_tensor(labels)
        self.transform, self.target_transform = transform, target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class by its name."""
        return {name: number for number, name in enumerate(self.classes)}

    def images(self):
        """All images as a uint8 Tensor [N, H, W] or [N, C, H, W] over the memory of `data`."""
        return self.data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index):
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"{type(self).__name__}: sample {index} is out of range for {count} samples")
        label = int(self.targets[index])
        if self.target_transform is not None:
            label = self.target_transform(label)
        if self.transform is None:
            return self._normalized(engine.tensor([index % count]))[0], label
        image = self.images()[index]
        return self.transform(picture(image.unsqueeze(0) if image.ndim == 2 else image)), label

    @property
    def get_batch(self):
        """`get_batch(indices)`: the batch [images, labels] at an int64 Tensor [B]; None when the transform needs single
        images."""
        if self.transform is None:
            return lambda indices: [self._normalized(indices), self._labels(indices)]
        transform = whole_batch(self.transform)
        return transform and (lambda indices: [transform(self.images(), indices), self._labels(indices)])

    def _normalized(self, indices):
        return normalize_images(self.images(), indices, mean=self.mean, std=self.std)

    def _labels(self, indices):
        if self.target_transform is not None:
            return default_collate([self.target_transform(int(self.targets[i])) for i in indices.tolist()])
        if isinstance(self.targets, engine.Tensor):
            return self.targets[indices]
        return engine.tensor([self.targets[i] for i in indices.tolist()])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images of {tuple(self.images().shape[1:])}, {len(self.classes)} classes)"


def picture(image):
    """A uint8 Tensor [C, H, W] as a PIL image, or as it is where Pillow is not installed."""
    return to_pil_image(image) if _has_pillow() else image


@cache
def _has_pillow() -> bool:
    try:
        pillow()
    except ImportError:
        return False
    return True
