"""Variable, the name that a Tensor with a history had before PyTorch 0.4."""

from __future__ import annotations

from engine.tensor import Tensor


class _EveryTensor(type):
    def __instancecheck__(cls, x):
        return isinstance(x, Tensor)


class Variable(metaclass=_EveryTensor):
    """`Variable(tensor)` is a leaf over the tensor's memory; every Tensor is an instance. TypeError for anything else."""

    def __new__(cls, data, requires_grad=False):
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
