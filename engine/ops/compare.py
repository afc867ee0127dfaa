"""Comparisons, logic, bits, and whether two tensors are equal or close."""

from __future__ import annotations

from functools import wraps

from engine.ops._op import cast, expect_tensors, op
from engine.ops.pointwise import tensors_only
from engine.ops.shape import broadcast_shapes
from engine.tensor import Tensor

_COMPARISONS = [
    "eq", "ge", "greater", "greater_equal", "gt", "le", "less", "less_equal", "lt", "ne", "not_equal",
]  # fmt: skip
_BITS = ["bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_or", "logical_xor"]
__all__ = ["allclose", "equal", "isclose", *_COMPARISONS, *_BITS]
METHODS = __all__
IN_PLACE = [*_COMPARISONS, *_BITS]


def _by_value(plain):
    """`plain` also of an integer tensor and a Python integer beyond its dtype: there it is compared with infinity."""

    @wraps(plain)
    def compare(input, other):
        try:
            return plain(input, other)
        except RuntimeError:
            if not isinstance(input, Tensor) or input.dtype.kind not in "iu" or isinstance(other, (Tensor, float)):
                raise
            return plain(cast(input, dtype="float64"), float("inf") if other > 0 else -float("inf"))

    return compare


@_by_value
@op(arithmetic=True)
def eq(k, a, b):
    """a == b, as bool."""
    return k.eq(a, b), None


@_by_value
@op(arithmetic=True)
def ne(k, a, b):
    """a != b, as bool."""
    return k.ne(a, b), None


@_by_value
@op(arithmetic=True)
def lt(k, a, b):
    """a < b, as bool."""
    return k.lt(a, b), None


@_by_value
@op(arithmetic=True)
def le(k, a, b):
    """a <= b, as bool."""
    return k.le(a, b), None


@_by_value
@op(arithmetic=True)
def gt(k, a, b):
    """a > b, as bool."""
    return k.gt(a, b), None


@_by_value
@op(arithmetic=True)
def ge(k, a, b):
    """a >= b, as bool."""
    return k.ge(a, b), None


# ---- logic of what counts as true (any number but 0), and of bits


@tensors_only
@op(arithmetic=True)
def logical_and(k, a, b):
    """Whether both are not 0, as bool."""
    return k.logical_and(a, b), None


@tensors_only
@op(arithmetic=True)
def logical_or(k, a, b):
    """Whether one of both is not 0, as bool."""
    return k.logical_or(a, b), None


@tensors_only
@op(arithmetic=True)
def logical_xor(k, a, b):
    """Whether just one of both is not 0, as bool."""
    return k.logical_xor(a, b), None


@op(arithmetic=True)
def bitwise_and(k, a, b):
    """The bits that both have, of integers or bool."""
    return k.bitwise_and(a, b), None


@op(arithmetic=True)
def bitwise_or(k, a, b):
    """The bits that one of both has, of integers or bool."""
    return k.bitwise_or(a, b), None


@op(arithmetic=True)
def bitwise_xor(k, a, b):
    """The bits that just one of both has, of integers or bool."""
    return k.bitwise_xor(a, b), None


# ---- of whole tensors


@op
def isclose(k, input, other, *, rtol=1e-05, atol=1e-08, equal_nan=False):
    """|a - b| <= atol + rtol * |b|, as bool; both of one dtype. Equal infinities are close, nan only if `equal_nan`."""
    if input.dtype != other.dtype:
        raise RuntimeError(
            f"isclose(): {input.dtype} did not match {other.dtype}; convert one, e.g. with x.to(y.dtype)"
        )
    if not (rtol >= 0 and atol >= 0):
        raise RuntimeError(f"isclose(): rtol and atol must be greater than or equal to zero, got {rtol} and {atol}")
    broadcast_shapes(input.shape, other.shape)
    return k.isclose(input, other, rtol, atol, equal_nan), None


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether `isclose` holds everywhere, as a Python bool."""
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


def equal(input, other):
    """Whether both have the same shape and elements, as a Python bool."""
    expect_tensors("equal", input=input, other=other)
    return input.shape == other.shape and bool(eq(input, other)._array.all())


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
