"""Transforms of image batches, under torchvision's names."""

from __future__ import annotations

import engine
from engine.nn import functional as F


class RandomCrop:
    """Cut a random window of `size` x `size` out of images [..., C, H, W] padded by `padding`.

    As in torchvision, one call draws one position: all images of a batch are cut alike. `fill` is the
    value of the padding; draws come from `generator` (`engine.manual_seed` without one). ValueError
    when the padded images are smaller than the window.
    """

    def __init__(self, size: int, padding: int = 0, fill: float = 0.0, generator=None):
        self.size, self.padding, self.fill, self.generator = size, padding, fill, generator

    def __call__(self, images):
        height, width = (n + 2 * self.padding for n in images.shape[-2:])
        if min(height, width) < self.size:
            raise ValueError(
                f"RandomCrop: cannot cut {self.size} x {self.size} out of images of shape "
                f"{tuple(images.shape)} padded by {self.padding}"
            )
        padded = F.pad(images, (self.padding,) * 4, value=self.fill) if self.padding else images
        top, left = self._draw(height), self._draw(width)
        return padded[..., top : top + self.size, left : left + self.size].contiguous()

    def _draw(self, length: int) -> int:
        return int(engine.randint(0, length - self.size + 1, (1,), generator=self.generator).item())

    def __repr__(self) -> str:
        return f"RandomCrop({self.size}, padding={self.padding}, fill={self.fill:.4g})"
