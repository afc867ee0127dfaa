"""Pooling over windows of each channel.

Images have one axis, [N, C, L], or two, [N, C, H, W]; without N they are a batch of one. One axis is computed as images
of height 1. Indices count the elements of a plane (a line) of the input, row after row: int64.
"""

from __future__ import annotations

import math

from engine.geometry import Pool2dGeometry, ShapeError, adaptive_sizes, even_windows, unpooled_sizes
from engine.ops._images import outside, shaped
from engine.ops._op import check_floats, expect_tensors, op

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
]


# ---- the largest of each window; its gradient goes to it (the first among equals)


@op
def max_pool1d(k, input, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Largest value of each window of input[N, C, L]; `stride` defaults to the window, padding never wins."""
    return _max_pool(k, input, 1, False, kernel_size, stride, padding, dilation, ceil_mode)


@op
def max_pool2d(k, input, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Largest value of each window of input[N, C, H, W]; `stride` defaults to the window, padding never wins."""
    return _max_pool(k, input, 2, False, kernel_size, stride, padding, dilation, ceil_mode)


@op
def max_pool1d_with_indices(k, input, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """(values, indices): as max_pool1d, and where in its line each value was found."""
    return _max_pool(k, input, 1, True, kernel_size, stride, padding, dilation, ceil_mode)


@op
def max_pool2d_with_indices(k, input, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """(values, indices): as max_pool2d, and where in its plane each value was found."""
    return _max_pool(k, input, 2, True, kernel_size, stride, padding, dilation, ceil_mode)


def _max_pool(k, x, axes, with_indices, *window):
    if x.dtype.kind not in "iu":
        check_floats(f"max_pool{axes}d", input=x)
    geom = Pool2dGeometry.of(x.shape, *window, axes=axes)
    x_shape = x.shape
    shape = outside(geom.y_shape, x_shape, axes)
    y, taps = k.max_pool2d(shaped(x, geom.x_shape), geom)
    if not with_indices:
        return shaped(y, shape), (lambda g: shaped(k.max_pool2d_dx(shaped(g, geom.y_shape), taps, geom), x_shape),)
    indices = k.max_pool2d_indices(taps, geom)
    return (shaped(y, shape), shaped(indices, shape)), lambda gs: (
        shaped(k.max_pool2d_dx(shaped(gs[0], geom.y_shape), taps, geom), x_shape),
    )


@op
def max_unpool(k, input, indices, *, sizes):
    """Zeros [N, C, *sizes] with each of input[N, C, ...] at its index; of several at one place, the last."""
    check_floats("max_unpool", input=input)
    if indices.dtype.name != "int64":
        raise RuntimeError(f"max_unpool: indices must be of dtype int64, got {indices.dtype}; use .long()")
    if indices.shape != input.shape:
        raise ShapeError(f"max_unpool got indices of shape {indices.shape}, expected that of the input, {input.shape}")
    plane, all_axes = math.prod(sizes), tuple(range(indices.ndim))
    if indices.size:
        for index in int(k.min(indices, all_axes, False)), int(k.max(indices, all_axes, False)):
            if not 0 <= index < plane:
                raise ShapeError(f"max_unpool: index {index} is out of range for {plane} elements of size {sizes}")
    outer, x_shape = input.shape[: -len(sizes)], input.shape
    places = indices.reshape(*outer, math.prod(x_shape[-len(sizes) :]))
    y = k.put_along(input.reshape(places.shape), places, -1, (*outer, plane))
    return y.reshape(*outer, *sizes), (
        lambda g: k.take_along(g.reshape(*outer, plane), places, -1).reshape(x_shape),
        None,
    )


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The reverse of max_pool1d: zeros with each value where `indices` say it was found.

    `output_size` chooses among the sizes that the pooling maps to this one. RuntimeError for an index outside.
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The reverse of max_pool2d: zeros with each value where `indices` say it was found.

    `output_size` chooses among the sizes that the pooling maps to this one. RuntimeError for an index outside.
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(axes, x, indices, kernel_size, stride, padding, output_size):
    name = f"max_unpool{axes}d"
    expect_tensors(name, input=x, indices=indices)
    return max_unpool(x, indices, sizes=unpooled_sizes(x.shape, kernel_size, stride, padding, output_size, axes, name))


# ---- the mean of each window


@op
def avg_pool1d(k, input, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Mean of each window of input[N, C, L]; padding counts unless `count_include_pad` is False."""
    return _avg_pool(k, input, 1, kernel_size, stride, padding, 1, ceil_mode, count_include_pad)


@op
def avg_pool2d(
    k, input, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Mean of each window of input[N, C, H, W]; padding counts unless `count_include_pad` is False.

    `divisor_override`: what sums are divided by, instead of the number of elements.
    """
    return _avg_pool(k, input, 2, kernel_size, stride, padding, 1, ceil_mode, count_include_pad, divisor_override)


def _avg_pool(k, x, axes, *window):
    check_floats(f"avg_pool{axes}d", input=x)
    geom = Pool2dGeometry.of(x.shape, *window, axes=axes)
    x_shape = x.shape
    y = k.avg_pool2d(shaped(x, geom.x_shape), geom)
    return shaped(y, outside(geom.y_shape, x_shape, axes)), (
        lambda g: shaped(k.avg_pool2d_dx(shaped(g, geom.y_shape), geom), x_shape),
    )


# ---- adaptive: the size of the output is given. Output i of `out` sees the inputs from floor(i*n/out) to ceil((i+1)*n/out)


def _planes(shape, axes):
    """The shape [N, C, H, W] of images of 1 or 2 axes, with or without a batch."""
    outer, sizes = shape[:-axes], shape[-axes:]
    return (*(1,) * (2 - len(outer)), *outer, *(1,) * (2 - axes), *sizes)


@op
def adaptive_avg_pool(k, input, *, sizes):
    """Means of windows of input[N, C, ...] that need not be of one size: [N, C, *sizes]."""
    check_floats("adaptive_avg_pool", input=input)
    axes, x_shape = len(sizes), input.shape
    shape = (*x_shape[:-axes], *sizes)
    planes, out = _planes(x_shape, axes), _planes(shape, axes)
    y = k.adaptive_avg_pool2d(shaped(input, planes), *out[2:])
    return shaped(y, shape), (lambda g: shaped(k.adaptive_avg_pool2d_dx(shaped(g, out), *planes[2:]), x_shape),)


@op
def adaptive_max_pool(k, input, *, sizes):
    """(values, indices): the largest of windows of input[N, C, ...] that need not be of one size: [N, C, *sizes]."""
    check_floats("adaptive_max_pool", input=input)
    axes, x_shape = len(sizes), input.shape
    shape = (*x_shape[:-axes], *sizes)
    planes, out = _planes(x_shape, axes), _planes(shape, axes)
    y, indices = k.adaptive_max_pool2d(shaped(input, planes), *out[2:])
    return (shaped(y, shape), shaped(indices, shape)), lambda gs: (
        shaped(k.add_at_indices(shaped(gs[0], out), indices, *planes[2:]), x_shape),
    )


def adaptive_avg_pool1d(input, output_size):
    """Means of windows such that `output_size` come out: input[N, C, L] to [N, C, output_size]."""
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """Means of windows such that `output_size` come out, an integer or (height, width), None for the input's own.

    Of size 1 it is global average pooling.
    """
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_max_pool1d(input, output_size):
    """(values, indices): the largest of windows such that `output_size` come out of input[N, C, L]."""
    return adaptive_max(1, input, output_size, True)


def _adaptive_avg_pool(axes, x, output_size):
    name = f"adaptive_avg_pool{axes}d"
    expect_tensors(name, input=x)
    sizes = adaptive_sizes(x.shape, output_size, axes, name)
    if (windows := even_windows(x.shape, sizes)) is None:
        return adaptive_avg_pool(x, sizes=sizes)
    return (avg_pool1d, avg_pool2d)[axes - 1](x, windows)


def adaptive_max(axes, x, output_size, return_indices):
    """Adaptive max pooling of images of 1 or 2 `axes`: values, or (values, indices)."""
    name = f"adaptive_max_pool{axes}d"
    expect_tensors(name, input=x)
    sizes = adaptive_sizes(x.shape, output_size, axes, name)
    if (windows := even_windows(x.shape, sizes)) is None:
        values, indices = adaptive_max_pool(x, sizes=sizes)
        return (values, indices) if return_indices else values
    if return_indices:
        return (max_pool1d_with_indices, max_pool2d_with_indices)[axes - 1](x, windows)
    return (max_pool1d, max_pool2d)[axes - 1](x, windows)
