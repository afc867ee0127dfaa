"""Pooling beside PyTorch: values, indices and gradients over generated arguments, errors, layers."""

import math

import numpy as np
import pytest
from beside import agree, torch

import engine
from engine import nn
from engine.nn import functional as F

CLOSE = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-12, "atol": 1e-12}}


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def spread(rng, choices, axes):
    """One number, or one for each axis."""
    if rng.random() < 0.5:
        return int(rng.choice(choices))
    return tuple(int(v) for v in rng.choice(choices, axes))


def images(rng, axes, dtype, ties=False):
    sizes = tuple(int(s) for s in rng.integers(1, 14, axes))
    shape = (3, *sizes) if rng.random() < 0.25 else (int(rng.choice([0, 1, 2])), 2, *sizes)
    return (rng.integers(-2, 3, shape) if ties else rng.standard_normal(shape)).astype(dtype)


def function(lib, name, axes):
    return getattr(lib.nn.functional, f"{name}{axes}d")


def generated(seed, axes):
    rng = np.random.default_rng(seed)
    kernel = spread(rng, [1, 2, 3, 4], axes)
    stride = None if rng.random() < 0.4 else spread(rng, [1, 2, 3], axes)
    return rng, ("float32", "float64")[seed % 2], kernel, stride, bool(rng.random() < 0.5)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(120))
def test_max_pooling(axes, seed):
    """With ties, of which the first wins."""
    rng, dtype, kernel, stride, ceil = generated(seed, axes)
    padding, dilation = spread(rng, [0, 0, 1, 2], axes), spread(rng, [1, 1, 2], axes)
    x = images(rng, axes, dtype, ties=True)
    for part in (0, 1):
        agree(
            lambda lib, x, part=part: function(lib, "max_pool", axes)(x, kernel, stride, padding, dilation, ceil, True)[
                part
            ],
            x,
            rtol=0,
            atol=1e-6,
        )
    agree(
        lambda lib, x: function(lib, "max_pool", axes)(x, kernel, stride, padding, dilation, ceil), x, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(120))
def test_average_pooling(axes, seed):
    rng, dtype, kernel, stride, ceil = generated(1000 + seed, axes)
    padding, include = spread(rng, [0, 0, 1, 2], axes), bool(rng.random() < 0.5)
    divisor = (int(rng.choice([1, 3, -2])),) if axes == 2 and rng.random() < 0.3 else ()
    agree(lambda lib, x: function(lib, "avg_pool", axes)(x, kernel, stride, padding, ceil, include, *divisor),
          images(rng, axes, dtype), **CLOSE[dtype])  # fmt: skip


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(80))
def test_adaptive_pooling(axes, seed):
    rng = np.random.default_rng(2000 + seed)
    dtype = ("float32", "float64")[seed % 2]
    x, size = images(rng, axes, dtype), spread(rng, [1, 1, 2, 3, 5, 7, 0], axes)
    if axes == 2 and rng.random() < 0.2:
        size = (None, 3)
    agree(lambda lib, x: function(lib, "adaptive_avg_pool", axes)(x, size), x, **CLOSE[dtype])
    agree(lambda lib, x: function(lib, "adaptive_max_pool", axes)(x, size), x, rtol=0, atol=1e-5)
    x = images(rng, axes, dtype, ties=True)
    for part in (0, 1):
        agree(
            lambda lib, x, part=part: function(lib, "adaptive_max_pool", axes)(x, size, True)[part],
            x,
            rtol=0,
            atol=1e-5,
        )


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(60))
def test_unpooling(axes, seed):
    rng, dtype, kernel, stride, _ = generated(3000 + seed, axes)
    x = images(rng, axes, dtype)
    padding = spread(rng, [0, 0, 1], axes)
    with_size = rng.random() < 0.5

    def call(lib, x):
        pooled, indices = function(lib, "max_pool", axes)(x, kernel, stride, padding, return_indices=True)
        size = x.shape[-axes:] if with_size else None
        return function(lib, "max_unpool", axes)(pooled, indices, kernel, stride, padding, size)

    agree(call, x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("norm", [1, 2, 3.0, 2.5, math.inf])
def test_power_average_pooling(axes, norm):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 2, (2, 3, *(7, 8)[:axes]))
    for kernel, stride, ceil in ((2, None, False), (3, 2, True), ((2, 3) if axes == 2 else 2, 1, False)):
        agree(
            lambda lib, x, *a: function(lib, "lp_pool", axes)(x, norm, *a),
            x,
            kernel,
            stride,
            ceil,
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_maxima_of_integers(dtype):
    x = np.random.default_rng(0).integers(0, 9, (2, 3, 7, 8)).astype(dtype)
    for part in (0, 1):
        agree(lambda lib, x, part=part: lib.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True)[part], x)
    agree(lambda lib, x: lib.nn.functional.max_pool2d(x, 2), x)


