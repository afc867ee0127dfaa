"""Winograd's convolution with stride 2 and both its gradients against float64: edges of tiles and vectors, paddings,
accuracy, what it ends in, prepared weights, threads."""

import numpy as np
import pytest
from test_kernels import draw

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import parallel, winograd, winograd_dw

pytestmark = pytest.mark.usefixtures("every_thread")
REFERENCE = backends.get("reference")


def problem(x_shape, o, padding, groups=1):
    geom = Conv2dGeometry.of(x_shape, (o, x_shape[1] // groups, 3, 3), 2, padding, 1, groups)
    return geom, *(draw(*s) for s in (geom.x_shape, geom.w_shape, (o,), geom.y_shape))


def results(geom, x, w, b, g):
    """(found, by what arrays in float64, terms of a sum) of each direction that takes this geometry."""
    wide = [a.astype(float) for a in (x, w, b, g)]
    yield winograd.conv2d_stride2(x, w, b, geom), REFERENCE.conv2d(*wide[:3], geom), 9 * geom.c // geom.groups + 1
    if convolution.strided_3x3_back(geom):
        yield (
            winograd.conv2d_stride2_dx(g, w, geom),
            REFERENCE.conv2d_dx(wide[3], wide[1], geom),
            9 * geom.o // geom.groups,
        )
    pixels = geom.n * geom.oh * geom.ow
    yield winograd_dw.conv2d_stride2_dw(g, x, geom), REFERENCE.conv2d_dw(wide[3], wide[0], geom), pixels


def check(x_shape, o, padding, groups=1):
    """Errors relative to the RMS that sums of so many products have."""
    geom, *arrays = problem(x_shape, o, padding, groups)
    for got, want, terms in results(geom, *arrays):
        assert got.dtype == np.float32 and got.shape == want.shape
        assert np.abs(got - want).max(initial=0) <= 8e-6 * terms**0.5


@pytest.mark.parametrize("height", range(1, 19))
def test_every_edge_of_the_tiles(isa, height):
    for width in range(1, 19):
        check((2, 5, height + 2, width + 2), 3, 0)
        check((1, 3, height, width), 6, 1)


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 33, 70, 130])
@pytest.mark.parametrize("outputs", [1, 16, 17, 33, 70])
def test_every_edge_of_the_vectors(isa, channels, outputs):
    for batch in (0, 1, 3):
        check((batch, channels, 7, 9), outputs, 1)


@pytest.mark.parametrize("x_shape, o", [
    ((2, 8, 70, 300), 20), ((40, 40, 14, 14), 40), ((3, 300, 30, 60), 5), ((200, 3, 3, 4), 17), ((1, 40, 260, 9), 33),
])  # fmt: skip
def test_units_of_many_images_and_of_parts_of_one(isa, x_shape, o):
    check(x_shape, o, 1)


@pytest.mark.parametrize(
    "padding", [(0, 1, 2, 3), (5, 0, 1, 9), (2, 2, 2, 2), (13, 1, 1, 13), (0, 1, 0, 1), (3, 0, 0, 2)]
)
def test_padding_of_any_side(isa, padding):
    check((2, 17, 6, 7), 18, padding)


@pytest.mark.parametrize("draw_input", [lambda x: x, lambda x: np.maximum(x, 0)], ids=["normal", "relu"])
def test_accuracy(isa, draw_input):
    """About that of direct sums: its points are few and close to 1."""
    geom, x, w, b, g = problem((2, 256, 28, 28), 256, 1)
    for got, want, _ in results(geom, draw_input(x), w, 0 * b, draw_input(g)):
        rms = np.sqrt(np.mean(want**2))
        assert np.sqrt(np.mean((got - want) ** 2)) <= 1.2e-6 * rms
        assert np.abs(got - want).max() <= 1e-5 * rms


def test_relu_and_prepared_weights(isa):
    for x_shape in ((3, 33, 9, 9), (40, 33, 16, 16)):
        geom, x, w, b, _ = problem(x_shape, 40, 1)
        y, prepared = winograd.conv2d_stride2(x, w, b, geom), winograd.transform_weights(w, 8)
        np.testing.assert_array_equal(winograd.conv2d_stride2(x, w, b, geom, relu=True), np.maximum(y, 0))
        np.testing.assert_array_equal(winograd.conv2d_stride2(x, 0 * w, b, geom, prepared=prepared), y)
        with pytest.raises(ValueError, match="prepared"):
            winograd.conv2d_stride2(x, w, b, geom, prepared=winograd.transform_weights(w, 4))


@pytest.mark.skipif(not parallel.has_openmp, reason="built without OpenMP: one thread only")
@pytest.mark.parametrize("x_shape, o", [
    ((9, 33, 12, 12), 40), ((1, 70, 9, 30), 70), ((64, 16, 20, 20), 16), ((3, 130, 7, 7), 100), ((8, 256, 8, 8), 256),
])  # fmt: skip
def test_the_same_bits_for_any_number_of_threads(isa, x_shape, o):
    geom, *arrays = problem(x_shape, o, 1)
    found = {}
    for threads in (1, 2, 3, 4, 7):
        parallel.set_num_threads(threads)
        found.setdefault(b"".join(got.tobytes() for got, *_ in results(geom, *arrays)), []).append(threads)
    assert len(found) == 1, list(found.values())


def test_what_it_does_not_take():
    geom, x, w, b, g = problem((1, 4, 8, 8), 6, 1)
    assert winograd.conv2d_stride2(x.astype(float), w, b, geom) is NotImplemented
    assert winograd.conv2d_stride2_dx(g, w.transpose(0, 1, 3, 2), geom) is NotImplemented
    assert winograd_dw.conv2d_stride2_dw(g.astype(float), x, geom) is NotImplemented
    with pytest.raises(ValueError, match="has shape"):
        winograd.conv2d_stride2(x, w[:5].copy(), b, geom)
    with pytest.raises(ValueError, match="has shape"):
        winograd_dw.conv2d_stride2_dw(x, x, geom)
    for more in ((1, 0), ((2, 1), 0), (2, 0, 2)):
        other = Conv2dGeometry.of(x.shape, w.shape, *more)
        assert not convolution.strided_3x3(other)
        for call in (
            lambda q: winograd.conv2d_stride2(x, draw(*q.w_shape), b, q),
            lambda q: winograd.conv2d_stride2_dx(draw(*q.y_shape), draw(*q.w_shape), q),
            lambda q: winograd_dw.conv2d_stride2_dw(draw(*q.y_shape), x, q),
        ):
            with pytest.raises(ValueError, match="3x3 windows with stride 2"):
                call(other)
    odd = Conv2dGeometry.of(x.shape, w.shape, 2, (0, 0, 1, 1))
    assert convolution.strided_3x3(odd) and not convolution.strided_3x3_back(odd)
    with pytest.raises(ValueError, match="both be even or odd"):
        winograd.conv2d_stride2_dx(draw(*odd.y_shape), w, odd)
