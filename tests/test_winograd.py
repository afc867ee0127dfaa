"""Winograd's convolution against float64: sizes that break its tiles, accuracy, the epilogue, prepared weights, threads."""

import itertools

import numpy as np
import pytest
from test_kernels import draw, patches

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import _isa, parallel, winograd

pytestmark = pytest.mark.usefixtures("every_thread")
REFERENCE = backends.get("reference")
FORWARD, BACKWARD = {4: winograd.conv2d4, 2: winograd.conv2d2}, {4: winograd.conv2d4_dx, 2: winograd.conv2d2_dx}


def problem(x_shape, o, padding):
    """The geometry, x, w, b, g, and the exact y and dx."""
    geom = Conv2dGeometry.of(x_shape, (o, x_shape[1], 3, 3), 1, padding)
    x, w, b, g = draw(*x_shape), draw(*geom.w_shape), draw(o), draw(*geom.y_shape)
    y = np.einsum("ngcijyx,ocij->noyx", patches(x, geom), w.astype(float), optimize=True) + b[:, None, None]
    return geom, x, w, b, g, y, REFERENCE.conv2d_dx(g.astype(float), w.astype(float), geom)


def assert_close(got, want, terms, relative):
    """Errors relative to the RMS that sums of so many products have."""
    assert got.dtype == np.float32 and got.shape == want.shape
    assert np.abs(got - want).max(initial=0) <= relative * terms**0.5


def check(x_shape, o, padding):
    geom, x, w, b, g, y, dx = problem(x_shape, o, padding)
    for m, relative in ((4, 1.5e-5), (2, 1e-5)):
        assert_close(FORWARD[m](x, w, b, geom), y, 9 * geom.c + 1, relative)
        assert_close(FORWARD[m](x, w, None, geom), y - b[:, None, None], 9 * geom.c, relative)
        assert_close(BACKWARD[m](g, w, geom), dx, 9 * o, relative)


@pytest.mark.parametrize("height", range(1, 14))
def test_every_edge_of_the_tiles(isa, height):
    for width in range(1, 14):
        check((2, 5, height + 2, width + 2), 3, 0)
        check((1, 3, height, width), 6, 1)
        check((1, 70, height, width), 65, 1)  # in two parts of the channels; tiles with an output less


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 33, 70, 130])
@pytest.mark.parametrize("outputs", [1, 15, 16, 17, 33, 70])
def test_every_edge_of_the_vectors(isa, channels, outputs):
    for batch in (0, 1, 3):
        check((batch, channels, 7, 9), outputs, 1)


@pytest.mark.parametrize("x_shape, o, padding", [
    ((2, 8, 70, 300), 20, 1), ((40, 40, 14, 14), 40, 1), ((3, 300, 30, 60), 5, 1), ((200, 3, 3, 4), 17, 1), ((1, 40, 260, 9), 33, 0),
])  # fmt: skip
def test_units_of_many_images_and_of_parts_of_one(isa, x_shape, o, padding):
    check(x_shape, o, padding)


@pytest.mark.parametrize("padding", [(0, 1, 2, 3), (5, 0, 0, 9), (2, 2, 2, 2), (13, 1, 1, 13)])
def test_padding_of_any_side(isa, padding):
    check((2, 17, 6, 7), 18, padding)


