"""Making tensors, converting them, and what is known of dtypes, beside PyTorch's."""

import itertools
import math

import numpy as np
import pytest
from beside import agree, torch

import engine

DTYPES = ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]
SIZES = [(), (0,), (3,), (2, 3), (0, 2)]


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def array(shape, dtype="float32"):
    return np.asarray((np.random.default_rng(0).standard_normal(shape) * 9).astype(dtype))


# ---- from data


@pytest.mark.parametrize("data", [
    1, 1.5, True, [1, 2], [1, 2.5], [True, 2], [[1, 2], [3, 4]], [], [[], []], (1, 2.0), range(3), np.float64(3), np.arange(3), np.ones((2, 2), "float32"),
    [[1, 2], [3]], "a", [1, "a"], np.array(5), [[True], [False]], 2**40,
], ids=repr)  # fmt: skip
def test_tensors_from_data(data):
    agree(lambda lib: lib.tensor(data))
    for dtype in ("float64", "int64", "uint8", "bool"):
        agree(lambda lib, d=dtype: lib.tensor(data, dtype=getattr(lib, d)))
    agree(lambda lib: lib.as_tensor(data))
    agree(lambda lib: lib.tensor(data, requires_grad=True).requires_grad)


def test_tensors_from_tensors():
    x = array((2, 3))
    agree(lambda lib, x: lib.tensor([x[0, 0].detach(), x[1, 1].detach()]), x)
    agree(lambda lib, x: lib.tensor([[x[0, 0].item()], [x[1, 1].item()]]), x)
    agree(lambda lib, x: lib.tensor(x.tolist()), x)
    agree(lambda lib, x: lib.as_tensor(x.detach()), x)
    agree(lambda lib, x: lib.as_tensor(x.detach(), dtype=lib.float64), x)
    agree(lambda lib, x: lib.asarray([1, 2]), x)
    agree(lambda lib: lib.tensor([300], dtype=lib.uint8))
    agree(lambda lib: lib.tensor([1.5, -1.5], dtype=lib.int64))
    agree(lambda lib: lib.from_numpy([1]))


# ---- filled


