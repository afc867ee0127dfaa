"""Strided convolutions of wide windows as plain ones over even and odd rows and columns, and Winograd's tiles of 4x4 windows."""

import numpy as np
import pytest
from checks import assert_close

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import halves, parallel, winograd, winograd_dw

REFERENCE = backends.get("reference")
SHAPES = [  # x, outputs, window, padding, groups
    ((2, 3, 40, 41), 20, 7, 3, 1), ((1, 6, 31, 30), 34, 8, (1, 2, 0, 3), 2), ((2, 5, 20, 33), 17, 5, 2, 1),
    ((1, 40, 20, 20), 33, 6, 1, 1), ((3, 2, 8, 9), 3, (7, 8), 0, 1), ((2, 20, 9, 11), 40, (6, 5), (5, 0, 0, 7), 1),
    ((0, 3, 9, 9), 4, 7, 3, 1), ((70, 1, 12, 7), 1, 7, 9, 1), ((1, 3, 230, 7), 70, 7, 3, 1), ((2, 3, 60, 200), 33, 7, 3, 1),
]  # fmt: skip


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def geometry(x_shape, outputs, window, padding, groups=1, stride=2):
    kh, kw = window if isinstance(window, tuple) else (window, window)
    return Conv2dGeometry.of(x_shape, (outputs, x_shape[1] // groups, kh, kw), stride, padding, 1, groups)


def arrays(geom):
    return normal(geom.x_shape), normal(geom.w_shape, 1), normal(geom.o, 2), normal(geom.y_shape, 3)


@pytest.mark.parametrize("x_shape, outputs, window, padding, groups", SHAPES)
def test_equals_the_reference(isa, x_shape, outputs, window, padding, groups):
    geom = geometry(x_shape, outputs, window, padding, groups)
    assert convolution.wide_strided(geom)
    x, w, b, g = arrays(geom)
    wide = [a.astype("float64") for a in (x, w, b, g)]
    assert_close(halves.conv2d(x, w, b, geom), REFERENCE.conv2d(*wide[:3], geom), 1.5e-5, "forward")
    assert_close(halves.conv2d(x, w, None, geom), REFERENCE.conv2d(*wide[:2], None, geom), 1.5e-5, "without bias")
    assert_close(halves.conv2d_dw(g, x, geom), REFERENCE.conv2d_dw(wide[3], wide[0], geom), 5e-5, "dw")


@pytest.mark.parametrize("height", range(1, 14))
def test_every_edge_of_the_tiles_of_4x4_windows(isa, height):
    for width in range(1, 14):
        geom = geometry((2, 18, height + 3, width + 3), 17, 4, 0, stride=1)
        x, w, b, g = arrays(geom)
        wide = [a.astype("float64") for a in (x, w, b, g)]
        assert_close(winograd.conv2d3(x, w, b, geom), REFERENCE.conv2d(*wide[:3], geom), 1.5e-5, "forward")
        assert_close(winograd_dw.conv2d3_dw(g, x, geom), REFERENCE.conv2d_dw(wide[3], wide[0], geom), 5e-5, "dw")


def test_accuracy(isa):
    """That of Winograd's other convolutions: the points are the same."""
    geom = geometry((8, 3, 96, 96), 64, 7, 3)
    x, w, b, g = arrays(geom)
    wide = [a.astype("float64") for a in (x, w, b, g)]
    pairs = (
        (halves.conv2d(x, w, b, geom), REFERENCE.conv2d(*wide[:3], geom)),
        (halves.conv2d_dw(g, x, geom), REFERENCE.conv2d_dw(wide[3], wide[0], geom)),
    )
    for got, want in pairs:
        rms = np.sqrt(np.mean(want**2))
        assert np.sqrt(np.mean((got - want) ** 2)) <= 2.5e-6 * rms
        assert np.abs(got - want).max() <= 1.5e-5 * rms


def test_what_it_ends_in(isa):
    for x_shape in ((1, 3, 20, 20), (9, 3, 60, 60)):
        geom = geometry(x_shape, 40, 7, 3)
        x, w, b, residual = arrays(geom)
        y = halves.conv2d(x, w, b, geom)
        np.testing.assert_array_equal(halves.conv2d(x, w, b, geom, relu=True), np.maximum(y, 0))
        np.testing.assert_array_equal(halves.conv2d(x, w, b, geom, False, residual), np.maximum(y + residual, 0))


def test_same_bits_for_any_threads(isa_any_threads):
    found = set()
    for threads in (1, 2, 3, 4, 7):
        parallel.set_num_threads(threads)
        bits = b""
        for geom in (geometry((3, 3, 61, 70), 40, 7, 3), geometry((1, 17, 15, 22), 33, 5, 2)):
            x, w, b, g = arrays(geom)
            bits += halves.conv2d(x, w, b, geom).tobytes() + halves.conv2d_dw(g, x, geom).tobytes()
        found.add(bits)
    assert len(found) == 1


def test_is_taken_where_it_wins(isa):
    stem = geometry((8, 3, 224, 224), 64, 7, 3)
    taken = {convolution.choose(d, stem).name for d in ("forward", "dw")}
    assert taken == {"halves"}
    assert convolution.choose("forward", geometry((1, 64, 16, 16), 64, 5, 2)).name == "im2col"  # too small to pay


def test_refuses_what_does_not_fit():
    geom = geometry((2, 3, 20, 20), 4, 7, 3)
    x, w, b, g = arrays(geom)
    assert halves.conv2d(x.astype(float), w, b, geom) is NotImplemented
    assert halves.conv2d(x, w, b.astype(float), geom) is NotImplemented
    assert halves.conv2d_dw(g[:, :, ::-1], x, geom) is NotImplemented
    with pytest.raises(ValueError, match="x has shape"):
        halves.conv2d(x[:1], w, None, geom)
    with pytest.raises(ValueError, match="w has shape"):
        halves.conv2d(x, w[:3].copy(), None, geom)
    with pytest.raises(ValueError, match="b has shape"):
        halves.conv2d(x, w, normal(3), geom)
    with pytest.raises(ValueError, match="g has shape"):
        halves.conv2d_dw(g[:, :2].copy(), x, geom)
    for window, stride in ((9, 2), (3, 2), (7, 1), (7, (2, 1)), ((5, 7), 2), (4, 2)):
        other = geometry(x.shape, 4, window, 4, stride=stride)
        assert not convolution.wide_strided(other)
        with pytest.raises(ValueError, match="5x5 to 8x8 with stride 2"):
            halves.conv2d(x, normal(other.w_shape), None, other)
        with pytest.raises(ValueError, match="5x5 to 8x8 with stride 2"):
            halves.conv2d_dw(normal(other.y_shape), x, other)
    plain = geometry(x.shape, 4, 3, 0, stride=1)
    with pytest.raises(ValueError, match="expected 4x4 windows"):
        winograd.conv2d3(x, normal(plain.w_shape), b, plain)
    with pytest.raises(ValueError, match="expected 4x4 windows"):
        winograd_dw.conv2d3_dw(normal(plain.y_shape), x, plain)
