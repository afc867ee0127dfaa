"""Tensors over PyTorch's memory and the other way round."""

import numpy as np
import pytest

import engine
from engine.utils import dlpack

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"])
def test_shared_both_ways(dtype):
    ours = engine.zeros(2, 3, dtype=dtype)
    theirs = torch.from_dlpack(ours)
    theirs[1, 2] = 1
    again = engine.from_dlpack(theirs)
    again[0, 0] = 1
    assert ours.tolist() == theirs.tolist() == again.tolist() and ours[1, 2].item() == ours[0, 0].item() == 1
    assert str(theirs.dtype) == f"torch.{dtype}" and again.dtype == dtype


def test_capsules_both_ways():
    ours, theirs = engine.ones(3), torch.ones(3)
    torch.utils.dlpack.from_dlpack(dlpack.to_dlpack(ours))[0] = 5
    dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(theirs))[0] = 5
    assert ours.tolist() == theirs.tolist() == [5, 1, 1]


def test_layouts():
    theirs = torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)[::2]
    ours = engine.from_dlpack(theirs)
    assert tuple(ours.shape) == tuple(theirs.shape) and ours.numpy().ctypes.data == theirs.data_ptr()
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    back = torch.from_dlpack(ours)
    assert back.stride() == theirs.stride() and back.data_ptr() == theirs.data_ptr()


def test_what_is_refused_is_refused_by_both():
    with pytest.raises(BufferError, match="require gradient"):
        engine.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(BufferError, match="require gradient"):
        torch.from_dlpack(engine.ones(2, requires_grad=True))
    with pytest.raises(TypeError):
        engine.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match="float16"):
        engine.from_dlpack(torch.ones(2, dtype=torch.half))
    assert engine.ones(1).__dlpack_device__() == tuple(map(int, torch.ones(1).__dlpack_device__()))


def test_pytorch_takes_the_array_of_a_tensor():
    t = engine.tensor([[1.0, 2.0]])
    assert torch.as_tensor(np.asarray(t)).tolist() == torch.from_numpy(t.numpy()).tolist() == [[1, 2]]