def test_names_that_torch_has_beside_the_functional_ones():
    x = np.random.default_rng(0).standard_normal((2, 3, 9)).astype("float32")
    agree(lambda lib, x: lib.max_pool1d(x, 2), x)
    agree(lambda lib, x: lib.avg_pool1d(x, 2, 1, 1), x)
    agree(lambda lib, x: lib.max_pool1d_with_indices(x, 2)[1], x)
    agree(lambda lib, x: lib.adaptive_avg_pool1d(x, 4), x)
    agree(lambda lib, x: lib.adaptive_max_pool1d(x, 4)[1], x)
    agree(lambda lib, x: lib.max_pool2d(x[None], 2), x)
    agree(lambda lib, x: lib.nn.functional.max_pool2d_with_indices(x[None], 2)[1], x)
    agree(lambda lib, x: lib.nn.functional.adaptive_max_pool2d_with_indices(x[None], 2)[1], x)


def test_nan_and_infinity_in_adaptive_pooling():
    x = np.zeros((1, 1, 7, 7), "float32")
    x[0, 0, 2, 2], x[0, 0, 5, 5], x[0, 0, 0, 6] = np.nan, np.inf, -np.inf
    for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        agree(lambda lib, x, name=name: getattr(lib.nn.functional, name)(x, (3, 4)), x)
    agree(lambda lib, x: lib.nn.functional.adaptive_max_pool2d(x, 3, True)[1], x)


IMAGE = (1, 1, 5, 6)
MISTAKES = [
    *[lambda lib, f=f, o=o: getattr(lib.nn.functional, f)(lib.ones(IMAGE), **o) for f in ("max_pool2d", "avg_pool2d") for o in (
        {"kernel_size": (2, 2, 2)}, {"kernel_size": 2, "stride": (1, 1, 1)}, {"kernel_size": 2.5}, {"kernel_size": 0}, {"kernel_size": 2, "stride": 0},
        {"kernel_size": 2, "stride": -1}, {"kernel_size": 7}, {"kernel_size": True}, {"kernel_size": 2, "padding": 2}, {"kernel_size": 2, "padding": -1},
        {"kernel_size": "a"}, {"kernel_size": None}, {"kernel_size": ()})],
    lambda lib: lib.nn.functional.avg_pool2d(lib.ones(IMAGE), 2, divisor_override=0),
    lambda lib: lib.nn.functional.max_pool2d(lib.ones(IMAGE), 2, dilation=0),
    lambda lib: lib.nn.functional.max_pool2d(lib.ones(IMAGE), 2, 1, 2, 3),
    *[lambda lib, f=f, s=s: getattr(lib.nn.functional, f)(lib.ones(*s), 2) for f in ("max_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d")
      for s in ((5, 6), (5,), (1, 1, 1, 5, 6), (1, 1, 0, 6))],
    *[lambda lib, f=f, s=s: getattr(lib.nn.functional, f)(lib.ones(*s), 2) for f in ("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d")
      for s in ((5,), (1, 1, 5, 6))],
    *[lambda lib, f=f, o=o: getattr(lib.nn.functional, f)(lib.ones(IMAGE), o) for f in ("adaptive_avg_pool2d", "adaptive_max_pool2d")
      for o in (None, -1, (1, 2, 3), 2.5, True, (3,), 2**62)],
    *[lambda lib, f=f, o=o: getattr(lib.nn.functional, f)(lib.ones(1, 5, 6), o) for f in ("adaptive_avg_pool1d", "adaptive_max_pool1d") for o in (None, (2, 2), -1)],
    *[lambda lib, o=o: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0, 2], [8, 10]]]]), 2, output_size=o)
      for o in ((3, 3), (6, 6), (5,), 5, (2, 2), (5.0, 5))],
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0, 2], [8, 20]]]]), 2),
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0, 2], [-1, 10]]]]), 2),
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0, 2], [8, 10]]]]).int(), 2),
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0.0, 2], [8, 10]]]]), 2),
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0], [8]]]]), 2),
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(2, 2), lib.tensor([[0, 2], [8, 10]]), 2),
    lambda lib: lib.nn.functional.max_unpool2d(lib.ones(1, 1, 2, 2), lib.tensor([[[[0, 2], [8, 10]]]]), -2),
    lambda lib: lib.nn.functional.lp_pool2d(lib.ones(IMAGE), 2, 0),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_the_same_types_of_errors(number):
    with pytest.raises(Exception) as theirs:
        MISTAKES[number](torch)
    with pytest.raises(theirs.type) as ours:
        MISTAKES[number](engine)
    assert len(str(ours.value)) > 15


