"""Parameter: a Tensor that a Module registers and an optimiser updates."""

from __future__ import annotations

from engine.tape import Version
from engine.tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf over the memory of `data` that requires a gradient unless told otherwise."""

    __slots__ = ()

    def __new__(cls, data, requires_grad=True):
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter expects a Tensor, got {type(data).__name__}")
        p = super().__new__(cls)
        p._array, p._k, p._version = data._array, data._k, Version()
        p._node, p._is_view, p.grad = None, False, None
        p.requires_grad = requires_grad
        return p

    def __init__(self, data, requires_grad=True):
        pass

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"
