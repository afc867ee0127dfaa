"""Calls of functions that pick elements and put them: gather, scatter, masks, positions; and indexing by brackets."""

from __future__ import annotations

from comparison.call import Call
from comparison.draw import Array
from comparison.registry import calls


def _source(draw, least=1, most=3, dtype=None):
    shape = tuple(max(n, 1) for n in draw.shape(least, most))
    return draw.tensor(shape, dtype or draw.dtype())


def _positions(draw, shape, n, dtype="int64"):
    values = draw.rng.integers(-1 if draw.chance(0.04) else 0, n + (1 if draw.chance(0.04) else 0), shape)
    return Array(values.astype(dtype))


@calls("gather")
def gather(draw, name):
    x = _source(draw)
    dim = draw.dim(x.values.ndim)
    shape = list(x.values.shape)
    shape = [draw.integer(1, n) for n in shape]
    shape[dim] = draw.integer(0, 4)
    return Call({"input": x, "dim": dim, "index": _positions(draw, shape, x.values.shape[dim])})


@calls("take_along_dim")
def take_along_dim(draw, name):
    x = _source(draw)
    if draw.chance(0.25):
        return Call({"input": x, "indices": _positions(draw, (draw.size(),), x.values.size)})
    dim = draw.dim(x.values.ndim)
    shape = [1 if draw.chance(0.2) else n for n in x.values.shape]
    shape[dim] = draw.integer(1, 4)
    return Call({"input": x, "indices": _positions(draw, shape, x.values.shape[dim]), "dim": dim})


@calls("scatter scatter_add")
def scatter(draw, name):
    x = _source(draw)
    dim = draw.dim(x.values.ndim)
    shape = [draw.integer(0, n) for n in x.values.shape]
    n = x.values.shape[dim]
    shape[dim] = draw.integer(0, n)
    index = _positions(draw, shape, n)
    if not name.startswith("scatter_add"):  # each place once, so that the order is of no matter
        index.values = draw.rng.permuted(index.values * 0 + _counted(shape, dim), axis=dim) % n
    source = draw.tensor(tuple(m + draw.integer(0, 1) for m in shape), str(x.values.dtype))
    if not name.startswith("scatter_add") and draw.chance(0.3):
        return Call({"input": x, "dim": dim, "index": index, "value": draw.number()}, length=4)
    return Call({"input": x, "dim": dim, "index": index, "src": source}, length=4)


def _counted(shape, dim):
    import numpy as np

    return np.arange(shape[dim]).reshape([-1 if i == dim % len(shape) else 1 for i in range(len(shape))])


@calls("index_select")
def index_select(draw, name):
    x = _source(draw, least=0)
    dim = draw.dim(x.values.ndim)
    n = x.values.shape[dim] if x.values.ndim else 1
    shape = (draw.size(),) if x.values.ndim else (1,)
    return Call({"input": x, "dim": dim, "index": _positions(draw, shape, n, draw.pick("int64", "int32"))})


@calls("index_add index_copy index_fill")
def index_add(draw, name):
    x = _source(draw)
    dim = draw.dim(x.values.ndim)
    n = x.values.shape[dim]
    count = draw.integer(0, n)
    index = Array(draw.rng.permutation(n)[:count].astype("int64"))
    if name.startswith("index_fill"):
        return Call({"input": x, "dim": dim, "index": index, "value": draw.number()})
    shape = list(x.values.shape)
    shape[dim] = count
    source = draw.tensor(tuple(shape), str(x.values.dtype))
    only = {"alpha": draw.pick(2, 3, -1)} if name.startswith("index_add") and draw.chance(0.4) else {}
    return Call({"input": x, "dim": dim, "index": index, "source": source}, only=only, length=4)


@calls("masked_fill")
def masked_fill(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    mask = draw.tensor(draw.broadcastable(x.values.shape), "bool")
    value = draw.tensor((), str(x.values.dtype)) if draw.chance(0.2) else draw.pick(draw.number(), 0, float("-inf"))
    return Call({"input": x, "mask": mask, "value": value})


@calls("masked_select")
def masked_select(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    return Call({"input": x, "mask": draw.tensor(draw.broadcastable(x.values.shape), "bool")})


@calls("masked_scatter")
def masked_scatter(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    mask = draw.tensor(draw.broadcastable(x.values.shape), "bool")
    source = draw.tensor((x.values.size + draw.integer(0, 2),), str(x.values.dtype))
    return Call({"input": x, "mask": mask, "source": source})


@calls("take")
def take(draw, name):
    x = _source(draw, least=0)
    index = _positions(draw, draw.shape(most=2), x.values.size)
    return Call({"input": x, "index": index})


@calls("nonzero")
def nonzero(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    return Call({"input": x}, only={"as_tuple": draw.chance(0.5)} if draw.chance(0.5) else {})


@calls("argwhere")
def argwhere(draw, name):
    return Call({"input": draw.tensor(draw.shape(), draw.dtype())})


# ---- brackets


def _index(draw, shape):
    """What may stand in brackets behind a tensor of that shape."""
    items, arrays = [], 0
    width = draw.integer(1, 4)
    for n in shape[: draw.integer(0, len(shape))]:
        kind = draw.pick("int", "slice", "slice", "none", "tensor", "list", "mask")
        if kind == "int":
            items.append(draw.integer(-n, n - 1))
        elif kind == "slice":
            items.append(
                slice(
                    draw.pick(None, draw.integer(-n, n)),
                    draw.pick(None, draw.integer(-n, n + 1)),
                    draw.pick(None, 1, 2, 3),
                )
            )
        elif kind == "none":
            items += [None, slice(None)]
        elif kind == "tensor" and arrays < 2:
            items.append(Array(draw.rng.integers(-n, n, (width,)).astype(draw.pick("int64", "int32"))))
            arrays += 1
        elif kind == "list" and arrays < 2:
            items.append([int(i) for i in draw.rng.integers(0, n, width)])
            arrays += 1
        elif kind == "mask" and not arrays:
            items.append(Array(draw.rng.random(n) < 0.5))
            arrays += 3
        else:
            items.append(slice(None))
    if draw.chance(0.2):
        items.insert(draw.integer(0, len(items)), Ellipsis)
        items = items if items.index(Ellipsis) == len(items) - 1 else [i for i in items if i is not Ellipsis]
    if len(items) == 1 and draw.chance(0.7):
        return items[0]
    return tuple(items)


@calls("__getitem__")
def getitem(draw, name):
    x = _source(draw)
    if draw.chance(0.1):
        return Call({"_self": x, "_index": draw.tensor(x.values.shape, "bool")})
    return Call({"_self": x, "_index": _index(draw, x.values.shape)}, length=4)


def _assign(lib, f, arguments, named, leaves):
    x = arguments[0].clone() if arguments[0].requires_grad else arguments[0]
    x[arguments[1]] = arguments[2]
    return x


@calls("__setitem__")
def setitem(draw, name):
    x = _source(draw)
    index = draw.tensor(x.values.shape, "bool") if draw.chance(0.1) else _index(draw, x.values.shape)
    value = draw.number() if draw.chance(0.5) else draw.tensor((), draw.dtype())
    return Call({"_self": x, "_index": index, "_value": value}, through=_assign, length=4)
