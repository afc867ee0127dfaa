"""Hangs the operations on Tensor, as methods and operators: the one place where Tensor meets engine.ops."""

from __future__ import annotations

from engine import functions, ops
from engine.ops import indexing, linear, pointwise, shape
from engine.ops._op import in_place
from engine.tensor import Tensor

_OPERATORS = {
    "__add__": pointwise.add, "__sub__": pointwise.sub, "__mul__": pointwise.mul, "__truediv__": pointwise.div,
    "__pow__": pointwise.pow, "__matmul__": linear.matmul, "__neg__": pointwise.neg, "__abs__": pointwise.abs,
    "__radd__": pointwise.add, "__rmul__": pointwise.mul,
    "__lt__": pointwise.lt, "__le__": pointwise.le, "__gt__": pointwise.gt, "__ge__": pointwise.ge,
    "__getitem__": indexing.get, "__setitem__": indexing.set_,
}  # fmt: skip
_IN_PLACE_OPERATORS = {
    "__iadd__": pointwise.add, "__isub__": pointwise.sub, "__imul__": pointwise.mul, "__itruediv__": pointwise.div,
}  # fmt: skip


def _several(f, keyword):
    """A method that takes sizes one by one or as a tuple: `x.reshape(2, 3)`, `x.reshape((2, 3))`."""

    def method(self, *sizes):
        if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
            sizes = sizes[0]
        return f(self, **{keyword: tuple(sizes)})

    method.__name__, method.__doc__ = f.__name__, f.__doc__
    return method


def _swapped(f):
    return lambda self, other: f(other, self)


def _comparison(f):
    """== and !=: False and True for what is no number, as Python expects of any object."""
    unequal = f is pointwise.ne

    def compare(self, other):
        if other is None or isinstance(other, (str, list, tuple, dict)):
            return unequal
        return f(self, other)

    return compare


def _t(self):
    """The transpose of a matrix (or a vector, itself)."""
    if self.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {self.ndim}D")
    return self if self.ndim < 2 else shape.transpose(self, 0, 1)


def _contiguous(self):
    """The tensor itself when its memory is in row-major order, else a copy that is."""
    return self if self.is_contiguous() else shape.clone(self)


def _copy_(self, source):
    """Take over the values of `source`, broadcast and cast."""
    return self._replace(shape.expand(functions.to(source, dtype=self.dtype), self.shape), "copy_")


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
    Tensor.to = functions.to
    for name, f, keyword in (
        ("reshape", shape.reshape, "shape"),
        ("view", shape.view, "shape"),
        ("permute", shape.permute, "dims_order"),
        ("expand", shape.expand, "shape"),
    ):
        setattr(Tensor, name, _several(f, keyword))
    Tensor.__rsub__ = _swapped(pointwise.sub)
    Tensor.__rtruediv__ = _swapped(pointwise.div)
    Tensor.__rpow__ = _swapped(pointwise.pow)
    Tensor.__eq__, Tensor.__ne__ = _comparison(pointwise.eq), _comparison(pointwise.ne)
    Tensor.t, Tensor.T = _t, property(_t)
    Tensor.contiguous = _contiguous
    Tensor.copy_, Tensor.fill_ = _copy_, _fill_
    Tensor.zero_ = lambda self: _fill_(self, 0)
    for name, dtype in (
        ("float", "float32"),
        ("double", "float64"),
        ("long", "int64"),
        ("int", "int32"),
        ("bool", "bool"),
    ):
        setattr(Tensor, name, lambda self, dtype=dtype: functions.to(self, dtype=dtype))
    Tensor.type_as = lambda self, other: functions.to(self, dtype=other.dtype)
    Tensor.view_as = lambda self, other: shape.view(self, shape=other.shape)
    Tensor.reshape_as = lambda self, other: shape.reshape(self, shape=other.shape)
