"""What an image may be: a PIL image, or a Tensor [..., C, H, W] (or [H, W]) in bytes or in floats from 0 to 1."""

from __future__ import annotations

from enum import Enum

import engine
from engine.vision.pillow import is_pil

__all__ = ["InterpolationMode", "get_dimensions", "get_image_num_channels", "get_image_size"]

LARGEST = {"uint8": 255, "int8": 127, "int16": 32767, "int32": 2**31 - 1, "int64": 2**63 - 1}  # floats reach to 1


class InterpolationMode(Enum):
    """How values between pixels are found; the last three are for PIL images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PILLOW_NUMBERS = {"nearest": 0, "nearest-exact": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def interpolation_mode(value) -> InterpolationMode:
    """An InterpolationMode from itself or from Pillow's number; TypeError otherwise."""
    if isinstance(value, InterpolationMode):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        for name, number in _PILLOW_NUMBERS.items():
            if value == number:
                return InterpolationMode(name)
    raise TypeError(
        f"Argument interpolation should be an InterpolationMode or a corresponding Pillow integer constant, got {value!r}"
    )


def pillow_number(mode: InterpolationMode) -> int:
    """Pillow's number of a mode."""
    return _PILLOW_NUMBERS[mode.value]


def check_image(name, img):
    """TypeError unless `img` is an image; returns whether it is a PIL one."""
    if is_pil(img):
        return True
    if not isinstance(img, engine.Tensor):
        hint = "; ToTensor() turns arrays [H, W, C] into Tensors" if hasattr(img, "__array_interface__") else ""
        raise TypeError(f"{name}: expected a PIL image or a Tensor [..., C, H, W], got {type(img).__name__}{hint}")
    if img.ndim < 2:
        raise TypeError(
            f"{name}: Tensor is not a torch image: expected [..., C, H, W] or [H, W], got shape {img.shape}"
        )
    return False


def largest(dtype) -> int:
    """The value of white in a dtype."""
    return LARGEST.get(dtype.name, 1)


def get_dimensions(img) -> list[int]:
    """[channels, height, width]."""
    if check_image("get_dimensions", img):
        return [len(img.getbands()), img.height, img.width]
    return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]


def get_image_size(img) -> list[int]:
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img) -> int:
    """The number of channels."""
    return get_dimensions(img)[0]


def per_channel(name, fill, channels) -> tuple:
    """One fill value for each channel; ValueError for another number of values."""
    values = tuple(fill) if isinstance(fill, (tuple, list)) else (fill,)
    if len(values) == 1:
        values *= channels
    if len(values) != channels:
        raise ValueError(f"{name}: got {len(values)} values of fill for an image of {channels} channels")
    return values


def as_floats(img):
    """A Tensor image in floats (float32 unless it is one already)."""
    return img if img.dtype.kind == "f" else img.float()


def like(img, result):
    """`result` in the dtype of `img`: rounded where that holds integers."""
    if img.dtype.kind == "f":
        return result
    return result.round().clamp(0, largest(img.dtype)).to(img.dtype)
