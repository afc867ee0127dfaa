"""Pooling as functions."""

from __future__ import annotations

import math

from engine.geometry import several
from engine.ops import pool
from engine.ops._op import expect_tensors
from engine.ops.activation import relu
from engine.ops.pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_unpool1d,
    max_unpool2d,
)
from engine.ops.unary import abs, sign

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices", "avg_pool1d", "avg_pool2d", "lp_pool1d", "lp_pool2d", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool2d_with_indices", "max_unpool1d", "max_unpool2d",
]  # fmt: skip


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Largest value of each window of [N, C, L]; with `return_indices` also where in its line each was found."""
    f = pool.max_pool1d_with_indices if return_indices else pool.max_pool1d
    return f(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Largest value of each window of [N, C, H, W]; with `return_indices` also where in its plane each was found."""
    f = pool.max_pool2d_with_indices if return_indices else pool.max_pool2d
    return f(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True
):
    """(values, indices) of max_pool1d."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True
):
    """(values, indices) of max_pool2d."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """Largest values of windows such that `output_size` come out of [N, C, L]; with `return_indices` also where."""
    return pool.adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Largest values of windows such that `output_size` come out, an integer or (height, width), None for the input's own."""
    return pool.adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=True):
    """(values, indices) of adaptive_max_pool1d."""
    return pool.adaptive_max(1, input, output_size, True)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=True):
    """(values, indices) of adaptive_max_pool2d."""
    return pool.adaptive_max(2, input, output_size, True)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^norm_type over each window of [N, C, L])^(1 / norm_type); of infinity, the maximum."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^norm_type over each window of [N, C, H, W])^(1 / norm_type); of infinity, the maximum."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(axes, x, p, kernel_size, stride, ceil_mode):
    expect_tensors(f"lp_pool{axes}d", input=x)
    average, largest = ((pool.avg_pool1d, pool.max_pool1d), (pool.avg_pool2d, pool.max_pool2d))[axes - 1]
    if p == math.inf:
        return largest(x, kernel_size, stride, ceil_mode=ceil_mode)
    elements = math.prod(several(kernel_size, axes, "kernel_size"))
    sums = average(x**p, kernel_size, stride, 0, ceil_mode) * elements
    return (sign(sums) * relu(abs(sums))) ** (1 / p)  # the sums, but without a gradient where they are 0
