"""The pooling kernels against loops over windows in float64, on every ISA and, with the same bits, on any number of threads."""

import itertools

import numpy as np
import pytest
from checks import close, on_all_threads, random

from engine.geometry import Pool2dGeometry
from engine_ext import pool

pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning"), pytest.mark.usefixtures("isa_any_threads")]


def windows(geom, x):
    """(value, tap, row, column) of each window's taps inside the image, and each window's padded count."""
    (sh, sw), (dh, dw), (pt, pb, pl, pr) = geom.stride, geom.dilation, geom.padding
    for i, j in itertools.product(range(geom.oh), range(geom.ow)):
        rows = [(a, i * sh - pt + a * dh) for a in range(geom.kh)]
        columns = [(b, j * sw - pl + b * dw) for b in range(geom.kw)]
        padded = sum(r < geom.h + pb for _, r in rows) * sum(s < geom.w + pr for _, s in columns)
        inside = [(a * geom.kw + b, r, s) for a, r in rows for b, s in columns if 0 <= r < geom.h and 0 <= s < geom.w]
        yield i, j, inside, padded


def max_pool_reference(x, geom):
    y = np.full(geom.y_shape, -np.inf, np.float32)
    taps = np.zeros(geom.y_shape, np.uint8 if geom.kh * geom.kw <= 256 else np.int32)
    for i, j, inside, _ in windows(geom, x):
        if inside:
            values = np.stack([x[:, :, r, s] for _, r, s in inside])
            best = np.where(
                np.isnan(values).any(0), np.isnan(values).argmax(0), np.nan_to_num(values, nan=-np.inf).argmax(0)
            )
            best = np.where(np.isnan(values).any(0), best, np.argmax(values, 0))
            y[:, :, i, j] = np.take_along_axis(values, best[None], 0)[0]
            taps[:, :, i, j] = np.array([t for t, _, _ in inside])[best]
    return y, taps


def max_pool_dx_reference(g, taps, geom):
    dx = np.zeros(geom.x_shape)
    for i, j, inside, _ in windows(geom, g):
        for t, r, s in inside:
            dx[:, :, r, s] += np.where(taps[:, :, i, j] == t, g[:, :, i, j], 0)
    return dx


def divisor(geom, inside, padded):
    return geom.divisor or (padded if geom.count_include_pad else len(inside))


def avg_pool_reference(x, geom):
    y = np.zeros(geom.y_shape)
    for i, j, inside, padded in windows(geom, x):
        total = sum((x[:, :, r, s].astype(np.float64) for _, r, s in inside), np.zeros(x.shape[:2]))
        y[:, :, i, j] = total / divisor(geom, inside, padded)
    return y


def avg_pool_dx_reference(g, geom):
    dx = np.zeros(geom.x_shape)
    for i, j, inside, padded in windows(geom, g):
        for _, r, s in inside:
            dx[:, :, r, s] += g[:, :, i, j].astype(np.float64) / divisor(geom, inside, padded)
    return dx