LAYERS = [
    (lambda nn: nn.MaxPool1d(2), (2, 3, 9)), (lambda nn: nn.MaxPool1d(3, (2,), 1, 1, ceil_mode=True), (3, 8)), (lambda nn: nn.AvgPool1d(2), (2, 3, 9)),
    (lambda nn: nn.AvgPool1d((3,), 2, 1, True, False), (3, 8)), (lambda nn: nn.AvgPool2d((2, 3), 1, (1, 0)), (2, 3, 9, 8)),
    (lambda nn: nn.AdaptiveAvgPool1d(3), (2, 3, 8)), (lambda nn: nn.AdaptiveAvgPool2d(1), (2, 3, 8, 7)), (lambda nn: nn.AdaptiveAvgPool2d((1, 1)), (3, 8, 7)),
    (lambda nn: nn.AdaptiveAvgPool2d((None, 3)), (2, 3, 8, 7)), (lambda nn: nn.AdaptiveAvgPool2d((4, 4)), (2, 3, 8, 8)), (lambda nn: nn.AdaptiveMaxPool1d((3,)), (2, 3, 8)),
    (lambda nn: nn.AdaptiveMaxPool2d(1), (2, 3, 8, 7)), (lambda nn: nn.AdaptiveMaxPool2d((5, 3)), (2, 3, 8, 7)), (lambda nn: nn.LPPool1d(2, 3), (2, 3, 9)),
    (lambda nn: nn.LPPool2d(2, (2, 3), 1, True), (2, 3, 9, 8)),
]  # fmt: skip


@pytest.mark.parametrize("make, shape", LAYERS, ids=[repr(make(torch.nn)) for make, _ in LAYERS])
def test_layers(make, shape):
    assert repr(make(nn)) == repr(make(torch.nn))
    agree(
        lambda lib, x: make(lib.nn)(x),
        np.random.default_rng(0).standard_normal(shape).astype("float32"),
        rtol=1e-4,
        atol=1e-5,
    )


def test_layers_with_indices():
    for axes, shape in ((1, (2, 3, 9)), (2, (2, 3, 9, 8))):
        x = np.random.default_rng(0).standard_normal(shape).astype("float32")
        for make in (
            lambda nn, axes=axes: getattr(nn, f"MaxUnpool{axes}d")(2),
            lambda nn, axes=axes: getattr(nn, f"MaxUnpool{axes}d")(2, 2, 0),
        ):
            assert repr(make(nn)) == repr(make(torch.nn))

            def call(lib, x, axes=axes, make=make):
                pooled, indices = getattr(lib.nn, f"MaxPool{axes}d")(2, return_indices=True)(x)
                return make(lib.nn)(pooled, indices, output_size=x.shape)

            agree(call, x)
        agree(lambda lib, x, axes=axes: getattr(lib.nn, f"AdaptiveMaxPool{axes}d")(3, return_indices=True)(x)[1], x)


def test_windows_that_meet_no_input_have_an_index_inside():
    """As they can with dilation; what an index of theirs says is of no use, but it is one."""
    y, indices = F.max_pool2d(engine.ones(1, 1, 3, 3), 2, 1, 1, 3, return_indices=True)
    assert y.shape == (1, 1, 2, 2) and 0 <= indices.min().item() and indices.max().item() < 9
