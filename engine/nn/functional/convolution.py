"""Convolutions as functions. Inputs are [N, C, H, W], or [C, H, W] for a single image."""

from __future__ import annotations

from engine.ops import conv, shape

__all__ = ["conv2d"]


def batched(f, x, *args):
    """f on x[N, C, H, W], or on a single image x[C, H, W]."""
    if x.ndim != 3:
        return f(x, *args)
    y = f(shape.unsqueeze(x, 0), *args)
    return shape.reshape(y, shape=y.shape[1:])


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation; see `engine.ops.conv.conv2d`."""
    return batched(conv.conv2d, input, weight, bias, stride, padding, dilation, groups)
