"""`engine.linalg`: norms of vectors and matrices, under PyTorch's names."""

from __future__ import annotations

import math

from engine.geometry import ShapeError
from engine.ops import reduce
from engine.ops._op import check_floats, converted, dims, expect_bools, expect_tensors, is_number
from engine.ops.extreme import amax, amin
from engine.ops.shape import reshape
from engine.ops.unary import abs

__all__ = ["matrix_norm", "norm", "vector_norm"]


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(sum of |x| ** ord) ** (1 / ord) along `dim` (None: of everything); inf, -inf and 0 by their limits."""
    return reduce.vector_norm(converted("vector_norm", x, dtype), ord=ord, dim=dim, keepdim=keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Of the matrices in two axes: 'fro', or 1 and -1 (largest, smallest sum of a column), inf and -inf (of a row)."""
    A = converted("matrix_norm", A, dtype)
    check_floats("matrix_norm", A=A._array)
    if A.ndim < 2:
        raise ShapeError(f"matrix_norm(): the input must have at least 2 dimensions, got shape {A.shape}")
    axes = dims("matrix_norm", dim, A.ndim)
    if not isinstance(dim, (tuple, list)) or len(axes) != 2:
        raise ShapeError(f"matrix_norm(): dim must be two axes, got {dim} for shape {A.shape}")
    if ord == "fro":
        return vector_norm(A, 2, axes, keepdim)
    expect_bools("matrix_norm", keepdim=keepdim)
    if not isinstance(ord, str) and not is_number(ord):
        raise TypeError(f"matrix_norm(): order must be a number or a word, got {ord!r}")
    if ord in (2, -2, "nuc"):
        raise NotImplementedError(f"matrix_norm(ord={ord!r}) needs singular values, which are not offered")
    if ord not in (1, -1, math.inf, -math.inf):
        raise ShapeError(f"matrix_norm(): order {ord!r} is not supported; use 'fro', 1, -1, inf or -inf")
    summed, kept = axes if ord in (1, -1) else axes[::-1]
    y = (amax if ord > 0 else amin)(reduce.sum(abs(A), summed, True), kept, True)
    return y if keepdim else reshape(y, shape=[n for i, n in enumerate(A.shape) if i not in axes])


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The vector norm along one axis, the matrix norm along two; of everything, as one vector, without ord and dim."""
    expect_tensors("norm", A=A)
    if ord is None or (dim is not None and not isinstance(dim, (tuple, list)) and not isinstance(ord, str)):
        return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    if dim is None:
        if A.ndim not in (1, 2):
            raise ShapeError(f"norm(): with ord and without dim a vector or a matrix is expected, got shape {A.shape}")
        dim = 0 if A.ndim == 1 and not isinstance(ord, str) else (0, 1)
        return norm(A, ord, dim, keepdim, dtype=dtype)
    if isinstance(dim, (tuple, list)) and len(dim) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, dim, keepdim, dtype=dtype)
