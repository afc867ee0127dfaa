"""Depthwise convolution: every window, stride and width of map, on every instruction set, against float64."""

import numpy as np
import pytest
from checks import assert_close

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import depthwise, parallel

REFERENCE = backends.get("reference")
WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 49, 56, 67]
WINDOWS = [(k, s, d) for k in (3, 5, 7) for s, d in ((1, 1), (2, 1), (1, 2), (1, 3)) if (k, s) != (7, 2)]


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def check(geom):
    assert convolution.is_depthwise(geom)
    x, w, b, g = normal(geom.x_shape), normal(geom.w_shape, 1), normal(geom.o, 2), normal(geom.y_shape, 3)
    wide = [a.astype("float64") for a in (x, w, b, g)]
    assert_close(depthwise.conv2d(x, w, b, geom), REFERENCE.conv2d(*wide[:3], geom), 1e-5, f"{geom}")
    np.testing.assert_array_equal(depthwise.conv2d(x, w, b, geom, True), np.maximum(depthwise.conv2d(x, w, b, geom), 0))
    assert_close(depthwise.conv2d(x, w, None, geom), REFERENCE.conv2d(*wide[:2], None, geom), 1e-5, f"{geom}")
    assert_close(depthwise.conv2d_dx(g, w, geom), REFERENCE.conv2d_dx(wide[3], wide[1], geom), 1e-5, f"{geom}")
    assert_close(depthwise.conv2d_dw(g, x, geom), REFERENCE.conv2d_dw(wide[3], wide[0], geom), 1e-5, f"{geom}")


