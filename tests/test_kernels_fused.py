"""Batch norm, ReLU, a residual and pooling in one pass: against the same layers one by one, on every instruction set.

Forward passes have the bits of the layers one by one; gradients are held against float64. Each runs on 1, 2, 3, 4 and 7
threads with no threshold, and must give the same bits.
"""

import numpy as np
import pytest
from checks import EPS, on_all_threads, random, same_bits

from engine import backends
from engine.geometry import Pool2dGeometry
from engine_ext import norm, pool

REFERENCE = backends.get("reference")
pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning"), pytest.mark.usefixtures("isa_any_threads")]

IMAGES = [(3, 17, 5, 5), (64, 6, 14, 14), (2, 3, 16, 16), (4, 5, 8, 8), (6, 70, 4, 4), (33, 130, 2, 2), (2, 2, 7, 9), (1, 1, 150, 100),
          (5, 3, 26, 26), (2, 1, 65, 129), (9, 3, 2, 8), (3, 3, 9, 8), (1, 40, 3, 33), (16, 3, 31, 2)]  # fmt: skip
BATCHES = [*IMAGES, (33, 5), (5, 130), (3, 4, 17), (2, 3, 1, 1), (1, 3, 70, 71), (4, 3, 2, 3, 5)]


def drawn(shape, poison=False):
    """x, its mean and 1 / standard deviation, weight and bias; odd values and ties in x where `poison`."""
    x, c = random(*shape), shape[1]
    mean, var = norm.batch_norm_stats(x)
    if poison:
        x = np.round(x * 2) / 2
        x.flat[::7], x.flat[::11], x.flat[::13] = np.nan, -np.inf, np.inf
    w = random(c, seed=2)
    w[:1] = 0  # all of a channel the same: ties, and 0 * inf
    return x, mean, (1 / np.sqrt(var + 1e-5)).astype(np.float32), w, random(c, seed=3)


def wide(*arrays):
    return tuple(a if a is None or a.dtype == np.uint8 else a.astype(np.float64) for a in arrays)


def close(found, expected, *terms):
    """Within a few roundings of the largest of the numbers that were added up."""
    assert found.dtype == np.float32 and found.shape == expected.shape
    size = max(np.abs(a).max(initial=0) for a in (expected, *terms))
    np.testing.assert_allclose(found, expected, rtol=8 * EPS, atol=16 * EPS * size)


def close_gradients(found, x, g, mean, invstd, w, b):
    """(dx, dw, db) against float64, where g is the gradient of batch norm's own output."""
    x, g, mean, invstd, w = wide(x, g, mean, invstd, w)
    expected = REFERENCE.batch_norm_dx(g, x, mean, invstd, w)
    axes = (0, *range(2, x.ndim))
    scale = np.abs(invstd if w is None else invstd * w).max()
    normed = (x - REFERENCE._channel(mean, x.ndim)) * REFERENCE._channel(invstd, x.ndim)
    close(found[0], expected[0], scale * g, scale * normed)
    close(found[1], expected[1], np.abs(g * normed).sum(axes))
    close(found[2], expected[2], np.abs(g).sum(axes))


def windows(shape):
    return Pool2dGeometry.of(shape, 2)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", BATCHES, ids=str)
def test_batch_norm_relu(shape, affine):
    for poison in (False, True):
        x, mean, invstd, w, b = drawn(shape, poison)
        w, b = (w, b) if affine else (None, None)
        y = on_all_threads(norm.batch_norm_relu, x, mean, invstd, w, b)
        plain = norm.batch_norm(x, mean, invstd, w, b)
        np.testing.assert_array_equal(y, np.where(plain <= 0, np.float32(0), plain))
    x, mean, invstd, w, b = drawn(shape)
    w, b = (w, b) if affine else (None, None)
    g, y = random(*shape, seed=4), norm.batch_norm_relu(x, mean, invstd, w, b)
    found = on_all_threads(norm.batch_norm_relu_dx, g, x, mean, invstd, w, b)
    close_gradients(found, x, np.where(y <= 0, np.float32(0), g), mean, invstd, w, b)
    onto = norm.batch_norm_relu_dx(g, x, mean, invstd, w, b, True)
    assert onto[0] is g and same_bits(onto, found)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", BATCHES, ids=str)
