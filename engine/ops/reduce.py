"""Reductions. `dim` is None (everything), an axis or several; `keepdim` leaves axes of size 1 behind."""

from __future__ import annotations

from collections import namedtuple

from engine.geometry import ShapeError
from engine.ops._op import check_floats, dims, expect_tensors, op

__all__ = ["amax", "amin", "argmax", "argmin", "logsumexp", "max", "mean", "min", "sum", "var"]
METHODS = "amax amin argmax argmin logsumexp max mean min sum var".split()


def _spread(k, g, shape, axes):
    """A reduced gradient, back in the shape that was reduced."""
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return k.broadcast(g.reshape(kept), shape)


def _nonempty(name, shape, axes):
    if any(shape[i] == 0 for i in axes):
        raise IndexError(f"{name}(): Expected reduction over a non-empty dimension, got shape {shape}")


@op
def sum(k, x, *, dim=None, keepdim=False):
    """Sum; integers and bools are summed as int64."""
    axes, shape = dims("sum", dim, x.ndim), x.shape
    return k.sum(x, axes, keepdim), (lambda g: _spread(k, g, shape, axes),)


@op
def mean(k, x, *, dim=None, keepdim=False):
    """Arithmetic mean of floats."""
    check_floats("mean", input=x)
    axes, shape = dims("mean", dim, x.ndim), x.shape
    items = 1
    for axis in axes:
        items *= shape[axis]
    return k.mean(x, axes, keepdim), (lambda g: _spread(k, k.div(g, k.full((), items, g.dtype)), shape, axes),)


@op
def var(k, x, *, dim=None, correction=1, keepdim=False):
    """Variance, divided by the number of items less `correction`."""
    check_floats("var", input=x)
    axes, shape = dims("var", dim, x.ndim), x.shape
    items = 1
    for axis in axes:
        items *= shape[axis]
    centred = k.sub(x, k.mean(x, axes, True))
    divisor = k.full((), max_of(items - correction, 0), x.dtype)
    y = k.div(k.sum(k.mul(centred, centred), axes, keepdim), divisor)
    return y, (lambda g: k.mul(_spread(k, g, shape, axes), k.div(k.add(centred, centred), divisor)),)


def max_of(a, b):
    """Python's max of two numbers: this file's own `max` is the operation."""
    return a if a > b else b


def _extreme(k, name, find, x, dim, keepdim):
    axes, shape = dims(name, dim, x.ndim), x.shape
    _nonempty(name, shape, axes)
    y = find(x, axes, keepdim)

    def dx(g):
        hit = k.cast(k.eq(x, _spread(k, y, shape, axes)), g.dtype)
        return k.mul(_spread(k, k.div(g, k.sum(hit, axes, keepdim)), shape, axes), hit)

    return y, (dx,)


@op
def amax(k, x, *, dim=None, keepdim=False):
    """Largest value; equal ones share the gradient."""
    return _extreme(k, "amax", k.max, x, dim, keepdim)


@op
def amin(k, x, *, dim=None, keepdim=False):
    """Smallest value; equal ones share the gradient."""
    return _extreme(k, "amin", k.min, x, dim, keepdim)


@op
def max_along(k, x, *, dim, keepdim=False):
    """Largest values along one axis and their int64 indices (the first among equals)."""
    return _selected(k, "max", k.argmax, x, dim, keepdim)


@op
def min_along(k, x, *, dim, keepdim=False):
    """Smallest values along one axis and their int64 indices (the first among equals)."""
    return _selected(k, "min", k.argmin, x, dim, keepdim)


def _selected(k, name, find, x, dim, keepdim):
    axes, shape, before = dims(name, dim, x.ndim), x.shape, x.shape
    if not x.ndim:
        x, shape, axes, keepdim = x.reshape(1), (1,), (0,), False
    if len(axes) != 1:
        raise TypeError(f"{name}(): dim must be one axis, got {dim!r}")
    _nonempty(name, shape, axes)
    (axis,) = axes
    indices = find(x, axis, True)
    values = k.take_along(x, indices, axis)
    out = values.shape if keepdim else values.shape[:axis] + values.shape[axis + 1 :]

    def dx(gs):
        return (k.put_along(gs[0].reshape(indices.shape), indices, axis, shape).reshape(before),)

    return (values.reshape(out), indices.reshape(out)), dx


@op
def argmax(k, x, *, dim=None, keepdim=False):
    """int64 index of the largest value along `dim`, or in the flattened tensor; the first among equals."""
    return _index_of(k, "argmax", k.argmax, x, dim, keepdim), None


@op
def argmin(k, x, *, dim=None, keepdim=False):
    """int64 index of the smallest value along `dim`, or in the flattened tensor; the first among equals."""
    return _index_of(k, "argmin", k.argmin, x, dim, keepdim), None


def _index_of(k, name, find, x, dim, keepdim):
    if x.size == 0 and dim is None:
        raise IndexError(f"{name}(): Expected reduction over a non-empty tensor, got shape {x.shape}")
    if dim is None:
        index = find(x.reshape(-1), 0, False)
        return index.reshape((1,) * x.ndim) if keepdim else index
    axes = dims(name, dim, x.ndim)
    _nonempty(name, x.shape, axes)
    return find(x, axes[0], keepdim) if x.ndim else find(x.reshape(1), 0, False)


@op
def logsumexp(k, x, *, dim, keepdim=False):
    """log(sum(exp(x))) along `dim`, without overflow."""
    check_floats("logsumexp", input=x)
    axes, shape = dims("logsumexp", dim, x.ndim), x.shape
    if not axes and x.ndim:
        raise ShapeError("logsumexp() needs at least one dim")
    y = k.logsumexp(x, axes, keepdim)
    return y, (lambda g: k.mul(_spread(k, g, shape, axes), k.exp(k.sub(x, _spread(k, y, shape, axes)))),)


def max(x, dim=None, keepdim=False):
    """`max(x)`: largest value; `max(x, dim)`: (values, indices); `max(x, other)`: as maximum."""
    return _either(x, dim, keepdim, amax, max_along, "maximum")


def min(x, dim=None, keepdim=False):
    """`min(x)`: smallest value; `min(x, dim)`: (values, indices); `min(x, other)`: as minimum."""
    return _either(x, dim, keepdim, amin, min_along, "minimum")


Extremes = namedtuple("Extremes", ["values", "indices"])


def _either(x, dim, keepdim, whole, along, pairwise):
    expect_tensors(pairwise[:3], input=x)
    if dim is None:
        return whole(x)
    if hasattr(dim, "__index__") and not hasattr(dim, "requires_grad"):
        return Extremes(*along(x, dim=dim, keepdim=keepdim))
    from engine.ops import pointwise

    return getattr(pointwise, pairwise)(x, dim)
