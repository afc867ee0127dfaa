"""Shapes: the same elements in another arrangement. Views share memory with their input where NumPy's do."""

from __future__ import annotations

import operator

from engine.geometry import ShapeError
from engine.ops._op import dims, expect_tensors, op

__all__ = ["cat", "flatten", "permute", "reshape", "squeeze", "stack", "transpose", "unsqueeze"]
METHODS = "clone expand flatten permute reshape squeeze transpose unsqueeze view".split()


def _sizes(name, shape, x):
    """The shape asked for, with -1 worked out."""
    shape = tuple(map(operator.index, shape))
    known, holes = 1, shape.count(-1)
    for s in shape:
        known *= 1 if s == -1 else s
    if holes > 1 or any(s < -1 for s in shape):
        raise ShapeError(f"{name}(): shape {shape} may hold one -1 and no other negative size")
    fits = known != 0 and x.size % known == 0 if holes else known == x.size
    if not fits:
        raise ShapeError(f"{name}(): shape {shape} is invalid for input of size {x.size} (shape {x.shape})")
    return tuple(x.size // known if s == -1 else s for s in shape)


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
def permute(k, x, *, dims_order):
    """The axes in another order."""
    order = dims("permute", tuple(dims_order), x.ndim)
    if len(order) != x.ndim:
        raise RuntimeError(f"permute(): got {len(order)} dims {tuple(dims_order)} for a tensor of {x.ndim} dimensions")
    back = tuple(order.index(i) for i in range(x.ndim))
    return x.transpose(order), (lambda g: g.transpose(back),)


@op(view=True)
def transpose(k, x, *, dim0, dim1):
    """Two axes exchanged."""
    if not x.ndim:
        return x.reshape(()), (lambda g: g,)
    (a,), (b,) = dims("transpose", dim0, x.ndim), dims("transpose", dim1, x.ndim)
    return x.swapaxes(a, b), (lambda g: g.swapaxes(a, b),)


@op(view=True)
def expand(k, x, *, shape):
    """Axes of size 1 repeated without copying; -1 keeps an axis' size."""
    new = len(shape) - x.ndim
    if new < 0:
        raise ShapeError(f"expand(): {len(shape)} sizes {tuple(shape)} for a tensor of {x.ndim} dimensions")
    sizes = tuple(x.shape[i - new] if s == -1 and i >= new else s for i, s in enumerate(shape))
    for i, s in enumerate(sizes):
        if s < 0 or (i >= new and x.shape[i - new] not in (1, s)):
            raise ShapeError(f"expand(): shape {x.shape} cannot be expanded to {tuple(shape)}")
    before = x.shape
    return k.broadcast(x, sizes), (lambda g: k.sum_to(g, before),)


@op
def cat(k, *arrays, dim=0):
    """Tensors one behind the other along an existing axis."""
    first = arrays[0]
    if not first.ndim:
        raise RuntimeError("zero-dimensional tensors cannot be concatenated")
    (axis,) = dims("cat", dim, first.ndim)
    for i, a in enumerate(arrays):
        if a.ndim != first.ndim or any(
            p != q and j != axis for j, (p, q) in enumerate(zip(a.shape, first.shape, strict=True))
        ):
            raise ShapeError(
                f"cat(): sizes must match except in dimension {axis}: got {first.shape} and {a.shape} (tensor {i})"
            )
    ends, vjps = 0, []
    for a in arrays:
        index = (slice(None),) * axis + (slice(ends, ends + a.shape[axis]),)
        vjps.append(lambda g, index=index: g[index])
        ends += a.shape[axis]
    return k.cat(arrays, axis), tuple(vjps)


@op
def pad(k, x, *, pad, value=0.0):
    """Constant padding: `pad` holds (before, after) of the last axis, then of the one before it, ...; negative crops."""
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ShapeError(f"pad(): expected an even number of at most {2 * x.ndim} sizes, got {tuple(pad)}")
    widths = [(0, 0)] * x.ndim
    for i in range(len(pad) // 2):
        widths[-1 - i] = (operator.index(pad[2 * i]), operator.index(pad[2 * i + 1]))
    for size, (before, after) in zip(x.shape, widths, strict=True):
        if size + min(before, 0) + min(after, 0) < 0:
            raise ShapeError(f"pad(): padding {tuple(pad)} crops more than shape {x.shape} has")
    back = [(-before, -after) for before, after in widths]
    return k.pad(x, widths, value), (lambda g: k.pad(g, back, 0.0),)


@op
def clone(k, x):
    """A copy with a gradient."""
    return k.copy(x), (lambda g: g,)


def flatten(x, start_dim=0, end_dim=-1):
    """The axes start_dim..end_dim as one."""
    expect_tensors("flatten", input=x)
    if not x.ndim:
        return reshape(x, shape=(1,))
    (first,), (last,) = dims("flatten", start_dim, x.ndim), dims("flatten", end_dim, x.ndim)
    if first > last:
        raise RuntimeError(f"flatten() has invalid args: start_dim {start_dim} comes after end_dim {end_dim}")
    merged = 1
    for size in x.shape[first : last + 1]:
        merged *= size
    return reshape(x, shape=x.shape[:first] + (merged,) + x.shape[last + 1 :])


def unsqueeze(x, dim):
    """A new axis of size 1."""
    expect_tensors("unsqueeze", input=x)
    (axis,) = dims("unsqueeze", dim, x.ndim + 1)
    return reshape(x, shape=x.shape[:axis] + (1,) + x.shape[axis:])


def squeeze(x, dim=None):
    """Without the axes of size 1: all of them, or those of `dim` that have it."""
    expect_tensors("squeeze", input=x)
    axes = dims("squeeze", dim, x.ndim)
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in axes))


def stack(tensors, dim=0):
    """Tensors of one shape along a new axis."""
    tensors = list(tensors)
    for i, t in enumerate(tensors):
        expect_tensors("stack", **{f"tensors[{i}]": t})
    if len({t.shape for t in tensors}) > 1:
        raise ShapeError(f"stack() expects tensors of equal shape, got {[t.shape for t in tensors]}")
    return cat([unsqueeze(t, dim) for t in tensors], dim=dim)
