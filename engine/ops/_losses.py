"""What losses share: the reduction at their end, and inputs and targets that have to fit together."""

from __future__ import annotations

import warnings

from engine.geometry import ShapeError
from engine.ops._op import expect_tensors, operands
from engine.ops.reduce import mean, sum
from engine.ops.shape import broadcast_shapes, expand

REDUCTIONS = ("mean", "sum", "none")


def reduction_of(size_average, reduce, reduction, allowed=REDUCTIONS):
    """`reduction`, which must be one of those allowed (ValueError).

    PyTorch's old arguments decide instead where they are given, with its warning.
    """
    if size_average is not None or reduce is not None:
        several, summed = reduce is not None and not reduce, size_average is not None and not size_average
        reduction = "none" if several else "sum" if summed else "mean"
        warnings.warn(
            f"size_average and reduce are deprecated, please use reduction={reduction!r} instead", stacklevel=3
        )
    if reduction not in allowed:
        names = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
        raise ValueError(f"{reduction!r} is not a valid value for reduction: use {names}")
    return reduction


def reduced(losses, reduction):
    """The mean of the losses, their sum, or for 'none' the losses."""
    if reduction == "mean":
        return mean(losses)
    return sum(losses) if reduction == "sum" else losses


def pair(name, input, target, warn=True):
    """`input` and `target` in one float dtype and shape. If they must be broadcast, a UserWarning, as in PyTorch."""
    expect_tensors(name, input=input, target=target)
    if input.shape != target.shape:
        try:
            shape = broadcast_shapes(input.shape, target.shape)
        except RuntimeError:
            raise ShapeError(f"{name} got shapes {input.shape} and {target.shape}; they must agree") from None
        if warn:
            warnings.warn(
                f"{name} got an input of shape {input.shape} and a target of shape {target.shape}: both are broadcast "
                f"to {shape}, which is seldom what is wanted. Make their shapes equal",
                stacklevel=3,
            )
        input, target = expand(input, shape=shape), expand(target, shape=shape)
    input, target = operands(name, input, target)
    if input.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; use .float()")
    return input, target
