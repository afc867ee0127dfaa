"""Sorting along an axis, the largest few, distinct values and their counts. nan is larger than everything, as in PyTorch."""

from __future__ import annotations

from engine.geometry import MAX_ELEMENTS, ShapeError
from engine.ops._op import OutOfRange, expect_tensors, numpys_names, one_axis, op
from engine.ops.extreme import Selected

__all__ = ["argsort", "bincount", "msort", "sort", "topk", "unique"]
METHODS = __all__


@op
def first_along(k, x, *, dim, descending=False, count=None):
    """The first `count` (None: all) values in order along one axis and their int64 indices; equal ones keep their order."""
    before = x.shape
    axis, x = one_axis("sort", dim, x)
    shape = x.shape
    indices = k.argsort(x, axis, descending)
    if count is not None:
        indices = k.copy(indices[(slice(None),) * axis + (slice(count),)])
    values = k.take_along(x, indices, axis)
    out = indices.shape if before else ()

    def dx(gs):
        return (k.put_along(gs[0].reshape(indices.shape), indices, axis, shape).reshape(before),)

    return (values.reshape(out), indices.reshape(out)), dx


@numpys_names
def sort(input, dim=-1, descending=False, *, stable=True):
    """(values, indices): the values in order along `dim` and their int64 indices.

    Equal values always keep their order, whatever `stable` says.
    """
    return Selected(*first_along(input, dim=dim, descending=descending))


@numpys_names
def argsort(input, dim=-1, descending=False, *, stable=True):
    """The int64 indices that put the values in order along `dim`; equal values keep their order."""
    return sort(input, dim, descending).indices


def msort(input):
    """The values in order along the first axis."""
    return sort(input, 0).values


@numpys_names
def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices): the k largest (or smallest) along `dim`, the first of equal ones, always in order."""
    expect_tensors("topk", input=input)
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise TypeError(f"topk(): k must be an integer, got {k!r}")
    dim = -1 if dim is None else dim
    axis, array = one_axis("topk", dim, input._array)
    if not 0 <= k <= array.shape[axis]:
        raise OutOfRange(f"topk(): selected index k out of range: k={k}, but dim {dim} has size {array.shape[axis]}")
    return Selected(*first_along(input, dim=dim, descending=largest, count=int(k)))


@op
def distinct(k, x):
    """The distinct values in order; which of them each element is, int64; how often each occurs, int64."""
    return k.unique(x), None


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct values in order; with them, if asked for, which of them each element is and how often each occurs."""
    if dim is not None:
        raise NotImplementedError("unique(dim=...) is not offered; unique() of all elements is")
    values, inverse, counts = distinct(input)
    if not (return_inverse or return_counts):
        return values
    return (values, *([inverse] if return_inverse else []), *([counts] if return_counts else []))


@op
def bincount(k, x, weights=None, *, minlength=0):
    """How often 0, 1, 2, ... occur in a vector of integers, at least `minlength` counts; or the sums of their weights."""
    if x.dtype.kind not in "iu":
        raise NotImplementedError(f"bincount() counts integers, got {x.dtype}; use x.long()")
    if x.ndim != 1 or (x.size and k.min(x, (0,), False) < 0):
        raise ShapeError(f"bincount() only supports 1-d non-negative integral inputs, got shape {x.shape}")
    if minlength < 0:
        raise ShapeError(f"bincount(): minlength should be >= 0, got {minlength}")
    largest = max(minlength, int(k.max(x, (0,), False)) if x.size else 0)
    if largest > MAX_ELEMENTS:
        raise ShapeError(f"bincount(): {largest} counts are more than fit in memory")
    if weights is not None and weights.shape != x.shape:
        raise ShapeError(
            f"bincount(): weights should be 1-d and as many as the input, got {weights.shape} and {x.shape}"
        )
    return k.bincount(x, weights, minlength), None
