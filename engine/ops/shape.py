"""Shapes: the same elements in another arrangement. Views share memory with their input where NumPy's do."""

from __future__ import annotations

import math
import operator

from engine.geometry import ShapeError
from engine.ops import _op
from engine.ops._op import DtypeError, dims, expect_tensors, numpys_names, one_dim, op

__all__ = [
    "broadcast_shapes", "broadcast_tensors", "broadcast_to", "cat", "clone", "concat", "concatenate", "flatten", "moveaxis", "movedim",
    "permute", "ravel", "reshape", "squeeze", "stack", "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze",
]  # fmt: skip
_INT = {int}
METHODS = (
    "broadcast_to clone expand flatten moveaxis movedim permute ravel reshape squeeze swapaxes swapdims t transpose unflatten "
    "unsqueeze view"
).split()


def integers(name, sizes, alone=False):
    """`sizes`, a tuple or list (or, if `alone`, one integer), as a tuple of ints; DtypeError for what is none."""
    if type(sizes) is tuple and {*map(type, sizes)} == _INT:
        return sizes
    if not (alone or isinstance(sizes, (tuple, list))):
        raise TypeError(f"{name}() takes a tuple of integers, got {sizes!r}")
    for s in sizes if isinstance(sizes, (tuple, list)) else (sizes,):
        if isinstance(s, bool) or not hasattr(s, "__index__"):
            raise DtypeError(f"{name}(): sizes must be integers, got {sizes!r}")
    return tuple(map(operator.index, sizes if isinstance(sizes, (tuple, list)) else (sizes,)))


def integer(name, value):
    """`value` as an int; TypeError for what is none."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}() takes an integer, got {value!r}")
    return operator.index(value)


def _sizes(name, shape, x):
    """The shape asked for, with -1 worked out."""
    shape = integers(name, shape)
    known, holes = math.prod(shape), shape.count(-1)
    if shape and min(shape) >= 0 and known == x.size:
        return shape
    known = -known if holes == 1 else known
    if holes > 1 or any(s < -1 for s in shape):
        raise ShapeError(f"{name}(): shape {shape} may hold one -1 and no other negative size")
    fits = known != 0 and x.size % known == 0 if holes else known == x.size
    if not fits:
        raise ShapeError(f"{name}(): shape {shape} is invalid for input of size {x.size} (shape {x.shape})")
    return tuple([x.size // known if s == -1 else s for s in shape])


@op(view=True)
def reshape(k, x, *, shape):
    """The elements in row-major order as another shape, one size of which may be -1. A copy only where it must be."""
    before = x.shape
    return x.reshape(_sizes("reshape", shape, x)), (lambda g: g.reshape(before),)


@op(view=True)
def view(k, x, *, shape):
    """As reshape, but refuses to copy."""
    before = x.shape
    y = x.reshape(_sizes("view", shape, x))
    if x.size and not k.shares_memory(x, y):
        raise RuntimeError(
            f"view size is not compatible with input tensor's size and stride (shape {before} as {y.shape}). "
            "Use .reshape(...) instead"
        )
    return y, (lambda g: g.reshape(before),)


@op(view=True)
def permute(k, x, *, dims):
    """The axes in another order."""
    dims = integers("permute", dims)
    if len(dims) != x.ndim:
        raise RuntimeError(f"permute(): got {len(dims)} dims {dims} for a tensor of {x.ndim} dimensions")
    order = _op.dims("permute", dims, x.ndim)
    back = tuple([order.index(i) for i in range(x.ndim)])
    return x.transpose(order), (lambda g: g.transpose(back),)


@op(view=True)
def transpose(k, x, *, dim0, dim1):
    """Two axes exchanged."""
    a, b = one_dim("transpose", dim0, x.ndim), one_dim("transpose", dim1, x.ndim)
    if a == b:
        return x.reshape(x.shape), (lambda g: g,)
    return x.swapaxes(a, b), (lambda g: g.swapaxes(a, b),)


@op(view=True)
def expand(k, x, *, shape):
    """Axes of size 1 repeated without copying; -1 keeps an axis' size."""
    shape = integers("expand", shape)
    new = len(shape) - x.ndim
    if new < 0:
        raise ShapeError(f"expand(): {len(shape)} sizes {tuple(shape)} for a tensor of {x.ndim} dimensions")
    sizes = tuple([x.shape[i - new] if s == -1 and i >= new else s for i, s in enumerate(shape)])
    for i, s in enumerate(sizes):
        if s < 0 or (i >= new and x.shape[i - new] not in (1, s)):
            raise ShapeError(f"expand(): shape {x.shape} cannot be expanded to {tuple(shape)}")
    before = x.shape
    return k.broadcast(x, sizes), (lambda g: k.sum_to(g, before),)


@op
def cat(k, *arrays, dim=0):
    """Tensors one behind the other along an existing axis. Those of shape (0,) count as nothing, as in PyTorch."""
    first = next((a for a in arrays if a.shape != (0,)), arrays[0])
    if not all(a.ndim for a in arrays):
        raise RuntimeError("zero-dimensional tensors cannot be concatenated; use stack() or unsqueeze(0)")
    axis = one_dim("cat", dim, first.ndim)
    parts, end, vjps = [], 0, []
    for i, a in enumerate(arrays):
        if a.shape == (0,):
            vjps.append(lambda g: k.full((0,), 0, g.dtype))
            continue
        if a.ndim != first.ndim or any(
            p != q and j != axis for j, (p, q) in enumerate(zip(a.shape, first.shape, strict=True))
        ):
            raise ShapeError(
                f"cat(): sizes must match except in dimension {axis}: got {first.shape} and {a.shape} (tensor {i})"
            )
        index = (slice(None),) * axis + (slice(end, end + a.shape[axis]),)
        vjps.append(lambda g, index=index: g[index])
        end += a.shape[axis]
        parts.append(a)
    return k.cat(parts or arrays, axis), tuple(vjps)


