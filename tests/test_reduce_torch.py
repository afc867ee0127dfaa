"""Reductions, extremes and running sums beside PyTorch's: values, gradients, dtypes and errors."""

import math

import numpy as np
import pytest
from beside import agree

import engine

SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4), (0,), (0, 3), (3, 0), (1, 1, 1)]
DIMS = [None, 0, 1, -1, -2, 3, -4, (0,), (0, 1), (0, -1), (1, 2), (0, 0), (), [0, 2], "a", 1.5, True]
DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def array(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return np.asarray(rng.standard_normal(shape).astype(dtype))
    return np.asarray(rng.integers(0, 2 if dtype == "bool" else 5, shape).astype(dtype))


def ranked(shape, dtype="float64", seed=0):
    """No two alike."""
    size = int(np.prod(shape))
    return np.asarray((np.random.default_rng(seed).permutation(size).reshape(shape) - size // 3).astype(dtype))


def agree_on(parts, call, *arrays):
    """agree, for a call with a named or several results."""
    for part in parts.split():
        pick = (lambda y, i=int(part): y[i]) if part.isdigit() else (lambda y, part=part: getattr(y, part))
        agree(lambda lib, *a, pick=pick: pick(call(lib, *a)), *arrays)


# ---- sums and the like


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "amax", "amin", "all", "any", "norm"])
def test_over_axes(name, dtype):
    for shape in SHAPES:
        x = array(shape, dtype)
        for dim in DIMS:
            if name in ("var", "std") and dim in (True, ()) and type(dim) is not int:
                continue  # the engine takes dim=True as unbiased; PyTorch's gradient with dim=() is infinite
            if name in ("amax", "amin") and 0 in shape and dim in ((0, 0), (0, -1)):
                continue  # two mistakes at once
            print(shape, dim)
            agree(lambda lib, x, dim=dim: getattr(lib, name)(x, dim=dim), x)
            agree(lambda lib, x, dim=dim: getattr(x, name)(dim=dim, keepdim=True), x)
        agree(lambda lib, x: getattr(lib, name)(x), x)
        agree(lambda lib, x: getattr(x, name)(), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["prod", "logsumexp", "cumsum", "cumprod"])
def test_along_an_axis(name, dtype):
    for shape in SHAPES:
        x = array(shape, dtype)
        for dim in DIMS[1:]:
            if name == "logsumexp" and dim == ():
                continue  # PyTorch takes it for all axes, and then fails for two or more
            print(shape, dim)
            agree(lambda lib, x, dim=dim: getattr(lib, name)(x, dim), x)
            if name in ("prod", "logsumexp"):
                agree(lambda lib, x, dim=dim: getattr(x, name)(dim=dim, keepdim=True), x)
    agree(lambda lib, x: getattr(x, name)(), array((3, 4), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_count_nonzero(dtype):
    for shape in SHAPES:
        for dim in DIMS[:14]:
            agree(lambda lib, x, dim=dim: lib.count_nonzero(x, dim), array(shape, dtype))
        agree(lambda lib, x: x.count_nonzero(), array(shape, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "cumsum", "cumprod"])
@pytest.mark.parametrize("to", ["float32", "float64", "int64", "int32", "uint8"])
def test_the_dtype_that_is_asked_for(name, dtype, to):
    args = (0,) if name.startswith("cum") else ()
    x = np.abs(array((3, 4), "float32")).astype(dtype)
    constant = to.startswith("float") is False  # with a gradient PyTorch refuses integers
    for call in (lambda f, **to: f(*args, **to), lambda f, **to: f(0, **to)):
        agree(
            lambda lib, x, call=call: call(getattr(x.detach() if constant else x, name), dtype=getattr(lib, to)),
            x,
            rtol=2e-6,
        )


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_spreads(name):
    parts = "0 1" if name.endswith("_mean") else ""
    calls = [
        lambda f, x: f(x, False), lambda f, x: f(x, True), lambda f, x: f(x, 0, False), lambda f, x: f(x, (0, 1), False, True),
        lambda f, x: f(x, unbiased=False), lambda f, x: f(x, dim=1, unbiased=True), lambda f, x: f(x, 1, correction=0),
        lambda f, x: f(x, correction=2), lambda f, x: f(x, correction=1.5), lambda f, x: f(x.detach(), 0, correction=5),
        lambda f, x: f(x, dim=0, keepdim=True, correction=0), lambda f, x: f(x, None, False),
        lambda f, x: f(x, unbiased=True, correction=1), lambda f, x: f(x, axis=0), lambda f, x: f(x, 5),
    ]  # fmt: skip
    for shape in ((3, 4), (2, 3, 4), (1, 1), (4, 0)):
        for call in calls:
            whole = lambda lib, x, call=call: call(getattr(lib, name), x)  # noqa: E731
            agree_on(parts, whole, array(shape)) if parts else agree(whole, array(shape))
    constant = np.full((3, 4), 2.5)
    agree(lambda lib, x: getattr(lib, name.partition("_")[0])(x, 0, unbiased=False), constant)
    agree(lambda lib, x: getattr(x, name.partition("_")[0])(), constant)


ORDERS = [1, 2, 3, 0, 0.5, -1, -2, math.inf, -math.inf, "fro", "nonsense", 2.0, 1.0]


@pytest.mark.parametrize("p", ORDERS)
def test_norms(p):
    varies = (lambda x: x.detach()) if p == 0 else (lambda x: x)  # its gradient is 0 here, absent there
    for shape in SHAPES:
        for x in (array(shape), np.zeros(shape)):
            print(shape, x)
            agree(lambda lib, x: lib.norm(varies(x), p), x)
            agree(lambda lib, x: varies(x).norm(p=p), x)
            for dim in (0, -1, (0, 1), 5) if p not in ("fro", "nonsense") else (0, 5):
                if 0 in shape and dim in ((0, 1), 5):
                    continue  # two mistakes at once
                agree(lambda lib, x, dim=dim: varies(x).norm(p, dim), x)
                agree(lambda lib, x, dim=dim: lib.norm(varies(x), p, dim, keepdim=True), x)
    ties = np.array([[2.0, -2, 1], [0, 1, -1]])
    agree(lambda lib, x: varies(x).norm(p), ties)
    agree(lambda lib, x: varies(x).norm(p, 1), ties)
    if p != "nonsense":
        agree(lambda lib, x: lib.norm(varies(x), p, dtype=lib.float64), array((3, 4), "float32"), rtol=1e-6)


def test_norms_in_linalg():
    x, square = array((3, 4)), array((2, 3, 3))
    for ord in (None, 1, -1, math.inf, -math.inf, "fro", 3, "nonsense"):
        for a in (x, x[0], square):
            for dim in (None, 0, (0,), (0, 1), (-2, -1), (0, 0)):
                print(ord, a.shape, dim)
                agree(lambda lib, a, dim=dim, ord=ord: lib.linalg.norm(a, ord, dim), a)
                agree(lambda lib, a, dim=dim, ord=ord: lib.linalg.norm(a, ord=ord, dim=dim, keepdim=True), a)
    for ord in (1, -1, math.inf, -math.inf, "fro"):
        agree(lambda lib, a, ord=ord: lib.linalg.matrix_norm(a, ord), square)
        agree(lambda lib, a, ord=ord: lib.linalg.matrix_norm(a, ord, dim=(2, 0), keepdim=True), square)
    agree(lambda lib, a: lib.linalg.matrix_norm(a), x[0])
    agree(lambda lib, a: lib.linalg.vector_norm(a, 3, dim=(0, 2)), square)
    agree(lambda lib, a: lib.linalg.vector_norm(a), x)
    for call in (lambda: engine.linalg.norm(engine.ones(2, 2), 2), lambda: engine.ones(2, 2).norm("nuc")):
        with pytest.raises(NotImplementedError):
            call()


def test_products_with_zeros():
    for zeros in ((), (1,), (1, 3), (0,), (4,), (0, 1, 2, 3, 4)):
        x = np.array([[2.0, -3, 0.5, 4, -1], [1, 2, 3, 4, 5]])
        x[0, list(zeros)] = 0
        for call in (
            lambda lib, x: x.prod(),
            lambda lib, x: x.prod(1),
            lambda lib, x: x.cumprod(1),
            lambda lib, x: lib.cumprod(x, 0),
        ):
            agree(call, x)


def test_logsumexp_of_what_is_large_and_of_infinities():
    inf = math.inf
    for values in ([1000.0, 1000], [-1000, -1001], [inf, 1], [-inf, 1], [-inf, -inf], [math.nan, 1]):
        agree(lambda lib, x: x.logsumexp(0), np.array(values))
    agree(lambda lib, x: lib.logsumexp(x, (0, 1)), array((3, 4)))
    agree(lambda lib, x: x.detach().logsumexp(0), np.zeros((0, 3)))


# ---- extremes


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("name", ["max", "min", "median"])
def test_values_and_indices(name, dtype):
    for shape in SHAPES:
        x = ranked(shape, dtype)
        print(shape)
        if x.size:
            agree(lambda lib, x: getattr(lib, name)(x), x)
        for dim in DIMS[1:]:
            agree_on("values indices 0 1", lambda lib, x, dim=dim: getattr(lib, name)(x, dim), x)
            agree_on("0 1", lambda lib, x, dim=dim: getattr(x, name)(dim=dim, keepdim=True), x)
    agree(lambda lib, x: getattr(x, name)(keepdim=True), ranked((3, 4)))


@pytest.mark.parametrize("name", ["max", "min", "median", "amax", "amin"])
def test_equal_values(name):
    ties = np.array([[2.0, 2, 1, 1], [3, 3, 3, 3], [1, 5, 5, 2]])
    agree(lambda lib, x: getattr(x, name)(), ties)
    if name.startswith("a"):
        agree(lambda lib, x: getattr(x, name)(dim=1), ties)
    elif name != "median":  # where PyTorch promises no index
        agree_on("0 1", lambda lib, x: getattr(x, name)(1), ties)


@pytest.mark.parametrize("name", ["max", "min", "median", "argmax", "argmin", "amax", "cummax", "cummin"])
def test_nan(name):
    x = np.array([[2.0, math.nan, 1, math.nan], [1, 2, 3, 4]])
    if name.startswith("a"):
        agree(lambda lib, x: getattr(x.detach(), name)(dim=1), x)
    else:
        agree_on("0 1", lambda lib, x: getattr(x.detach(), name)(1), x)
    if not name.startswith("c"):
        agree(lambda lib, x: getattr(x.detach(), name)(), x)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_indices(name, dtype):
    for shape in SHAPES:
        x = ranked(shape, dtype)
        for dim in DIMS:
            print(shape, dim)
            agree(lambda lib, x, dim=dim: getattr(lib, name)(x, dim), x)
            agree(lambda lib, x, dim=dim: getattr(x, name)(dim=dim, keepdim=True), x)
    agree(lambda lib, x: getattr(x, name)(1), np.array([[1.0, 1, 0, 0], [5, 2, 2, 5]]))


@pytest.mark.parametrize("name", ["max", "min"])
def test_of_two_tensors(name):
    x, y = array((3, 4)), array((4,), seed=1)
    agree(lambda lib, x, y: getattr(lib, name)(x, y), x, y)
    agree(lambda lib, x, y: getattr(x, name)(y), x, y)
    agree(lambda lib, x, y: getattr(lib, name)(x, other=y), x, y)
    agree(lambda lib, x, y: getattr(x, name)(y), x, np.arange(4))
    agree(lambda lib, x: getattr(lib, name)(x, 0.5), x)
    agree(lambda lib: getattr(lib, name)([1, 2]))


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_running_extremes(name):
    for shape in SHAPES:
        for dim in (0, 1, -1, 3, "a") if 0 not in shape else (0,):
            for x in (ranked(shape), array(shape, "int64"), array(shape, "bool")):
                print(shape, dim, x)
                agree_on("values indices", lambda lib, x, dim=dim: getattr(lib, name)(x, dim), x)


# ---- names


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "argmax", "amax", "all", "any", "std", "var", "logsumexp"])
def test_the_names_of_numpy(name):
    x = array((3, 4))
    agree(lambda lib, x: getattr(x, name)(axis=1), x)
    agree(lambda lib, x: getattr(lib, name)(x, axis=1, keepdims=True), x)
    agree(lambda lib, x: getattr(lib, name)(input=x, dim=1), x)
    agree_on("0 1", lambda lib, x: x.max(axis=1), x)
    agree_on("0 1", lambda lib, x: lib.median(x, axis=1, keepdims=True), x)


def test_what_is_no_tensor():
    for name in ("sum", "mean", "max", "cumsum", "argmax", "std", "all"):
        agree(lambda lib, name=name: getattr(lib, name)([1.0, 2.0]))
        agree(lambda lib, name=name: getattr(lib, name)(None))


def test_running_sums_in_place_and_their_accuracy():
    agree(lambda lib, x: x.detach().clone().cumsum_(0), array((3, 4)))
    agree(lambda lib, x: x.detach().clone().cumprod_(1), array((3, 4), "float32"))
    agree(lambda lib, x: x.detach().cumsum(0), np.random.default_rng(0).random(100_000).astype("float32"), rtol=1e-7)
