"""Methods of Tensor that give it another dtype or device, or make new ones in its likeness."""

from __future__ import annotations

from engine import functions
from engine.ops._op import expect_tensors

_NAMES = {  # method -> dtype
    "float": "float32", "double": "float64", "long": "int64", "int": "int32", "short": "int16", "char": "int8",
    "byte": "uint8", "bool": "bool", "half": "float16", "bfloat16": "bfloat16",
}  # fmt: skip
_TYPES = {dtype: f"{name.title()}Tensor" for name, dtype in _NAMES.items()}  # float32 -> FloatTensor


def _named(name, dtype):
    def method(self, memory_format=None):
        return functions.to(self, dtype=dtype)

    method.__name__, method.__doc__ = name, f"x in {dtype}; x itself where it is."
    return method


def type(self, dtype=None, non_blocking=False):
    """x in another dtype, given as for `to` or as PyTorch names its types ('engine.DoubleTensor'); the name without one."""
    if dtype is None:
        return f"engine.{_TYPES[self.dtype.name]}"
    if isinstance(dtype, str) and dtype.endswith("Tensor"):
        names = {name: d for d, name in _TYPES.items()}
        dtype = names.get(dtype.rpartition(".")[2], dtype)
    return functions.to(self, dtype=dtype)


def cpu(self, memory_format=None):
    """x on the CPU; x itself where it is."""
    return functions.to(self, device="cpu")


def cuda(self, device=None, non_blocking=False, memory_format=None):
    """x on the GPU; x itself where it is. RuntimeError says what is missing where there is none."""
    return functions.to(self, "cuda" if device is None else device)


def type_as(self, other):
    """x in the dtype of another Tensor."""
    expect_tensors("type_as", other=other)
    return functions.to(self, dtype=other.dtype)


def _like(self, dtype, device):
    return {"dtype": dtype or self.dtype, "device": device or self.device}


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A new Tensor from data, in x's dtype and on its device unless given."""
    return functions.tensor(data, **_like(self, dtype, device), requires_grad=requires_grad)


def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A Tensor of one value, in x's dtype and on its device unless given."""
    return functions.full(size, fill_value, **_like(self, dtype, device), requires_grad=requires_grad)


def _new(f):
    def method(self, *shape, size=None, dtype=None, device=None, requires_grad=False):
        return f(*shape, size=size, **_like(self, dtype, device), requires_grad=requires_grad)

    method.__name__, method.__doc__ = (
        f"new_{f.__name__}",
        f"As {f.__name__}, in x's dtype and on its device unless given.",
    )
    return method


METHODS = {
    "to": functions.to,
    "cpu": cpu,
    "cuda": cuda,
    "is_cuda": property(lambda self: self._k.name == "cuda"),
    **{name: _named(name, dtype) for name, dtype in _NAMES.items()},
    "type": type,
    "type_as": type_as,
    "new_tensor": new_tensor,
    "new_full": new_full,
    "new_zeros": _new(functions.zeros),
    "new_ones": _new(functions.ones),
    "new_empty": _new(functions.empty),
    "is_nonzero": functions.is_nonzero,
    "element_size": lambda self: self.dtype.itemsize,
    "nelement": lambda self: self.numel(),
    "ndimension": lambda self: self.ndim,
    "itemsize": property(lambda self: self.dtype.itemsize),
    "nbytes": property(lambda self: self.numel() * self.dtype.itemsize),
    "get_device": lambda self: -1 if self.device.index is None else self.device.index,
}
