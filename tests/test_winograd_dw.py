"""Winograd's weight gradient on every instruction set: its error against float64, and bits that know nothing of threads."""

import numpy as np
import pytest
from checks import on_all_threads

import engine
from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry

winograd_dw = pytest.importorskip("engine_ext.winograd_dw", exc_type=ImportError)
REFERENCE = backends.get("reference")


def arrays(geom, rectified=False, seed=0):
    """g and x of a convolution, N(0, 1); x with its negative half cut off, as behind a ReLU."""
    r = np.random.default_rng(seed)
    g, x = r.standard_normal(geom.y_shape).astype("float32"), r.standard_normal(geom.x_shape).astype("float32")
    return g, np.maximum(x, 0) if rectified else x


def errors(found, g, x, geom):
    """Relative L2 and the largest error over the RMS, against float64."""
    exact = REFERENCE.conv2d_dw(g.astype("float64"), x.astype("float64"), geom)
    assert found.dtype == "float32" and found.shape == exact.shape
    rms = np.sqrt(np.mean(exact**2))
    return np.sqrt(np.mean((found - exact) ** 2)) / rms, np.abs(found - exact).max() / rms


def geometry(n, c, h, w, o, padding=1):
    return Conv2dGeometry.of((n, c, h, w), (o, c, 3, 3), 1, padding)


# The three ways of the work: parts of the tiles, slices of the positions, all tiles in one chunk.
LAYERS = {
    "parts": geometry(16, 32, 32, 32, 32), "parts, odd sizes": geometry(37, 17, 13, 19, 33, (2, 0, 1, 3)),
    "mnistnet": geometry(6, 32, 26, 26, 64, 0), "slices": geometry(2, 16, 16, 16, 40), "chunks": geometry(9, 150, 30, 30, 130),
    "one chunk": geometry(3, 130, 7, 7, 200), "parts, shares of images": geometry(3, 80, 44, 24, 70),
    "few tiles": geometry(2, 40, 8, 8, 50),
    "groups": Conv2dGeometry.of((40, 66, 12, 12), (96, 22, 3, 3), 1, 1, 1, 3),
}  # fmt: skip
TILES = [
    geometry(1, 1, 1, 1, 1), geometry(1, 1, 3, 3, 1, 0), geometry(2, 15, 4, 5, 16), geometry(1, 16, 6, 7, 17, 0),
    geometry(3, 31, 2, 50, 3, 4), geometry(2, 3, 5, 40, 70, (0, 3, 1, 2)), geometry(1, 33, 9, 9, 1, 2), geometry(1, 2, 70, 3, 5),
    geometry(1, 1, 3, 3, 2, 9), geometry(70, 2, 4, 4, 3),
]  # fmt: skip


@pytest.mark.parametrize("rectified", [False, True], ids=["normal", "relu"])
@pytest.mark.parametrize("geom", LAYERS.values(), ids=LAYERS)
def test_error_against_float64(isa, geom, rectified):
    g, x = arrays(geom, rectified)
    relative, largest = errors(winograd_dw.conv2d_dw(g, x, geom), g, x, geom)
    assert relative <= 2.5e-6 and largest <= 2.5e-5, (relative, largest)


@pytest.mark.parametrize("shape", [(1, 16, 3, 2048), (1, 16, 8, 1024), (1, 17, 12, 512)])
def test_wide_images_of_few_rows(isa, shape):
    geom = geometry(*shape, 16)
    engine.full((1 << 22,), float("nan"))  # what scratch memory may hold
    g, x = arrays(geom)
    relative, _ = errors(winograd_dw.conv2d_dw(g, x, geom), g, x, geom)
    assert relative <= 2.5e-6


@pytest.mark.parametrize("geom", TILES, ids=lambda q: f"{q.x_shape}-{q.o} {q.padding}")
def test_tiles_and_channels_that_are_cut(isa, geom):
    g, x = arrays(geom)
    relative, _ = errors(winograd_dw.conv2d_dw(g, x, geom), g, x, geom)
    assert relative <= 2.5e-6


@pytest.mark.parametrize("geom", [*LAYERS.values(), TILES[5]], ids=[*LAYERS, "small"])
def test_bits_do_not_depend_on_threads(isa_any_threads, geom):
    g, x = arrays(geom)
    on_all_threads(winograd_dw.conv2d_dw, g, x, geom)


def test_an_image_at_the_end_of_its_memory_and_what_lies_behind(isa):
    """Neither what stands around the arrays nor negative padding, which crops, gets into the sums."""
    geom = Conv2dGeometry(2, 5, 9, 11, 3, 3, 3, (1, 1), (-1, 0, -2, 1), (1, 1), 1, (1, 1), 6, 8)
    g, x = arrays(geom)
    inside = [np.full(a.size + 64, np.nan, "float32") for a in (g, x)]
    for room, a in zip(inside, (g, x), strict=True):
        room[32:-32] = a.ravel()
    found = winograd_dw.conv2d_dw(*(r[32:-32].reshape(a.shape) for r, a in zip(inside, (g, x), strict=True)), geom)
    assert errors(found, g, x, geom)[0] <= 2.5e-6


def test_no_images_give_zeros(isa):
    geom = geometry(0, 16, 8, 8, 16)
    assert not winograd_dw.conv2d_dw(*arrays(geom), geom).any()


def test_what_it_does_not_do():
    geom = geometry(2, 16, 8, 8, 16)
    g, x = arrays(geom)
    assert winograd_dw.conv2d_dw(g.astype("float64"), x, geom) is NotImplemented
    assert winograd_dw.conv2d_dw(g, np.asfortranarray(x), geom) is NotImplemented
    with pytest.raises(ValueError, match="g has shape"):
        winograd_dw.conv2d_dw(g[:, 1:].copy(), x, geom)
    with pytest.raises(ValueError, match="x has shape"):
        winograd_dw.conv2d_dw(g, x[:1].copy(), geom)
    for kernel, stride, dilation in ((5, 1, 1), (3, 2, 1), (3, 1, 2)):
        other = Conv2dGeometry.of((2, 16, 8, 8), (16, 16, kernel, kernel), stride, 2, dilation)
        with pytest.raises(ValueError, match="with stride and dilation of 1"):
            winograd_dw.conv2d_dw(*arrays(other), other)
        assert not any(a.applies(other) for a in convolution.WEIGHT_GRADIENT if a.kernel is winograd_dw.conv2d_dw)


def test_it_is_taken_where_it_wins():
    assert convolution.choose("dw", LAYERS["mnistnet"]).kernel is winograd_dw.conv2d_dw
    assert convolution.choose("dw", geometry(8, 3, 32, 32, 64)).kernel is not winograd_dw.conv2d_dw
