"""Transforms that turn, move, scale and shear."""

from __future__ import annotations

import numpy as np

from engine.vision.transforms import functional as F
from engine.vision.transforms.compose import Drawn, uniform
from engine.vision.transforms.functional import InterpolationMode
from engine.vision.transforms.functional.image import interpolation_mode

__all__ = ["RandomAffine", "RandomRotation"]


def _range(name, value, sizes=(2,)):
    """A list of floats from a sequence, or [-value, value] from a number; ValueError or TypeError otherwise."""
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        value = [-value, value]
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} should be a sequence of length {' or '.join(map(str, sizes))}.")
    if len(value) not in sizes:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, sizes))}.")
    return [float(v) for v in value]


def _check_center(center):
    if center is not None and (not isinstance(center, (tuple, list)) or len(center) != 2):
        raise ValueError(f"center should be a sequence of length 2, got {center!r}")
    return center


class RandomRotation(Drawn):
    """A turn by an angle drawn from `degrees`, (least, largest) or one number for both signs.

    expand, center and fill as in `functional.rotate`.
    """

    def __init__(self, degrees, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0):
        self.degrees, self.center = _range("degrees", degrees), _check_center(center)
        self.interpolation, self.expand = interpolation_mode(interpolation), expand
        self.fill = 0 if fill is None else fill

    @staticmethod
    def get_params(degrees):
        """A random angle."""
        return float(uniform(1, float(degrees[0]), float(degrees[1]))[0])

    @property
    def batchable(self):
        return not self.expand  # images of a batch have one size

    def draw(self, count, *_):
        return uniform(count, *self.degrees).tolist()

    def apply(self, img, params):
        return F.rotate(img, params, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}, fill={self.fill})"
        )


class RandomAffine(Drawn):
    """A random turn, move, scaling and shear around the middle of the image or `center`.

    degrees: range of the angle, or one number for both signs; translate: largest move, as shares of (width, height);
    scale: (least, largest); shear: range of degrees along x, one number for both signs, or ranges along x and y.
    """

    def __init__(
        self,
        degrees,
        translate=None,
        scale=None,
        shear=None,
        interpolation=InterpolationMode.NEAREST,
        fill=0,
        center=None,
    ):
        self.degrees, self.center = _range("degrees", degrees), _check_center(center)
        if translate is not None and (len(translate) != 2 or not all(0.0 <= t <= 1.0 for t in translate)):
            raise ValueError(f"translation values should be two between 0 and 1, got {translate}")
        if scale is not None and (len(scale) != 2 or any(s <= 0 for s in scale)):
            raise ValueError(f"scale values should be two and positive, got {scale}")
        self.translate, self.scale = translate, scale
        self.shear = None if shear is None else _range("shear", shear, (2, 4))
        self.interpolation, self.fill = interpolation_mode(interpolation), 0 if fill is None else fill

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """(angle, (x, y) of the move, scale, (x, y) of the shear) for an image of `img_size` (width, height)."""
        return _drawn(1, degrees, translate, scale_ranges, shears, *img_size)[0]

    def draw(self, count, channels, height, width):
        return _drawn(count, self.degrees, self.translate, self.scale, self.shear, width, height)

    def apply(self, img, params):
        return F.affine(img, *params, self.interpolation, self.fill, self.center)

    def __repr__(self) -> str:
        text = f"degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                text += f", {name}={getattr(self, name)}"
        if self.interpolation is not InterpolationMode.NEAREST:
            text += f", interpolation={self.interpolation.value}"
        if self.fill != 0:
            text += f", fill={self.fill}"
        if self.center is not None:
            text += f", center={self.center}"
        return f"{type(self).__name__}({text})"


def _drawn(count, degrees, translate, scale, shear, width, height):
    """`count` sets of (angle, move, scale, shear)."""
    across, down = (0.0, 0.0) if translate is None else (translate[0] * width, translate[1] * height)
    ranges = [degrees, (-across, across), (-down, down), scale or (1.0, 1.0), *((shear or (0, 0, 0, 0))[:2],)]
    ranges.append(shear[2:] if shear is not None and len(shear) == 4 else (0.0, 0.0))
    angle, x, y, size, shear_x, shear_y = (uniform(count, *r) for r in ranges)
    moves = np.rint(np.stack([x, y], 1)).astype(int).tolist()
    shears = np.stack([shear_x, shear_y], 1).tolist()
    return list(zip(angle.tolist(), map(tuple, moves), size.tolist(), map(tuple, shears), strict=True))