@pytest.mark.parametrize("padding", [(-1, 0, 0, 0), (0, -2, 1, -1), (-2, -1, -3, 4)])
def test_negative_padding_crops(isa, padding):
    """As the input gradient of a transposed convolution has it."""
    top, bottom, left, right = padding
    x, w = draw(2, 17, 12, 13), draw(18, 17, 3, 3)
    padded = np.pad(x, ((0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))))
    rows, columns = slice(max(-top, 0), -max(-bottom, 0) or None), slice(max(-left, 0), -max(-right, 0) or None)
    cropped = np.ascontiguousarray(padded[:, :, rows, columns])
    exact = Conv2dGeometry.of(cropped.shape, w.shape)
    geom = Conv2dGeometry(2, 17, 12, 13, 18, 3, 3, (1, 1), padding, (1, 1), 1, (1, 1), exact.oh, exact.ow)
    g = draw(*geom.y_shape)
    want = REFERENCE.conv2d(cropped.astype(float), w.astype(float), None, exact)
    inner = REFERENCE.conv2d_dx(g.astype(float), w.astype(float), exact)
    dx = np.zeros(padded.shape)
    dx[:, :, rows, columns] = inner
    dx = dx[:, :, max(top, 0) : max(top, 0) + 12, max(left, 0) : max(left, 0) + 13]
    for m in (4, 2):
        assert_close(FORWARD[m](x, w, None, geom), want, 9 * 17, 1.5e-5)
        assert_close(BACKWARD[m](g, w, geom), dx, 9 * 18, 1.5e-5)


@pytest.mark.parametrize("draw_input", [lambda x: x, lambda x: np.maximum(x, 0)], ids=["normal", "relu"])
@pytest.mark.parametrize("m, l2, worst", [(4, 1.2e-6, 1.5e-5), (2, 4e-7, 4e-6)])
def test_accuracy(isa, m, l2, worst, draw_input):
    """What design figures promise for 512 channels; the usual points 0, +-1, +-2 fail it, as does a single accumulator."""
    geom = Conv2dGeometry.of((2, 512, 14, 14), (48, 512, 3, 3), 1, 1)
    back = Conv2dGeometry.of((2, 48, 14, 14), (512, 48, 3, 3), 1, 1)
    x, w, turned = draw_input(draw(*geom.x_shape)), draw(*geom.w_shape), draw(*back.w_shape)
    cases = [(FORWARD[m](x, w, None, geom), REFERENCE.conv2d(x.astype(float), w.astype(float), None, geom)),
             (BACKWARD[m](x, turned, back), REFERENCE.conv2d_dx(x.astype(float), turned.astype(float), back))]  # fmt: skip
    for got, want in cases:
        rms = np.sqrt(np.mean(want**2))
        assert np.sqrt(np.mean((got - want) ** 2)) <= l2 * rms
        assert np.abs(got - want).max() <= worst * rms


