"""The largest, the smallest and the middle value, and where they lie. Of equal ones the first counts; nan is an extreme."""

from __future__ import annotations

from collections import namedtuple

from engine.ops import pointwise
from engine.ops._op import OutOfRange, expect_tensors, numpys_names, one_axis, op
from engine.ops.reduce import _axes, spread
from engine.tensor import Tensor

__all__ = ["amax", "amin", "argmax", "argmin", "max", "median", "min"]
METHODS = "amax amin argmax argmin max median min".split()

Selected = namedtuple("Selected", ["values", "indices"])


def _nonempty(name, shape, axes):
    if 0 in [shape[i] for i in axes]:
        raise OutOfRange(f"{name}(): Expected reduction over a non-empty dimension, got shape {shape}")


def _shared(k, x, y, axes, keepdim):
    """The derivative of the value y of x where equal elements have equal parts in it."""
    shape = x.shape

    def dx(g):
        same = spread(k, y, shape, axes)
        hit = k.cast(k.logical_or(k.eq(x, same), k.logical_and(k.isnan(x), k.isnan(same))), g.dtype)
        return k.mul(spread(k, k.div(g, k.sum(hit, axes, keepdim)), shape, axes), hit)

    return dx


def _extreme(k, name, find, x, dim, keepdim):
    axes = _axes(name, dim, x.ndim)
    _nonempty(name, x.shape, axes)
    y = find(x, axes, keepdim)
    return y, (_shared(k, x, y, axes, keepdim),)


@op
def amax(k, x, *, dim=None, keepdim=False):
    """Largest value along one axis, several or all; equal ones share the gradient."""
    return _extreme(k, "amax", k.max, x, dim, keepdim)


@op
def amin(k, x, *, dim=None, keepdim=False):
    """Smallest value along one axis, several or all; equal ones share the gradient."""
    return _extreme(k, "amin", k.min, x, dim, keepdim)


@op
def median_of_all(k, x):
    """The middle value of everything, of two the lower; nan of nothing and where there is one."""
    axes = tuple(range(x.ndim))
    if not x.size:
        if x.dtype.kind != "f":
            raise OutOfRange("median() of integers needs at least one element")
        y = k.full((), float("nan"), x.dtype)
    else:
        flat = x.reshape(-1)
        y = k.take_along(flat, k.argmedian(flat, 0, True), 0).reshape(())
    return y, (_shared(k, x, y, axes, False),)


@op
def max_along(k, x, *, dim, keepdim=False):
    """Largest values along one axis and their int64 indices."""
    return _selected(k, "max", k.argmax, x, dim, keepdim)


@op
def min_along(k, x, *, dim, keepdim=False):
    """Smallest values along one axis and their int64 indices."""
    return _selected(k, "min", k.argmin, x, dim, keepdim)


@op
def median_along(k, x, *, dim, keepdim=False):
    """Middle values along one axis, of two the lower, and their int64 indices."""
    return _selected(k, "median", k.argmedian, x, dim, keepdim)


def _selected(k, name, find, x, dim, keepdim):
    before = x.shape
    axis, x = one_axis(name, dim, x)
    shape = x.shape
    _nonempty(name, shape, (axis,))
    indices = find(x, axis, True)
    values = k.take_along(x, indices, axis)
    out = tuple([1 if i == axis else n for i, n in enumerate(before) if keepdim or i != axis])

    def dx(gs):
        return (k.put_along(gs[0].reshape(indices.shape), indices, axis, shape).reshape(before),)

    return (values.reshape(out), indices.reshape(out)), dx


@op
def argmax(k, x, *, dim=None, keepdim=False):
    """int64 index of the largest value along `dim`, or in the flattened tensor."""
    return _index_of(k, "argmax", k.argmax, x, dim, keepdim), None


@op
def argmin(k, x, *, dim=None, keepdim=False):
    """int64 index of the smallest value along `dim`, or in the flattened tensor."""
    return _index_of(k, "argmin", k.argmin, x, dim, keepdim), None


def _index_of(k, name, find, x, dim, keepdim):
    before = x.shape
    if dim is None:
        x = x.reshape(-1)
        _nonempty(name, x.shape, (0,))
        return find(x, 0, False).reshape((1,) * len(before) if keepdim else ())
    axis, x = one_axis(name, dim, x)
    _nonempty(name, x.shape, (axis,))
    return find(x, axis, keepdim and before != ())


@numpys_names
def max(input, dim=None, keepdim=False, *, other=None):
    """`max(x)`: largest value; `max(x, dim)`: (values, indices); `max(x, other)`: as maximum."""
    return _either("max", input, dim, keepdim, other, amax, max_along, "maximum")


@numpys_names
def min(input, dim=None, keepdim=False, *, other=None):
    """`min(x)`: smallest value; `min(x, dim)`: (values, indices); `min(x, other)`: as minimum."""
    return _either("min", input, dim, keepdim, other, amin, min_along, "minimum")


@numpys_names
def median(input, dim=None, keepdim=False):
    """`median(x)`: middle value, of two the lower; `median(x, dim)`: (values, indices)."""
    return _either("median", input, dim, keepdim, None, median_of_all, median_along, None)


def _either(name, x, dim, keepdim, other, whole, along, pairwise):
    expect_tensors(name, input=x)
    if other is None and isinstance(dim, Tensor):
        dim, other = None, dim
    if dim is not None:
        return Selected(*along(x, dim=dim, keepdim=keepdim))
    if keepdim:
        raise TypeError(f"{name}(): keepdim needs dim, the axis to reduce")
    return whole(x) if other is None else getattr(pointwise, pairwise)(x, other)
