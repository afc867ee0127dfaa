"""Transforms that cut, pad, mirror and resize."""

from __future__ import annotations

import math

import numpy as np

import engine
from engine.vision.transforms import functional as F
from engine.vision.transforms.compose import (
    Drawn,
    Transform,
    check_probability,
    chosen_ones,
    integers,
    uniform,
)
from engine.vision.transforms.functional import InterpolationMode
from engine.vision.transforms.functional.geometry import borders, pair
from engine.vision.transforms.functional.image import interpolation_mode

__all__ = [
    "CenterCrop", "Pad", "RandomCrop", "RandomHorizontalFlip", "RandomResizedCrop", "RandomVerticalFlip", "Resize",
]  # fmt: skip


class Resize(Transform):
    """An image of another size; see `functional.resize`."""

    def __init__(self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
        if not isinstance(size, (int, tuple, list)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if not isinstance(size, int) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = interpolation_mode(interpolation)

    def __call__(self, img):
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class CenterCrop(Transform):
    """The middle of an image, `size` an int or (height, width)."""

    def __init__(self, size):
        self.size = pair("CenterCrop", size)

    def __call__(self, img):
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class Pad(Transform):
    """A border around an image; see `functional.pad`."""

    def __init__(self, padding, fill=0, padding_mode="constant"):
        borders(padding)
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, img):
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomCrop(Drawn):
    """A window of `size` (an int or (height, width)) at a random place of an image padded by `padding`.

    padding, fill and padding_mode as in `functional.pad`; pad_if_needed: pad images smaller than the window, on both
    sides by what is missing. ValueError when the padded image is smaller.
    """

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        self.size = pair("RandomCrop", size)
        self.padding, self.pad_if_needed = padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode
        self._borders = (0, 0, 0, 0) if padding is None else borders(padding)

    @staticmethod
    def get_params(img, output_size):
        """(top, left, height, width) of a random window."""
        height, width = output_size
        _, h, w = F.get_dimensions(img)
        top, left = _windows(1, h, w, height, width)[0].tolist()
        return top, left, height, width

    def borders(self, height, width):
        """(left, top, right, bottom): what an image of this size is padded by."""
        left, top, right, bottom = self._borders
        if self.pad_if_needed:
            across, down = (
                max(self.size[1] - (width + left + right), 0),
                max(self.size[0] - (height + top + bottom), 0),
            )
            left, top, right, bottom = left + across, top + down, right + across, bottom + down
        return left, top, right, bottom

    def draw(self, count, channels, height, width):
        """int64 [count, 2]: top and left of the windows, from the corner of the image without padding."""
        left, top, right, bottom = self.borders(height, width)
        return _windows(count, height + top + bottom, width + left + right, *self.size) - (top, left)

    def apply(self, img, params):
        _, h, w = F.get_dimensions(img)
        sides = self.borders(h, w)
        if any(sides):
            img = F.pad(img, sides, self.fill, self.padding_mode)
        top, left = params
        return F.crop(img, int(top) + sides[1], int(left) + sides[0], *self.size)

    def batch(self, images):
        count, channels, h, w = images.shape
        left, top, right, bottom = self.borders(h, w)
        corner = self.draw(count, channels, h, w) + (top, left)
        padded = F.pad(images, (left, top, right, bottom), self.fill, self.padding_mode)
        rows, columns = (corner[:, i, None] + np.arange(self.size[i]) for i in range(2))
        index = (np.arange(count)[:, None, None, None], np.arange(channels)[:, None, None], rows[:, None, :, None], columns[:, None, None, :])  # fmt: skip
        return padded[tuple(map(engine.from_numpy, index))]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


def _windows(count, h, w, height, width):
    """int64 [count, 2]: top and left of random windows of height x width in an image of h x w."""
    if h < height or w < width:
        raise ValueError(f"Required crop size {(height, width)} is larger than input image size {(h, w)}")
    return np.stack([integers(count, 0, h - height + 1), integers(count, 0, w - width + 1)], 1)


class RandomHorizontalFlip(Drawn):
    """Left and right exchanged, with probability `p`."""

    flip = staticmethod(F.hflip)

    def __init__(self, p=0.5):
        self.p = check_probability(p)

    def draw(self, count, *_):
        return uniform(count) < self.p

    def apply(self, img, params):
        return self.flip(img) if params else img

    def batch(self, images):
        return chosen_ones(self.draw(images.shape[0]), self.flip(images), images)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(RandomHorizontalFlip):
    """Top and bottom exchanged, with probability `p`."""

    flip = staticmethod(F.vflip)


class RandomResizedCrop(Drawn):
    """A random part of an image, resized to `size` (an int or (height, width)).

    scale: least and largest share of the area; ratio: least and largest width over height. Of ten draws the first that
    fits into the image is taken, after that its middle (as torchvision does; Szegedy et al. 2015, "Going deeper with
    convolutions", section 6).
    """

    def __init__(
        self,
        size,
        scale=(0.08, 1.0),
        ratio=(3.0 / 4.0, 4.0 / 3.0),
        interpolation=InterpolationMode.BILINEAR,
        antialias=True,
    ):
        self.size = pair("RandomResizedCrop", size)
        for name, value in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(value, (tuple, list)):
                raise TypeError(f"{name} should be a sequence")
            if value[0] > value[1]:
                raise ValueError(f"{name} should be of kind (min, max), got {value}")
        self.scale, self.ratio, self.antialias = scale, ratio, antialias
        self.interpolation = interpolation_mode(interpolation)

    @staticmethod
    def get_params(img, scale, ratio):
        """(top, left, height, width) of a random part."""
        return _parts(1, *F.get_dimensions(img)[1:], scale, ratio)[0]

    def draw(self, count, channels, height, width):
        return _parts(count, height, width, self.scale, self.ratio)

    def apply(self, img, params):
        return F.resized_crop(img, *params, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in values) for values in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def _parts(count, h, w, scale, ratio):
    """`count` tuples (top, left, height, width)."""
    area, aspect, place = (engine.rand(count, 10, dtype=engine.float64).tolist() for _ in range(3))
    corner = uniform(count)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    parts = []
    for i in range(count):
        for a, r, across in zip(area[i], aspect[i], place[i], strict=True):
            target, r = h * w * (scale[0] + (scale[1] - scale[0]) * a), math.exp(low + (high - low) * r)
            width, height = round(math.sqrt(target * r)), round(math.sqrt(target / r))
            if 0 < width <= w and 0 < height <= h:
                parts.append((int(corner[i] * (h - height + 1)), int(across * (w - width + 1)), height, width))
                break
        else:
            width = min(w, round(h * ratio[1])) if w / h > ratio[1] else w
            height = min(h, round(w / ratio[0])) if w / h < ratio[0] else h
            parts.append(((h - height) // 2, (w - width) // 2, height, width))
    return parts