@pytest.mark.parametrize("kernel, stride, dilation", WINDOWS)
def test_every_width(isa, kernel, stride, dilation):
    for width in WIDTHS:
        padding = (kernel // 2) * dilation
        height = 1 + width % 11
        check(Conv2dGeometry.of((2, 3, height, width), (3, 1, kernel, kernel), stride, padding, dilation, 3))


@pytest.mark.parametrize("width", range(1, 10))
def test_small_maps(isa, width):
    """Those of whose rows a vector holds several."""
    for height, fan in ((1, 1), (2, 2), (3, 1), (7, 3), (8, 1), (17, 2)):
        check(Conv2dGeometry.of((2, 3, height, width), (3 * fan, 1, 3, 3), 1, 1, 1, 3))


@pytest.mark.parametrize("kernel, stride, dilation", WINDOWS)
@pytest.mark.parametrize("padding", [0, (1, 0, 0, 2), (0, 3, 2, 1), (3, 2, 5, 4), 9])
def test_paddings_and_multipliers(isa, kernel, stride, dilation, padding):
    for n, fan, height, width in ((1, 1, 21, 19), (2, 2, 20, 38), (3, 3, 19, 22), (0, 2, 19, 19)):
        shape = (n, 4, height, width)
        check(Conv2dGeometry.of(shape, (4 * fan, 1, kernel, kernel), stride, padding, dilation, 4))


@pytest.mark.parametrize("stride", [1, 2])
def test_cropping(isa, stride):
    """Negative padding, which transposed convolutions with much output padding have."""
    geom = Conv2dGeometry.of_transposed((2, 3, 9, 11), (3, 1, 3, 3), stride, 2, stride - 1, 3)
    check(geom)
    sides = tuple(-1 if side else 0 for side in (1, 0, 0, 1))
    cut = Conv2dGeometry(2, 3, 12, 35, 3, 3, 3, (1, 1), sides, (1, 1), 3, (1, 1), 9, 32)
    check(cut)


@pytest.mark.parametrize("stride", [1, 2])
def test_large_planes(isa, stride):
    """Planes that are passed over several times, and some that are worked on together."""
    check(Conv2dGeometry.of((1, 2, 150, 230), (2, 1, 3, 3), stride, 1, 1, 2))
    check(Conv2dGeometry.of((3, 37, 7, 7), (37, 1, 3, 3), stride, 1, 1, 37))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("width", [7, 16, 21])
def test_what_no_window_sees_does_no_harm(isa, width, stride):
    """A NaN of the image reaches exactly the outputs and the taps whose windows hold it; its neighbours in memory do not."""
    geom = Conv2dGeometry.of((2, 2, 9, width), (2, 1, 3, 3), stride, 1, 1, 2)
    x, w, g = normal(geom.x_shape), normal(geom.w_shape, 1), normal(geom.y_shape, 3)
    for row, column in ((0, 0), (8, width - 1), (4, 0), (4, width - 1), (0, 5), (8, 5), (7, 3), (1, 3)):
        bad = x.copy()
        bad[0, 1, row, column] = np.nan
        for kernel, reference, array in (
            (lambda a: depthwise.conv2d(a, w, None, geom), lambda a: REFERENCE.conv2d(a, w, None, geom), bad),
            (lambda a: depthwise.conv2d_dw(g, a, geom), lambda a: REFERENCE.conv2d_dw(g, a, geom), bad),
        ):
            np.testing.assert_array_equal(np.isnan(kernel(array)), np.isnan(reference(array)))


def test_same_bits_for_any_threads(isa_any_threads):
    for shape, fan, stride in (
        ((3, 5, 33, 47), 1, 1),
        ((5, 70, 7, 7), 1, 1),
        ((4, 3, 64, 130), 2, 2),
        ((9, 2, 28, 28), 2, 1),
        ((64, 40, 32, 32), 1, 2),
    ):
        geom = Conv2dGeometry.of(shape, (shape[1] * fan, 1, 3, 3), stride, 1, 1, shape[1])
        x, w, g = normal(geom.x_shape), normal(geom.w_shape, 1), normal(geom.y_shape, 3)
        results = []
        for threads in (1, 2, 3, 4, 7):
            parallel.set_num_threads(threads)
            y, dx, dw = (
                depthwise.conv2d(x, w, None, geom),
                depthwise.conv2d_dx(g, w, geom),
                depthwise.conv2d_dw(g, x, geom),
            )
            results.append(y.tobytes() + dx.tobytes() + dw.tobytes())
        assert len(set(results)) == 1


def test_refuses_what_does_not_fit():
    geom = Conv2dGeometry.of((2, 4, 8, 8), (4, 1, 3, 3), 1, 1, 1, 4)
    x, w, g = normal(geom.x_shape), normal(geom.w_shape), normal(geom.y_shape)
    assert depthwise.conv2d(x.astype(float), w, None, geom) is NotImplemented
    assert depthwise.conv2d_dx(g[:, :, ::-1], w, geom) is NotImplemented
    assert depthwise.conv2d_dw(g, x.astype(float), geom) is NotImplemented
    with pytest.raises(ValueError, match="x has shape"):
        depthwise.conv2d(x[:1], w, None, geom)
    with pytest.raises(ValueError, match="w has shape"):
        depthwise.conv2d_dx(g, normal((4, 1, 5, 5)), geom)
    with pytest.raises(ValueError, match="b has shape"):
        depthwise.conv2d(x, w, normal(3), geom)
    with pytest.raises(ValueError, match="g has shape"):
        depthwise.conv2d_dw(g[:, :2].copy(), x, geom)
    for w_shape, stride, dilation, groups in (
        ((4, 2, 3, 3), 1, 1, 2), ((4, 1, 3, 5), 1, 1, 4), ((4, 1, 2, 2), 1, 1, 4), ((4, 1, 3, 3), 3, 1, 4),
        ((4, 1, 3, 3), (1, 2), 1, 4), ((4, 1, 3, 3), 2, 2, 4), ((4, 1, 3, 3), 1, (1, 2), 4), ((4, 1, 7, 7), 2, 1, 4),
    ):  # fmt: skip
        other = Conv2dGeometry.of((2, 4, 8, 8), w_shape, stride, 3, dilation, groups)
        assert not convolution.is_depthwise(other)
        for kernel, first, second in (
            (depthwise.conv2d_dx, other.y_shape, w_shape),
            (depthwise.conv2d_dw, other.y_shape, x.shape),
        ):
            with pytest.raises(ValueError, match="not a depthwise"):
                kernel(normal(first), normal(second), other)
        with pytest.raises(ValueError, match="not a depthwise"):
            depthwise.conv2d(x, normal(w_shape), None, other)
