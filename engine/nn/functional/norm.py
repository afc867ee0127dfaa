"""Normalisation as functions."""

from __future__ import annotations

import math

from engine.geometry import ShapeError, integer
from engine.nn.functional.pooling import avg_pool2d
from engine.ops import norm
from engine.ops._op import expect_bools, expect_numbers, expect_tensors
from engine.ops.pad import pad
from engine.ops.pointwise import add, clamp_min, div, mul, pow
from engine.ops.reduce import mean
from engine.ops.reduce import norm as vector_norm
from engine.ops.shape import reshape
from engine.ops.unary import rsqrt, square
from engine.tape import touch
from engine.tensor import Tensor

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Batch normalisation of [N, C, ...]; while training the running statistics, if any, are updated in place."""
    expect_bools("batch_norm", training=training)
    expect_numbers("batch_norm", eps=eps)
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm: eps must be positive, or 0 when not training, got {eps}")
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: running_mean and running_var are needed when training is False")
        return norm.batch_norm_eval(input, running_mean, running_var, weight, bias, eps=eps)
    y, mean, var = norm.batch_norm_train(input, weight, bias, eps=eps)
    if input.numel():
        move_running(running_mean, running_var, mean, var, input.numel() // input.shape[1], momentum)
    return y


def move_running(running_mean, running_var, mean, var, items, momentum, name="batch_norm"):
    """Move the running statistics, those that are there, towards the mean and the unbiased variance of `items` values."""
    unbiased = items / (items - 1) if items > 1 else 1.0
    found = (("running_mean", running_mean, mean, 1.0), ("running_var", running_var, var, unbiased))
    for argument, t, value, _ in found:
        if t is None:
            continue
        if type(momentum) is not float:
            expect_numbers(name, momentum=momentum)
        if type(t) is not Tensor:
            expect_tensors(name, **{argument: t})
        if t._array.shape != value._array.shape or t._array.dtype != value._array.dtype:
            raise ShapeError(
                f"{name} got a {argument} of shape {t.shape} and dtype {t.dtype}, expected {value.shape} and {value.dtype}"
            )
    for _, t, value, factor in found:
        if t is not None:
            t._k.lerp_into(t._array, value._array, momentum, factor)
            touch(t._version, t._array, name)


def count_batch(batches):
    """One more in the 0-d integer Tensor `batches`."""
    batches._k.increment(batches._array)
    touch(batches._version, batches._array, "batch_norm")


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
):
    """Each channel of each sample of [N, C, ...] normalised by its own mean and variance.

    Running statistics, if any, are updated by the means over the samples, in place; use_input_stats=False
    normalises by them instead.
    """
    expect_tensors("instance_norm", input=input)
    expect_bools("instance_norm", use_input_stats=use_input_stats)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    plane = math.prod(input.shape[2:])
    if input.ndim < 2 or plane == 1:
        raise ShapeError(
            f"instance_norm: expected more than 1 spatial element when training, got input size {input.shape}"
        )
    channels = input.shape[1]
    y, mean, var = norm.group_norm(input, weight, bias, groups=max(channels, 1), eps=eps)
    if input.numel():
        mean, var = (reshape(t.detach(), shape=(-1, channels)).mean(0) for t in (mean, var))
        move_running(running_mean, running_var, mean, var, plane, momentum, "instance_norm")
    return y


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """The channels of each sample of [N, C, ...] normalised in `num_groups` groups; weight and bias are [C]."""
    expect_tensors("group_norm", input=input)
    if input.ndim < 2:
        raise ShapeError(f"group_norm: expected at least 2 dimensions for input tensor but received {input.ndim}")
    groups = integer(num_groups, "num_groups")
    if groups > 0 and input.numel() == input.shape[0] * groups == groups:
        raise ShapeError(f"group_norm: expected more than 1 value per group, got input size {input.shape}")
    return norm.group_norm(input, weight, bias, groups=groups, eps=eps)[0]


def sizes(normalized_shape):
    """A shape given as one integer or as several."""
    several = isinstance(normalized_shape, (tuple, list))
    return tuple(integer(n, "normalized_shape") for n in (normalized_shape if several else (normalized_shape,)))


def _last_axes(name, input, normalized_shape, **affine):
    """How many axes `normalized_shape` has, which must be the input's last, and the shape of the affine parameters."""
    expect_tensors(name, input=input)
    shape = sizes(normalized_shape)
    if not shape:
        raise RuntimeError(f"{name}: normalized_shape must have at least one axis, got ()")
    if input.shape[-len(shape) :] != shape:
        raise ShapeError(f"{name} got an input of shape {input.shape}, expected its last axes to be {shape}")
    for argument, t in affine.items():
        if t is not None:
            expect_tensors(name, **{argument: t})
        if t is not None and t.shape != shape:
            raise ShapeError(f"{name} got a {argument} of shape {t.shape}, expected {shape}")
    return len(shape)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The last axes of each sample, of the sizes `normalized_shape`, normalised; weight and bias have these sizes too."""
    axes = _last_axes("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return norm.layer_norm(input, weight, bias, dims=axes, eps=eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """input / sqrt(mean of its squares + eps) along the last axes (Zhang and Sennrich 2019).

    eps None is the distance of 1 to the next number of the dtype.
    """
    axes = _last_axes("rms_norm", input, normalized_shape, weight=weight)
    norm.check_input("rms_norm", input._array, weight=None if weight is None else weight._array)
    if eps is None:
        eps = 2.0**-23 if input.dtype.name == "float32" else 2.0**-52
    y = mul(input, rsqrt(add(mean(square(input), tuple(range(-axes, 0)), True), eps)))
    return y if weight is None else mul(y, weight)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """input / (k + alpha * mean of the squares of `size` neighbouring channels) ** beta, of [N, C, ...].

    Channels beyond the first and the last count as 0 (Krizhevsky et al. 2012, section 3.3, with alpha over size).
    """
    expect_tensors("local_response_norm", input=input)
    if input.ndim < 3:
        raise ShapeError(f"local_response_norm: expected 3D or higher dimensionality input, got shape {input.shape}")
    norm.check_input("local_response_norm", input._array)
    size = integer(size, "size")
    if size < 1:
        raise ShapeError(f"local_response_norm: size must be at least 1, got {size}")
    if not input.numel():
        return input
    n, c = input.shape[:2]
    planes = reshape(square(input), shape=(n, 1, c, math.prod(input.shape[2:])))
    planes = pad(planes, pad=(0, 0, size // 2, (size - 1) // 2))
    power = reshape(avg_pool2d(planes, (size, 1), stride=1), shape=input.shape)
    return div(input, pow(add(mul(power, alpha), k), beta))


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """input over its p-norm along `dim`, or over eps where that is smaller."""
    expect_tensors("normalize", input=input)
    if out is not None:
        raise NotImplementedError("normalize(out=...) is not offered; use out.copy_(normalize(...))")
    return div(input, clamp_min(vector_norm(input, p, dim, True), eps))
