"""Resizing beside PyTorch's: values, gradients and the very pixels chosen, over generated sizes and scales; errors, layers."""

import itertools

import numpy as np
import pytest
from beside import agree, torch

import engine
from engine import nn
from engine.nn import functional as F

CLOSE = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-11, "atol": 1e-11}}


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "area"])
@pytest.mark.parametrize("seed", range(60))
def test_interpolation(axes, mode, seed):
    rng = np.random.default_rng(seed)
    dtype = ("float32", "float64")[seed % 2]
    x = rng.standard_normal((int(rng.integers(0, 3)), 2, *(int(n) for n in rng.integers(1, 12, axes)))).astype(dtype)
    options = {"mode": "bilinear" if mode == "linear" and axes == 2 else mode}
    if mode == "linear" and rng.random() < 0.7:
        options["align_corners"] = bool(rng.random() < 0.5)
    if rng.random() < 0.5:
        size = tuple(int(n) for n in rng.integers(1, 20, axes))
        options["size"] = size[0] if rng.random() < 0.3 else size
    else:
        factors = tuple(float(f) for f in rng.choice([0.4, 0.5, 0.7, 1, 1.3, 1.5, 2, 2.5, 3, 4], axes))
        options["scale_factor"] = factors[0] if rng.random() < 0.5 else factors
        options["recompute_scale_factor"] = bool(rng.random() < 0.3)
    if mode == "nearest" and "scale_factor" in options:
        # PyTorch's own gradient takes other pixels than its result where a scale that is not 1 or 2 gives these sizes.
        factors = np.broadcast_to(options["scale_factor"], axes)
        if any(int(n * f) in (n, 2 * n) for n, f in zip(x.shape[2:], factors, strict=True)):
            agree(lambda lib, x: lib.nn.functional.interpolate(x.detach(), **options), x, **CLOSE[dtype])
            return
    agree(lambda lib, x: lib.nn.functional.interpolate(x, **options), x, **CLOSE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_the_pixel_chosen_is_the_same(mode, dtype):
    """Where an output lies on the border of two inputs, rounding decides: it must decide as it does there."""
    for n, out in itertools.product(range(1, 41), range(1, 61)):
        x = np.arange(n, dtype=dtype)[None, None]
        expected = torch.nn.functional.interpolate(torch.tensor(x), out, mode=mode).numpy()
        np.testing.assert_array_equal(
            F.interpolate(engine.tensor(x), out, mode=mode).numpy(), expected, err_msg=f"{n} to {out}"
        )
    for n, factor in itertools.product((3, 5, 7, 10, 32, 33), np.linspace(0.35, 4, 74)):
        x = np.arange(n, dtype=dtype)[None, None]
        expected = torch.nn.functional.interpolate(torch.tensor(x), scale_factor=float(factor), mode=mode).numpy()
        ours = F.interpolate(engine.tensor(x), scale_factor=float(factor), mode=mode).numpy()
        np.testing.assert_array_equal(ours, expected, err_msg=f"{n} by {factor}")


def test_nearest_of_bytes():
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 6)).astype("uint8")
    for mode in ("nearest", "nearest-exact"):
        agree(lambda lib, x, mode=mode: lib.nn.functional.interpolate(x, scale_factor=1.7, mode=mode), x)


def test_infinities_and_nan_stay_where_they_are():
    x = np.ones((1, 1, 6, 6), "float32")
    x[0, 0, 1, 1], x[0, 0, 4, 2] = np.inf, np.nan
    for mode in ("nearest", "bilinear", "area"):
        for size in (3, 4, 9, 12):
            agree(
                lambda lib, x, mode=mode, size=size: lib.nn.functional.interpolate(x, size, mode=mode),
                x,
                **CLOSE["float32"],
            )


def test_old_names_warn():
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 5)).astype("float32")
    for name in ("upsample", "upsample_nearest", "upsample_bilinear"):
        with pytest.warns(UserWarning, match=f"nn.functional.{name} is deprecated"):
            y = getattr(F, name)(engine.tensor(x), scale_factor=2)
        with pytest.warns(UserWarning):
            expected = getattr(torch.nn.functional, name)(torch.tensor(x), scale_factor=2)
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)


X = (1, 1, 2, 2)
MISTAKES = [
    *[(X, o) for o in (
        {}, {"size": 3, "scale_factor": 2}, {"size": (3,)}, {"size": (3, 3, 3)}, {"scale_factor": (2,)}, {"scale_factor": 0}, {"scale_factor": -1},
        {"scale_factor": 1e-9}, {"scale_factor": "a"}, {"size": "a"}, {"size": 2.5}, {"size": 0}, {"size": -1}, {"size": (0, 2)}, {"size": 2**31},
        {"size": 2**62}, {"scale_factor": 1e30}, {"scale_factor": float("nan")}, {"scale_factor": float("inf")}, {"size": 3, "mode": "linear"},
        {"size": 3, "mode": "trilinear"}, {"size": 3, "mode": "cubic"}, {"size": 3, "mode": "area", "align_corners": True},
        {"size": 3, "align_corners": False}, {"size": 3, "recompute_scale_factor": True}, {"size": (None, 3)}, {"size": True})],
    *[(s, {"scale_factor": 2, "mode": m}) for s, m in (((3,), "nearest"), ((2, 3), "linear"), ((1, 2, 3), "bilinear"), ((1, 2, 0, 4), "nearest"),
                                                       ((1, 2, 0, 4), "area"), ((1, 2, 0, 4), "bilinear"))],
]  # fmt: skip


