"""Calls of functions that arrange elements: other shapes, parts, copies, triangles."""

from __future__ import annotations

import numpy as np

from comparison.call import Call
from comparison.registry import calls


def _any(draw, least=0, most=4):
    return draw.tensor(draw.shape(least, most), draw.dtype())


def factored(draw, n):
    """A shape of n elements, one size of which may be -1."""
    shape = []
    for p in (2, 3, 5, 2, 3, 2):
        if n and n % p == 0 and draw.chance(0.6):
            shape.append(p)
            n //= p
    shape.append(n)
    if draw.chance(0.3):
        shape.append(1)
    shape = [shape[i] for i in draw.rng.permutation(len(shape))]
    if draw.chance(0.4) and n:
        shape[draw.integer(0, len(shape) - 1)] = -1
    return tuple(shape)


def one_by_one(draw, x, sizes, name):
    """A Call with sizes one by one, as a tuple or by name."""
    if draw.chance(0.4) and sizes:
        return Call({"input": x}, rest=sizes)
    return Call({"input": x, name: list(sizes) if draw.chance(0.2) else sizes})


@calls("reshape", "Tensor")
def reshape_method(draw, name):
    x = _any(draw)
    return one_by_one(draw, x, factored(draw, x.values.size), "shape")


@calls("view", "Tensor")
def view(draw, name):
    x = _any(draw)
    sizes = factored(draw, x.values.size)
    return Call({"input": x}, rest=sizes if draw.chance(0.5) else (sizes,))


@calls("reshape", "engine")
def reshape(draw, name):
    x = _any(draw)
    return Call({"input": x, "shape": factored(draw, x.values.size)})


@calls("ravel t fliplr flipud T mT ndimension dim numel nelement element_size is_contiguous contiguous clone detach")
def bare(draw, name):
    return Call({"input": _any(draw, most=2) if name in ("t", "t_") and draw.chance(0.8) else _any(draw)})


@calls("view_as reshape_as expand_as")
def like(draw, name):
    x = _any(draw)
    shape = tuple(abs(n) if n != -1 else 1 for n in factored(draw, x.values.size))
    other = (*draw.shape(most=1), *x.values.shape) if name == "expand_as" else shape
    return Call({"input": x, "other": draw.tensor(other)})


@calls("flatten")
def flatten(draw, name):
    x = _any(draw)
    first, last = sorted((draw.dim(x.values.ndim), draw.dim(x.values.ndim)))
    return Call({"input": x, "start_dim": first, "end_dim": last} if draw.chance(0.7) else {"input": x})


@calls("unflatten")
def unflatten(draw, name):
    x = _any(draw, least=1)
    dim = draw.dim(x.values.ndim)
    return Call({"input": x, "dim": dim, "sizes": factored(draw, x.values.shape[dim])})


@calls("squeeze")
def squeeze(draw, name):
    x = _any(draw)
    ndim = x.values.ndim
    return Call({"input": x, **({} if draw.chance(0.3) else {"dim": draw.pick(draw.dim(ndim), draw.dims(ndim))})})


@calls("unsqueeze")
def unsqueeze(draw, name):
    x = _any(draw)
    return Call({"input": x, "dim": draw.dim(x.values.ndim + 1)})


def _order(draw, ndim):
    return tuple(int(a) - (ndim if draw.chance(0.3) else 0) for a in draw.rng.permutation(ndim))


@calls("permute", "Tensor")
def permute_method(draw, name):
    x = _any(draw)
    return one_by_one(draw, x, _order(draw, x.values.ndim), "dims")


@calls("permute", "engine")
def permute(draw, name):
    x = _any(draw)
    return Call({"input": x, "dims": _order(draw, x.values.ndim)})


@calls("transpose swapdims swapaxes")
def transpose(draw, name):
    x = _any(draw)
    a, b = ("axis0", "axis1") if name.startswith("swapaxes") else ("dim0", "dim1")
    return Call({"input": x, a: draw.dim(x.values.ndim), b: draw.dim(x.values.ndim)})


@calls("movedim moveaxis")
def movedim(draw, name):
    x = _any(draw, least=1)
    ndim = x.values.ndim
    if draw.chance(0.5):
        return Call({"input": x, "source": draw.dim(ndim), "destination": draw.dim(ndim)})
    source = draw.dims(ndim)
    return Call({"input": x, "source": source, "destination": _order(draw, ndim)[: len(source)]})


