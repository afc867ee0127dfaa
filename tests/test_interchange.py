"""Tensors over the memory of NumPy's arrays and the other way round: shared where it can be, refused where it must be."""

import sys

import numpy as np
import pytest

import engine
from engine.utils import dlpack

DTYPES = ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_takes_a_tensor_without_a_copy(dtype):
    t = engine.zeros(2, 3, dtype=dtype)
    a = np.from_dlpack(t)
    assert a.dtype == dtype and address(a) == address(t.numpy()) and a.flags.writeable
    a[1, 2] = 1
    assert t[1, 2].item() == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_over_an_array_without_a_copy(dtype):
    a = np.zeros((2, 3), dtype)
    t = engine.from_dlpack(a)
    assert t.dtype == dtype and address(t.numpy()) == address(a)
    t[0, 1] = 1
    assert a[0, 1] == 1


@pytest.mark.parametrize(
    "view", [lambda a: a.T, lambda a: a[::2, 1:], lambda a: a[1], lambda a: a[:0], lambda a: a[1, 1], lambda a: a[::-1]]
)
def test_layouts(view):
    a = view(np.arange(24.0).reshape(4, 6))
    t = engine.from_dlpack(np.asarray(a) if a.ndim else np.array(a))
    np.testing.assert_array_equal(t.numpy(), a)
    np.testing.assert_array_equal(np.from_dlpack(t), a)
    assert t.numpy().strides == np.from_dlpack(t).strides


def test_the_memory_outlives_whoever_made_it():
    t = engine.from_dlpack(np.arange(1000.0))
    a = np.from_dlpack(engine.arange(1000))
    for _ in range(20):
        np.zeros(1000)
    assert t.sum().item() == a.sum() == 499500


def test_capsules():
    t = engine.ones(3)
    for capsule in (dlpack.to_dlpack(t), t.__dlpack__(), t.__dlpack__(max_version=(1, 0))):
        shared = dlpack.from_dlpack(capsule)
        shared[0] += 1
    assert t.tolist() == [4, 1, 1]  # all three share t's memory
    with pytest.raises(RuntimeError, match="no DLPack capsule, or one that was taken already"):
        dlpack.from_dlpack(capsule)  # taken already


def test_a_tensor_from_a_tensor_shares_or_copies():
    t = engine.ones(2)
    engine.from_dlpack(t)[0] = 5
    engine.from_dlpack(t, copy=True)[1] = 5
    assert t.tolist() == [5, 1]


def test_read_only_memory_is_copied_or_refused():
    a = np.ones(3)
    a.flags.writeable = False
    with pytest.raises(BufferError, match="the memory is read-only, so a Tensor needs a copy"):
        engine.from_dlpack(a, copy=False)
    engine.from_dlpack(a).fill_(7)
    assert a.tolist() == [1, 1, 1]


def test_copies_on_request():
    a = np.ones(2)
    engine.from_dlpack(a, copy=True).fill_(3)
    engine.from_dlpack(a, copy=False, device="cpu")[0] = 2
    assert a.tolist() == [2, 1]
    t = engine.ones(2)
    np.from_dlpack(t, copy=True)[0] = 9
    assert t.tolist() == [1, 1]


class Elsewhere:
    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **_):
        raise AssertionError("asked for memory on another device")


@pytest.mark.parametrize("source, error, message", [
    (3, TypeError, "expects an object with __dlpack__ or a capsule, got int"), ([1.0], TypeError, "got list"),
    (np.ones(2, "float16"), TypeError, "float16 is not supported"), (np.ones(2, "complex64"), TypeError, "complex64 is not supported"),
    (np.ones(2, "uint16"), TypeError, "uint16 is not supported"), (Elsewhere(), BufferError, "on a device of kind 2, not on the CPU"),
])  # fmt: skip
def test_what_no_tensor_can_be_over(source, error, message):
    with pytest.raises(error, match=message):
        engine.from_dlpack(source)


def test_what_is_not_handed_out():
    taped = engine.ones(2, requires_grad=True)
    for give in (
        np.from_dlpack,
        lambda t: t.__dlpack__(),
        engine.utils.dlpack.to_dlpack,
        lambda t: (t * 2).__dlpack__(),
    ):
        with pytest.raises(BufferError, match=r"can't export tensors that require gradient, use tensor.detach\(\)"):
            give(taped)
    assert np.from_dlpack(taped.detach()).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(taped)
    t = engine.ones(2)
    assert t.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="cannot go to device"):
        t.__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="has no streams"):
        t.__dlpack__(stream=1)
    with pytest.raises(RuntimeError, match="not available"):
        engine.from_dlpack(t.numpy(), device="cuda")
    expanded = engine.ones(1).expand(3)
    np.testing.assert_array_equal(np.from_dlpack(expanded), [1, 1, 1])


def test_numpy_functions_take_tensors():
    t = engine.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert address(np.asarray(t)) == address(t.numpy())
    assert np.asarray(t, "float64").dtype == np.float64 and np.array(t).sum() == 10
    assert np.stack([t, t]).shape == (2, 2, 2) and np.linalg.det(t) == pytest.approx(-2)
    assert not hasattr(t, "__array_interface__")


def test_the_buffer_protocol():
    t = engine.arange(6).reshape(2, 3)
    view = memoryview(t) if sys.version_info >= (3, 12) else memoryview(t.numpy())
    assert (
        view.shape == (2, 3) and view.format in "lq" and not view.readonly and view.tolist() == [[0, 1, 2], [3, 4, 5]]
    )
    assert bytes(view) == t.numpy().tobytes()
    assert t.__buffer__(0).tolist() == [[0, 1, 2], [3, 4, 5]]
    taped = engine.ones(2, requires_grad=True)
    with pytest.raises(BufferError, match="require gradient"):
        taped.__buffer__(0)
    if sys.version_info >= (3, 12):
        with pytest.raises(BufferError, match="require gradient"):
            memoryview(taped)
        np.asarray(t.t())[0, 1] = 9
        assert t[1, 0].item() == 9
