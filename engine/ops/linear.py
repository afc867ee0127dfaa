"""Matrix products: the fully connected layer and matmul in all its forms."""

from __future__ import annotations

import math

from engine.geometry import ShapeError
from engine.ops._images import shaped
from engine.ops._op import DtypeError, check_floats, expect_tensors, op
from engine.ops.pointwise import add, mul
from engine.ops.shape import expand, reshape, transpose

__all__ = ["addmm", "addmv", "baddbmm", "bmm", "dot", "ger", "inner", "matmul", "mm", "mv", "outer"]
METHODS = __all__
IN_PLACE = "addmm addmv baddbmm".split()


@op
def linear(k, input, weight, bias=None):
    """input[..., K] @ weight[O, K].T + bias[O]; with a weight [K], and a bias of one number, [...]."""
    x, w, b = input, weight, bias
    if w.ndim == 1 and x.ndim and x.shape[-1:] == w.shape and (b is None or not b.ndim):
        return _one_output(k, x, w, b)
    check_linear(x, w, b)
    x_shape, (out_features, in_features) = x.shape, w.shape
    rows = math.prod(x_shape[:-1])
    outputs, inputs = (rows, out_features), (rows, in_features)
    return k.linear(x, w, b), (
        lambda g: shaped(k.matmul(shaped(g, outputs), w), x_shape),
        lambda g: k.matmul(shaped(g, outputs).T, shaped(x, inputs)),
        lambda g: k.column_sum(shaped(g, outputs)),
    )


def check_linear(x, w, b):
    """Errors unless x[..., K], w[O, K] and b[O] or None fit together."""
    check_floats("linear", input=x, weight=w, bias=b)
    of_x, of_w = x.shape, w.shape
    if len(of_w) != 2:
        raise ShapeError(f"linear expects weights [out_features, in_features] or [in_features], got shape {of_w}")
    if not of_x or of_x[-1] != of_w[1]:
        raise ShapeError(
            f"linear got input {of_x}, but in_features is {of_w[1]} (last dimension must match)"
            f"\n  Fix: in_features={of_x[-1] if of_x else 1}"
        )
    if b is not None and b.shape != of_w[:1]:
        raise ShapeError(f"linear got a bias of shape {b.shape}, expected ({of_w[0]},)")


def _one_output(k, x, w, b):
    """linear with weights [K]: one number for each row."""
    check_floats("linear", input=x, weight=w, bias=b)
    lead, rows = x.shape[:-1], (math.prod(x.shape[:-1]), x.shape[-1])
    y = k.linear(x, w.reshape(1, -1), None if b is None else b.reshape(1)).reshape(lead)
    return y, (
        lambda g: k.mul(g.reshape(*lead, 1), w),
        lambda g: k.matmul(g.reshape(1, -1), x.reshape(rows)).reshape(w.shape),
        lambda g: k.sum(g, tuple(range(g.ndim)), False),
    )


@op
def bmm_broadcast(k, a, b):
    """a[..., M, K] @ b[..., K, N], leading axes broadcast."""
    if a.dtype != b.dtype:
        raise DtypeError(f"matmul: expected both to have the same dtype, but got: {a.dtype} != {b.dtype}; convert one")
    if a.dtype.kind == "b":
        raise NotImplementedError("matmul is not implemented for bool; use x.float() or x.int()")
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"matmul: shapes {a.shape} and {b.shape} cannot be multiplied ({a.shape[-1]} != {b.shape[-2]})"
        )
    to_a, to_b = a.shape, b.shape
    try:
        y = k.matmul(a, b)
    except ValueError:
        raise ShapeError(
            f"matmul: leading axes of shapes {a.shape} and {b.shape} cannot be broadcast together"
        ) from None
    return y, (
        lambda g: k.sum_to(k.matmul(g, b.swapaxes(-1, -2)), to_a),
        lambda g: k.sum_to(k.matmul(a.swapaxes(-1, -2), g), to_b),
    )


