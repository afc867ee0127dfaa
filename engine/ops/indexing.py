"""Reading and writing parts of a tensor: between brackets, by masks and by positions in the flattened tensor."""

from __future__ import annotations

import math

from engine.geometry import ShapeError
from engine.grad_mode import mode
from engine.ops._op import DtypeError, OutOfRange, converted, expect_bools, expect_tensors, is_number, op
from engine.ops.pointwise import choose
from engine.ops.shape import broadcast_shapes, broadcast_tensors, reshape
from engine.tape import Adding, touch
from engine.tensor import Tensor, wrap

__all__ = ["argwhere", "masked_fill", "masked_scatter", "masked_select", "nonzero", "take"]
METHODS = __all__
IN_PLACE = "masked_fill masked_scatter".split()


# ---- between brackets


def raw_index(index):
    """The index as kernels take it: arrays for Tensors, numbers for single integers, byte masks as bool, no step back."""
    if isinstance(index, list) and len(index) < 32 and any(i is None or i is ... or _is_nested(i) for i in index):
        index = tuple(index)  # as in PyTorch: x[[rows, columns]] is x[rows, columns]
    return tuple([raw_item(i) for i in index]) if isinstance(index, tuple) else raw_item(index)


def _is_nested(item):
    return isinstance(item, (list, tuple, slice, range, Tensor)) or bool(getattr(item, "ndim", 0))


def raw_item(item):
    """One of the parts of an index, for raw_index."""
    if isinstance(item, slice):
        if item.step is not None and item.step < 0:
            raise ValueError(f"step must be greater than zero, got {item.step}; use flip() to reverse")
        return item
    if isinstance(item, (list, tuple)):
        return [raw_item(i) for i in item]
    array = item._array if isinstance(item, Tensor) else item
    kind = getattr(getattr(array, "dtype", None), "kind", None)
    if kind is None:
        return item
    if kind in "iu" and not array.ndim:
        return array.item()  # a number keeps it a view
    if kind not in "iub":
        raise IndexError(f"tensors used as indices must be of an integer dtype or bool, got {array.dtype}")
    return array != 0 if array.dtype.name == "uint8" else array


@op(view=True)
def getitem(k, x, *, index):
    """x[index]: a view for numbers and slices, a copy for masks and lists."""
    shape = x.shape
    try:
        y = k.getitem(x, index)
    except OverflowError:
        raise IndexError(f"index {index} is out of bounds for shape {shape}") from None
    return y, (Adding(lambda g, onto: k.getitem_dx(g, index, shape, onto)),)


@op
def setitem(k, x, value, *, index):
    """A copy of x with x[index] = value."""
    y = k.copy(x)
    _assign(k, y, index, value)
    to = value.shape

    def dx(g):
        rest = k.copy(g)
        k.assign(rest, index, k.full((), 0, g.dtype))
        return rest

    def dvalue(g):
        part = k.getitem(g, index)
        return k.sum_to(part, to[max(len(to) - part.ndim, 0) :]).reshape(to)  # leading axes of size 1 are dropped

    return y, (dx, dvalue)


def _assign(k, x, index, value):
    try:
        k.assign(x, index, value)
    except (ValueError, TypeError):
        raise ShapeError(
            f"shape mismatch: a value of shape {value.shape} cannot be broadcast to what the index selects "
            f"of shape {x.shape}"
        ) from None


def get(x, index):
    """Tensor.__getitem__."""
    return getitem(x, index=raw_index(index))


def set_(x, index, value):
    """Tensor.__setitem__: in place, recorded where a gradient is wanted."""
    if is_number(value) and not isinstance(value, Tensor):
        value = one_number("setitem", x, value)
    elif not isinstance(value, Tensor):
        from engine.functions import tensor

        value = tensor(value, dtype=x.dtype, device=x.device)
    value, index = converted("setitem", value, x.dtype), raw_index(index)
    if mode.grad and (x._node is not None or value._node is not None):
        x._replace(setitem(x, value, index=index), "setitem")
    else:
        x._check_writable("setitem")
        _assign(x._k, x._array, index, value._array)
        touch(x._version, x._array, "setitem")


# ---- by masks and positions