@pytest.mark.parametrize("shape, options", MISTAKES, ids=str)
def test_the_same_types_of_errors(shape, options):
    with pytest.raises(Exception) as theirs:
        torch.nn.functional.interpolate(torch.zeros(shape), **options)
    with pytest.raises(theirs.type) as ours:
        F.interpolate(engine.zeros(*shape), **options)
    assert len(str(ours.value)) > 15


def test_what_is_refused_by_name():
    for options in ({"mode": "bicubic"}, {"mode": "bilinear", "antialias": True}):
        with pytest.raises(NotImplementedError, match="interpolate"):
            F.interpolate(engine.zeros(1, 1, 2, 2), size=3, **options)
    with pytest.raises(NotImplementedError, match="interpolate"):
        F.interpolate(engine.zeros(1, 1, 2, 2, 2), size=3)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_shuffles(dtype):
    rng = np.random.default_rng(0)
    for shape, factor in (
        ((2, 8, 3, 4), 2),
        ((9, 2, 2), 3),
        ((2, 3, 4, 2, 2), 2),
        ((0, 4, 2, 2), 2),
        ((1, 4, 6, 6), 1),
    ):
        x = rng.integers(0, 99, shape).astype(dtype)
        for f in (lambda lib: lib.pixel_shuffle, lambda lib: lib.nn.functional.pixel_shuffle):
            agree(lambda lib, x, f=f, factor=factor: f(lib)(x, factor), x)
    for shape, factor in (((2, 2, 6, 4), 2), ((3, 6, 9), 3), ((2, 3, 4, 2, 2), 2)):
        agree(lambda lib, x, factor=factor: lib.pixel_unshuffle(x, factor), rng.integers(0, 99, shape).astype(dtype))
    for shape, groups in (
        ((2, 6, 3, 4), 2),
        ((2, 6, 3, 4), 3),
        ((1, 4, 5), 4),
        ((2, 3, 2, 2, 2), 1),
        ((0, 4, 2, 2), 2),
    ):
        agree(lambda lib, x, groups=groups: lib.channel_shuffle(x, groups), rng.integers(0, 99, shape).astype(dtype))


@pytest.mark.parametrize("name", ["pixel_shuffle", "pixel_unshuffle", "channel_shuffle"])
def test_mistakes_of_shuffles(name):
    x = np.zeros((1, 4, 2, 2), "float32")
    for factor in (3, 0, -1, 1.5, 2**31, True, "a", None):
        agree(lambda lib, x, factor=factor: getattr(lib, name)(x, factor), x)
    agree(lambda lib, x: getattr(lib, name)(x, 2), np.zeros((4, 2), "float32"))
    with pytest.raises(ValueError):
        getattr(engine, name)(engine.tensor(x), 2**62)


LAYERS = [
    (lambda nn: nn.Upsample(5), (2, 3, 4)), (lambda nn: nn.Upsample((5, 7), mode="bilinear", align_corners=True), (2, 3, 4, 4)),
    (lambda nn: nn.Upsample(scale_factor=2), (2, 3, 4, 4)), (lambda nn: nn.Upsample(scale_factor=(2, 1.5), mode="nearest-exact", recompute_scale_factor=True), (2, 3, 4, 4)),
    (lambda nn: nn.Upsample(scale_factor=2, mode="linear"), (2, 3, 4)), (lambda nn: nn.UpsamplingNearest2d(3), (2, 3, 4, 4)),
    (lambda nn: nn.UpsamplingNearest2d(scale_factor=2), (2, 3, 4, 4)), (lambda nn: nn.UpsamplingBilinear2d(scale_factor=2), (2, 3, 4, 4)),
    (lambda nn: nn.PixelShuffle(2), (2, 8, 3, 4)), (lambda nn: nn.PixelUnshuffle(2), (2, 3, 4, 6)), (lambda nn: nn.ChannelShuffle(2), (2, 6, 3, 3)),
]  # fmt: skip


@pytest.mark.parametrize("make, shape", LAYERS, ids=[repr(make(torch.nn)) for make, _ in LAYERS])
def test_layers(make, shape):
    assert repr(make(nn)) == repr(make(torch.nn))
    agree(
        lambda lib, x: make(lib.nn)(x),
        np.random.default_rng(0).standard_normal(shape).astype("float32"),
        **CLOSE["float32"],
    )
