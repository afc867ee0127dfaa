"""Running sums, products and extremes along one axis."""

from __future__ import annotations

from engine.ops._op import one_axis, op
from engine.ops.extreme import Selected
from engine.ops.reduce import typed

__all__ = ["cummax", "cummin", "cumprod", "cumsum"]
METHODS = "cummax cummin cumprod cumsum".split()
IN_PLACE = "cumprod cumsum".split()


@typed
@op
def cumsum(k, x, *, dim):
    """The sum of the elements up to each one; integers and bools are summed as int64."""
    shape = x.shape
    axis, x = one_axis("cumsum", dim, x)
    return k.cumsum(x, axis).reshape(shape), (lambda g: k.cumsum_dx(g.reshape(x.shape), axis).reshape(shape),)


@typed
@op
def cumprod(k, x, *, dim):
    """The product of the elements up to each one; integers and bools are multiplied as int64."""
    shape = x.shape
    axis, x = one_axis("cumprod", dim, x)
    y = k.cumprod(x, axis)
    return y.reshape(shape), (lambda g: k.cumprod_dx(g.reshape(x.shape), x, y, axis).reshape(shape),)


@op
def running_max(k, x, *, dim):
    """The largest of the elements up to each one, and the int64 index of the last that is as large."""
    return _running(k, "cummax", k.cummax, x, dim)


@op
def running_min(k, x, *, dim):
    """The smallest of the elements up to each one, and the int64 index of the last that is as small."""
    return _running(k, "cummin", k.cummin, x, dim)


def _running(k, name, run, x, dim):
    before = x.shape
    axis, x = one_axis(name, dim, x)
    shape = x.shape
    values, indices = run(x, axis)

    def dx(gs):
        d = k.full(shape, 0, gs[0].dtype)
        k.add_along(d, indices, gs[0].reshape(shape), axis)
        return (d.reshape(before),)

    return (values.reshape(before), indices.reshape(before)), dx


def cummax(input, dim):
    """(values, indices): the largest of the elements up to each one along `dim`, and where it is; the last of equal ones."""
    return Selected(*running_max(input, dim=dim))


def cummin(input, dim):
    """(values, indices): the smallest of the elements up to each one along `dim`, and where it is; the last of equal ones."""
    return Selected(*running_min(input, dim=dim))