@pytest.mark.parametrize("x_shape, o, padding", [
    ((2, 5, 9, 11), 3, 0), ((3, 17, 8, 8), 33, 1), ((1, 4, 4, 4), 16, 0), ((5, 16, 13, 7), 18, 1), ((1, 6, 30, 270), 20, 1),
    ((0, 6, 4, 4), 3, 1),
])  # fmt: skip
def test_what_comes_behind(isa, x_shape, o, padding):
    geom = Conv2dGeometry.of(x_shape, (o, x_shape[1], 3, 3), 1, padding)
    x, w, b = draw(*x_shape), draw(*geom.w_shape), draw(o) - 3
    for bias in (b, None):
        plain = winograd.conv2d4(x, w, bias, geom)
        np.testing.assert_array_equal(winograd.conv2d4(x, w, bias, geom, relu=True), np.maximum(plain, 0))
        np.testing.assert_array_equal(
            winograd.conv2d2(x, w, bias, geom, relu=True), np.maximum(winograd.conv2d2(x, w, bias, geom), 0)
        )
        residual = draw(*geom.y_shape)
        for f in FORWARD.values():
            added = f(x, w, bias, geom) + residual
            np.testing.assert_array_equal(f(x, w, bias, geom, False, residual), np.maximum(added, 0))
        pooled, taps = winograd.conv2d4_relu_pool(x, w, bias, geom)
        if plain.size:
            assert (
                (plain > 0).any() and taps.dtype == np.uint8 and (x_shape[2] < 9 or bias is None or (taps == 4).any())
            )
        for got, want in zip((pooled, taps), REFERENCE.relu_max_pool2d(plain), strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("height, width", [(6, 9), (14, 14), (5, 10), (2, 13), (26, 30)])
def test_many_channels_in_tiles_that_end_short(isa, height, width):
    geom = Conv2dGeometry.of((3, 65, height, width), (70, 65, 3, 3), 1, 1)
    x, w, b, g = draw(*geom.x_shape), draw(*geom.w_shape), draw(70) - 3, draw(*geom.y_shape)
    wide = [a.astype(float) for a in (x, w, b, g)]
    y = REFERENCE.conv2d(*wide[:3], geom)
    assert_close(winograd.conv2d4(x, w, b, geom), y, 9 * geom.c + 1, 1.5e-5)
    assert_close(winograd.conv2d4_dx(g, w, geom), REFERENCE.conv2d_dx(wide[3], wide[1], geom), 9 * geom.o, 1.5e-5)
    assert_close(winograd.conv2d4_relu_pool(x, w, b, geom)[0], REFERENCE.relu_max_pool2d(y)[0], 9 * geom.c + 1, 1.5e-5)


def test_pooling_takes_the_first_of_equals_and_nan_above_all():
    x, w = np.ones((1, 1, 8, 8), "f4"), np.ones((1, 1, 3, 3), "f4")
    geom = Conv2dGeometry.of(x.shape, w.shape, 1, 1)
    w[:] = 0
    pooled, taps = winograd.conv2d4_relu_pool(x, w, np.float32([2]), geom)
    assert (pooled == 2).all() and (taps == 0).all()
    pooled, taps = winograd.conv2d4_relu_pool(x, w, np.float32([0]), geom)
    assert (pooled == 0).all() and (taps == 4).all()
    pooled, taps = winograd.conv2d4_relu_pool(x, w, np.float32([np.nan]), geom)
    assert np.isnan(pooled).all() and (taps == 0).all()


def test_prepared_weights(isa):
    geom = Conv2dGeometry.of((3, 33, 9, 9), (40, 33, 3, 3), 1, 1)
    few, x, w, b = (
        Conv2dGeometry.of((40, 33, 9, 9), (40, 33, 3, 3), 1, 1),
        draw(40, 33, 9, 9),
        draw(40, 33, 3, 3),
        draw(40),
    )
    for m, f in FORWARD.items():
        prepared = winograd.transform_weights(w, m)
        for q, images in ((geom, x[:3]), (few, x)):
            np.testing.assert_array_equal(f(images, w, b, q, prepared=prepared), f(images, w, b, q))
        np.testing.assert_array_equal(f(x, 0 * w, b, few, prepared=prepared), f(x, w, b, few))
        with pytest.raises(ValueError, match="prepared"):
            FORWARD[6 - m](x, w, b, few, prepared=prepared)
        others = [n for n in _isa.isas() if n != isa]
        for other in others:  # weights in the order of another instruction set are transformed again
            _isa.use_isa(other)
            assert_close(f(x, w, b, few, prepared=prepared), f(x, w, b, few), 300, 1e-9)
            _isa.use_isa(isa)
    prepared = winograd.transform_weights(w)
    assert (
        winograd.conv2d4_relu_pool(x, w, b, few, prepared)[0].tobytes()
        == winograd.conv2d4_relu_pool(x, w, b, few)[0].tobytes()
    )


@pytest.mark.parametrize(
    "x_shape, o, groups", [((3, 32, 9, 9), 64, 2), ((40, 66, 12, 12), 33, 3), ((2, 6, 8, 8), 4, 2)]
)
def test_groups(isa, x_shape, o, groups):
    geom = Conv2dGeometry.of(x_shape, (o, x_shape[1] // groups, 3, 3), 1, 1, 1, groups)
    x, w, b, g = draw(*x_shape), draw(*geom.w_shape), draw(o), draw(*geom.y_shape)
    wide = [a.astype(float) for a in (x, w, b, g)]
    y, dx = REFERENCE.conv2d(*wide[:3], geom), REFERENCE.conv2d_dx(wide[3], wide[1], geom)
    for m in (4, 2):
        assert_close(FORWARD[m](x, w, b, geom), y, 9 * geom.c // groups + 1, 1.5e-5)
        assert_close(BACKWARD[m](g, w, geom), dx, 9 * o // groups, 1.5e-5)
        prepared = winograd.transform_weights(w, m, groups)
        np.testing.assert_array_equal(FORWARD[m](x, 0 * w, b, geom, prepared=prepared), FORWARD[m](x, w, b, geom))
        with pytest.raises(ValueError, match="prepared"):
            FORWARD[m](x, w, b, geom, prepared=winograd.transform_weights(w, m))
        residual = draw(*geom.y_shape)
        found = FORWARD[m](x, w, b, geom, residual=residual)
        assert_close(found, np.maximum(y + residual, 0), 9 * geom.c // groups + 2, 1.5e-5)
    for got, want in zip(
        winograd.conv2d4_relu_pool(x, w, b, geom),
        REFERENCE.relu_max_pool2d(winograd.conv2d4(x, w, b, geom)),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match="divide"):
        winograd.transform_weights(w, 4, 5)


def test_what_it_does_not_take():
    x, w, b = draw(1, 4, 8, 8), draw(6, 4, 3, 3), draw(6)
    geom = Conv2dGeometry.of(x.shape, w.shape)
    assert winograd.conv2d4(x.astype(float), w, b, geom) is NotImplemented
    assert winograd.conv2d4(x, w.transpose(0, 1, 3, 2), b, geom) is NotImplemented
    assert winograd.conv2d4_dx(draw(1, 6, 6, 6).astype(float), w, geom) is NotImplemented
    assert winograd.transform_weights(w.astype(float)) is NotImplemented
    for arguments in ((x[:, :3].copy(), w, b), (x, w[:5].copy(), b), (x, w, b[:5].copy())):
        with pytest.raises(ValueError, match="has shape"):
            winograd.conv2d4(*arguments, geom)
    with pytest.raises(ValueError, match="has shape"):
        winograd.conv2d4_dx(x, w, geom)
    for other in (
        Conv2dGeometry.of(x.shape, w.shape, 2),
        Conv2dGeometry.of(x.shape, w.shape, 1, 0, 2),
    ):
        assert not convolution.plain_3x3(other)
        with pytest.raises(ValueError, match="3x3"):
            winograd.conv2d4(x, draw(*other.w_shape), b, other)
    with pytest.raises(ValueError, match="weights"):
        winograd.transform_weights(draw(3, 3, 5, 5))
    small = Conv2dGeometry.of((1, 4, 3, 8), w.shape)
    with pytest.raises(ValueError, match="2x2"):
        winograd.conv2d4_relu_pool(draw(1, 4, 3, 8), w, b, small)


@pytest.mark.skipif(not parallel.has_openmp, reason="built without OpenMP: one thread only")
@pytest.mark.parametrize(
    "x_shape, o",
    [
        ((9, 33, 12, 12), 40),
        ((1, 70, 9, 30), 70),
        ((1, 16, 20, 20), 16),
        ((3, 130, 7, 7), 100),
        ((1, 3, 5, 300), 5),
        ((40, 20, 8, 8), 20),
    ],
)
@pytest.mark.parametrize("groups", [1, 5])
def test_the_same_bits_for_any_number_of_threads(isa, x_shape, o, groups):
    if x_shape[1] % groups or o % groups:
        groups = 1
    geom = Conv2dGeometry.of(x_shape, (o, x_shape[1] // groups, 3, 3), 1, 1, 1, groups)
    x, w, b, g = draw(*x_shape), draw(*geom.w_shape), draw(o), draw(*geom.y_shape)
    for f in (
        lambda m: FORWARD[m](x, w, b, geom),
        lambda m: BACKWARD[m](g, w, geom),
        lambda m: winograd.conv2d4_relu_pool(x, w, b, geom)[1],
    ):
        for m in (4, 2):
            found = {}
            for threads in (1, 2, 3, 4, 7):
                parallel.set_num_threads(threads)
                assert parallel.team_size() == threads
                found.setdefault(f(m).tobytes(), []).append(threads)
            assert len(found) == 1, list(found.values())


@pytest.mark.parametrize("x_shape, o", [
    ((1, 400, 44, 44), 9), ((1, 9, 44, 44), 400),  # few tiles, inputs or gradients of more than a thread keeps for itself
    ((1, 210, 48, 52), 210),  # weights of more than that
    ((2, 300, 40, 40), 260),  # sums of more than one chunk
])  # fmt: skip
def test_large_intermediates_are_shared(x_shape, o):
    geom = Conv2dGeometry.of(x_shape, (o, x_shape[1], 3, 3), 1, 1)
    x, w, b, g = draw(*x_shape), draw(*geom.w_shape), draw(o), draw(*geom.y_shape)
    for direction, arrays, terms in (("forward", (x, w, b), 9 * geom.c), ("dx", (g, w), 9 * o),
                                     ("dw", (g, x), geom.n * geom.oh * geom.ow)):  # fmt: skip
        kernels = {a.name: a.kernel for a in convolution.TABLES[direction]}
        found = set()
        for threads in (1, 2, 3):
            parallel.set_num_threads(threads)
            y = kernels["winograd4"](*arrays, geom)
            found.add(y.tobytes())
        assert len(found) == 1
        assert_close(y, kernels["im2col"](*arrays, geom), terms, 3e-5)


def test_few_tiles_and_many_give_the_same_bits(isa):
    """An image alone and in a batch that is computed in another order."""
    x, w = draw(64, 70, 12, 12), draw(36, 70, 3, 3)
    many, one = (Conv2dGeometry.of((n, 70, 12, 12), w.shape, 1, 1) for n in (64, 1))
    for m, i in itertools.product((4, 2), (0, 17, 63)):
        np.testing.assert_array_equal(FORWARD[m](x, w, None, many)[i], FORWARD[m](x[i : i + 1], w, None, one)[0])


@pytest.mark.parametrize("channels, o, height, width", [
    (16, 16, 32, 32), (5, 20, 29, 64), (64, 66, 8, 8), (70, 40, 15, 16), (17, 3, 4, 8), (33, 30, 9, 16), (100, 70, 6, 8),
])  # fmt: skip
@pytest.mark.parametrize("groups", [1, 2])
def test_tiles_in_lanes_give_the_same_bits(isa, channels, o, height, width, groups):
    """An image alone has its channels in the lanes; in a batch whose rows fill vectors, tiles are, and lanes stay empty."""
    parallel.set_num_threads(2)
    images = 2 * 128 // (-(-height // 4) * width // 4) + 3
    geom, one = (
        Conv2dGeometry.of((n, groups * channels, height, width), (groups * o, channels, 3, 3), 1, 1, 1, groups)
        for n in (images, 1)
    )
    x, w, b, residual = draw(*geom.x_shape), draw(*geom.w_shape), draw(groups * o), draw(*geom.y_shape)
    y, shortcut = winograd.conv2d4(x, w, b, geom), winograd.conv2d4(x, w, b, geom, False, residual)
    dx = winograd.conv2d4_dx(residual, w, geom)
    for i in range(images):
        alone, g = x[i : i + 1], residual[i : i + 1]
        np.testing.assert_array_equal(y[i], winograd.conv2d4(alone, w, b, one)[0])
        np.testing.assert_array_equal(shortcut[i], winograd.conv2d4(alone, w, b, one, False, g)[0])
        np.testing.assert_array_equal(dx[i], winograd.conv2d4_dx(g, w, one)[0])
    np.testing.assert_array_equal(
        winograd.conv2d4(x, w, None, geom, True), np.maximum(winograd.conv2d4(x, w, None, geom), 0)
    )
