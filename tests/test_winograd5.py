"""Winograd's convolution of 5x5 windows against float64: every edge of its tiles, accuracy, what it ends in, threads."""

import numpy as np
import pytest
from checks import assert_close, on_all_threads

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import winograd, winograd_dw

REFERENCE = backends.get("reference")


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def problem(x_shape, outputs, padding, groups=1):
    """The geometry, and float32 x, w, b, g."""
    geom = Conv2dGeometry.of(x_shape, (outputs, x_shape[1] // groups, 5, 5), 1, padding, 1, groups)
    return geom, normal(x_shape), normal(geom.w_shape, 1), normal(outputs, 2), normal(geom.y_shape, 3)


def check(x_shape, outputs, padding, groups=1):
    geom, x, w, b, g = problem(x_shape, outputs, padding, groups)
    assert convolution.plain_5x5(geom)
    wide_x, wide_w, wide_b, wide_g = (a.astype("float64") for a in (x, w, b, g))
    assert_close(winograd.conv2d5(x, w, b, geom), REFERENCE.conv2d(wide_x, wide_w, wide_b, geom), 1.5e-5, "forward")
    assert_close(winograd.conv2d5_dx(g, w, geom), REFERENCE.conv2d_dx(wide_g, wide_w, geom), 1.5e-5, "dx")
    assert_close(winograd_dw.conv2d5_dw(g, x, geom), REFERENCE.conv2d_dw(wide_g, wide_x, geom), 5e-5, "dw")


@pytest.mark.parametrize("height", range(1, 9))
def test_every_edge_of_the_tiles(isa, height):
    for width in range(1, 9):
        check((2, 3, height + 4, width + 4), 5, 0)


@pytest.mark.parametrize("x_shape, outputs, padding, groups", [
    ((1, 15, 6, 7), 17, 2, 1), ((3, 33, 7, 5), 70, 2, 1), ((2, 130, 5, 5), 16, 2, 1), ((0, 3, 9, 9), 4, 2, 1),
    ((2, 36, 9, 11), 34, (5, 0, 0, 7), 2), ((2, 8, 40, 120), 20, 2, 1), ((70, 6, 14, 14), 16, 0, 1), ((1, 70, 20, 20), 6, 4, 1),
    ((40, 16, 3, 2), 16, 2, 1), ((3, 4, 1, 1), 4, 2, 4),
])  # fmt: skip
def test_equals_the_reference(isa, x_shape, outputs, padding, groups):
    check(x_shape, outputs, padding, groups)


def test_accuracy(isa):
    """That of Winograd's other convolutions: the points are the same."""
    geom, x, w, _, g = problem((8, 32, 40, 40), 32, 2)
    wide_x, wide_w, wide_g = (a.astype("float64") for a in (x, w, g))
    pairs = (
        (winograd.conv2d5(x, w, None, geom), REFERENCE.conv2d(wide_x, wide_w, None, geom)),
        (winograd.conv2d5_dx(g, w, geom), REFERENCE.conv2d_dx(wide_g, wide_w, geom)),
        (winograd_dw.conv2d5_dw(g, x, geom), REFERENCE.conv2d_dw(wide_g, wide_x, geom)),
    )
    for got, want in pairs:
        rms = np.sqrt(np.mean(want**2))
        assert np.sqrt(np.mean((got - want) ** 2)) <= 2.5e-6 * rms
        assert np.abs(got - want).max() <= 1.5e-5 * rms


@pytest.mark.parametrize("size", [6, 7, 31])
def test_what_it_ends_in(isa, size):
    geom, x, w, b, residual = problem((5, 17, size, size + 1), 20, 2)
    y = winograd.conv2d5(x, w, b, geom)
    np.testing.assert_array_equal(winograd.conv2d5(x, w, b, geom, True), np.maximum(y, 0))
    np.testing.assert_array_equal(winograd.conv2d5(x, w, b, geom, False, residual), np.maximum(y + residual, 0))
    pooled, taps = winograd.conv2d5_relu_pool(x, w, b, geom)
    want, want_taps = REFERENCE.relu_max_pool2d(y)
    np.testing.assert_array_equal(pooled, want)
    np.testing.assert_array_equal(taps, want_taps)
    prepared = winograd.transform_weights(w, 5)
    np.testing.assert_array_equal(winograd.conv2d5(x, w, b, geom, False, None, prepared), y)
    np.testing.assert_array_equal(winograd.conv2d5_relu_pool(x, w, b, geom, prepared)[0], want)
    onto = x.copy()
    assert winograd.conv2d5_dx(residual, w, geom, onto) is onto
    np.testing.assert_array_equal(onto, winograd.conv2d5_dx(residual, w, geom) + x)


@pytest.mark.parametrize("x_shape, outputs", [((3, 17, 21, 30), 40), ((1, 33, 7, 8), 17), ((64, 16, 14, 14), 16)])
def test_same_bits_for_any_threads(isa_any_threads, x_shape, outputs):
    geom, x, w, b, g = problem(x_shape, outputs, 2)

    def bits():
        parts = winograd.conv2d5(x, w, b, geom), winograd.conv2d5_dx(g, w, geom), winograd_dw.conv2d5_dw(g, x, geom)
        return np.concatenate([p.ravel() for p in parts])

    on_all_threads(bits)


def test_is_taken_where_it_wins(isa):
    """GoogLeNet's 5x5, AlexNet's with two groups; LeNet's few channels make transforms cost more than products, which
    only AVX-512 does as fast as that."""
    few = {"forward", "dw"} if isa != "avx512" else set()
    for x_shape, outputs, padding, groups, wins in (
        ((8, 16, 28, 28), 32, 2, 1, {"forward", "dx", "dw"}), ((8, 96, 27, 27), 256, 2, 2, {"forward", "dx", "dw"}),
        ((64, 6, 14, 14), 16, 0, 1, few),
    ):  # fmt: skip
        geom = problem(x_shape, outputs, padding, groups)[0]
        assert {d for d in ("forward", "dx", "dw") if convolution.choose(d, geom).name == "winograd5"} == wins


def test_refuses_what_does_not_fit():
    geom, x, w, b, g = problem((2, 3, 9, 9), 4, 2)
    assert winograd.conv2d5(x.astype(float), w, b, geom) is NotImplemented
    assert winograd.conv2d5_dx(g[:, :, ::-1], w, geom) is NotImplemented
    with pytest.raises(ValueError, match="w has shape"):
        winograd.conv2d5(x, w[:3].copy(), None, geom)
    for window, stride in ((3, 1), (5, 2), ((5, 3), 1)):
        kh, kw = window if isinstance(window, tuple) else (window, window)
        other = Conv2dGeometry.of(x.shape, (4, 3, kh, kw), stride, 2)
        assert not convolution.plain_5x5(other)
        for kernel, arrays in (
            (winograd.conv2d5, (x, normal(other.w_shape), None)), (winograd.conv2d5_dx, (normal(other.y_shape), normal(other.w_shape))),
            (winograd_dw.conv2d5_dw, (normal(other.y_shape), x)),
        ):  # fmt: skip
            with pytest.raises(ValueError, match="expected 5x5 windows"):
                kernel(*arrays, other)
    with pytest.raises(ValueError, match=r"weights \[o, c, 5, 5\] expected"):
        winograd.transform_weights(normal((4, 3, 3, 3)), 5)
    with pytest.raises(ValueError, match="prepared"):
        winograd.conv2d5(x, w, b, geom, False, None, winograd.transform_weights(normal((4, 3, 3, 3)), 4))
