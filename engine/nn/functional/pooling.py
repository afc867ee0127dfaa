"""Pooling as functions. Inputs are [N, C, H, W], or [C, H, W] for a single image."""

from __future__ import annotations

from engine.nn.functional.convolution import batched
from engine.ops import pool

__all__ = ["avg_pool2d", "max_pool2d"]


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Largest value of each window."""
    if return_indices:
        raise NotImplementedError("max_pool2d(return_indices=True) is not offered")
    return batched(pool.max_pool2d, input, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Mean of each window."""
    return batched(pool.avg_pool2d, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
