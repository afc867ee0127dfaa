"""Dropout as functions: what is dropped, and what is left of it."""

from __future__ import annotations

import math
import warnings

from engine import functions
from engine.geometry import ShapeError
from engine.ops._op import expect_bools, expect_numbers, expect_tensors
from engine.ops.compare import ne
from engine.ops.pointwise import add, mul, where
from engine.ops.random import dropout

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "feature_alpha_dropout"]

SATURATED = -1.7580993408473766  # selu of minus infinity (Klambauer et al. 2017, section 2)


def check_probability(name, p):
    """ValueError unless p is a number from 0 to 1."""
    expect_numbers(name, p=p)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _applied(input, y, inplace, name):
    return input._replace(y, name) if inplace else y


def _whole_channels(name, input, shape, p, training, inplace):
    """input times a mask of `shape`, one number for each channel of each sample."""
    expect_bools(name, training=training, inplace=inplace)
    check_probability(name, p)
    if not training or p == 0:
        return input
    mask = dropout(functions.ones(shape, dtype=input.dtype, device=input.device), p)
    return _applied(input, mul(input, mask), inplace, f"{name}_")


def dropout1d(input, p=0.5, training=True, inplace=False):
    """As dropout, but of whole channels of [N, C, L] or [C, L] (Tompson et al. 2015)."""
    expect_tensors("dropout1d", input=input)
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d expects an input [N, C, L] or [C, L], got shape {input.shape}; use dropout")
    return _whole_channels("dropout1d", input, (*input.shape[:-1], 1), p, training, inplace)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """As dropout, but of whole channels of [N, C, H, W] (Tompson et al. 2015).

    An input of 3 axes is [N, C, L], as in PyTorch, with its warning; with other numbers of axes the first two count.
    """
    expect_tensors("dropout2d", input=input)
    if input.ndim < 2:
        raise ShapeError(f"dropout2d expects an input [N, C, H, W], got shape {input.shape}; use dropout")
    if input.ndim != 4:
        use = "it is taken for [N, C, L], which is for dropout1d" if input.ndim == 3 else "use dropout"
        warnings.warn(f"dropout2d expects an input [N, C, H, W], got shape {input.shape}: {use}", stacklevel=2)
    shape = input.shape[:2] + (1,) * (input.ndim - 2)
    return _whole_channels("dropout2d", input, shape, p, training, inplace)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout for selu: elements become its lower limit, then all are scaled and shifted to keep mean 0 and variance 1."""
    expect_tensors("alpha_dropout", input=input)
    return _alpha("alpha_dropout_", input, input.shape, p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """As alpha_dropout, but of whole channels of [N, C, ...]."""
    expect_tensors("feature_alpha_dropout", input=input)
    if input.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout expects an input [N, C, ...], got shape {input.shape}")
    shape = input.shape[:2] + (1,) * (input.ndim - 2)
    return _alpha("feature_alpha_dropout_", input, shape, p, training, inplace)


def _alpha(name, input, shape, p, training, inplace):
    """Klambauer et al. 2017, section 3: the scale and the shift that restore the moments."""
    expect_bools(name, training=training, inplace=inplace)
    check_probability(name, p)
    if not training or p == 0:
        return input
    if p == 1:
        return _applied(input, mul(input, 0.0), inplace, name)
    kept = ne(dropout(functions.ones(shape, dtype=input.dtype, device=input.device), p), 0)
    scale = 1 / math.sqrt((1 - p) * (1 + p * SATURATED * SATURATED))
    y = add(mul(where(kept, input, SATURATED), scale), -scale * SATURATED * p)
    return _applied(input, y, inplace, name)
