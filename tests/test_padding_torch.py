"""Padding beside PyTorch's: values and gradients over generated arguments, errors, layers."""

import numpy as np
import pytest
from beside import agree, torch

import engine
from engine import nn
from engine.nn import functional as F

MODES = ("reflect", "replicate", "circular")
CLOSE = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-12, "atol": 1e-12}}


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


@pytest.mark.parametrize("mode", ["constant", *MODES])
@pytest.mark.parametrize("seed", range(100))
def test_padding(mode, seed):
    rng = np.random.default_rng(seed)
    dtype = ("float32", "float64")[seed % 2]
    axes = int(rng.integers(1, 3))
    ndim = axes + int(rng.integers(1, 3))
    x = rng.standard_normal(tuple(int(n) for n in rng.integers(1, 7, ndim))).astype(dtype)
    # Of images that it crops, PyTorch 2.13 pads the rest in circles wrongly or not at all; see below.
    least = 0 if mode == "circular" else -2
    pad = tuple(int(p) for p in rng.integers(least, 5, 2 * axes))
    value = None if mode != "constant" or rng.random() < 0.5 else 1.5
    agree(lambda lib, x: lib.nn.functional.pad(x, pad, mode, value), x, **CLOSE[dtype])


@pytest.mark.parametrize("pad", [(-1, 2), (2, -1), (-1, 4), (-2, -1), (0, 5), (5, 5)])
def test_a_cropped_image_is_continued_in_circles(pad):
    x = np.arange(10, dtype="float32").reshape(2, 5)
    if pad != (5, 5):
        kept = x[:, max(-pad[0], 0) : 5 - max(-pad[1], 0)]
        expected = np.pad(kept, [(0, 0), tuple(max(p, 0) for p in pad)], mode="wrap")
        np.testing.assert_array_equal(F.pad(engine.tensor(x), pad, "circular").numpy(), expected)
    agree(lambda lib, x: lib.nn.functional.pad(x, pad, "circular"), x)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_padding_of_integers(dtype):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 9, (2, 3, 4)).astype(dtype)
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 2)), x)
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 2, -1, 1), value=1.5), x)
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 2), "circular"), x)
    if dtype != "bool":  # which PyTorch reflects nothing of
        agree(lambda lib, x: lib.nn.functional.pad(x, (1, 2), "reflect"), x)


def test_any_axes_are_padded_by_a_constant():
    x = np.random.default_rng(0).standard_normal((2, 3, 1, 2, 3)).astype("float32")
    for pad in ((), (1, 1), (0, 0, 2, 0), (1, 0, 1, 0, 1, 0, 1, 0, 1, 0), (0, 0, 0, 0, -1, 3)):
        agree(lambda lib, x, pad=pad: lib.nn.functional.pad(x, pad), x)
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 0, 1, 1, 2, 1), "replicate"), x, rtol=1e-5, atol=1e-5)
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 0), value=3), np.array([], "float32"))


MISTAKES = [
    *[(pad, mode, (2, 3, 5)) for mode in MODES for pad in ((5, 5), (6, 1), (1.5, 2), (True, 1), (1,), (1, 1, 1, 1, 1, 1), (2**62, 0))
      if not (mode == "replicate" and len(pad) == 2 and pad[0] in (5, 6)) and not (mode == "circular" and pad == (5, 5))],
    *[((-3, -2), mode, (1, 1, 5)) for mode in ("reflect", "replicate")],
    *[(pad, mode, shape) for mode in MODES for pad, shape in (((1, 1), (5,)), ((1, 1), (1, 2, 3, 5)), ((1, 1, 1, 1), (3, 5)), ((1, 1), (1, 1, 2, 3, 5)), ((1, 1), (1, 1, 0)))],
    ((1, 1), "edge", (2, 3)), ((1,), "constant", (2, 3)), ((1,) * 6, "constant", (2, 3)), ((-3, -3), "constant", (2, 5)), ((1.5, 1), "constant", (2, 3)),
    (("a", 1), "constant", (2, 3)), (1, "constant", (2, 3)), ((2**62, 2**62), "constant", (2, 3)), ((-6, 1), "constant", (2, 5)), ((1, 1), "constant", ()),
]  # fmt: skip


@pytest.mark.parametrize("pad, mode, shape", MISTAKES)
def test_the_same_types_of_errors(pad, mode, shape):
    with pytest.raises(Exception) as theirs:
        torch.nn.functional.pad(torch.zeros(shape), pad, mode)
    with pytest.raises(theirs.type) as ours:
        F.pad(engine.zeros(shape), pad, mode)
    assert len(str(ours.value)) > 15


def test_errors_of_values():
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 1), value=300), np.zeros(3, "uint8"))
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 1), "reflect", 1.0), np.zeros((2, 3), "float32"))
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 1), "reflect", 0.0), np.zeros((2, 3), "float32"))
    agree(lambda lib, x: lib.nn.functional.pad(x, (1, 1), value="a"), np.zeros((2, 3), "float32"))


LAYERS = [
    (lambda nn: nn.ZeroPad1d(1), (2, 3, 5)), (lambda nn: nn.ZeroPad2d((1, 2, 3, 4)), (2, 3, 5, 6)), (lambda nn: nn.ZeroPad2d((-1, 1, 0, 2)), (2, 3, 5, 6)),
    (lambda nn: nn.ConstantPad1d((1, 2), 2.5), (3, 5)), (lambda nn: nn.ConstantPad2d(2, 1), (3, 5, 6)),
    (lambda nn: nn.ReflectionPad1d(2), (2, 3, 5)), (lambda nn: nn.ReflectionPad2d((2, 1, 0, 3)), (2, 3, 5, 6)),
    (lambda nn: nn.ReplicationPad1d((4, 0)), (2, 3, 5)), (lambda nn: nn.ReplicationPad2d(2), (3, 5, 6)),
    (lambda nn: nn.CircularPad1d((1, 5)), (2, 3, 5)), (lambda nn: nn.CircularPad2d(2), (2, 3, 5, 6)),
]  # fmt: skip


@pytest.mark.parametrize("make, shape", LAYERS, ids=[repr(make(torch.nn)) for make, _ in LAYERS])
def test_layers(make, shape):
    assert repr(make(nn)) == repr(make(torch.nn))
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    agree(lambda lib, x: make(lib.nn)(x), x, rtol=1e-5, atol=1e-5)