def _expanded(draw, shape):
    sizes = [draw.integer(1, 4) if n == 1 and draw.chance(0.5) else n for n in shape]
    sizes = [-1 if draw.chance(0.15) else n for n in sizes]
    return (*draw.shape(most=1), *sizes)


@calls("expand", "Tensor")
def expand(draw, name):
    x = _any(draw, most=3)
    sizes = _expanded(draw, x.values.shape)
    return Call({"input": x}, rest=sizes if draw.chance(0.5) else (sizes,))


@calls("broadcast_to")
def broadcast_to(draw, name):
    x = _any(draw, most=3)
    return Call({"input": x, "size": _expanded(draw, x.values.shape)})


@calls("broadcast_tensors")
def broadcast_tensors(draw, name):
    shape = draw.shape()
    return Call({}, rest=tuple(draw.tensor(draw.broadcastable(shape), draw.dtype()) for _ in range(draw.integer(1, 3))))


@calls("broadcast_shapes")
def broadcast_shapes(draw, name):
    shape = draw.shape()
    return Call({}, rest=tuple(draw.broadcastable(shape) for _ in range(draw.integer(1, 3))))


# ---- taken apart and put together


@calls("split")
def split(draw, name):
    x = _any(draw, least=1)
    dim = draw.dim(x.values.ndim)
    n = x.values.shape[dim]
    cut = draw.integer(0, n)
    size = draw.pick(draw.integer(1, 4), [cut, n - cut])
    return Call({"_tensor": x, "_size": size, "_dim": dim})


@calls("chunk")
def chunk(draw, name):
    x = _any(draw, least=1)
    return Call({"input": x, "chunks": draw.integer(1, 5), "dim": draw.dim(x.values.ndim)})


@calls("tensor_split")
def tensor_split(draw, name):
    x = _any(draw, least=1)
    cuts = draw.pick(draw.integer(1, 4), (1, 3), (2,), (0, -1))
    return Call({"input": x, "sections" if isinstance(cuts, int) else "indices": cuts, "dim": draw.dim(x.values.ndim)})


@calls("unbind")
def unbind(draw, name):
    x = _any(draw, least=1)
    return Call({"input": x, **({"dim": draw.dim(x.values.ndim)} if draw.chance(0.7) else {})})


@calls("narrow")
def narrow(draw, name):
    x = _any(draw, least=1)
    dim = draw.dim(x.values.ndim)
    n = x.values.shape[dim]
    start = draw.integer(0, n)
    return Call(
        {
            "input": x,
            "dim": dim,
            "start": start - n if draw.chance(0.2) else start,
            "length": draw.integer(0, n - start),
        }
    )


@calls("select")
def select(draw, name):
    x = _any(draw, least=1)
    dim = draw.dim(x.values.ndim)
    n = max(x.values.shape[dim], 1)
    return Call({"input": x, "dim": dim, "index": draw.integer(-n, n - 1)})


def _list(draw, least=1, same=True):
    """Tensors of one shape but for one axis, and that axis."""
    shape = draw.shape(least=least, most=3)
    dim = draw.dim(len(shape))
    dtype = draw.dtype()
    tensors = []
    for _ in range(draw.integer(1, 3)):
        sizes = list(shape)
        if not same and shape and draw.chance(0.5):
            sizes[dim] = draw.size()
        tensors.append(draw.tensor(tuple(sizes), dtype if draw.chance(0.85) else draw.dtype()))
    return tensors, dim


@calls("cat concat concatenate")
def cat(draw, name):
    tensors, dim = _list(draw, same=False)
    return Call({"tensors": tuple(tensors) if draw.chance(0.5) else tensors, "dim": dim})


@calls("stack")
def stack(draw, name):
    tensors, dim = _list(draw, least=0)
    return Call({"tensors": tensors, "dim": draw.pick(0, dim, -1)})


@calls("hstack vstack dstack")
def hstack(draw, name):
    tensors, _ = _list(draw, least=0)
    return Call({"tensors": tensors})


@calls("atleast_1d atleast_2d atleast_3d")
def atleast(draw, name):
    if draw.chance(0.3):
        return Call({}, rest=(_any(draw), _any(draw)))
    return Call({}, rest=(_any(draw),))


@calls("meshgrid")
def meshgrid(draw, name):
    dtype = draw.dtype()
    tensors = tuple(draw.tensor((draw.size(),), dtype) for _ in range(draw.integer(1, 3)))
    return Call({}, rest=tensors if draw.chance(0.5) else (list(tensors),), only={"indexing": draw.pick("ij", "xy")})