def test_batch_norm_add_relu(shape, affine):
    residual, g = random(*shape, seed=5), random(*shape, seed=4)
    for poison in (False, True):
        x, mean, invstd, w, b = drawn(shape, poison)
        w, b = (w, b) if affine else (None, None)
        y = on_all_threads(norm.batch_norm_add_relu, x, mean, invstd, w, b, residual)
        plain = norm.batch_norm(x, mean, invstd, w, b) + residual
        np.testing.assert_array_equal(y, np.where(plain <= 0, np.float32(0), plain))
    x, mean, invstd, w, b = drawn(shape)
    w = w if affine else None
    y = norm.batch_norm_add_relu(x, mean, invstd, w, b, residual)
    y.flat[::5] = np.nan  # lets the gradient through, as relu does
    *found, inner = on_all_threads(norm.batch_norm_add_relu_dx, g, y, x, mean, invstd, w)
    assert same_bits(inner, np.where(y <= 0, np.float32(0), g))
    close_gradients(found, x, inner, mean, invstd, w, b)
    onto = norm.batch_norm_add_relu_dx(g, y, x, mean, invstd, w, True)
    assert onto[3] is g and same_bits(onto, (*found, inner))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_batch_norm_relu_pool(shape, affine):
    geom = windows(shape)
    for poison in (False, True):
        x, mean, invstd, w, b = drawn(shape, poison)
        w, b = (w, b) if affine else (None, None)
        y, taps = on_all_threads(norm.batch_norm_relu_pool, x, mean, invstd, w, b)
        expected, expected_taps = pool.max_pool2d(norm.batch_norm_relu(x, mean, invstd, w, b), geom)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(taps, np.where(expected <= 0, 4, expected_taps))
    x, mean, invstd, w, b = drawn(shape)
    w = w if affine else None
    y, taps = norm.batch_norm_relu_pool(x, mean, invstd, w, b)
    g = random(*geom.y_shape, seed=4)
    found = on_all_threads(norm.batch_norm_relu_pool_dx, g, taps, x, mean, invstd, w)
    close_gradients(found, x, REFERENCE.relu_max_pool2d_dx(g, taps, shape), mean, invstd, w, b)


@pytest.mark.parametrize("shape", [*IMAGES, (1, 1, 300, 90), (0, 3, 4, 4)], ids=str)
def test_relu_max_pool(shape):
    x = random(*shape)
    for values in (
        x,
        np.round(x),
        x - 2,
        np.where(x > 1, np.float32(np.nan), x),
        np.where(x > 1, np.float32(-np.inf), x),
    ):
        y, taps = on_all_threads(pool.relu_max_pool2d, values)
        expected, expected_taps = REFERENCE.relu_max_pool2d(values)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(taps, expected_taps)
        assert taps.dtype == np.uint8
        g = random(*y.shape, seed=1)
        dx = on_all_threads(pool.relu_max_pool2d_dx, g, taps, shape)
        np.testing.assert_array_equal(dx, REFERENCE.relu_max_pool2d_dx(g, taps, shape))


def test_shapes_that_disagree():
    x, mean, invstd, w, b = drawn((2, 3, 4, 6))
    g, taps = random(2, 3, 2, 3), np.zeros((2, 3, 2, 3), np.uint8)
    for f, arguments in (
        (norm.batch_norm_relu, (x, mean, invstd, w, random(4))), (norm.batch_norm_relu_dx, (g, x, mean, invstd, w, b)),
        (norm.batch_norm_add_relu, (x, mean, invstd, w, b, g)), (norm.batch_norm_add_relu_dx, (x, g, x, mean, invstd, w)),
        (norm.batch_norm_add_relu_dx, (g, x, x, mean, invstd, w)), (norm.batch_norm_relu_pool_dx, (x, taps, x, mean, invstd, w)),
        (norm.batch_norm_relu_pool_dx, (g, taps[:1].copy(), x, mean, invstd, w)), (norm.batch_norm_relu_pool, (x[:, :, :1].copy(), mean, invstd, w, b)),
        (pool.relu_max_pool2d, (x[:, :, :1].copy(),)), (pool.relu_max_pool2d_dx, (g, taps, (2, 3, 4, 8))),
        (pool.relu_max_pool2d_dx, (g, taps, (2, 3, 1, 6))), (pool.relu_max_pool2d_dx, (g, taps, (2, 3, -4, 6))),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"shape|smaller"):
            f(*arguments)
    assert norm.batch_norm_relu(x.astype(np.float64), mean, invstd, w, b) is NotImplemented
    assert norm.batch_norm_add_relu(x, mean, invstd, w, b, x.transpose(0, 1, 3, 2)) is NotImplemented
    assert norm.batch_norm_relu_pool(x[0], mean[:0], invstd, w, b) is NotImplemented
    assert norm.batch_norm_relu_pool_dx(g, taps.astype(np.int32), x, mean, invstd, w) is NotImplemented
    assert pool.relu_max_pool2d(x[0]) is NotImplemented
    assert pool.relu_max_pool2d_dx(g, taps.astype(np.int32), x.shape) is NotImplemented


def test_running_statistics_have_the_references_bits():
    for size in (0, 1, 15, 64):
        a, b = random(size), random(size, seed=1)
        onto, expected = a.copy(), a.copy()
        assert norm.lerp_into(onto, b, 0.1, 64 / 63) is None
        REFERENCE.lerp_into(expected, b, 0.1, 64 / 63)
        assert same_bits(onto, expected)
    assert norm.lerp_into(random(4)[::2], random(2), 0.1, 1.0) is NotImplemented
    assert norm.lerp_into(random(4).astype(np.float64), random(4), 0.1, 1.0) is NotImplemented
    a.flags.writeable = False
    assert norm.lerp_into(a, b, 0.1, 1.0) is NotImplemented
    with pytest.raises(ValueError, match=r"a has shape \(4,\), b \(5,\)"):
        norm.lerp_into(random(4), random(5), 0.1, 1.0)


def test_increment():
    count = np.array(2**40)
    assert norm.increment(count) is None and count == 2**40 + 1
    for other in (np.zeros(1, "int64"), np.zeros((), "int32"), np.zeros((), "float32"), np.broadcast_to(count, ())):
        assert norm.increment(other) is NotImplemented
