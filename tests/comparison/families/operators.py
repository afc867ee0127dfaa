"""Calls by operators and by Python's own functions: `x + y`, `-x`, `len(x)`, `repr(x)`."""

from __future__ import annotations

import builtins
import operator
from dataclasses import dataclass

import numpy as np

from comparison.call import Call
from comparison.draw import INTEGERS
from comparison.families.elementwise import pair
from comparison.families.linear import matmul
from comparison.registry import calls
from comparison.surfaces import NotATensor


@dataclass
class Through:
    """An operator in place of the method that it calls."""

    symbol: str
    swapped: bool = False

    def __call__(self, lib, f, arguments, named, leaves):
        if named or not isinstance(arguments[0], lib.Tensor) or any(isinstance(a, np.ndarray) for a in arguments):
            raise NotATensor
        f = getattr(operator, self.symbol, None) or getattr(builtins, self.symbol)
        result = f(*(reversed(arguments) if self.swapped else arguments))
        if self.symbol == "repr":
            return (
                result.replace("torch.", "")
                .replace(",\n       dtype", ", dtype")
                .replace(",\n       requires", ", requires")
            )
        return list(result) if self.symbol == "iter" else result

    def __repr__(self):
        return f"by {self.symbol}"


ARITHMETIC = "add sub mul truediv floordiv mod pow lt le gt ge eq ne"


@calls(" ".join(f"__{n}__" for n in ARITHMETIC.split()), "Tensor")
def arithmetic(draw, name):
    x, y = pair(draw)
    return Call({"_a": x, "_b": y}, through=Through(name.strip("_")), length=2, ulps=64)


@calls("__matmul__", "Tensor")
def product(draw, name):
    call = matmul(draw, name)
    return Call({"_a": call.named["input"], "_b": call.named["other"]}, through=Through("matmul"), length=call.length)


@calls("__and__ __or__ __xor__", "Tensor")
def bits(draw, name):
    x, y = pair(draw, (*INTEGERS, "bool", "bool"))
    return Call({"_a": x, "_b": y}, through=Through({"and": "and_", "or": "or_", "xor": "xor"}[name.strip("_")]))


@calls("__radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rmod__ __rpow__", "Tensor")
def swapped(draw, name):
    x, _ = pair(draw)
    return Call(
        {"_a": x, "_b": draw.pick(draw.number(), 0, 1, 2, -1, True, 0.5)},
        through=Through(name.strip("_")[1:], swapped=True),
        length=2,
        ulps=64,
    )


@calls("__rand__ __ror__ __rxor__", "Tensor")
def swapped_bits(draw, name):
    x, _ = pair(draw, (*INTEGERS, "bool"))
    symbol = {"and": "and_", "or": "or_", "xor": "xor"}[name.strip("_")[1:]]
    return Call({"_a": x, "_b": draw.pick(0, 1, 2, 7, True, False)}, through=Through(symbol, swapped=True))


@calls("__iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__ __imod__ __ipow__", "Tensor")
def augmented(draw, name):
    x, y = pair(draw)
    return Call({"_a": x, "_b": y}, through=Through(name.strip("_")), length=2, ulps=64)


@calls("__iand__ __ior__ __ixor__", "Tensor")
def augmented_bits(draw, name):
    x, y = pair(draw, (*INTEGERS, "bool", "bool"))
    return Call({"_a": x, "_b": y}, through=Through(name.strip("_")))


@calls("__neg__ __pos__ __abs__ __invert__ __len__ __iter__ __repr__", "Tensor")
def alone(draw, name):
    return Call(
        {"_a": draw.tensor(draw.shape(), draw.dtype(), special=0.1)},
        through=Through({"invert": "invert"}.get(name.strip("_"), name.strip("_"))),
    )


@calls("__bool__ __float__ __int__ __index__", "Tensor")
def converted(draw, name):
    x = draw.tensor(draw.pick((), (), (1,), (1, 1), (2,), (0,)), draw.dtype())
    return Call({"_a": x}, through=Through(name.strip("_")))


@calls("__format__", "Tensor")
def formatted(draw, name):
    return Call(
        {
            "_a": draw.tensor((), draw.dtype("float32", "float64", "int64"), grad=False),
            "_spec": draw.pick("", ".2f", "8.3f", "e", "s"),
        },
        through=Through("format"),
    )