POOLS = [
    ((2, 3, 8, 8), {"kernel_size": 2}), ((2, 3, 24, 24), {"kernel_size": 2}), ((1, 2, 13, 35), {"kernel_size": 2}),
    ((1, 1, 2, 2), {"kernel_size": 2}), ((3, 2, 10, 10), {"kernel_size": 2}), ((1, 2, 5, 77), {"kernel_size": 2}),
    ((1, 2, 6, 32), {"kernel_size": 2}), ((1, 2, 6, 34), {"kernel_size": 2}), ((1, 2, 6, 30), {"kernel_size": 2}),
    ((2, 2, 7, 9), {"kernel_size": 3, "stride": 2, "padding": 1}), ((2, 3, 17, 33), {"kernel_size": 3, "stride": 2}),
    ((1, 2, 12, 12), {"kernel_size": 3, "stride": 1, "padding": 1}), ((1, 1, 7, 5), {"kernel_size": (3, 2), "stride": (1, 2)}),
    ((1, 2, 11, 13), {"kernel_size": 3, "dilation": 2}), ((1, 2, 9, 9), {"kernel_size": 2, "dilation": 3, "stride": 1}),
    ((2, 2, 7, 7), {"kernel_size": 2, "ceil_mode": True}), ((1, 2, 10, 11), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ((1, 2, 6, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 2, 8, 8), {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True}),
    ((2, 4, 8, 8), {"kernel_size": 8}), ((2, 3, 7, 7), {"kernel_size": 1, "stride": 3}), ((1, 1, 18, 19), {"kernel_size": 17}),
    ((1, 1, 5, 150), {"kernel_size": (2, 3), "stride": (1, 1)}), ((1, 1, 4, 300), {"kernel_size": 2, "stride": (2, 4)}),
    ((1, 1, 1, 1), {"kernel_size": 2, "dilation": 2, "padding": 1}), ((0, 3, 4, 4), {"kernel_size": 2}),
    ((2, 0, 4, 4), {"kernel_size": 2}), ((1, 1, 6, 6), {"kernel_size": 2, "stride": 2**40}),
    ((3, 5, 8, 16), {"kernel_size": 2}), ((5, 7, 4, 4), {"kernel_size": 2}), ((1, 3, 6, 2), {"kernel_size": 2}),
    ((3, 3, 9, 8), {"kernel_size": 2}), ((3, 3, 7, 4), {"kernel_size": 2}), ((1, 1, 118, 70), {"kernel_size": 2}),
    ((1, 1, 92, 90), {"kernel_size": 3, "stride": 2, "padding": 1}), ((1, 1, 82, 101), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ((1, 1, 36, 70), {"kernel_size": 3, "stride": 1}), ((1, 1, 92, 91), {"kernel_size": 5, "stride": 2, "padding": 2}),
    ((4, 3, 15, 15), {"kernel_size": 3, "stride": 2, "padding": 1}), ((4, 3, 3, 3), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ((1, 1, 2, 1), {"kernel_size": 3, "stride": 2, "padding": 1}), ((1, 2, 40, 66), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ((5, 7, 7, 7), {"kernel_size": 7}), ((3, 11, 1, 1), {"kernel_size": 1}), ((40, 1, 5, 3), {"kernel_size": (5, 3)}),
    ((1, 2, 130, 140), {"kernel_size": (130, 140)}),
]  # fmt: skip


def pool_id(case):
    return "x".join(map(str, case[0])) + "-" + "-".join(f"{k}{v}" for k, v in case[1].items())


@pytest.mark.parametrize("case", POOLS, ids=pool_id)
def test_max_pool(case):
    geom = Pool2dGeometry.of(case[0], **case[1])
    x = random(*case[0])
    for values in (x, np.round(x), np.where(x > 1, np.float32(np.nan), x), np.full_like(x, -np.inf)):
        y, taps = on_all_threads(pool.max_pool2d, values, geom)
        expected, expected_taps = max_pool_reference(values, geom)
        np.testing.assert_array_equal(y, expected)
        assert taps.dtype == expected_taps.dtype
        np.testing.assert_array_equal(taps, expected_taps)
    g = random(*geom.y_shape, seed=1)
    _, taps = pool.max_pool2d(x, geom)
    close(on_all_threads(pool.max_pool2d_dx, g, taps, geom), max_pool_dx_reference(g, taps, geom))


@pytest.mark.parametrize("extra", [{}, {"count_include_pad": False}, {"divisor": 5}], ids=str)
@pytest.mark.parametrize("case", [c for c in POOLS if "dilation" not in c[1]], ids=pool_id)
def test_avg_pool(case, extra):
    geom = Pool2dGeometry.of(case[0], **case[1], **extra)
    x, g = random(*geom.x_shape), random(*geom.y_shape, seed=1)
    close(on_all_threads(pool.avg_pool2d, x, geom), avg_pool_reference(x, geom))
    close(on_all_threads(pool.avg_pool2d_dx, g, geom), avg_pool_dx_reference(g, geom))


class Raw:
    def __init__(self, ints):
        self.ints = ints


def test_bad_geometries_of_pooling():
    x = random(2, 3, 8, 8)
    good = Pool2dGeometry.of(x.shape, 2)
    y, taps = pool.max_pool2d(x, good)
    for position, value in itertools.product(range(16), (-1, 0, 2**31, 2**40, 2**62, -(2**63))):
        bad = Raw(tuple(value if p == position else v for p, v in enumerate(good.ints)))
        for f, arguments in ((pool.max_pool2d, (x,)), (pool.max_pool2d_dx, (y, taps)), (pool.avg_pool2d, (x,)),
                             (pool.avg_pool2d_dx, (y,))):  # fmt: skip
            try:
                f(*arguments, bad)
            except (ValueError, MemoryError):
                pass
    for ints in ((), (1,) * 17, (1,) * 19):
        with pytest.raises(ValueError, match="18 numbers"):
            pool.max_pool2d(x, Raw(ints))
    with pytest.raises(ValueError, match="shape"):
        pool.max_pool2d(random(2, 3, 8, 9), good)
    with pytest.raises(ValueError, match="shape"):
        pool.max_pool2d(random(8, 8), good)
    with pytest.raises(ValueError, match="shape"):
        pool.max_pool2d_dx(random(2, 3, 4, 5), taps, good)
    assert pool.max_pool2d(x.astype(np.float64), good) is NotImplemented
    assert pool.max_pool2d(x[:, :, ::-1], good) is NotImplemented
    assert pool.max_pool2d_dx(y, taps.astype(np.int32), good) is NotImplemented
    assert pool.avg_pool2d(None, good) is NotImplemented


def test_taps_out_of_range_are_ignored():
    geom = Pool2dGeometry.of((1, 1, 9, 9), 3, stride=2, padding=1)
    dx = pool.max_pool2d_dx(random(*geom.y_shape), np.full(geom.y_shape, 255, np.uint8), geom)
    assert not dx.any()
    wide = Pool2dGeometry.of((1, 1, 20, 20), 17)
    for tap in (-1, 17 * 17, 2**31 - 1, -(2**31)):
        assert not pool.max_pool2d_dx(random(*wide.y_shape), np.full(wide.y_shape, tap, np.int32), wide).any()
