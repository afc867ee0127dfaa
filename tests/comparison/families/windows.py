"""Calls of functions that move a window over images: convolution, pooling, padding, resizing."""

from __future__ import annotations

import math

import numpy as np

from comparison.call import Call
from comparison.draw import FLOATS, Array
from comparison.families.reductions import distinct
from comparison.registry import calls


def axes_of(name):
    """1 or 2, read off a name: conv1d, MaxPool2d."""
    return 1 if "1d" in name else 2


def per_axis(draw, axes, low, high):
    """One integer for all axes, or one for each."""
    if draw.chance(0.6):
        return draw.integer(low, high)
    return tuple(draw.integer(low, high) for _ in range(axes))


def each(value, axes):
    return (value,) * axes if isinstance(value, int) else tuple(value) * (axes // len(value))


def lead(draw, channels):
    """Batch and channels of an image, or channels alone."""
    return (channels,) if draw.chance(0.2) else (draw.size(3), channels)


def windowed(draw, axes, kernel, dilation=1, padding=0, most=5):
    """Sizes of images that the window fits into."""
    spans = [d * (k - 1) + 1 for k, d in zip(each(kernel, axes), each(dilation, axes), strict=True)]
    pads = each(padding, axes) if not isinstance(padding, str) else (0,) * axes
    return tuple(max(span - 2 * p, 1) + draw.integer(0, most) for span, p in zip(spans, pads, strict=True))


# ---- convolution


def convolution(draw, axes, transposed=False):
    """(parameters by PyTorch's names, channels in and out, kernel) of a convolution."""
    groups = draw.pick(1, 1, 1, 2, 3)
    channels, out = groups * draw.integer(1, 3), groups * draw.integer(1, 3)
    kernel = tuple(draw.integer(1, 3) for _ in range(axes))
    stride, dilation = per_axis(draw, axes, 1, 3), per_axis(draw, axes, 1, 2)
    options = {"stride": stride, "padding": per_axis(draw, axes, 0, 2), "dilation": dilation, "groups": groups}
    if not transposed and draw.chance(0.2):
        options["padding"] = draw.pick("same", "valid")
        if options["padding"] == "same":
            options["stride"] = 1
    if transposed:
        limit = [max(s, d) - 1 for s, d in zip(each(stride, axes), each(dilation, axes), strict=True)]
        options["output_padding"] = tuple(draw.integer(0, n) for n in limit) if draw.chance(0.5) else 0
    return options, channels, out, kernel


@calls("conv1d conv2d")
def conv(draw, name):
    axes = axes_of(name)
    options, channels, out, kernel = convolution(draw, axes)
    dtype = draw.dtype(*FLOATS)
    size = windowed(draw, axes, kernel, options["dilation"], options["padding"])
    x = draw.tensor((*lead(draw, channels), *size), dtype)
    weight = draw.tensor((out, channels // options["groups"], *kernel), dtype)
    bias = draw.tensor((out,), dtype) if draw.chance(0.6) else None
    return Call({"input": x, "weight": weight, "bias": bias, **options}, length=weight.values.size)


@calls("conv_transpose1d conv_transpose2d")
def conv_transpose(draw, name):
    axes = axes_of(name)
    options, channels, out, kernel = convolution(draw, axes, transposed=True)
    dtype = draw.dtype(*FLOATS)
    size = tuple(draw.integer(2, 5) for _ in range(axes))
    x = draw.tensor((*lead(draw, channels), *size), dtype)
    weight = draw.tensor((channels, out // options["groups"], *kernel), dtype)
    bias = draw.tensor((out,), dtype) if draw.chance(0.6) else None
    ordered = {n: options[n] for n in ("stride", "padding", "output_padding", "groups", "dilation")}
    return Call({"input": x, "weight": weight, "bias": bias, **ordered}, length=weight.values.size)


def patches(draw):
    """Parameters of unfold and fold: (kernel_size, dilation, padding, stride)."""
    return {"kernel_size": per_axis(draw, 2, 1, 3), "dilation": per_axis(draw, 2, 1, 2), "padding": per_axis(draw, 2, 0, 1),
            "stride": per_axis(draw, 2, 1, 3)}  # fmt: skip


def folded(draw, options):
    """(sizes of an image, number of its patches)."""
    size = windowed(draw, 2, options["kernel_size"], options["dilation"], options["padding"])
    counts = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(
            size, *(each(options[o], 2) for o in ("kernel_size", "dilation", "padding", "stride")), strict=True
        )
    ]
    return size, math.prod(counts)


@calls("unfold", "nn.functional")
def unfold(draw, name):
    options = patches(draw)
    size, _ = folded(draw, options)
    return Call(
        {"input": draw.tensor((*lead(draw, draw.integer(1, 3)), *size), draw.dtype(*FLOATS)), **options}, length=9
    )


@calls("fold")
def fold(draw, name):
    options = patches(draw)
    size, count = folded(draw, options)
    k = math.prod(each(options["kernel_size"], 2))
    batch = lead(draw, draw.integer(1, 3) * k)
    return Call({"input": draw.tensor((*batch, count), draw.dtype(*FLOATS)), "output_size": size, **options}, length=9)


@calls("unfold", "Tensor")
def windows_along(draw, name):
    x = draw.tensor(draw.shape(least=1), draw.dtype())
    dim = draw.dim(x.values.ndim)
    n = x.values.shape[dim]
    return Call(
        {"input": x, "dimension": dim, "size": draw.integer(min(n, 1), max(n, 1)), "step": draw.integer(1, 3)}, length=4
    )


# ---- pooling


def pooling(draw, axes, average=False):
    """Parameters of a pooling window, and sizes of images for it."""
    kernel = per_axis(draw, axes, 1, 4)
    options = {"kernel_size": kernel}
    if draw.chance(0.6):
        options["stride"] = per_axis(draw, axes, 1, 3)
        if draw.chance(0.6):
            options["padding"] = draw.integer(0, min(each(kernel, axes)) // 2)
            if not average and draw.chance(0.5):
                options["dilation"] = per_axis(draw, axes, 1, 2)
    size = windowed(draw, axes, kernel, options.get("dilation", 1), 0, most=6)
    return options, size


def images(draw, size, dtypes=FLOATS):
    """No two elements alike: of equal ones PyTorch takes now the first, now another for the largest."""
    return distinct(draw, draw.tensor((*lead(draw, draw.integer(1, 3)), *size), draw.dtype(*dtypes)))


@calls("max_pool1d max_pool2d max_pool1d_with_indices max_pool2d_with_indices", "nn.functional")
def max_pool(draw, name):
    options, size = pooling(draw, axes_of(name))
    only = {"ceil_mode": draw.chance(0.5)} if draw.chance(0.5) else {}
    if "indices" not in name and draw.chance(0.4):
        only["return_indices"] = True
    return Call({"input": images(draw, size), **options}, only=only)


@calls("max_pool1d max_pool2d max_pool1d_with_indices", "engine")
def max_pool_of_engine(draw, name):
    options, size = pooling(draw, axes_of(name))
    return Call(
        {"input": images(draw, size), **options}, only={"ceil_mode": draw.chance(0.5)} if draw.chance(0.5) else {}
    )


@calls("avg_pool1d avg_pool2d")
def avg_pool(draw, name):
    options, size = pooling(draw, axes_of(name), average=True)
    only = {n: draw.chance(0.5) for n in ("ceil_mode", "count_include_pad") if draw.chance(0.5)}
    if name == "avg_pool2d" and draw.chance(0.3):
        only["divisor_override"] = draw.integer(1, 7)
    return Call({"input": images(draw, size), **options}, only=only, length=16)


@calls("lp_pool1d lp_pool2d")
def lp_pool(draw, name):
    axes = axes_of(name)
    options, size = pooling(draw, axes, average=True)
    options.pop("padding", None)
    kernel = options.pop("kernel_size")
    kernel = kernel[0] if axes == 1 and isinstance(kernel, tuple) else kernel
    x = images(draw, size)
    x.values = abs(x.values) + x.values.dtype.type(0.1)
    only = {"ceil_mode": draw.chance(0.5)} if draw.chance(0.4) else {}
    return Call(
        {"input": x, "norm_type": draw.pick(1, 2, 3, 2.5), "kernel_size": kernel, **options}, only=only, length=64
    )


def output_size(draw, axes):
    return (
        draw.integer(1, 5)
        if draw.chance(0.5)
        else tuple(draw.pick(None, draw.integer(1, 5)) if axes == 2 else draw.integer(1, 5) for _ in range(axes))
    )


@calls("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d")
@calls("adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices")
def adaptive(draw, name):
    axes = axes_of(name)
    x = images(draw, tuple(draw.integer(1, 7) for _ in range(axes)))
    return Call({"input": x, "output_size": output_size(draw, axes)}, length=16)


def unpooling(draw, axes):
    """(values, positions as max_pool gives them, parameters) for a max_unpool."""
    kernel = draw.integer(2, 3)
    size = tuple(draw.integer(2, 4) for _ in range(axes))
    full = tuple(n * kernel for n in size)
    shape = lead(draw, draw.integer(1, 3))
    values = draw.tensor((*shape, *size), draw.dtype(*FLOATS))
    count = math.prod(size)
    rows = [draw.rng.permutation(math.prod(full))[:count] for _ in range(math.prod(shape))]
    positions = Array(np.array(rows, "int64").reshape(*shape, *size))
    return values, positions, kernel, full


@calls("max_unpool1d max_unpool2d")
def max_unpool(draw, name):
    values, positions, kernel, full = unpooling(draw, axes_of(name))
    only = {"output_size": full} if draw.chance(0.3) else {}
    return Call({"input": values, "indices": positions, "kernel_size": kernel}, only=only)


# ---- padding


def widths(draw, shape, axes, mode):
    """(left, right, top, bottom) for the last axes, that the mode has room for."""
    most = {"reflect": -1, "circular": 0}.get(mode)
    out = []
    for n in reversed(shape[len(shape) - axes :]):
        limit = 3 if most is None else max(min(n + most, 3), 0)
        low = -1 if mode in ("constant", "replicate") and n > 2 and draw.chance(0.15) else 0
        out += [draw.integer(low, limit), draw.integer(low, limit)]
    return tuple(out)


@calls("pad")
def pad(draw, name):
    mode = draw.pick("constant", "constant", "reflect", "replicate", "circular")
    if mode == "constant":
        x = draw.tensor(draw.shape(least=1), draw.dtype())
        pad = widths(draw, x.values.shape, draw.integer(1, x.values.ndim), mode)
        return Call(
            {
                "input": x,
                "pad": pad if draw.chance(0.7) else list(pad),
                "mode": mode,
                "value": draw.pick(None, draw.number(), 0),
            }
        )
    axes = draw.pick(1, 2)
    x = images(draw, tuple(draw.integer(1, 5) for _ in range(axes)))
    return Call({"input": x, "pad": widths(draw, x.values.shape, axes, mode), "mode": mode}, length=8)


# ---- resizing


def resizing(draw):
    """(size or scale_factor, with what goes along) and the sizes of an image."""
    size = tuple(draw.integer(1, 6) for _ in range(2))
    if draw.chance(0.5):
        return {"size": draw.pick(draw.integer(1, 8), tuple(draw.integer(1, 8) for _ in range(2)))}, size
    return {"scale_factor": draw.pick(2, 3, 1.5, 2.0, (2.0, 1.5), 0.5)}, tuple(max(n, 2) for n in size)


@calls("interpolate")
def interpolate(draw, name):
    only, size = resizing(draw)
    mode = draw.pick("nearest", "bilinear", "nearest-exact", "area", "nearest", "bilinear")
    if mode == "bilinear" and draw.chance(0.5):
        only["align_corners"] = draw.chance(0.5)
    if "scale_factor" in only and draw.chance(0.4):
        only["recompute_scale_factor"] = draw.chance(0.6)
    x = draw.tensor((draw.size(2), draw.integer(1, 2), *size), draw.dtype(*FLOATS))
    return Call({"input": x}, only={**only, "mode": mode}, length=16)


@calls("upsample upsample_nearest upsample_bilinear")
def upsample(draw, name):
    only, size = resizing(draw)
    if name == "upsample_bilinear" and isinstance(only.get("scale_factor"), float):
        only["scale_factor"] = 2
    if name == "upsample":
        only["mode"] = draw.pick("nearest", "bilinear")
    x = draw.tensor((draw.size(2), draw.integer(1, 2), *size), draw.dtype(*FLOATS))
    return Call({"input": x}, only=only, length=16)
