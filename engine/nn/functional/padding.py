"""Padding as a function."""

from __future__ import annotations

from engine.ops import pad as padding
from engine.ops._op import expect_numbers, expect_tensors
from engine.tensor import Tensor

__all__ = ["pad"]


def pad(input, pad, mode="constant", value=None):
    """More elements around those of input: `pad` holds (before, after) of the last axis, then of the one before it, ...

    mode: 'constant' with `value` (default 0), of any axes; 'reflect', 'replicate' or 'circular', of the last 1, 2 or 3
    axes behind one or two others. Negative numbers crop. RuntimeError where the input is too small for its padding,
    NotImplementedError for axes or a mode that are not offered.
    """
    expect_tensors("pad", input=input)
    if isinstance(value, Tensor):
        value = value.item()
    if value is not None:
        expect_numbers("pad", value=value)
    if mode == "constant":
        return padding.pad(input, pad=pad, value=0.0 if value is None else value)
    if value and mode in ("reflect", "replicate", "circular"):
        raise RuntimeError(f"pad: mode {mode!r} takes no value, got {value}")
    return padding.pad_edges(input, pad=pad, mode=mode)
