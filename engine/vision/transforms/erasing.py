"""Rectangles erased at random."""

from __future__ import annotations

import math
import warnings

import numpy as np

import engine
from engine.vision.transforms import functional as F
from engine.vision.transforms.compose import Drawn, check_probability, uniform

__all__ = ["RandomErasing"]


class RandomErasing(Drawn):
    """A random rectangle of a Tensor image replaced by `value`, with probability `p`.

    scale: least and largest share of the area; ratio: least and largest height over width; value: a number, one per
    channel, or "random" for normal noise. Of ten draws the first that is smaller than the image is taken; when none is,
    nothing is erased (Zhong, Zheng, Kang, Li and Yang 2017, "Random erasing data augmentation").
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False):
        if not isinstance(value, (int, float, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError(f"If value is str, it should be 'random', got {value!r}")
        for name, limits in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(limits, (tuple, list)):
                raise TypeError(f"{name} should be a sequence")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        self.p, self.scale, self.ratio = check_probability(p), scale, ratio
        self.value, self.inplace = value, inplace

    @staticmethod
    def get_params(img, scale, ratio, value=None):
        """(top, left, height, width, value) of a random rectangle; value: one or one per channel, None for noise."""
        channels, h, w = F.get_dimensions(img)
        top, left, height, width = _rectangles(1, h, w, scale, ratio)[0].tolist()
        if not height:
            return 0, 0, h, w, img
        if value is None:
            return top, left, height, width, engine.randn(channels, height, width)
        return top, left, height, width, engine.tensor([float(v) for v in value]).reshape(-1, 1, 1)

    def values(self, channels):
        """The erasing values, one per channel; ValueError for another number of them."""
        values = (self.value,) if isinstance(self.value, (int, float)) else tuple(self.value)
        if len(values) not in (1, channels):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{channels} (number of input channels), got {len(values)}"
            )
        return tuple(float(v) for v in values) * (channels // len(values))

    def draw(self, count, channels, height, width):
        """int64 [count, 4]: top, left, height and width of the rectangles; zeros where nothing is erased."""
        holes = _rectangles(count, height, width, self.scale, self.ratio)
        return np.where((uniform(count) < self.p)[:, None], holes, 0)

    def apply(self, img, params):
        if not isinstance(img, engine.Tensor):
            raise TypeError(
                f"RandomErasing: img should be a Tensor, got {type(img).__name__}; ToTensor() goes before it"
            )
        top, left, height, width = map(int, params)
        if not height:
            return img
        channels = F.get_image_num_channels(img)
        if self.value == "random":
            v = engine.randn(channels, height, width)
        else:
            v = engine.tensor(self.values(channels)).reshape(-1, 1, 1)
        return F.erase(img, top, left, height, width, v.to(img.dtype), self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace})"
        )


def _rectangles(count, h, w, scale, ratio):
    """int64 [count, 4]: top, left, height, width; zeros where none of ten draws fits."""
    area, aspect = (engine.rand(count, 10, dtype=engine.float64).numpy() for _ in range(2))
    down, across = uniform(count), uniform(count)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    area, aspect = h * w * (scale[0] + (scale[1] - scale[0]) * area), np.exp(low + (high - low) * aspect)
    heights, widths = np.rint(np.sqrt(area * aspect)).astype(np.int64), np.rint(np.sqrt(area / aspect)).astype(np.int64)
    fits = (heights < h) & (widths < w)
    rows, first = np.arange(count), fits.argmax(1)
    height, width = (np.where(fits.any(1), sizes[rows, first], 0) for sizes in (heights, widths))
    top, left = (down * (h - height + 1)).astype(np.int64), (across * (w - width + 1)).astype(np.int64)
    return np.where((height * width > 0)[:, None], np.stack([top, left, height, width], 1), 0)
