"""Indexing beside PyTorch's: brackets, positions along an axis, masks; values, gradients, errors."""

import numpy as np
import pytest
from beside import agree, torch

import engine
from engine.ops._op import OutOfRange


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def array(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return np.asarray(rng.standard_normal(shape).astype(dtype))
    return np.asarray(rng.integers(0, 2 if dtype == "bool" else 9, shape).astype(dtype))


X = array((3, 4, 5))
A, B = np.array([0, 2, 1, 0]), np.array([[1, -1], [3, 0]])
MASK = np.array([True, False, True])
WIDE = array((3, 4), "bool")

# ---- between brackets

INDICES = {
    "number": lambda a, b, m, w: 1, "from the end": lambda a, b, m, w: -1, "too far": lambda a, b, m, w: 3, "two numbers": lambda a, b, m, w: (0, -2),
    "too many": lambda a, b, m, w: (0, 0, 0, 0), "slice": lambda a, b, m, w: slice(1, None), "step": lambda a, b, m, w: (slice(None), slice(None, None, 2)),
    "step back": lambda a, b, m, w: slice(None, None, -1), "step 0": lambda a, b, m, w: slice(None, None, 0), "none": lambda a, b, m, w: None,
    "none between": lambda a, b, m, w: (0, None, slice(1, 3), None), "dots": lambda a, b, m, w: (..., 0), "dots between": lambda a, b, m, w: (1, ..., slice(2)),
    "all numbers": lambda a, b, m, w: (1, 2, 3), "nothing": lambda a, b, m, w: (), "just dots": lambda a, b, m, w: ..., "positions": lambda a, b, m, w: a % 3,
    "positions of two axes": lambda a, b, m, w: (a, a), "matrix of positions": lambda a, b, m, w: (slice(None), b), "apart": lambda a, b, m, w: (a, slice(None), a),
    "beside": lambda a, b, m, w: (slice(None), a, a), "broadcast": lambda a, b, m, w: (a[:2], b), "number and positions": lambda a, b, m, w: (0, slice(None), a),
    "number, dots, positions": lambda a, b, m, w: (1, ..., b), "positions and number": lambda a, b, m, w: (a, 2), "positions, slice, number": lambda a, b, m, w: (a, slice(1, 3), -1),
    "number between positions": lambda a, b, m, w: (a, 1, a), "none and positions": lambda a, b, m, w: (None, a, 0), "positions, none, positions": lambda a, b, m, w: (a, None, a),
    "list": lambda a, b, m, w: [0, 2], "list of lists": lambda a, b, m, w: [[0, 1], [1, 3]], "empty list": lambda a, b, m, w: [], "range": lambda a, b, m, w: range(2),
    "list and slice": lambda a, b, m, w: (slice(None), [0, 1, 1]), "bool list": lambda a, b, m, w: [True, False, True], "positions too far": lambda a, b, m, w: a + 1,
    "mask": lambda a, b, m, w: m, "wide mask": lambda a, b, m, w: w, "mask and slice": lambda a, b, m, w: (m, slice(1)), "mask and number": lambda a, b, m, w: (m, 0),
    "mask and positions": lambda a, b, m, w: (m, a[:2]), "mask behind": lambda a, b, m, w: (slice(None), w[0]), "wide mask and number": lambda a, b, m, w: (w, 1),
    "number, wide mask": lambda a, b, m, w: (0, w[:, :1].repeat(2, 5)[:4]), "dots, mask": lambda a, b, m, w: (..., w[0][:1].repeat(5)), "mask too long": lambda a, b, m, w: w[0],
    "two masks": lambda a, b, m, w: (m, w[0] | True), "byte mask": lambda a, b, m, w: m.to(dtype=(torch if isinstance(m, torch.Tensor) else engine).uint8),
    "true": lambda a, b, m, w: True, "false": lambda a, b, m, w: False, "true between": lambda a, b, m, w: (True, slice(None), [1, 2]), "floats": lambda a, b, m, w: a * 1.0,
    "float": lambda a, b, m, w: 1.5, "number in a tensor": lambda a, b, m, w: a[1], "numbers in tensors": lambda a, b, m, w: (a[1], slice(None), a[0]),
    "number in a tensor and positions": lambda a, b, m, w: (a[1], slice(None), a), "list of tensors": lambda a, b, m, w: [a, a], "shapes that do not fit": lambda a, b, m, w: (a, a[:3]),
    "empty positions": lambda a, b, m, w: a[:0], "slice past the end": lambda a, b, m, w: slice(2, 99), "slice of nothing": lambda a, b, m, w: slice(2, 1), "numpy number": lambda a, b, m, w: np.int64(1),
    "numpy positions": lambda a, b, m, w: np.array([1, 0]), "slice with a tensor": lambda a, b, m, w: slice(a[2], a[1]), "list with none": lambda a, b, m, w: [0, None],
}  # fmt: skip


@pytest.mark.parametrize("name", INDICES)
def test_reading(name):
    index = INDICES[name]
    x = X.astype("int64") if name == "byte mask" else X  # PyTorch warns in its derivative
    agree(lambda lib, x, *i: x[index(*i)], x, A, B, MASK, WIDE)


# "false": PyTorch looks at no value then; "byte mask": it reads by one but does not write numbers by it.
@pytest.mark.parametrize("name", sorted(INDICES.keys() - {"false", "byte mask"}))
def test_writing(name):
    index = INDICES[name]

    def number(lib, x, *i):
        y = x * 1
        y[index(*i)] = 2.5
        return y

    def row(lib, x, v, *i):
        y = x * 1
        y[index(*i)] = v
        return y

    def plain(lib, x, v, *i):
        y = x.detach().clone()
        y[index(*i)] = v.detach()
        return y

    agree(number, X, A, B, MASK, WIDE)
    if name not in (
        "positions",
        "positions of two axes",
        "broadcast",
        "list of lists",
        "apart",
        "beside",
        "matrix of positions",
    ):
        for shape in ((), (1,), (5,), (2, 5), (7,)):
            agree(row, X, array(shape, seed=1), A, B, MASK, WIDE)
            agree(plain, X, array(shape, seed=1), A, B, MASK, WIDE)


def test_a_value_of_another_dtype_is_converted():
    for to in ("float32", "int64", "bool", "uint8"):
        for value in (1, 2.7, True, "tensor"):

            def write(lib, x, value=value, to=to):
                y = x.detach().abs().to(getattr(lib, to))
                y[0] = lib.tensor([1.5, 2, 0, 7], dtype=lib.float64) if value == "tensor" else value
                return y

            agree(write, array((3, 4)))


def test_nothing_is_written_where_elements_share_memory():
    def writes(f):
        def call(lib, x):
            y = x.detach().clone().expand(2, 3)
            f(y)
            return y

        return call

    for f in (lambda y: y.add_(1), lambda y: y.mul_(2), lambda y: y.copy_(y + 1), lambda y: y.neg_()):
        agree(writes(f), array((3,)))
    with pytest.raises(RuntimeError, match=r"more than one element of the written-to tensor.*clone\(\)"):
        engine.zeros(3).expand(2, 3)[0] = 1
    same = engine.zeros(3).expand(1, 3)
    same.add_(1)
    assert same.tolist() == [[1, 1, 1]]


# ---- along one axis

INDEXED = [  # input, index: of gather and of its kin
    ((3, 4), [[0, 1], [2, 3], [1, 1]], 1), ((3, 4), [[0, 1, 2, 0]], 0), ((3, 4), [[0, 3]], 1), ((3, 4), [[0, 4]], 1), ((3, 4), [[-1]], 1), ((3, 4), [0, 1], 1),
    ((3, 4), [[0], [0], [0], [0]], 1), ((3, 4), [[0], [0], [0], [0]], 0), ((4,), [3, 3, 0], 0), ((4,), [3, 3, 0], -1), ((4,), [0], 1), ((), 0, 0), ((), [0], 0),
    ((2, 3, 4), [[[0, 1, 2, 0]], [[2, 2, 1, 1]]], 1), ((0, 4), [[]], 1), ((3, 4), [[0.5]], 1), ((3, 4), [[True]], 1), ((2, 2), [[0, 1, 1, 0, 1]], -1), ((2, 2), [[0, 2]], -1),
]  # fmt: skip


def positions(index):
    a = np.array(index)
    return a.astype("int64") if a.size == 0 else a


@pytest.mark.parametrize("case", INDEXED, ids=str)
def test_gather(case):
    shape, index, dim = case
    agree(lambda lib, x, i: lib.gather(x, dim, i), array(shape), positions(index))
    agree(lambda lib, x, i: x.gather(dim, i), array(shape, "int32"), positions(index))
    agree(lambda lib, x, i: x.gather(dim=dim, index=i), array(shape), positions(index).astype("int32"))
    if shape and index not in ([[0, 4]], [[0, 2]]):  # PyTorch reads another element there, or refuses what is no axis
        agree(lambda lib, x, i: lib.take_along_dim(x, i, dim), array(shape), positions(index))


@pytest.mark.parametrize("case", INDEXED, ids=str)
def test_scatter(case):
    shape, index, dim = case
    index = positions(index)
    src = array(index.shape, seed=1)
    wide = array(tuple(n + 1 for n in index.shape), seed=2)
    once = len(np.unique(index)) == index.size or index.ndim > 1 and 2 not in index.shape[:1]
    for values in (src, wide, array((1,) * index.ndim), src.reshape(1, *index.shape)) if once else ():
        agree(lambda lib, x, i, s: x.scatter(dim, i, s), array(shape), index, values)
    for values in (
        src,
        wide,
        array((1,) * index.ndim),
        *([] if shape == (4,) and dim == 1 else [src.astype("float32")]),
    ):
        agree(lambda lib, x, i, s: lib.scatter_add(x, dim, i, s), array(shape), index, values)
        agree(lambda lib, x, i, s: x.detach().clone().scatter_add_(dim, i, s.detach()), array(shape), index, values)
    for value in (2, 2.5, -1):
        agree(lambda lib, x, i, v=value: x.scatter(dim, i, v), array(shape), index)
        agree(lambda lib, x, i, v=value: lib.scatter(x, dim, i, value=v), array(shape, "int64"), index)
        agree(lambda lib, x, i, v=value: x.detach().clone().scatter_(dim, i, v), array(shape), index)
    agree(lambda lib, x, i: x.scatter(dim, i, 1.5, reduce="add"), array(shape), index)


def test_one_hot_by_scatter():
    agree(lambda lib, i: lib.zeros(4, 9).scatter_(1, i.unsqueeze(1), 1), array((4,), "int64"))
    agree(lambda lib, x, i: x.scatter(1, i, 1.5, reduce="nonsense"), array((3, 4)), np.array([[1]]))
    with pytest.raises(NotImplementedError, match="multiply"):
        engine.ones(2, 2).scatter(0, engine.zeros(1, 2, dtype="int64"), 2, reduce="multiply")
    with pytest.raises(TypeError, match="src"):
        engine.ones(2, 2).scatter(0, engine.zeros(1, 2, dtype="int64"))


ROWS = [[0, 2], [1, 1, 1], [], [2, 0, 2, 1], [3], [-1], 1, [[0, 1]], [0.5], [True]]


@pytest.mark.parametrize("index", ROWS, ids=str)
def test_whole_entries(index):
    i = positions(index)
    for shape in ((3, 4), (4, 3), (3,), (3, 3, 3), ()):
        for dim in (0, 1, -1):
            if dim >= len(shape) and shape and i.ndim > 1:
                continue  # two mistakes at once
            print(shape, dim)
            x = array(shape)
            agree(lambda lib, x, i, d=dim: lib.index_select(x, d, i), x, i)
            agree(lambda lib, x, i, d=dim: x.index_select(dim=d, index=i), x, i)
            if i.ndim > 1 or i.dtype == "float64" or i.dtype == "bool" or not shape or dim >= len(shape):
                continue
            wanted = tuple(i.size if d == dim % len(shape) else n for d, n in enumerate(shape))
            source = array(wanted, seed=1)
            agree(lambda lib, x, i, s, d=dim: lib.index_add(x, d, i, s), x, i, source)
            agree(lambda lib, x, i, s, d=dim: x.index_add(d, i, s, alpha=-2), x, i, source)
            agree(lambda lib, x, i, s, d=dim: x.detach().clone().index_add_(d, i, s.detach()), x, i, source)
            agree(lambda lib, x, i, d=dim: x.index_fill(d, i, 2.5), x, i)
            agree(lambda lib, x, i, d=dim: x.detach().clone().index_fill_(d, i, lib.tensor(3.0)), x, i)
            if len(set(i.reshape(-1).tolist())) == i.size:
                agree(lambda lib, x, i, s, d=dim: x.index_copy(d, i, s), x, i, source)
                agree(lambda lib, x, i, s, d=dim: x.detach().clone().index_copy_(d, i, s.detach()), x, i, source)


def test_sources_that_do_not_fit():
    x, i = array((3, 4)), np.array([0, 1])
    for name in ("index_add", "index_copy"):
        for source in (array((3, 4)), array((2, 3)), array((2, 4), "float32"), array((4,))):
            agree(lambda lib, x, i, s, name=name: getattr(x, name)(0, i, s), x, i, source)
    agree(lambda lib, x, i: x.index_fill(0, i, lib.tensor([1.0, 2])), x, i)
    agree(lambda lib, x, i: x.index_select(0, [0, 1]), x, i)


def test_what_is_out_of_range_is_named_with_its_place():
    with pytest.raises(
        OutOfRange, match=r"gather\(\): index 7 is out of bounds for dimension 1 with size 3 \(at position \(1, 0\)"
    ):
        engine.ones(2, 3).gather(1, engine.tensor([[0, 1], [7, 9]]))
    with pytest.raises(IndexError, match=r"index_select\(\): index -1 is out of bounds.*size 2 \(at position \(2,\)"):
        engine.ones(2, 3).index_select(0, engine.tensor([0, 1, -1]))


# ---- by masks and positions


def test_masked_fill():
    for dtype in ("float64", "float32", "int64", "uint8", "bool"):
        for value in (0, 2.5, -1, True, float("inf"), float("-inf"), 300, float("nan")):
            if dtype == "bool" and isinstance(value, float) and not np.isfinite(value):
                continue
            print(dtype, value)
            agree(lambda lib, x, m, v=value: x.masked_fill(m, v), array((3, 4), dtype), WIDE)
            agree(lambda lib, x, m, v=value: lib.masked_fill(x, m, v), array((3, 4), dtype), WIDE)
            agree(lambda lib, x, m, v=value: x.detach().clone().masked_fill_(m, v), array((3, 4), dtype), WIDE[:1])
    x = array((3, 4))
    for mask in (WIDE[0], WIDE[:, :1], WIDE[None], np.array(True), WIDE.astype("uint8"), WIDE * 1.0, WIDE[:2], MASK):
        agree(lambda lib, x, m: x.masked_fill(m, 1.5), x, mask)
        agree(lambda lib, x, m: x.masked_select(m), x, mask)
        agree(lambda lib, x, m: lib.masked_select(x.t(), m), x, mask)
        agree(lambda lib, x, m: x.detach().clone().masked_fill_(m, 1.5), x, mask)
    for value in (np.array(2.0), np.array(2.0, "float32"), np.array(3), np.array([2.0])):
        agree(lambda lib, x, m, v: x.masked_fill(m, v), x, WIDE, value)
    agree(lambda lib, x, m: x.masked_fill([True], 1), x, WIDE)
    agree(lambda lib, x, m: x[0].masked_fill(m, 1), x, WIDE)
    agree(lambda lib, x, m: (x * 1).masked_fill_(m, 1) * 2, x, WIDE)


def test_masked_scatter():
    x = array((3, 4))
    for source in (
        array((12,), seed=1),
        array((3, 4), seed=1),
        array((2,)),
        array((12,), "float32"),
        array((20,), seed=2),
    ):
        agree(lambda lib, x, m, s: x.masked_scatter(m, s), x, WIDE, source)
        agree(lambda lib, x, m, s: x.detach().clone().masked_scatter_(m, s.detach()), x, WIDE, source)
    agree(lambda lib, x, m, s: lib.masked_scatter(x, m, s), x, WIDE[0], array((12,), seed=1))


def test_take_and_nonzero():
    x = array((3, 4))
    for index in ([0, 5, -1], [[0], [11]], 3, [12], [-13], [0.5], [], [True]):
        agree(lambda lib, x, i: x.take(i), x, positions(index))
        agree(lambda lib, x, i: lib.take(x, i), x, positions(index))
    agree(lambda lib, x, i: x.take(i.int()), x, positions([1]))
    agree(lambda lib, x, i: lib.take_along_dim(x, i), x, positions([1, 3, 11]))
    agree(lambda lib, x, i: lib.take_along_dim(x, i), x, positions([12]))
    agree(lambda lib, x, i: lib.take_along_dim(x, i, dim=1), x, positions([[1], [0], [2]]))
    agree(lambda lib, x, i: lib.take_along_dim(x, i, 1), x, positions([[1, 0]]))
    agree(lambda lib, x, i: lib.take_along_dim(x, i, 0), x, positions([[1, 0]]))
    agree(lambda lib, x: lib.take_along_dim(x, x.argsort(1), 1), x)
    for shape in ((3, 4), (5,), (), (0, 3), (2, 3, 2)):
        for dtype in ("bool", "int64", "float32"):
            a = array(shape, dtype)
            agree(lambda lib, x: x.nonzero(), a)
            agree(lambda lib, x: lib.argwhere(x), a)
            for i in range(len(shape) or 1):
                agree(lambda lib, x, i=i: lib.nonzero(x, as_tuple=True)[i], a)
            agree(lambda lib, x: len(x.nonzero(as_tuple=True)), a)
    agree(lambda lib, x: lib.where(x > 0)[1], x)


def test_arguments_that_are_no_tensors():
    x = array((3, 4))
    for call in (lambda lib, x: lib.gather(x, 0, [[0]]), lambda lib, x: x.scatter(0, [[0]], 1), lambda lib, x: x.take([0]), lambda lib, x: x.masked_select([True]),
                 lambda lib, x: lib.nonzero([1]), lambda lib, x: x.index_add(0, [0], x), lambda lib, x: lib.index_select([1], 0, lib.tensor([0]))):  # fmt: skip
        agree(call, x)
