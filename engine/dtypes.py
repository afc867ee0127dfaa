"""What is known of dtypes: their limits, which one two of them give, whether one fits into another, the default."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from engine import backends
from engine.ops._op import expect_tensors, is_number
from engine.tensor import Tensor

__all__ = [
    "can_cast", "finfo", "get_default_dtype", "iinfo", "is_complex", "is_floating_point", "promote_types", "result_type",
    "set_default_dtype",
]  # fmt: skip


@dataclass(frozen=True, init=False)
class finfo:
    """Limits of a float dtype (float32 unless given) as Python floats: `engine.finfo(x.dtype).eps`."""

    dtype: str
    bits: int
    eps: float
    min: float
    max: float
    tiny: float
    smallest_normal: float
    resolution: float

    def __init__(self, type=None):
        d = backends.dtype(type or get_default_dtype())
        if d.kind != "f":
            raise TypeError(f"finfo() requires a floating point dtype, got {d}; use iinfo()")
        limits = numpy.finfo(d)
        self.__dict__.update(dtype=d.name, bits=limits.bits, smallest_normal=float(limits.tiny))
        self.__dict__["resolution"] = 10.0**-limits.precision
        for name in ("eps", "min", "max", "tiny"):
            self.__dict__[name] = float(getattr(limits, name))


@dataclass(frozen=True, init=False)
class iinfo:
    """Limits of an integer dtype: `engine.iinfo(engine.int64).max`."""

    dtype: str
    bits: int
    min: int
    max: int

    def __init__(self, type):
        d = backends.dtype(type)
        if d.kind not in "iu":
            raise TypeError(f"iinfo() requires an integer dtype, got {d}" + ("; use finfo()" if d.kind == "f" else ""))
        limits = numpy.iinfo(d)
        self.__dict__.update(dtype=d.name, bits=limits.bits, min=int(limits.min), max=int(limits.max))


def get_default_dtype():
    """The dtype of Tensors made of Python floats: float32."""
    return backends.DEFAULT_FLOAT


def set_default_dtype(d):
    """Accepts float32, which it is; another default is not offered: say dtype=engine.float64 where Tensors are made."""
    d = backends.dtype(d)
    if d.kind != "f":
        raise TypeError(f"set_default_dtype(): only floating-point types are supported as the default type, got {d}")
    if d != backends.DEFAULT_FLOAT:
        raise NotImplementedError(
            f"set_default_dtype({d}): the default stays float32, for which there are compiled kernels; "
            f"use dtype={d} where tensors are made, and model.double()"
        )


def promote_types(type1, type2):
    """The smallest dtype that both fit into, by PyTorch's rules."""
    return backends.promote(backends.dtype(type1), backends.dtype(type2))


def result_type(tensor1, tensor2):
    """The dtype of an arithmetic operation on two Tensors or numbers."""
    if not isinstance(tensor1, Tensor):
        tensor1, tensor2 = tensor2, tensor1
    for operand in (tensor1, tensor2):
        if not is_number(operand) and not isinstance(operand, Tensor):
            raise TypeError(f"result_type() takes Tensors and numbers, got {type(operand).__name__}")
    if not isinstance(tensor1, Tensor):
        kinds = [backends.as_array(number).dtype for number in (tensor1, tensor2)]
        return backends.promote(*kinds)
    if isinstance(tensor2, Tensor):
        return backends.promote(tensor1.dtype, tensor2.dtype, tensor1.ndim == 0, tensor2.ndim == 0)
    return backends.promote_number(tensor1.dtype, tensor2)


def can_cast(from_, to):
    """Whether values of one dtype may be written into another: never floats into integers, nor numbers into bools."""
    source, target = backends.dtype(from_), backends.dtype(to)
    return "biuf".index(source.kind.replace("u", "i")) <= "biuf".index(target.kind.replace("u", "i"))


def is_floating_point(input):
    """Whether the Tensor holds floats."""
    expect_tensors("is_floating_point", input=input)
    return input.dtype.kind == "f"


def is_complex(input):
    """False: complex numbers are not offered."""
    expect_tensors("is_complex", input=input)
    return False


METHODS = {"is_floating_point": is_floating_point, "is_complex": is_complex}
