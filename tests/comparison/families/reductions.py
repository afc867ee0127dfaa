"""Calls of reductions, extremes, sorting and running sums."""

from __future__ import annotations

from comparison.call import Call
from comparison.draw import ALL, FLOATS, named
from comparison.registry import calls


def _length(x):
    return x.values.size


def along(draw, x, several=True, least=0):
    """dim and keepdim, or neither."""
    ndim = x.values.ndim
    if draw.chance(0.25):
        return {}
    dim = draw.dim(ndim)
    if several and draw.chance(0.35):
        dim = draw.dims(ndim, least)
        dim = list(dim) if draw.chance(0.3) else dim
    return {"dim": dim, **({"keepdim": draw.chance(0.5)} if draw.chance(0.6) else {})}


def _dtype(draw, p=0.2):
    return {"dtype": named(draw.pick("float32", "float64", "int64", "int32"))} if draw.chance(p) else {}


@calls("sum")
def sum_(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(), special=0.1)
    return Call({"input": x, **along(draw, x)}, only=_dtype(draw), length=_length(x))


@calls("mean")
def mean(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*(FLOATS * 4), *ALL), special=0.1)
    return Call({"input": x, **along(draw, x)}, only=_dtype(draw), length=_length(x))


@calls("prod")
def prod(draw, name):
    x = draw.tensor(draw.shape(most=3, high=4), draw.dtype(), special=0.05)
    return Call({"input": x, **along(draw, x, several=False)}, only=_dtype(draw), length=_length(x) * 8)


@calls("var std var_mean std_mean")
def spread(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*(FLOATS * 6), *ALL), special=0.05)
    ndim = x.values.ndim
    if draw.chance(0.3):
        dim = draw.pick(None, draw.dim(ndim), draw.dims(ndim))
        return Call(
            {"input": x, "dim": dim, "unbiased": draw.chance(0.5), "keepdim": draw.chance(0.5)}, length=_length(x)
        )
    options = {"correction": draw.pick(0, 1, 2, 0.5), "keepdim": draw.chance(0.5)}
    dim = {} if draw.chance(0.3) else {"dim": draw.pick(draw.dim(ndim), draw.dims(ndim), None)}
    return Call({"input": x, **dim}, only={n: v for n, v in options.items() if draw.chance(0.6)}, length=_length(x))


@calls("all any")
def truth(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    return Call({"input": x, **along(draw, x)})


@calls("count_nonzero")
def count(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    dim = along(draw, x)
    return Call({"input": x, **({"dim": dim["dim"]} if dim else {})})


@calls("logsumexp")
def logsumexp(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*FLOATS, *ALL), special=0.2)
    return Call({"input": x, **(along(draw, x, least=1) or {"dim": draw.dim(x.values.ndim)})}, length=_length(x))


@calls("norm")
def norm(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*FLOATS, *FLOATS, "int64"))
    p = draw.pick(0, 1, 2, 3, 0.5, -1, float("inf"), float("-inf"), "fro", None)
    return Call({"input": x, "p": p, **along(draw, x)}, only=_dtype(draw, 0.1), length=_length(x) * 4)


@calls("vector_norm")
def vector_norm(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*FLOATS, *FLOATS, "int64"))
    ord = draw.pick(0, 1, 2, 3, 0.5, -1, float("inf"), float("-inf"))
    return Call(
        {"_x": x, "_ord": ord, **{f"_{n}": v for n, v in along(draw, x).items()}},
        only=_dtype(draw, 0.1),
        length=_length(x) * 4,
    )


@calls("matrix_norm")
def matrix_norm(draw, name):
    x = draw.tensor(draw.shape(least=2), draw.dtype(*FLOATS))
    ord = draw.pick("fro", 1, -1, float("inf"), float("-inf"))
    dim = {"dim": draw.dims(x.values.ndim)[:2]} if draw.chance(0.5) else {}
    dim = {} if len(dim.get("dim", (0, 1))) < 2 else dim
    return Call(
        {"_A": x, "_ord": ord, "_dim": dim["dim"], "_keepdim": draw.chance(0.5)} if dim else {"_A": x, "_ord": ord},
        length=_length(x) * 4,
    )


