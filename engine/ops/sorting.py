"""Sorting along an axis, the largest few, distinct values and their counts. nan is larger than everything, as in PyTorch."""

from __future__ import annotations

import operator

from engine.geometry import MAX_ELEMENTS, ShapeError
from engine.ops._op import OutOfRange, expect_bools, expect_tensors, numpys_names, one_axis, op
from engine.ops.extreme import Selected
from engine.ops.pieces import narrow
from engine.ops.shape import squeeze

__all__ = ["argsort", "bincount", "kthvalue", "msort", "sort", "topk", "unique"]
METHODS = __all__


@op
def first_along(k, x, *, dim, descending=False, count=None):
    """The first `count` (None: all) values in order along one axis and their int64 indices; equal ones keep their order."""
    before = x.shape
    axis, x = one_axis("sort", dim, x)
    shape = x.shape
    indices = k.argsort(x, axis, descending)
    if count is not None and before:
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
    expect_bools("sort", stable=True if stable is None else stable)
    return Selected(*first_along(input, dim=dim, descending=descending))


@numpys_names
def argsort(input, dim=-1, descending=False, *, stable=True):
    """The int64 indices that put the values in order along `dim`; equal values keep their order."""
    return sort(input, dim, descending, stable=stable).indices


def msort(input):
    """The values in order along the first axis."""
    return sort(input, 0).values


@numpys_names
def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices): the k largest (or smallest) along `dim`, the first of equal ones, always in order."""
    expect_bools("topk", largest=largest, sorted=sorted)
    dim = -1 if dim is None else dim
    return Selected(*first_along(input, dim=dim, descending=largest, count=_count("topk", input, dim, k, 0)))


def _count(name, x, dim, k, least):
    """k as an int that the axis has room for."""
    expect_tensors(name, input=x)
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise TypeError(f"{name}(): k must be an integer, got {k!r}")
    axis, array = one_axis(name, dim, x._array)
    if not least <= k <= array.shape[axis]:
        raise OutOfRange(
            f"{name}(): selected index k out of range: expected {least} to {array.shape[axis]}, the size of dim {dim}, got {k}"
        )
    return operator.index(k)


@numpys_names
def kthvalue(input, k, dim=-1, keepdim=False):
    """(values, indices): the k-th smallest along `dim`, counted from 1, and where it lies."""
    expect_bools("kthvalue", keepdim=keepdim)
    k = _count("kthvalue", input, dim, k, 1)
    several = first_along(input, dim=dim, count=k)
    if not input.ndim:
        return Selected(*several)
    last = [narrow(t, dim, k - 1, 1) for t in several]
    return Selected(*(last if keepdim else [squeeze(t, dim) for t in last]))


@op
def distinct(k, x):
    """The distinct values in order; which of them each element is, int64; how often each occurs, int64."""
    return k.unique(x), None


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct values in order; with them, if asked for, which of them each element is and how often each occurs."""
    expect_bools("unique", sorted=sorted, return_inverse=return_inverse, return_counts=return_counts)
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
