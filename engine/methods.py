"""Hangs the operations on Tensor, as methods and operators: the one place where Tensor meets engine.ops."""

from __future__ import annotations

from engine import conversion, dtypes, functions, inert, interchange, ops, views
from engine.ops import compare, indexing, linear, pointwise, shape, unary
from engine.ops._op import expect_tensors, in_place, is_number
from engine.tensor import Tensor

_OPERATORS = {
    "__add__": pointwise.add.plain, "__sub__": pointwise.sub.plain, "__mul__": pointwise.mul,
    "__truediv__": pointwise.div.plain, "__floordiv__": pointwise.floor_divide, "__mod__": pointwise.remainder,
    "__pow__": pointwise.pow, "__matmul__": linear.matmul,
    "__radd__": pointwise.add.plain, "__rmul__": pointwise.mul,
    "__neg__": unary.neg, "__pos__": unary.positive, "__abs__": unary.abs,
    "__and__": compare.bitwise_and, "__or__": compare.bitwise_or, "__xor__": compare.bitwise_xor,
    "__rand__": compare.bitwise_and, "__ror__": compare.bitwise_or, "__rxor__": compare.bitwise_xor,
    "__lt__": compare.lt, "__le__": compare.le, "__gt__": compare.gt, "__ge__": compare.ge,
    "__getitem__": indexing.get, "__setitem__": indexing.set_,
}  # fmt: skip
_SWAPPED_OPERATORS = {
    "__rsub__": pointwise.sub.plain, "__rtruediv__": pointwise.div.plain, "__rfloordiv__": pointwise.floor_divide,
    "__rmod__": pointwise.remainder, "__rpow__": pointwise.pow,
}  # fmt: skip
_IN_PLACE_OPERATORS = {
    "__iadd__": pointwise.add.plain, "__isub__": pointwise.sub.plain, "__imul__": pointwise.mul,
    "__itruediv__": pointwise.div.plain, "__ifloordiv__": pointwise.floor_divide, "__imod__": pointwise.remainder,
    "__ipow__": pointwise.pow, "__iand__": compare.bitwise_and, "__ior__": compare.bitwise_or,
    "__ixor__": compare.bitwise_xor,
}  # fmt: skip


def _swapped(f):
    return lambda self, other: f(other, self)


def _comparison(f):
    """== and !=: False and True for what is no number, as Python expects of any object."""
    unequal = f is compare.ne

    def method(self, other):
        if other is None or isinstance(other, (str, list, tuple, dict)):
            return unequal
        return f(self, other)

    return method


def _invert(self):
    """~x."""
    if self.dtype.kind == "f":
        raise TypeError(f"~ is for integer and bool tensors, got {self.dtype}; use x.logical_not()")
    return unary.bitwise_not(self)


def _copy_(self, source, non_blocking=False):
    """Take over the values of `source`, broadcast and cast."""
    if is_number(source) and not isinstance(source, Tensor):
        return _fill_(self, source)
    expect_tensors("copy_", source=source)
    return self._replace(shape.expand(functions.to(source, dtype=self.dtype, device=self.device), self.shape), "copy_")


def _fill_(self, value):
    """Set every element to a number."""
    return self._replace(functions.full(self.shape, value, dtype=self.dtype, device=self.device), "fill_")


def attach():
    """Hang everything on Tensor."""
    for family in ops.FAMILIES:
        for name in getattr(family, "METHODS", ()):
            setattr(Tensor, name, getattr(family, name))
        for name in getattr(family, "IN_PLACE", ()):
            setattr(Tensor, f"{name}_", in_place(getattr(family, name)))
    for name, f in _OPERATORS.items():
        setattr(Tensor, name, f)
    for name, f in _IN_PLACE_OPERATORS.items():
        setattr(Tensor, name, in_place(f))
    for family in (views, conversion, dtypes, interchange, inert):
        for name, f in family.METHODS.items():
            setattr(Tensor, name, f)
    for name, f in _SWAPPED_OPERATORS.items():
        setattr(Tensor, name, _swapped(f))
    Tensor.__eq__, Tensor.__ne__ = _comparison(compare.eq), _comparison(compare.ne)
    Tensor.__invert__ = _invert
    Tensor.where = lambda self, condition, other: pointwise.where(condition, self, other)
    Tensor.copy_, Tensor.fill_ = _copy_, _fill_
    Tensor.zero_ = lambda self: _fill_(self, 0)
