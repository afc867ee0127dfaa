"""Resizing of images as functions."""

from __future__ import annotations

import warnings

from engine.geometry import resized
from engine.ops import resize
from engine.ops._op import expect_tensors
from engine.ops.pool import adaptive_avg_pool1d, adaptive_avg_pool2d
from engine.ops.resize import channel_shuffle, pixel_shuffle, pixel_unshuffle

__all__ = [
    "channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip

_DIMENSIONS = {"nearest": (3, 4), "nearest-exact": (3, 4), "area": (3, 4), "linear": (3,), "bilinear": (4,)}


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """Images [N, C, L] or [N, C, H, W] resized to `size`, or by `scale_factor`, a number or one for each axis.

    mode: 'nearest', 'nearest-exact' (by the centres of pixels, as other libraries do), 'linear' (of [N, C, L]),
    'bilinear' (of [N, C, H, W]) or 'area' (adaptive averages). `align_corners` (linear modes): the outermost points of
    both images coincide. Points lie by the scale factor as it was given, or by the ratio of the sizes with
    `recompute_scale_factor`. NotImplementedError for other modes and dimensions, and for `antialias`.
    """
    expect_tensors("interpolate", input=input)
    if mode not in _DIMENSIONS or input.ndim not in _DIMENSIONS[mode]:
        offered = ", ".join(f"{m!r} ({' or '.join(f'{d}-D' for d in ds)})" for m, ds in _DIMENSIONS.items())
        raise NotImplementedError(
            f"interpolate: got mode {mode!r} for an input of shape {input.shape}; there are {offered}"
        )
    if align_corners is not None and mode not in ("linear", "bilinear"):
        raise ValueError(
            f"interpolate: align_corners can only be set with mode 'linear' or 'bilinear', got mode {mode!r}"
        )
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not offered; use mode='area' to make images smaller")
    sizes, steps = resized(input.shape, size, scale_factor, recompute_scale_factor, 0 if mode == "area" else 1)
    if mode == "area":
        return (adaptive_avg_pool1d if input.ndim == 3 else adaptive_avg_pool2d)(input, sizes)
    if mode in ("linear", "bilinear"):
        return resize.resize_linear(input, sizes=sizes, steps=steps, align_corners=bool(align_corners))
    return resize.resize_nearest(input, sizes=sizes, steps=steps, centred=mode == "nearest-exact")


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """interpolate, under its old name."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """interpolate with mode 'nearest', under its old name."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input, size=None, scale_factor=None):
    """interpolate with mode 'bilinear' and aligned corners, under its old name."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _deprecated(name):
    warnings.warn(f"nn.functional.{name} is deprecated: use nn.functional.interpolate", UserWarning, stacklevel=3)