# ---- arranged


@calls("repeat", "Tensor")
def repeat(draw, name):
    x = _any(draw, most=3)
    times = tuple(
        draw.integer(0, 3) if draw.chance(0.1) else draw.integer(1, 2)
        for _ in range(x.values.ndim + draw.integer(0, 1))
    )
    return one_by_one(draw, x, times, "repeats")


@calls("tile", "Tensor")
def tile_method(draw, name):
    x = _any(draw, most=3)
    return one_by_one(draw, x, tuple(draw.integer(1, 2) for _ in range(draw.integer(0, 4))), "dims")


@calls("tile", "engine")
def tile(draw, name):
    return Call({"input": _any(draw, most=3), "dims": tuple(draw.integer(1, 2) for _ in range(draw.integer(0, 4)))})


@calls("repeat_interleave")
def repeat_interleave(draw, name):
    x = _any(draw, most=3)
    if draw.chance(0.5) or not x.values.ndim:
        return Call(
            {
                "input": x,
                "repeats": draw.integer(0, 3),
                **({"dim": draw.dim(x.values.ndim)} if draw.chance(0.7) else {}),
            }
        )
    dim = draw.dim(x.values.ndim)
    counts = draw.tensor((x.values.shape[dim],), draw.pick("int64", "int32"), low=0, high=3)
    return Call({"input": x, "repeats": counts, "dim": dim})


@calls("flip", "Tensor")
def flip_method(draw, name):
    x = _any(draw)
    return one_by_one(draw, x, draw.dims(x.values.ndim), "dims")


@calls("flip", "engine")
def flip(draw, name):
    x = _any(draw)
    return Call({"input": x, "dims": draw.dims(x.values.ndim)})


@calls("roll")
def roll(draw, name):
    x = _any(draw)
    if draw.chance(0.3):
        return Call({"input": x, "shifts": draw.integer(-5, 5)})
    dims = draw.dims(x.values.ndim)
    return Call({"input": x, "shifts": tuple(draw.integer(-5, 5) for _ in dims), "dims": dims})


@calls("rot90")
def rot90(draw, name):
    x = _any(draw, least=2)
    dims = tuple(int(d) for d in draw.rng.permutation(x.values.ndim)[:2])
    return Call({"input": x, "k": draw.integer(-5, 5), **({"dims": dims} if draw.chance(0.6) else {})})


@calls("tril triu")
def triangle(draw, name):
    return Call({"input": _any(draw, least=2), **({"diagonal": draw.integer(-4, 4)} if draw.chance(0.7) else {})})


@calls("diag")
def diag(draw, name):
    return Call(
        {"input": _any(draw, least=1, most=2), **({"diagonal": draw.integer(-3, 3)} if draw.chance(0.7) else {})}
    )


@calls("diagonal")
def diagonal(draw, name):
    x = _any(draw, least=2)
    dims = [int(d) for d in draw.rng.permutation(x.values.ndim)[:2]]
    return Call(
        {"input": x, "offset": draw.integer(-3, 3), **({"dim1": dims[0], "dim2": dims[1]} if draw.chance(0.6) else {})}
    )


@calls("trace")
def trace(draw, name):
    x = _any(draw, least=2, most=2)
    return Call({"input": x}, length=max(x.values.shape))


@calls("stride size", "Tensor")
def stride(draw, name):
    x = _any(draw)
    if name == "stride":
        x.values = np.ones(tuple(max(n, 2) for n in x.values.shape), x.values.dtype)
    return Call({"input": x, **({"dim": draw.dim(x.values.ndim)} if draw.chance(0.5) and x.values.ndim else {})})


@calls("channel_shuffle pixel_shuffle pixel_unshuffle")
def shuffled(draw, name):
    r = draw.integer(1, 3)
    batch = draw.shape(most=2, high=3)
    if name == "channel_shuffle":
        return Call(
            {
                "input": draw.tensor((draw.integer(1, 2), r * draw.integer(1, 3), *draw.shape(1, 2)), draw.dtype()),
                "groups": r,
            }
        )
    c, h, w = draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 3)
    shape = (c * r * r, h, w) if name == "pixel_shuffle" else (c, h * r, w * r)
    factor = "upscale_factor" if name == "pixel_shuffle" else "downscale_factor"
    return Call({"input": draw.tensor((*batch, *shape), draw.dtype()), factor: r})
