"""Parameter: a Tensor that a Module registers and an optimiser updates, and a short way to it."""

from __future__ import annotations

from engine import functions
from engine.tensor import Tensor

__all__ = ["Parameter", "UninitializedParameter"]


class Parameter(Tensor):
    """A leaf over the memory of `data` that requires a gradient unless told otherwise."""

    __slots__ = ()

    def __new__(cls, data, requires_grad=True):
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter expects a Tensor, got {type(data).__name__}")
        p = super().__new__(cls)
        p._array, p._k, p._version = data._array, data._k, data._version
        p._node, p._is_view, p.grad = None, False, None
        p.requires_grad = requires_grad
        return p

    def __init__(self, data, requires_grad=True):
        pass

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"


class registered:
    """`weight = registered("_parameters")` in a Module: its entry of that name, found in a fifth of __getattr__'s time.

    An attribute of the instance comes before it, and __getattr__ behind it.
    """

    def __init__(self, table):
        self.table = table

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, module, owner=None):
        if module is None:
            return self
        try:
            return module.__dict__[self.table][self.name]
        except KeyError:
            raise AttributeError(self.name) from None


class UninitializedParameter(Parameter):
    """A Parameter whose shape is not known yet: a lazy layer, or load_state_dict, materializes it."""

    __slots__ = ()

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        return super().__new__(cls, functions.empty(0, dtype=dtype, device=device), requires_grad)

    def __init__(self, requires_grad=True, device=None, dtype=None):
        pass

    def materialize(self, shape):
        """Become a Parameter of that shape, zeros for the layer to initialise."""
        self._array = self._k.full(tuple(shape), 0, self._array.dtype)
        self.__class__ = Parameter

    def _refuse(self, *_):
        raise ValueError(
            "a parameter of a lazy layer has no shape yet: call the model once, on a batch of the real size, before "
            "this (for example before counting parameters or saving)"
        )

    shape = property(_refuse)
    numel = size = numpy = tolist = item = _refuse

    def __repr__(self):
        return "<UninitializedParameter>"
