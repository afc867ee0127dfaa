"""Calls of matrix products."""

from __future__ import annotations

from comparison.call import Call
from comparison.draw import FLOATS
from comparison.registry import calls


def _dtype(draw):
    return draw.dtype(*FLOATS, *FLOATS, *FLOATS, "int64", "int32")


def _sizes(draw):
    return draw.size(7), draw.size(7), draw.size(7)


@calls("matmul")
def matmul(draw, name):
    (m, k, n), dtype = _sizes(draw), _dtype(draw)
    batch = draw.shape(most=2, high=3)
    left = draw.pick((k,), (m, k), (*draw.broadcastable(batch), m, k))
    right = draw.pick((k,), (k, n), (*draw.broadcastable(batch), k, n))
    return Call({"input": draw.tensor(left, dtype), "other": draw.tensor(right, dtype)}, length=k)


@calls("mm")
def mm(draw, name):
    (m, k, n), dtype = _sizes(draw), _dtype(draw)
    return Call({"input": draw.tensor((m, k), dtype), "mat2": draw.tensor((k, n), dtype)}, length=k)


@calls("bmm")
def bmm(draw, name):
    (m, k, n), dtype, b = _sizes(draw), _dtype(draw), draw.size(3)
    return Call({"input": draw.tensor((b, m, k), dtype), "mat2": draw.tensor((b, k, n), dtype)}, length=k)


@calls("mv")
def mv(draw, name):
    (m, k, _), dtype = _sizes(draw), _dtype(draw)
    return Call({"input": draw.tensor((m, k), dtype), "vec": draw.tensor((k,), dtype)}, length=k)


@calls("dot")
def dot(draw, name):
    (_, k, _), dtype = _sizes(draw), _dtype(draw)
    return Call({"input": draw.tensor((k,), dtype), "tensor": draw.tensor((k,), dtype)}, length=k)


@calls("inner")
def inner(draw, name):
    (_, k, _), dtype = _sizes(draw), _dtype(draw)
    shapes = [
        draw.pick((*draw.shape(most=2), k), ()) if draw.chance(0.2) else (*draw.shape(most=2), k) for _ in range(2)
    ]
    return Call({"input": draw.tensor(shapes[0], dtype), "other": draw.tensor(shapes[1], dtype)}, length=k)


@calls("outer ger")
def outer(draw, name):
    return Call({"input": draw.tensor((draw.size(),), draw.dtype()), "vec2": draw.tensor((draw.size(),), draw.dtype())})


def _factors(draw):
    return {n: draw.pick(1, 0, 2, 0.5, -1) for n in ("beta", "alpha") if draw.chance(0.5)}


@calls("addmm")
def addmm(draw, name):
    (m, k, n), dtype = _sizes(draw), draw.dtype(*FLOATS)
    c = draw.broadcastable((m, n)) if not name.endswith("_") else (m, n)
    return Call(
        {"input": draw.tensor(c, dtype), "mat1": draw.tensor((m, k), dtype), "mat2": draw.tensor((k, n), dtype)},
        only=_factors(draw),
        length=k + 1,
    )


@calls("addmv")
def addmv(draw, name):
    (m, k, _), dtype = _sizes(draw), draw.dtype(*FLOATS)
    c = draw.broadcastable((m,)) if not name.endswith("_") else (m,)
    return Call(
        {"input": draw.tensor(c, dtype), "mat": draw.tensor((m, k), dtype), "vec": draw.tensor((k,), dtype)},
        only=_factors(draw),
        length=k + 1,
    )


@calls("baddbmm")
def baddbmm(draw, name):
    (m, k, n), dtype, b = _sizes(draw), draw.dtype(*FLOATS), draw.size(3)
    c = draw.broadcastable((b, m, n)) if not name.endswith("_") else (b, m, n)
    return Call(
        {
            "input": draw.tensor(c, dtype),
            "batch1": draw.tensor((b, m, k), dtype),
            "batch2": draw.tensor((b, k, n), dtype),
        },
        only=_factors(draw),
        length=k + 1,
    )


EQUATIONS = [
    ("ij,jk->ik", "ij", "jk"), ("ij,jk", "ij", "jk"), ("bij,bjk->bik", "bij", "bjk"), ("i,i->", "i", "i"), ("ij->ji", "ij"), ("ii->i", "ii"),
    ("ii", "ii"), ("ij->", "ij"), ("ij->j", "ij"), ("i,j->ij", "i", "j"), ("...ij,...jk->...ik", "bij", "bjk"), ("bchw,oc->bohw", "bchw", "oc"),
    ("ij,ij->ij", "ij", "ij"), ("ijk,k->ij", "ijk", "k"), ("ij,jk,kl->il", "ij", "jk", "kl"), ("...i->...", "bi"), ("nhwc->nchw", "nhwc"),
]  # fmt: skip


@calls("einsum")
def einsum(draw, name):
    equation, *operands = draw.pick(*EQUATIONS)
    sizes = {c: draw.integer(1, 4) for c in "bchijklmnow"}
    dtype = draw.dtype(*FLOATS)
    tensors = tuple(draw.tensor(tuple(sizes[c] for c in o), dtype) for o in operands)
    return Call({"_equation": equation}, rest=tensors if draw.chance(0.7) else (list(tensors),), length=16)


@calls("linear")
def linear(draw, name):
    k, n = draw.size(9), draw.size(9)
    dtype = draw.dtype(*FLOATS)
    bias = draw.tensor((n,), dtype) if draw.chance(0.6) else None
    return Call(
        {"input": draw.tensor((*draw.shape(most=3), k), dtype), "weight": draw.tensor((n, k), dtype), "bias": bias},
        length=k,
    )


@calls("bilinear")
def bilinear(draw, name):
    i, j, n, dtype = draw.integer(1, 4), draw.integer(1, 4), draw.integer(1, 4), draw.dtype(*FLOATS)
    batch = draw.shape(most=2)
    bias = draw.tensor((n,), dtype) if draw.chance(0.6) else None
    return Call(
        {
            "input1": draw.tensor((*batch, i), dtype),
            "input2": draw.tensor((*batch, j), dtype),
            "weight": draw.tensor((n, i, j), dtype),
            "bias": bias,
        },
        length=16,
    )
