"""Copies between arrays of any strides: NumPy's assignment, to the bit, on every instruction set and number of threads."""

import numpy as np
import pytest
from checks import on_all_threads

from engine import backends
from engine_ext import strided

pytestmark = pytest.mark.usefixtures("isa_any_threads")
ALL = slice(None)


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape, "float32")


def assigned(shape, index, value):
    y = np.full(shape, 7, "float32")
    assert strided.assign(y, index, value) is None
    return y


@pytest.mark.parametrize("shape, index, value", [
    ((8, 4, 32, 33), (ALL, ALL, slice(None, None, 2), slice(1, None, 2)), draw(8, 4, 16, 16)),
    ((8, 24, 16, 16), (ALL, slice(4, 20)), draw(8, 16, 32, 32)[:, :, ::2, ::2]),
    ((70, 90), Ellipsis, draw(90, 70).T), ((5, 3, 20, 31), Ellipsis, draw(3, 5, 31, 20).transpose(1, 0, 3, 2)),
    ((40000,), slice(None, None, -1), draw(40000)), ((2, 3, 17001), (1, slice(1, None), slice(17000)), draw(2, 17000)),
    ((3, 5000), (ALL, None), draw(3, 1, 5000)), ((6, 3, 2, 3, 9, 5, 7), Ellipsis, draw(6, 3, 2, 3, 9, 5, 14)[..., ::-2]),
    ((64, 100), Ellipsis, np.broadcast_to(draw(100), (64, 100))),
], ids=lambda v: f"of {v.shape}" if isinstance(v, np.ndarray) else str(v))  # fmt: skip
def test_assignment(shape, index, value):
    expected = np.full(shape, 7, "float32")
    expected[index] = value
    np.testing.assert_array_equal(on_all_threads(assigned, shape, index, value), expected)


@pytest.mark.parametrize("shape, index", [
    ((8, 4, 32, 33), (ALL, ALL, slice(None, None, 2), slice(1, None, 2))), ((2, 3, 17001), (1, slice(1, None), slice(17000))),
    ((70, 90), Ellipsis), ((40000,), slice(None, None, -1)),
], ids=str)  # fmt: skip
def test_addition(shape, index):
    start = draw(*shape)
    value = draw(*start[index].shape)[..., ::-1].copy()[..., ::-1]

    def added():
        y = start.copy()
        assert strided.add_part(y, index, value) is None
        return y

    expected = start.copy()
    expected[index] += value
    np.testing.assert_array_equal(on_all_threads(added), expected)


def test_subnormal_numbers_and_nan_are_copied():
    value = np.full((100, 100), 1e-42, "float32")
    value[3, :5] = np.nan, -0.0, np.inf, -np.inf, 0
    assert assigned((200, 100), slice(None, None, 2), value)[::2].tobytes() == value.tobytes()


def test_what_is_left_to_numpy():
    x, y = draw(100, 100), np.zeros((100, 100), "float32")
    still = y.copy()
    still.flags.writeable = False
    for a, index, value in (
        (y, Ellipsis, x[0]), (y, Ellipsis, 3.0), (y, Ellipsis, x.astype("float64")), (y.astype("int32"), Ellipsis, x), (y, [0, 1], x[:2]),
        (y, x > 0, x), (y, (ALL, True), x), (y, slice(2), x[:2]), (x, Ellipsis, x[::-1]), (x, Ellipsis, x), (still, Ellipsis, x),
        (y, Ellipsis, np.frombuffer(b"\0" * 40001, "float32", offset=1, count=10000).reshape(100, 100)),
        (y, Ellipsis, x.astype(">f4")), (np.zeros((100, 100), "f4,i1")["f0"], Ellipsis, x),
    ):  # fmt: skip
        assert strided.assign(a, index, value) is strided.add_part(a, index, value) is NotImplemented
    assert not y.any()
    with pytest.raises(IndexError):
        strided.assign(y, (ALL, ALL, ALL), x)


@pytest.mark.parametrize(
    "shape, index", [((4, 8, 32, 32), (ALL, ALL, slice(None, None, 2), slice(None, None, 2))), ((2, 5), (0,))]
)
def test_gradient_of_an_index(shape, index):
    k, reference = backends.get("cpu"), backends.get("reference")
    g = draw(*np.empty(shape)[index].shape)
    dx = k.getitem_dx(g, index, shape)
    np.testing.assert_array_equal(dx, reference.getitem_dx(g, index, shape))
    np.testing.assert_array_equal(dx[index], g)
    assert np.count_nonzero(dx) == g.size


@pytest.mark.parametrize("size", [0, 4095, 4096, 8193, 70_001])
def test_arrays_full_of_one_number(size):
    for value in (0.0, -1.5, np.nan, np.inf):
        y = np.ones(size, "float32")
        if strided.fill(y, value) is not NotImplemented:
            assert size >= 4096
            np.testing.assert_array_equal(y, np.full(size, value, "float32"))
    for other in (np.ones(9000), np.ones(18000, "float32")[::2], np.ones(9000, "int32")):
        assert strided.fill(other, 0) is NotImplemented and other.all()
