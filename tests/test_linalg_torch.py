"""Matrix products, einsum, sorting and counting beside PyTorch's: values, gradients, dtypes and errors."""

import math

import numpy as np
import pytest
from beside import agree

import engine


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def array(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return np.asarray(rng.standard_normal(shape).astype(dtype))
    return np.asarray(rng.integers(0, 2 if dtype == "bool" else 5, shape).astype(dtype))


SHAPES = [
    (),
    (3,),
    (4,),
    (3, 4),
    (4, 3),
    (4, 4),
    (2, 3, 4),
    (2, 4, 3),
    (1, 4, 2),
    (5, 1, 3, 4),
    (0, 3),
    (3, 0),
    (2, 0, 4),
    (4, 1),
]
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize("name", ["matmul", "mm", "bmm", "mv", "dot", "outer", "ger", "inner"])
def test_products_of_two(name):
    for a in SHAPES:
        for b in SHAPES:
            if name == "mv" and not a:
                continue  # an IndexError there
            print(a, b)
            agree(lambda lib, x, y: getattr(lib, name)(x, y), array(a), array(b, seed=1), **CLOSE)
            agree(lambda lib, x, y: getattr(x, name)(y), array(a), array(b, seed=1), **CLOSE)


@pytest.mark.parametrize("name, a, b", [
    ("matmul", (3, 4), (4, 2)), ("mm", (3, 4), (4, 2)), ("bmm", (2, 3, 4), (2, 4, 2)), ("mv", (3, 4), (4,)), ("dot", (4,), (4,)), ("outer", (3,), (4,)),
    ("matmul", (4,), (2, 4, 3)), ("matmul", (2, 3, 4), (4,)), ("inner", (2, 4), (3, 4)),
])  # fmt: skip
def test_dtypes_of_products(name, a, b):
    for first in ("float32", "float64", "int64", "uint8"):
        for second in ("float32", "float64", "int64", "uint8"):
            print(first, second)
            agree(lambda lib, x, y: getattr(lib, name)(x, y), array(a, first), array(b, second), rtol=1e-5, atol=1e-6)


def test_the_operator_and_transposed_operands():
    a, b = array((3, 4)), array((5, 4), seed=1)
    agree(lambda lib, x, y: x @ y.t(), a, b, **CLOSE)
    agree(lambda lib, x, y: (y @ x.T).T @ y, a, b, **CLOSE)
    agree(lambda lib, x, y: x[:, ::2] @ y[::2, ::2].mT, a, b, **CLOSE)
    agree(lambda lib, x: x @ 2, a)
    agree(lambda lib, x: lib.matmul(x, [1.0]), a)
    agree(lambda lib, x: lib.mm(input=x, mat2=x.t()), a, **CLOSE)
    agree(lambda lib, x: lib.matmul(x, other=x.t()), a, **CLOSE)


def test_products_added():
    matrix, vector, batch = array((3, 4)), array((4,), seed=1), array((2, 3, 4), seed=2)
    for scale in ({}, {"beta": 0.5}, {"alpha": -2}, {"beta": 2, "alpha": 0.25}, {"beta": 0}, {"beta": 0, "alpha": 3}):
        for shape in ((3, 3), (3,), (1,), (3, 1), (1, 3), (), (4,), (2, 3, 3), (2, 1, 3)):
            print(scale, shape)
            bias = array(shape, "float64", seed=3)
            if scale.get("beta") == 0:  # its gradient is 0 there and None here
                bias = bias * 0
                agree(lambda lib, c, x: lib.addmm(c.detach(), x, x.t(), **scale), bias, matrix, **CLOSE)
                continue
            agree(lambda lib, c, x: lib.addmm(c, x, x.t(), **scale), bias, matrix, **CLOSE)
            agree(lambda lib, c, x, v: lib.addmv(c, x, v, **scale), bias, matrix, vector, **CLOSE)
            agree(lambda lib, c, x: lib.baddbmm(c, x, x.mT, **scale), bias, batch, **CLOSE)
            agree(lambda lib, c, x: c.addmm(x, x.t(), **scale), bias, matrix, **CLOSE)
            agree(
                lambda lib, c, x: c.detach().clone().addmm_(x.detach(), x.detach().t(), **scale), bias, matrix, **CLOSE
            )
    agree(lambda lib, c, x: lib.addmm(c.detach(), x, x.t(), beta=0), np.full((3, 3), np.nan), matrix, **CLOSE)
    agree(lambda lib, c, x: lib.addmm(c, x, x.t()), array((3, 3), "float32"), matrix)
    agree(lambda lib, c, x: lib.addmm(c, x, x), matrix, matrix)


# ---- einsum

EQUATIONS = [  # equation, shapes
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk", (3, 4), (4, 5)), ("ij,kj->ik", (3, 4), (5, 4)), ("ij->ji", (3, 4)), ("ba", (3, 4)), ("ij->", (3, 4)), ("ij->i", (3, 4)),
    ("ij->j", (3, 4)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (3, 3, 4)), ("iji->ij", (3, 4, 3)), ("iii->i", (3, 3, 3)), ("i,i->", (3,), (3,)), ("i,j->ij", (3,), (4,)),
    ("i,j->ji", (3,), (4,)), ("ij,ij->", (3, 4), (3, 4)), ("ij,ij->ij", (3, 4), (3, 4)), ("ij,ij->i", (3, 4), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)), ("bij,jk->bik", (2, 3, 4), (4, 5)), ("i,j,k->ijk", (2,), (3,), (4,)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,jk,ki->", (2, 3), (3, 4), (4, 2)), ("ik,jk,k->ij", (2, 3), (4, 3), (3,)), ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)), ("...ij,jk->...ik", (6, 2, 3, 4), (4, 5)),
    ("...ij,...jk->...ik", (6, 1, 3, 4), (2, 4, 5)), ("...ij->...ji", (2, 3, 4)), ("...->...", (2, 3)), ("i...->...", (2, 3, 4)), ("i...->i", (2, 3, 4)), ("...i->", (2, 3)),
    ("...,...", (2, 3), (3,)), ("b...,b...->b...", (5, 2, 3), (5, 3)), ("...j,j", (3, 4), (4,)), ("i...j->j...i", (2, 3, 4)), ("ij,jk->ik", (3, 1), (4, 5)), ("ij,jk->ik", (3, 4), (1, 5)),
    ("ij,ij->ij", (3, 1), (1, 4)), ("iJ,Jk->ik", (3, 4), (4, 5)), ("Ab->bA", (3, 4)), ("bA", (3, 4)), (" i j , j k -> i k ", (3, 4), (4, 5)), ("->", ()), ("i,->i", (3,), ()), (",->", (), ()),
    ("ij,ik,il->jkl", (2, 3), (2, 4), (2, 5)), ("ij,jk->k", (3, 4), (4, 5)), ("ab,cd->abcd", (2, 3), (4, 5)), ("ab,cd->", (2, 3), (4, 5)), ("ij,j->", (0, 3), (3,)), ("ij,jk->ik", (3, 0), (0, 4)),
    ("nchw,nchw->nc", (2, 3, 4, 5), (2, 3, 4, 5)), ("nchw,oc->nohw", (2, 3, 4, 5), (6, 3)),
    # mistakes
    ("ij,jk->ik", (3, 4), (3, 5)), ("ij,jk->il", (3, 4), (4, 5)), ("ij->ii", (3, 4)), ("ij", (3, 4), (4,)), ("ij,jk", (3, 4)), ("ijk", (3, 4)), ("i", (3, 4)), ("i1", (3, 4)),
    ("ij->ij->ij", (3, 4)), ("i..j->i", (2, 3, 4)), ("ii", (3, 4)), ("ij->i...", (3, 4)), ("......", (3, 4)), ("i-j", (3, 4)), ("ij>ji", (3, 4)), ("...ij,...jk->ik", (2, 3, 4), (5, 4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("equation, shapes", [(e[0], e[1:]) for e in EQUATIONS], ids=str)
def test_einsum(equation, shapes):
    arrays = [array(shape, seed=i) for i, shape in enumerate(shapes)]
    agree(lambda lib, *x: lib.einsum(equation, *x), *arrays, **CLOSE)
    agree(lambda lib, *x: lib.einsum(equation, list(x)), *arrays, **CLOSE)
    integers = [array(shape, "int64", seed=i) for i, shape in enumerate(shapes)]
    agree(lambda lib, *x: lib.einsum(equation, *x), *integers)


def test_what_einsum_does_not_take():
    agree(lambda lib: lib.einsum(""))
    agree(lambda lib: lib.einsum("ij", [1.0]))
    agree(lambda lib, x: lib.einsum("ij,jk", x, x.t().float()), array((3, 4)))
    with pytest.raises(NotImplementedError, match="equation as a string"):
        engine.einsum(engine.ones(2), [0], [0])


# ---- order


def parts(call, *arrays):
    for part in ("values", "indices"):
        agree(lambda lib, *a, part=part: getattr(call(lib, *a), part), *arrays)
    agree(lambda lib, *a: call(lib, *a)[0], *arrays)


def ranked(shape, dtype="float64"):
    size = int(np.prod(shape))
    return (np.random.default_rng(0).permutation(size).reshape(shape) - size // 3).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_sorting(dtype):
    for shape in ((5,), (3, 4), (2, 3, 4), (), (0, 3), (1,), (3, 0)):
        x = ranked(shape, dtype)
        for args in ((), (0,), (-1,), (0, True), (1, False), (9,)):
            print(shape, args)
            parts(lambda lib, x, a=args: x.sort(*a), x)
            parts(lambda lib, x, a=args: lib.sort(x, *a), x)
            agree(lambda lib, x, a=args: x.argsort(*a), x)
        parts(lambda lib, x: x.sort(dim=0, descending=True, stable=True), x)
        parts(lambda lib, x: lib.sort(x, stable=True, dim=-1), x)
        agree(lambda lib, x: lib.argsort(x, dim=0, descending=True, stable=True), x)
        agree(lambda lib, x: lib.msort(x) if shape else x, x)
        for args in ((1,), (2,), (3, 0), (2, -1, False), (9,), (-1,), (0,), (1, 9), (1.5,), (2, 0, True, False)):
            if args[-1] is not False or len(args) < 4:
                print(shape, args)
                parts(lambda lib, x, a=args: x.topk(*a), x)
        parts(lambda lib, x: lib.topk(x, k=1, dim=0, largest=False, sorted=True), x)


def test_the_kth_value():
    for shape in ((5,), (3, 4), (), (1,), (0, 3)):
        for args in ((1,), (2, 0), (3, -1, True), (9,), (0,), (1, 9), (1.5,), (-1,)):
            print(shape, args)
            parts(lambda lib, x, a=args: x.kthvalue(*a), ranked(shape))
    parts(lambda lib, x: lib.kthvalue(x, k=2, dim=0), ranked((3, 4)))
    agree(lambda lib, x: x.detach().kthvalue(3).values, np.array([1.0, math.nan, 0]))


def test_equal_values_keep_their_order_and_nan_is_the_largest():
    ties = np.array([[1.0, 0, 1, 0, 2], [3, 3, 3, 3, 3]])
    holes = np.array([[1.0, math.nan, 0, math.nan, -math.inf, math.inf], [2, 1, 0, 3, 4, 5]])
    for descending in (False, True):
        for x in (ties, ties.astype("int64"), ties > 0, holes):
            parts(lambda lib, x: x.detach().sort(dim=1, descending=descending, stable=True), x)
            agree(
                lambda lib, x: x.detach().argsort(dim=1, descending=descending, stable=True), x
            ) if x is not holes else None
        agree(lambda lib, x: x.detach().topk(4, 1, descending).values, holes)
    parts(lambda lib, x: x.sort(dim=1, stable=True), ties)


def test_accuracy_of_the_top_5():
    def right(lib, scores, labels):
        _, predicted = scores.detach().topk(5, 1, True, True)
        return (
            predicted.t().eq(labels.view(1, -1).expand_as(predicted.t()))[:5].reshape(-1).float().sum(0, keepdim=True)
        )

    agree(right, ranked((8, 20), "float32"), array((8,), "int64"))


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
def test_unique(dtype):
    for shape in ((7,), (3, 4), (), (0,)):
        x = array(shape, "int64").astype(dtype)
        agree(lambda lib, x: x.unique(), x)
        agree(lambda lib, x: lib.unique(x, sorted=True), x)
        for inverse, counts in ((True, False), (False, True), (True, True)):
            for i in range(1 + inverse + counts):
                agree(lambda lib, x, i=i: lib.unique(x, return_inverse=inverse, return_counts=counts)[i], x)
    agree(lambda lib, x: x.detach().unique(), np.array([1.0, math.nan, math.nan]))
    with pytest.raises(NotImplementedError, match="dim"):
        engine.ones(2, 2).unique(dim=0)


def test_bincount():
    x = np.array([1, 1, 3, 0])
    for dtype in ("int64", "int32", "uint8", "float32"):
        agree(lambda lib, x: lib.bincount(x), x.astype(dtype))
        agree(lambda lib, x: x.bincount(minlength=6), x.astype(dtype))
    for weights in (np.ones(4), np.ones(4, "float32") / 3, np.arange(4), np.ones(3)):
        agree(lambda lib, x, w: lib.bincount(x, w.detach()), x, weights)
        agree(lambda lib, x, w: x.bincount(weights=w.detach(), minlength=2), x, weights)
    for bad in (np.array([1, -1]), np.array([[1]]), np.array(1)):
        agree(lambda lib, x: lib.bincount(x), bad)
    agree(lambda lib, x: lib.bincount(x, minlength=-1), x)
    agree(lambda lib, x: lib.bincount(x, minlength=3), x[:0])