@pytest.mark.parametrize("dtype", [None, *DTYPES])
def test_filled(dtype):
    for size, wanted in itertools.product(SIZES, (False, True)):
        named = lambda lib, w=wanted: {"requires_grad": w} | ({} if dtype is None else {"dtype": getattr(lib, dtype)})  # noqa: E731
        for name in ("zeros", "ones"):
            agree(lambda lib, s=size, n=named, name=name: getattr(lib, name)(s, **n(lib)))
            agree(lambda lib, s=size, n=named, name=name: getattr(lib, name)(size=s, **n(lib)))
            agree(lambda lib, s=size, n=named, name=name: getattr(lib, name)(*s, 2, **n(lib)))
        agree(lambda lib, s=size, n=named: lib.empty(s, **n(lib)) * 0 if dtype != "bool" else lib.empty(s).shape == s)
        for value in (0, 3, 2.5, True):
            agree(lambda lib, s=size, n=named, v=value: lib.full(s, v, **n(lib)))
        agree(lambda lib, n=named: lib.eye(3, **n(lib)))
        agree(lambda lib, n=named: lib.eye(2, 4, **n(lib)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_filled_in_the_likeness_of_another(dtype):
    for shape in SIZES:
        x = array(shape, dtype)
        for to in (None, "float64", "int64", "bool"):
            named = lambda lib, to=to: {} if to is None else {"dtype": getattr(lib, to)}  # noqa: E731
            for name in ("zeros_like", "ones_like"):
                agree(lambda lib, x, n=named, name=name: getattr(lib, name)(x, **n(lib)), x)
            agree(lambda lib, x, n=named: tuple(lib.empty_like(x, **n(lib)).shape), x)
            for value in (3, 2.5, True):
                agree(lambda lib, x, n=named, v=value: lib.full_like(x, v, **n(lib)), x)
                agree(lambda lib, x, n=named, v=value: x.new_full((2, 3), v, **n(lib)), x)
            agree(lambda lib, x, n=named: x.new_zeros(2, 3, **n(lib)), x)
            agree(lambda lib, x, n=named: x.new_zeros((2, 3), **n(lib)), x)
            agree(lambda lib, x, n=named: x.new_ones(4, **n(lib)), x)
            agree(lambda lib, x, n=named: x.new_empty((0, 4), **n(lib)), x)
            agree(lambda lib, x, n=named: x.new_tensor([1, 0.1], **n(lib)), x)
            agree(lambda lib, n=named: lib.as_tensor([1, 0.1], **n(lib)))
    agree(lambda lib, x: lib.zeros_like(x, requires_grad=True) * 2, array((2,), dtype))
    agree(lambda lib, x: lib.ones_like(x.detach(), memory_format=lib.preserve_format), array((2,), dtype))


def test_sizes_that_are_none():
    for size in ((2.5,), (-1,), (2, "a"), ((2,), 3)):
        agree(lambda lib, s=size: lib.zeros(*s))
        agree(lambda lib, s=size: lib.ones(s))
    agree(lambda lib: lib.eye(-1))
    agree(lambda lib: lib.zeros_like([1]))
    agree(lambda lib: lib.full((2,), math.inf, dtype=lib.int64))
    agree(lambda lib: lib.zeros(lib.tensor(2), 3))


# ---- counted


@pytest.mark.parametrize("args", [
    (5,), (0,), (5.0,), (1, 5), (1, 5, 2), (5, 1, -2), (1, 2, 0.3), (0, 1, 0.1), (-1, 1, 0.25), (5, 0), (0, 5, -1), (0, 1, 0), (0.0, 3), (2.5,), (-3,), (0, math.inf),
    (math.nan,), (True,), (0, 1000, 0.7), (1e9, 1e9 + 5), (3, 3), (10, 0, -3), (0, -1, -0.3),
], ids=str)  # fmt: skip
def test_arange(args):
    agree(lambda lib: lib.arange(*args))
    for dtype in ("float64", "float32", "int64", "int32", "uint8"):
        if dtype[0] != "f" and not all(isinstance(a, int) for a in args):
            continue
        if dtype == "uint8" and min(args) < 0:
            continue
        agree(lambda lib, d=dtype: lib.arange(*args, dtype=getattr(lib, d)))


def test_arange_by_name():
    agree(lambda lib: lib.arange(end=3))
    agree(lambda lib: lib.arange(start=1, end=7, step=2))
    agree(lambda lib: lib.arange(1, end=3))
    agree(lambda lib: lib.arange(lib.tensor(3)))
    agree(lambda lib: lib.arange(3.0, requires_grad=True) * 2)
    agree(lambda lib: lib.arange(3, requires_grad=True))
    agree(lambda lib: lib.arange())


@pytest.mark.parametrize("args", [
    (0, 1, 5), (0, 1, 1), (0, 1, 0), (0, 1, -1), (1, 0, 4), (-3.5, 7.25, 100), (0, 0, 3), (0, 1, 2.5), (2, 3, 2), (0, 1e6, 11), (0, 10, 4),
], ids=str)  # fmt: skip
def test_linspace_and_logspace(args):
    for dtype in (None, "float64", "int64"):
        named = lambda lib, d=dtype: {} if d is None else {"dtype": getattr(lib, d)}  # noqa: E731
        agree(lambda lib, n=named: lib.linspace(*args, **n(lib)), atol=1e-6)
        if abs(args[1]) < 10 and dtype != "int64":
            agree(lambda lib, n=named: lib.logspace(*args, **n(lib)), rtol=1e-5)
            agree(lambda lib, n=named: lib.logspace(*args, base=2, **n(lib)), rtol=1e-5)
    agree(lambda lib: lib.linspace(start=0, end=1, steps=3, requires_grad=True) * 2)


# ---- converted

CONVERSIONS = ["float", "double", "long", "int", "short", "char", "byte", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_conversions(dtype):
    x = np.abs(array((3, 4), dtype))
    for name in CONVERSIONS:
        agree(lambda lib, x, n=name: getattr(x, n)(), x, rtol=1e-6)
        agree(lambda lib, x, n=name: getattr(x, n)() is x, x)
    for to in DTYPES:
        for call in (
            lambda x, d: x.to(d), lambda x, d: x.to(dtype=d), lambda x, d: x.to("cpu", d), lambda x, d: x.to(d, True, True), lambda x, d: x.type(d),
            lambda x, d: x.to(d, non_blocking=True, copy=True), lambda x, d: x.to(x.new_zeros(1, dtype=d)), lambda x, d: x.type_as(x.new_zeros(1, dtype=d)),
            lambda x, d: x.to(device="cpu", dtype=d), lambda x, d: x.to("cpu", d, True, False),
        ):  # fmt: skip
            agree(lambda lib, x, call=call, to=to: call(x, getattr(lib, to)), x, rtol=1e-6)
            agree(lambda lib, x, call=call, to=to: call(x, getattr(lib, to)) is x, x)
    agree(lambda lib, x: x.to("cpu", copy=True) is x, x)
    agree(lambda lib, x: x.to(memory_format=lib.contiguous_format) is x, x)
    agree(lambda lib, x: x.type().rpartition(".")[2], x)


def test_conversion_of_what_does_not_fit():
    agree(lambda lib, x: x.detach().bool(), np.array([0.0, -0.0, 0.5, math.nan, math.inf]))
    agree(lambda lib, x: x.detach().float(), np.array([1e300, -1e300, 1e-300]))
    agree(lambda lib, x: x.byte(), np.array([-1, 256, 300]))
    agree(lambda lib, x: x.detach().long(), np.array([1.9, -1.9, 0.0]))
    agree(lambda lib, x: x.type(f"{lib.__name__}.DoubleTensor"), np.array([1, 2]))


def test_facts():
    for dtype in DTYPES:
        x = array((3, 4), dtype)
        for call in (lambda x: x.element_size(), lambda x: x.nelement(), lambda x: x.ndimension(), lambda x: x.get_device(), lambda x: x.nbytes, lambda x: x.itemsize,
                     lambda x: x.is_floating_point(), lambda x: x.is_complex(), lambda x: x.numel()):  # fmt: skip
            agree(lambda lib, x, call=call: call(x), x)
        agree(lambda lib, x: lib.is_floating_point(x), x)
        agree(lambda lib, x: lib.is_complex(x), x)
        agree(lambda lib, x: lib.numel(x), x)
        agree(lambda lib, x: lib.is_tensor(x) and not lib.is_tensor([x]), x)


# ---- dtypes


def name_of(dtype):
    return str(dtype).removeprefix("torch.")


def test_dtypes_of_two():
    for a, b in itertools.product(DTYPES, DTYPES):
        agree(lambda lib, a=a, b=b: name_of(lib.promote_types(getattr(lib, a), getattr(lib, b))))
        agree(lambda lib, a=a, b=b: lib.can_cast(getattr(lib, a), getattr(lib, b)))
        for p, q in itertools.product([(), (2,)], [(), (2,)]):
            agree(lambda lib, x, y: name_of(lib.result_type(x, y)), array(p, a), array(q, b))
    for a, number in itertools.product(DTYPES, (True, 2, 2.5)):
        agree(lambda lib, x, n=number: name_of(lib.result_type(x, n)), array((2,), a))
        agree(lambda lib, x, n=number: name_of(lib.result_type(n, x)), array((2,), a))
        agree(lambda lib, n=number: name_of(lib.result_type(n, 1)))


def test_limits():
    for dtype in DTYPES:
        for limit in ("eps", "min", "max", "tiny", "smallest_normal", "resolution", "bits", "dtype"):
            if limit != "resolution":  # a decimal there, rounded to the dtype here
                agree(lambda lib, d=dtype, n=limit: getattr(lib.finfo(getattr(lib, d)), n))
        for limit in ("min", "max", "bits", "dtype"):
            agree(lambda lib, d=dtype, n=limit: getattr(lib.iinfo(getattr(lib, d)), n))
    agree(lambda lib: lib.finfo().eps)


def test_the_default_dtype():
    agree(lambda lib: name_of(lib.get_default_dtype()))
    agree(lambda lib: lib.set_default_dtype(lib.float32))
    agree(lambda lib: lib.set_default_dtype(lib.int64))
    with pytest.raises(NotImplementedError, match=r"dtype=float64.*model\.double"):
        engine.set_default_dtype(engine.float64)
    for name in ("inf", "pi", "e"):
        assert getattr(engine, name) == getattr(torch, name)


def test_half_precision_is_refused_by_name():
    x = engine.ones(2)
    for call in (lambda: x.half(), lambda: x.bfloat16(), lambda: x.to(engine.float16), lambda: x.to(engine.bfloat16), lambda: engine.zeros(2, dtype=engine.half),
                 lambda: engine.tensor([1.0], dtype=engine.bfloat16), lambda: engine.arange(3, dtype="half"), lambda: x.sum(dtype=engine.float16)):  # fmt: skip
        with pytest.raises(TypeError, match="float16 is not supported; use one of float32.*half precision"):
            call()
    assert (x.dtype == engine.bfloat16) is False and x.dtype != engine.half