def one_number(name, x, value):
    """A number, or a Tensor of one without dimensions, as a Tensor in x's dtype (which PyTorch does not widen here)."""
    if not isinstance(value, Tensor):
        number = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
        if not isinstance(number, (int, float)):
            raise TypeError(f"{name}(): value must be a number or a Tensor of one, got {type(value).__name__}")
        kind = x.dtype.kind
        if kind in "iu" and math.isfinite(number):
            number = int(number)
        limit = 2 ** (8 * x.dtype.itemsize)
        negative = kind == "u" and isinstance(value, float) and value < 0  # which whole numbers may be, in PyTorch
        if kind in "iu" and not (
            math.isfinite(number) and -limit / 2 <= number < (limit if kind == "u" else limit / 2) and not negative
        ):
            raise RuntimeError(f"{name}(): value {value} cannot be converted to {x.dtype} without overflow")
        if kind == "u":
            number %= limit
        return wrap(x._k.full((), number, x.dtype), x._k)
    if value.ndim:
        raise ShapeError(f"{name}() takes a number or a Tensor without dimensions as value, got shape {value.shape}")
    return converted(name, value, x.dtype)


def check_index(name, index, size, dim):
    """Integers in 0..size - 1, or an error that names the first that is not and its place."""
    if index.dtype.name not in ("int64", "int32"):
        raise DtypeError(f"{name}(): Expected dtype int64 for index, got {index.dtype}; use index.long()")
    outside = ((index < 0) | (index >= size)).reshape(-1)
    if outside.any():
        flat = int(outside.argmax())
        place, rest = [], flat
        for n in reversed(index.shape):
            rest, i = divmod(rest, n)
            place.insert(0, i)
        raise OutOfRange(
            f"{name}(): index {index.reshape(-1)[flat]} is out of bounds for dimension {dim} with size {size} "
            f"(at position {tuple(place)} of the index)"
        )


def from_the_front(k, positions, size):
    """Negative positions turned into those that they stand for."""
    return k.where(positions < 0, positions + size, positions) if positions.dtype.kind == "i" else positions


def as_vector(x):
    return x if x.ndim else reshape(x, shape=(1,))


def _check_mask(name, mask):
    expect_tensors(name, mask=mask)
    if mask.dtype.kind != "b":
        raise DtypeError(f"{name}() only supports boolean masks, got mask with dtype {mask.dtype}; use mask.bool()")


def masked_fill(input, mask, value):
    """`input` with a number (or a Tensor without dimensions) where the bool `mask`, broadcast, is True."""
    expect_tensors("masked_fill", input=input)
    _check_mask("masked_fill", mask)
    broadcast_shapes(input.shape, mask.shape)
    return choose(mask, one_number("masked_fill", input, value), input)


def masked_select(input, mask):
    """The elements where the bool `mask` is True, as one axis; both are broadcast."""
    expect_tensors("masked_select", input=input)
    _check_mask("masked_select", mask)
    input, mask = broadcast_tensors(input, mask)
    return getitem(input, index=mask._array)


def masked_scatter(input, mask, source):
    """`input` with the elements of `source`, one after the other, where the bool `mask` is True; it is broadcast."""
    expect_tensors("masked_scatter", input=input, source=source)
    _check_mask("masked_scatter", mask)
    if source.dtype != input.dtype:
        raise DtypeError(
            f"masked_scatter(): self and source must have the same dtype, got {input.dtype} and {source.dtype}"
        )
    input, mask = broadcast_tensors(input, mask)
    count = int(mask._array.sum())
    if count > source.numel():
        raise ShapeError(f"masked_scatter(): the mask has {count} places, but source has {source.numel()} elements")
    return setitem(input, getitem(reshape(source, shape=(-1,)), index=slice(count)), index=mask._array)


def take(input, index):
    """The elements at the int64 positions `index` of the flattened input, in the index' shape; negative from the end."""
    expect_tensors("take", input=input, index=index)
    if index.dtype.name != "int64":
        raise DtypeError(f"take(): Expected a long tensor for index, but got {index.dtype}; use index.long()")
    positions = from_the_front(index._k, index._array, input.numel())
    check_index("take", positions, input.numel(), 0)
    return getitem(reshape(input, shape=(-1,)), index=positions)


@op
def nonzero_positions(k, x):
    """int64 [number of nonzeros, dimensions]."""
    return k.nonzero(x), None


def nonzero(input, *, as_tuple=False):
    """Where the elements are not 0, in row-major order: int64 [number, dimensions], or one int64 vector per axis."""
    expect_tensors("nonzero", input=input)
    expect_bools("nonzero", as_tuple=as_tuple)
    if not as_tuple:
        return nonzero_positions(input)
    positions = nonzero_positions(as_vector(input))
    return tuple([getitem(positions, index=(slice(None), i)) for i in range(positions.shape[1])])


def argwhere(input):
    """As nonzero: int64 [number of nonzeros, dimensions]."""
    return nonzero_positions(input)
