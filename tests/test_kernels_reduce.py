"""Native sums and means against NumPy in float64, on every ISA and number of threads, and who owns an array's memory."""

import numpy as np
import pytest
from checks import on_all_threads

from engine_ext import memory, reduce

pytestmark = pytest.mark.usefixtures("isa_any_threads")

# Around a vector, a strip of columns and a part of a sum; the last ones are cut into several parts.
SHAPES = [(1,), (17,), (32768,), (32769,), (100_003,), (), (5, 1), (3, 7, 5), (2, 1, 9, 1), (4, 70_001), (70_001, 3),
          (2, 600, 65), (3, 40_000, 2), (1000, 64), (5, 129, 4, 3)]  # fmt: skip


def neighbours(ndim):
    """Every run of axes, none of them too."""
    return [()] + [tuple(range(i, j)) for i in range(ndim) for j in range(i + 1, ndim + 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sum_and_mean(shape):
    a = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype=np.float32)
    for axes in neighbours(a.ndim):
        for name in ("sum", "mean"):
            for keepdims in (False, True):
                y = on_all_threads(getattr(reduce, name), a, axes, keepdims)
                exact = getattr(a.astype(np.float64), name)(axis=axes, keepdims=keepdims)
                size = np.sqrt(a.size / max(exact.size, 1)) / (1 if name == "sum" else a.size / max(exact.size, 1))
                assert y.dtype == np.float32 and y.shape == exact.shape
                np.testing.assert_allclose(y, exact, rtol=1e-6, atol=1e-6 * size)


def test_what_is_declined_and_what_is_wrong():
    a = np.zeros((3, 4, 5), np.float32)
    assert reduce.sum(a, (0, 2), False) is NotImplemented
    assert reduce.sum(a.astype(np.float64), (0,), False) is NotImplemented
    assert reduce.mean(a[:, ::2], (0,), False) is NotImplemented
    assert reduce.mean(a[:0], (0,), False) is NotImplemented
    assert reduce.sum(a[:, :1].copy(), (0, 2), False).shape == (1,)  # an axis of size 1 does not part its neighbours
    for axis in (-1, 3):
        with pytest.raises(ValueError, match="out of range"):
            reduce.sum(a, (axis,), False)


def test_values_that_are_no_numbers_spread():
    a = np.ones((40_000, 20), np.float32)
    a[39_999, 3], a[5, 7] = np.nan, np.inf
    columns, rows = reduce.sum(a, (0,), False), reduce.mean(a, (1,), False)
    assert np.isnan(columns[3]) and np.isposinf(columns[7]) and np.isfinite(np.delete(columns, [3, 7])).all()
    assert np.isnan(rows[-1]) and np.isposinf(rows[5]) and np.isfinite(np.delete(rows, [5, 39_999])).all()


def test_who_owns_memory():
    pooled, plain = memory.empty((4, 6)), np.zeros((4, 6), np.float32)
    assert memory.owns(pooled) and memory.owns(plain)
    view = pooled.reshape(24)
    assert not memory.owns(view)
    del pooled
    assert memory.owns(view)
    assert not memory.owns(plain.T) and not memory.owns(plain[1:]) and not memory.owns([0.0])
    plain.flags.writeable = False
    assert not memory.owns(plain)
