"""Resizing of images, and rearrangement of channels and pixels."""

from __future__ import annotations

from engine.geometry import ShapeError, integer
from engine.ops._op import check_floats, expect_tensors, op
from engine.ops.shape import permute, reshape

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


@op
def resize_nearest(k, x, *, sizes, steps, centred=False):
    """x[N, C, ...] resized to [N, C, *sizes]: output i of an axis is input floor(step * i), or floor(step * (i + 0.5)) if
    `centred`. A step of None is the ratio of the sizes."""
    in_sizes = x.shape[2:]
    y = k.resize_nearest(x, sizes, steps, centred)
    return y, (lambda g: k.resize_nearest_dx(g, in_sizes, steps, centred),)


@op
def resize_linear(k, x, *, sizes, steps, align_corners=False):
    """x[N, C, ...] resized to [N, C, *sizes], linearly between neighbours along each axis.

    Output i lies at step * (i + 0.5) - 0.5 of the input, not below 0; with `align_corners` the outermost points of both
    coincide, whatever the steps. A step of None is the ratio of the sizes.
    """
    check_floats("interpolate", input=x)
    in_sizes = x.shape[2:]
    y = k.resize_linear(x, sizes, steps, align_corners)
    return y, (lambda g: k.resize_linear_dx(g, in_sizes, steps, align_corners),)


def _factor(name, value, argument):
    value = integer(value, argument)
    if value < 1:
        raise ShapeError(f"{name}: {argument} must be positive, got {value}")
    return value


def _image(name, x, ndim=3):
    expect_tensors(name, input=x)
    if x.ndim < ndim:
        raise ShapeError(f"{name} expects an input of at least {ndim} dimensions, got shape {x.shape}")
    return x.shape


def pixel_shuffle(input, upscale_factor):
    """Channels to pixels: [..., C*r*r, H, W] to [..., C, H*r, W*r] (Shi et al. 2016, sub-pixel convolution)."""
    *outer, channels, h, w = _image("pixel_shuffle", input)
    r = _factor("pixel_shuffle", upscale_factor, "upscale_factor")
    if channels % (r * r):
        raise ShapeError(
            f"pixel_shuffle got {channels} channels (shape {input.shape}), expected a multiple of {r * r} (upscale_factor {r} squared)"
        )
    n = len(outer)
    x = reshape(input, shape=(*outer, channels // (r * r), r, r, h, w))
    x = permute(x, dims=(*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return reshape(x, shape=(*outer, channels // (r * r), h * r, w * r))


def pixel_unshuffle(input, downscale_factor):
    """The reverse of pixel_shuffle: [..., C, H*r, W*r] to [..., C*r*r, H, W]."""
    *outer, channels, h, w = _image("pixel_unshuffle", input)
    r = _factor("pixel_unshuffle", downscale_factor, "downscale_factor")
    if h % r or w % r:
        raise ShapeError(f"pixel_unshuffle got shape {input.shape}: height and width must be multiples of {r}")
    n = len(outer)
    x = reshape(input, shape=(*outer, channels, h // r, r, w // r, r))
    x = permute(x, dims=(*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape(x, shape=(*outer, channels * r * r, h // r, w // r))


def channel_shuffle(input, groups):
    """The channels of [N, C, ...], seen as [groups, C/groups], in the order of [C/groups, groups] (Zhang et al. 2018)."""
    n, channels, *sizes = _image("channel_shuffle", input)
    groups = _factor("channel_shuffle", groups, "groups")
    if channels % groups:
        raise ShapeError(
            f"channel_shuffle got {channels} channels (shape {input.shape}), expected a multiple of {groups}"
        )
    x = reshape(input, shape=(n, groups, channels // groups, *sizes))
    x = permute(x, dims=(0, 2, 1, *range(3, x.ndim)))
    return reshape(x, shape=input.shape)
