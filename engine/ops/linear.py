"""Matrix products: the fully connected layer and matmul in all its forms."""

from __future__ import annotations

import math

from engine.geometry import ShapeError
from engine.ops._op import check_floats, expect_tensors, op
from engine.ops.shape import reshape

__all__ = ["matmul"]
METHODS = "matmul".split()


@op
def linear(k, x, w, b=None):
    """x[..., K] @ w[O, K].T + b[O]."""
    check_floats("linear", input=x, weight=w, bias=b)
    if w.ndim != 2:
        raise ShapeError(f"linear expects weights [out_features, in_features], got shape {w.shape}")
    if not x.ndim or x.shape[-1] != w.shape[1]:
        raise ShapeError(
            f"linear got input {x.shape}, but in_features is {w.shape[1]} (last dimension must match)"
            f"\n  Fix: in_features={x.shape[-1] if x.ndim else 1}"
        )
    if b is not None and b.shape != (w.shape[0],):
        raise ShapeError(f"linear got a bias of shape {b.shape}, expected ({w.shape[0]},)")
    rows = math.prod(x.shape[:-1])
    outputs, inputs = (rows, w.shape[0]), (rows, w.shape[1])
    return k.linear(x, w, b), (
        lambda g: k.matmul(g.reshape(outputs), w).reshape(g.shape[:-1] + w.shape[1:]),
        lambda g: k.matmul(g.reshape(outputs).T, x.reshape(inputs)),
        lambda g: k.column_sum(g.reshape(outputs)),
    )


@op
def bmm_broadcast(k, a, b):
    """a[..., M, K] @ b[..., K, N], leading axes broadcast."""
    check_floats("matmul", input=a, other=b)
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"matmul: shapes {a.shape} and {b.shape} cannot be multiplied ({a.shape[-1]} != {b.shape[-2]})"
        )
    to_a, to_b = a.shape, b.shape
    return k.matmul(a, b), (
        lambda g: k.sum_to(k.matmul(g, b.swapaxes(-1, -2)), to_a),
        lambda g: k.sum_to(k.matmul(a.swapaxes(-1, -2), g), to_b),
    )


def matmul(a, b):
    """Matrix product; vectors count as a row on the left and a column on the right, leading axes are broadcast."""
    expect_tensors("matmul", input=a, other=b)
    if not a.ndim or not b.ndim:
        raise RuntimeError(f"matmul: both arguments need at least 1 dimension, got shapes {a.shape} and {b.shape}")
    p = reshape(a, shape=(1, *a.shape)) if a.ndim == 1 else a
    q = reshape(b, shape=(*b.shape, 1)) if b.ndim == 1 else b
    y = bmm_broadcast(p, q)
    shape = y.shape
    if b.ndim == 1:
        shape = shape[:-1]
    if a.ndim == 1:
        shape = shape[:-2] + shape[-1:] if b.ndim > 1 else shape[:-1]
    return y if shape == y.shape else reshape(y, shape=shape)
