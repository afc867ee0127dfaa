"""Reductions to sums, means, spreads and norms.

`dim` is None (everything), an axis or several; `keepdim` leaves axes of size 1 behind; `dtype` converts the input first.
"""

from __future__ import annotations

import builtins
import math
from functools import wraps

from engine.geometry import ShapeError
from engine.ops._op import check_floats, converted, dims, expect_bools, is_number, numpys_names, one_axis, op

__all__ = [
    "all",
    "any",
    "count_nonzero",
    "logsumexp",
    "mean",
    "norm",
    "prod",
    "std",
    "std_mean",
    "sum",
    "var",
    "var_mean",
]
METHODS = "all any count_nonzero logsumexp mean norm prod std sum var".split()


def _axes(name, dim, ndim):
    """As dims; an empty list of axes means all of them, as in PyTorch."""
    return dims(name, None if isinstance(dim, (tuple, list)) and not dim else dim, ndim)


def spread(k, g, shape, axes):
    """A reduced gradient, back in the shape that was reduced."""
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return k.broadcast(g.reshape(kept), shape)


def typed(f):
    """The reduction `f` with `dtype=`, that of its input and its result."""

    @wraps(f)
    def wrapper(input, *args, dtype=None, **kwargs):
        if dtype is None:
            return f(input, *args, **kwargs)
        return converted(f.__name__, f(converted(f.__name__, input, dtype), *args, **kwargs), dtype)

    return wrapper


@typed
@op
def sum(k, x, *, dim=None, keepdim=False):
    """Sum; integers and bools are summed as int64."""
    axes, shape = _axes("sum", dim, x.ndim), x.shape
    return k.sum(x, axes, keepdim), (lambda g: spread(k, g, shape, axes),)


@typed
@op
def mean(k, x, *, dim=None, keepdim=False):
    """Arithmetic mean of floats; nan of nothing."""
    check_floats("mean", input=x)
    axes, shape = _axes("mean", dim, x.ndim), x.shape
    items = math.prod([shape[axis] for axis in axes])
    return k.mean(x, axes, keepdim), (lambda g: spread(k, k.div(g, items), shape, axes),)


@typed
@op
def prod(k, x, *, dim=None, keepdim=False):
    """Product, of everything or along one axis; integers and bools are multiplied as int64. 1 of nothing."""
    shape = x.shape
    if dim is None:
        axis, x = 0, x.reshape(-1)
        out = (1,) * len(shape) if keepdim else ()
    else:
        axis, x = one_axis("prod", dim, x)
        out = tuple([1 if i == axis else n for i, n in enumerate(shape) if keepdim or i != axis])
    y = k.prod(x, axis, True)
    kept = y.shape
    return y.reshape(out), (lambda g: k.mul(g.reshape(kept), k.product_of_others(x, axis)).reshape(shape),)


def _moments(k, name, x, dim, unbiased, correction):
    """(axes, x less its mean, what the sum of squares is divided by); the arguments are those of var."""
    check_floats(name, input=x)
    if isinstance(dim, bool):
        if unbiased is not None:
            raise TypeError(f"{name}(): dim must be an axis or several, got {dim}")
        dim, unbiased = None, dim
    if unbiased is not None:
        expect_bools(name, unbiased=unbiased)
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name}() takes unbiased or correction, which mean the same, not both")
    if correction is None:
        correction = 0 if unbiased is False else 1
    axes = _axes(name, dim, x.ndim)
    items = math.prod([x.shape[axis] for axis in axes])
    return axes, k.sub(x, k.mean(x, axes, True)), k.full((), builtins.max(items - correction, 0), x.dtype)


@op
def var(k, x, *, dim=None, unbiased=None, keepdim=False, correction=None):
    """Variance of floats: the squares' sum over the number of items less `correction` (1, or 0 for unbiased=False)."""
    axes, centred, divisor = _moments(k, "var", x, dim, unbiased, correction)
    y = k.div(k.sum(k.mul(centred, centred), axes, keepdim), divisor)
    shape = x.shape
    return y, (lambda g: k.mul(spread(k, g, shape, axes), k.div(k.add(centred, centred), divisor)),)