concat = concatenate = cat


@op
def stack(k, *arrays, dim=0):
    """Tensors of one shape along a new axis."""
    shape = arrays[0].shape
    for i, a in enumerate(arrays):
        if a.shape != shape:
            raise ShapeError(f"stack() expects tensors of equal shape, got {shape} and {a.shape} (tensor {i})")
    axis = one_dim("stack", dim, len(shape) + 1)
    row = shape[:axis] + (1,) + shape[axis:]
    before = (slice(None),) * axis
    return k.cat([a.reshape(row) for a in arrays], axis), tuple(
        [lambda g, i=i: g[(*before, i, ...)] for i in range(len(arrays))]
    )


@op
def clone(k, x):
    """A copy with a gradient."""
    return k.copy(x), (lambda g: g,)


def ravel(input):
    """All elements as one axis."""
    return reshape(input, shape=(-1,))


def flatten(input, start_dim=0, end_dim=-1):
    """The axes start_dim..end_dim as one."""
    expect_tensors("flatten", input=input)
    shape = input.shape or (1,)
    first, last = one_dim("flatten", start_dim, len(shape)), one_dim("flatten", end_dim, len(shape))
    if first > last:
        raise RuntimeError(f"flatten() has invalid args: start_dim {start_dim} comes after end_dim {end_dim}")
    if first == last and input.ndim:
        return input
    return reshape(input, shape=shape[:first] + (math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(input, dim, sizes):
    """The axis `dim` as several of the given sizes, one of which may be -1."""
    expect_tensors("unflatten", input=input)
    if not (sizes := integers("unflatten", sizes)):
        raise ShapeError("unflatten(): sizes must be non-empty")
    axis = one_dim("unflatten", dim, input.ndim)
    n = input.shape[axis] if input.ndim else 1
    known = math.prod(s for s in sizes if s != -1)
    if sizes.count(-1) == 1 and known and n % known == 0:
        sizes = tuple([n // known if s == -1 else s for s in sizes])
    if any(s < 0 for s in sizes) or math.prod(sizes) != n:
        raise ShapeError(f"unflatten(): sizes {sizes} do not multiply up to the size of dim {dim}, {n}")
    return reshape(input, shape=input.shape[:axis] + sizes + input.shape[axis + 1 :])


@numpys_names
def unsqueeze(input, dim):
    """A new axis of size 1."""
    expect_tensors("unsqueeze", input=input)
    axis = one_dim("unsqueeze", dim, input.ndim + 1)
    return reshape(input, shape=input.shape[:axis] + (1,) + input.shape[axis:])


@numpys_names
def squeeze(input, dim=None):
    """Without the axes of size 1: all of them, or those of `dim` (one or several) that have it."""
    expect_tensors("squeeze", input=input)
    axes = dims("squeeze", dim, input.ndim)
    return reshape(input, shape=tuple([n for i, n in enumerate(input.shape) if n != 1 or i not in axes]))


def movedim(input, source, destination):
    """The axes `source` (one or several) at the places `destination`, the others in the order they had."""
    expect_tensors("movedim", input=input)
    if isinstance(source, (tuple, list)) != isinstance(destination, (tuple, list)):
        raise TypeError(
            f"movedim(): source and destination must be two integers or two tuples, got {source}, {destination}"
        )
    source, destination = (integers("movedim", d, alone=True) for d in (source, destination))
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim(): {len(source)} dims {source} cannot go to {len(destination)} places {destination}"
        )
    source, destination = dims("movedim", source, input.ndim), dims("movedim", destination, input.ndim)
    order = [i for i in range(input.ndim) if i not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return permute(input, dims=order)


moveaxis = movedim


def swapaxes(input, axis0, axis1):
    """As transpose."""
    return transpose(input, axis0, axis1)


def swapdims(input, dim0, dim1):
    """As transpose."""
    return transpose(input, dim0, dim1)


def t(input):
    """The transpose of a matrix (or a vector, itself)."""
    expect_tensors("t", input=input)
    if input.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D; use transpose or permute"
        )
    return reshape(input, shape=input.shape) if input.ndim < 2 else transpose(input, 0, 1)


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes have together."""
    shapes = [integers("broadcast_shapes", s, alone=True) for s in shapes]
    if any(n < 0 for s in shapes for n in s):
        raise ShapeError(f"broadcast_shapes(): sizes must not be negative, got {shapes}")
    out = []
    for i in range(-max(map(len, shapes), default=0), 0):
        sizes = {s[i] for s in shapes if len(s) >= -i} - {1}
        if len(sizes) > 1:
            raise ShapeError(f"shapes {', '.join(map(str, shapes))} cannot be broadcast together")
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def broadcast_to(input, size):
    """As expand: axes of size 1, and new ones in front, repeated without copying."""
    return expand(input, shape=size)


def broadcast_tensors(*tensors):
    """Tensors expanded to the shape that they have together."""
    expect_tensors("broadcast_tensors", **{f"tensors[{i}]": x for i, x in enumerate(tensors)})
    shape = broadcast_shapes(*[x.shape for x in tensors])
    return tuple([x if x.shape == shape else expand(x, shape=shape) for x in tensors])
