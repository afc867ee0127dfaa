"""FakeData: images of noise, to try out a training script before the data are there."""

from __future__ import annotations

import engine
from engine.utils.data import Dataset
from engine.vision.datasets.images import picture


class FakeData(Dataset):
    """`size` images of noise with random class numbers; sample i depends on `i + random_offset` alone.

    image_size   (channels, height, width), 1 or 3 channels
    transform    receives a PIL image (without Pillow a uint8 Tensor [C, H, W]); without one a sample is a float32
                 Tensor in 0 to 1. target_transform receives the class number
    """

    def __init__(
        self,
        size=1000,
        image_size=(3, 224, 224),
        num_classes=10,
        transform=None,
        target_transform=None,
        random_offset=0,
    ):
        self.size, self.image_size, self.num_classes = size, tuple(image_size), num_classes
        self.transform, self.target_transform, self.random_offset = transform, target_transform, random_offset

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index):
        if index >= self.size:
            raise IndexError(f"FakeData: sample {index} is out of range for {self.size} samples")
        generator = engine.Generator().manual_seed(index + self.random_offset)
        image = engine.randint(0, 256, self.image_size, generator=generator).to(engine.uint8)
        target = engine.randint(0, self.num_classes, (1,), generator=generator).item()
        image = image.float() / 255 if self.transform is None else self.transform(picture(image))
        return image, target if self.target_transform is None else self.target_transform(target)