@op
def std(k, x, *, dim=None, unbiased=None, keepdim=False, correction=None):
    """Standard deviation, the square root of `var`; its gradient is 0 where it is 0."""
    axes, centred, divisor = _moments(k, "std", x, dim, unbiased, correction)
    y = k.sqrt(k.div(k.sum(k.mul(centred, centred), axes, keepdim), divisor))
    shape = x.shape

    def dx(g):
        zero = k.full((), 0, g.dtype)
        slope = k.where(k.eq(y, zero), zero, k.div(g, k.mul(y, divisor)))
        return k.mul(spread(k, slope, shape, axes), centred)

    return y, (dx,)


@numpys_names
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(variance, mean); the arguments are those of `var`."""
    return _with_mean(var, input, dim, unbiased, keepdim, correction)


@numpys_names
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(standard deviation, mean); the arguments are those of `std`."""
    return _with_mean(std, input, dim, unbiased, keepdim, correction)


def _with_mean(f, input, dim, unbiased, keepdim, correction):
    y = f(input, dim, unbiased, keepdim, correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


@op
def all(k, x, *, dim=None, keepdim=False):
    """Whether every element is nonzero, as bool (of uint8, as uint8); True of nothing."""
    return _truth(k, k.all, "all", x, dim, keepdim), None


@op
def any(k, x, *, dim=None, keepdim=False):
    """Whether an element is nonzero, as bool (of uint8, as uint8); False of nothing."""
    return _truth(k, k.any, "any", x, dim, keepdim), None


def _truth(k, test, name, x, dim, keepdim):
    y = test(x, dims(name, dim, x.ndim), keepdim)
    return k.cast(y, "uint8") if x.dtype.name == "uint8" else y


@op
def count_nonzero(k, x, *, dim=None):
    """How many elements are not 0, int64."""
    return k.sum(k.ne(x, k.full((), 0, x.dtype)), _axes("count_nonzero", dim, x.ndim), False), None


@op(floats=True)
def logsumexp(k, x, *, dim, keepdim=False):
    """log(sum(exp(x))) along `dim`, without overflow; -inf of nothing."""
    axes, shape = _axes("logsumexp", dim, x.ndim), x.shape
    y = k.logsumexp(x, axes, keepdim)
    return y, (lambda g: k.mul(spread(k, g, shape, axes), k.exp(k.sub(x, spread(k, y, shape, axes)))),)


@op
def vector_norm(k, x, *, ord=2, dim=None, keepdim=False):
    """(sum of |x| ** ord) ** (1 / ord) of floats; ord inf: the largest |x|, -inf: the smallest, 0: how many are not 0.

    Its gradient is 0 where it has a kink, and shared where several are the largest.
    """
    check_floats("norm", input=x)
    if isinstance(ord, bool) or not is_number(ord):
        raise TypeError(f"norm(): the order must be a number, got {ord!r}")
    axes, shape = _axes("norm", dim, x.ndim), x.shape
    if (ord < 0 or ord == math.inf) and 0 in [shape[axis] for axis in axes]:
        raise ShapeError(f"norm(): the {ord} norm of nothing is not defined, got shape {shape}")
    y = k.norm(x, ord, axes, keepdim)
    if ord == 0:
        return y, (lambda g: k.full(shape, 0, g.dtype),)
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return y, (lambda g: k.norm_dx(g.reshape(kept), x, y.reshape(kept), ord),)


def norm(input, p="fro", dim=None, keepdim=False, *, dtype=None):
    """The p-norm of floats, taken as one vector along `dim`; p is a number (inf and -inf too) or 'fro', which is 2."""
    if p == "nuc":
        raise NotImplementedError("norm(p='nuc'): the nuclear norm is not offered")
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm(): order {p!r} is not supported; use a number or 'fro'")
    p = 2 if p in (None, "fro") else p
    return vector_norm(converted("norm", input, dtype), ord=p, dim=dim, keepdim=keepdim)
