"""Indexing as NumPy does it: numbers, slices, None, ..., bool masks and integer tensors."""

from __future__ import annotations

from engine.ops._op import op
from engine.tape import mode, touch
from engine.tensor import Tensor

__all__: list[str] = []


def raw_index(index):
    """The index with Tensors replaced by their arrays."""
    if isinstance(index, Tensor):
        array = index._array
        return array.item() if not array.ndim and array.dtype.kind in "iu" else array  # a number keeps it a view
    if isinstance(index, list):
        return [raw_index(i) for i in index]
    if isinstance(index, tuple):
        return tuple(raw_index(i) for i in index)
    return index


@op(view=True)
def getitem(k, x, *, index):
    """x[index]: a view for numbers and slices, a copy for masks and lists."""
    shape = x.shape
    try:
        y = k.getitem(x, index)
    except OverflowError:
        raise IndexError(f"index {index} is out of bounds for shape {shape}") from None
    return y, (lambda g: k.getitem_dx(g, index, shape),)


@op
def setitem(k, x, value, *, index):
    """A copy of x with x[index] = value."""
    y = k.copy(x)
    k.assign(y, index, value)
    to = value.shape

    def dx(g):
        rest = k.copy(g)
        k.assign(rest, index, k.full((), 0, g.dtype))
        return rest

    def dvalue(g):
        part = k.getitem(g, index)
        return k.sum_to(part, to[max(len(to) - part.ndim, 0) :]).reshape(to)  # NumPy drops leading axes of size 1

    return y, (dx, dvalue)


def get(x, index):
    """Tensor.__getitem__."""
    return getitem(x, index=raw_index(index))


def set_(x, index, value):
    """Tensor.__setitem__: in place, recorded where a gradient is wanted."""
    if not isinstance(value, Tensor):
        from engine.functions import tensor

        value = tensor(value, dtype=x.dtype, device=x.device)
    index = raw_index(index)
    if mode.grad and (x._node is not None or value._node is not None):
        x._replace(setitem(x, value, index=index), "setitem")
    else:
        x._k.assign(x._array, index, value._array)
        touch(x._version, x._array, "setitem")