def matmul(input, other):
    """Matrix product; vectors count as a row on the left and a column on the right, leading axes are broadcast."""
    expect_tensors("matmul", input=input, other=other)
    if not input.ndim or not other.ndim:
        raise RuntimeError(
            f"matmul: both arguments need at least 1 dimension, got shapes {input.shape} and {other.shape}"
        )
    p = reshape(input, shape=(1, *input.shape)) if input.ndim == 1 else input
    q = reshape(other, shape=(*other.shape, 1)) if other.ndim == 1 else other
    y = bmm_broadcast(p, q)
    shape = y.shape
    if other.ndim == 1:
        shape = shape[:-1]
    if input.ndim == 1:
        shape = shape[:-2] + shape[-1:] if other.ndim > 1 else shape[:-1]
    return y if shape == y.shape else reshape(y, shape=shape)


def _expect(name, **shapes):
    """ShapeError unless every argument, given as (Tensor, its shape in words), is a Tensor of so many dimensions."""
    expect_tensors(name, **{argument: x for argument, (x, _) in shapes.items()})
    for argument, (x, wanted) in shapes.items():
        if x.ndim != wanted.count(",") + 1:
            raise ShapeError(f"{name}(): {argument} must have shape {wanted}, got {x.shape}")


def mm(input, mat2):
    """[M, K] @ [K, N]."""
    _expect("mm", input=(input, "[M, K]"), mat2=(mat2, "[K, N]"))
    return bmm_broadcast(input, mat2)


def bmm(input, mat2):
    """[B, M, K] @ [B, K, N], one product for each of B."""
    _expect("bmm", input=(input, "[B, M, K]"), mat2=(mat2, "[B, K, N]"))
    if input.shape[0] != mat2.shape[0]:
        raise ShapeError(f"bmm(): expected equal numbers of matrices, got shapes {input.shape} and {mat2.shape}")
    return bmm_broadcast(input, mat2)


def mv(input, vec):
    """[M, K] @ [K]."""
    _expect("mv", input=(input, "[M, K]"), vec=(vec, "[K]"))
    return matmul(input, vec)


def dot(input, tensor):
    """The sum of the products of two vectors."""
    _expect("dot", input=(input, "[K]"), tensor=(tensor, "[K]"))
    return matmul(input, tensor)


def inner(input, other):
    """The sum of the products along the last axes: [..., K] and [*, K] give [..., *]; a number just scales."""
    expect_tensors("inner", input=input, other=other)
    if not input.ndim or not other.ndim:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(f"inner(): the last axes of shapes {input.shape} and {other.shape} must have the same size")
    p, q = (reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1])) for x in (input, other))
    return reshape(bmm_broadcast(p, transpose(q, 0, 1)), shape=input.shape[:-1] + other.shape[:-1])


def outer(input, vec2):
    """Every product of an element of one vector and one of the other, [M, N]."""
    _expect("outer", input=(input, "[M]"), vec2=(vec2, "[N]"))
    return mul(reshape(input, shape=(-1, 1) if input.numel() else (0, 1)), vec2)


ger = outer


def _added(name, input, product, beta, alpha):
    """beta * input + alpha * product; beta 0 leaves out the input, nan or not, as in PyTorch."""
    expect_tensors(name, input=input)
    if input.dtype != product.dtype:
        raise DtypeError(f"{name}(): expected one dtype, got input {input.dtype} and matrices {product.dtype}")
    input = expand(input, shape=product.shape)
    if alpha != 1:
        product = mul(product, alpha)
    if beta == 0:
        return product
    return add(input if beta == 1 else mul(input, beta), product)


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * mat1[M, K] @ mat2[K, N], the input expanded to [M, N]."""
    return _added("addmm", input, mm(mat1, mat2), beta, alpha)


def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * mat[M, K] @ vec[K], the input expanded to [M]."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * batch1[B, M, K] @ batch2[B, K, N], the input expanded to [B, M, N]."""
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)