@calls("norm", "linalg")
def linalg_norm(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*FLOATS))
    ndim = x.values.ndim
    ord = draw.pick(None, 1, 3, "fro", float("inf"), -1, 0)
    dim = draw.pick(None, draw.dim(ndim), draw.dims(ndim)[:2])
    return Call({"_A": x, "_ord": ord, "_dim": dim, "_keepdim": draw.chance(0.5)}, length=_length(x) * 4)


# ---- extremes


def _ranked(draw, special=0.15):
    return draw.tensor(draw.shape(), draw.dtype(), special=special)


@calls("amax amin")
def extreme(draw, name):
    x = _ranked(draw)
    return Call({"input": x, **along(draw, x)})


@calls("max min")
def max_(draw, name):
    x = _ranked(draw)
    if draw.chance(0.2):
        return Call({"input": x, "other": draw.tensor(draw.broadcastable(x.values.shape), draw.dtype())})
    return Call({"input": x, **along(draw, x, several=False)})


@calls("argmax argmin")
def argmax(draw, name):
    x = _ranked(draw)
    return Call({"input": x, **along(draw, x, several=False)})


@calls("median")
def median(draw, name):
    x = distinct(draw)
    return Call({"input": x, **along(draw, x, several=False)})


@calls("cummax cummin cumsum cumprod")
def running(draw, name):
    x = _ranked(draw, special=0.05)
    only = _dtype(draw) if name[:6] in ("cumsum", "cumpro") else {}
    return Call(
        {"input": x, "dim": draw.dim(x.values.ndim)}, only=only, length=_length(x) * (8 if "prod" in name else 1)
    )


# ---- order


def distinct(draw, x=None):
    """No two elements alike, so that the order is one."""
    x = x or _ranked(draw, special=0)
    if x.values.dtype.kind == "f":
        x.values = (x.values + draw.rng.permutation(x.values.size).reshape(x.values.shape) * 1e-3).astype(
            x.values.dtype
        )
    elif x.values.size > (100 if x.values.dtype.kind in "iu" else 2):
        x.values = draw.rng.permutation(x.values.size).reshape(x.values.shape).astype("int64")
    elif x.values.dtype.kind in "iu":
        x.values = draw.rng.permutation(x.values.size).reshape(x.values.shape).astype(x.values.dtype)
    return x


@calls("sort argsort")
def sort(draw, name):
    x = distinct(draw)
    named = {"dim": draw.dim(x.values.ndim), "descending": draw.chance(0.5)}
    if draw.chance(0.4):
        return Call({"input": x, **named})
    x = x if draw.chance(0.5) else _ranked(draw)
    named["dim"] = draw.dim(x.values.ndim)
    return Call({"input": x}, only={"stable": True, **{n: v for n, v in named.items() if draw.chance(0.7)}})


@calls("msort")
def msort(draw, name):
    return Call({"input": distinct(draw)})


@calls("topk")
def topk(draw, name):
    x = distinct(draw)
    shape = x.values.shape
    dim = draw.dim(len(shape))
    k = draw.integer(0, shape[dim] if shape else 1)
    options = {"dim": dim, "largest": draw.chance(0.5), "sorted": True}
    return Call({"input": x, "k": k, **options})


@calls("kthvalue")
def kthvalue(draw, name):
    x = distinct(draw)
    shape = x.values.shape
    dim = draw.dim(len(shape))
    return Call(
        {"input": x, "k": draw.integer(1, max(shape[dim] if shape else 1, 1)), "dim": dim, "keepdim": draw.chance(0.5)}
    )


@calls("unique")
def unique(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    options = {n: draw.chance(0.5) for n in ("return_inverse", "return_counts")}
    return Call({"input": x, "sorted": True, **options})


@calls("bincount")
def bincount(draw, name):
    n = draw.size(9)
    x = draw.tensor((n,), draw.dtype("int64", "int32", "uint8"), low=0, high=6)
    weights = draw.tensor((n,), draw.dtype("float32", "float64", "int64"), grad=False) if draw.chance(0.5) else None
    return Call({"input": x, "weights": weights, "minlength": draw.pick(0, 3, 12)}, length=n)
