"""Reading and writing at positions along one axis: for each element its own (gather), or for whole entries (index)."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops._op import DtypeError, OutOfRange, expect_numbers, expect_tensors, one_axis, op
from engine.ops.indexing import as_vector, check_index, from_the_front, getitem, one_number, setitem
from engine.ops.shape import broadcast_shapes, broadcast_to, reshape
from engine.tensor import Tensor, wrap

__all__ = [
    "gather", "index_add", "index_copy", "index_fill", "index_select", "scatter", "scatter_add", "take_along_dim",
]  # fmt: skip
METHODS = __all__
IN_PLACE = "index_add index_copy index_fill scatter scatter_add".split()


# ---- along one axis: an index of as many dimensions as the input


def _within(name, x, index, axis, src=None):
    """The part of x that an index of positions along `axis` can reach, as slices; checked with the source's shape."""
    if index.ndim != x.ndim or (src is not None and src.ndim != x.ndim):
        other = "" if src is None else f", src {src.shape}"
        raise ShapeError(
            f"{name}(): input, index and src must have the same number of dimensions: got input {x.shape}, "
            f"index {index.shape}{other}"
        )
    for i, n in enumerate(index.shape):
        if (i != axis and n > x.shape[i]) or (src is not None and n > src.shape[i]):
            limit = f"input {x.shape} apart from dimension {axis}" + ("" if src is None else f" and src {src.shape}")
            raise ShapeError(f"{name}(): Expected index {index.shape} to be no larger than {limit}")
    return tuple([slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape)])


@op
def gather_along(k, x, index, *, dim):
    """x at int64 positions along one axis, the other positions being those of the index' own elements."""
    before, to = x.shape, index.shape
    axis, x = one_axis("gather", dim, x)
    index = index.reshape(index.shape or (1,))
    shape = x.shape
    if not index.size:
        return k.full(to, 0, x.dtype), (lambda g: k.full(before, 0, g.dtype), None)
    within = _within("gather", x, index, axis)
    check_index("gather", index, shape[axis], axis)

    def dx(g):
        d = k.full(shape, 0, g.dtype)
        k.add_along(d[within], index, g.reshape(index.shape), axis)
        return d.reshape(before)

    return k.take_along(x[within], index, axis).reshape(to), (dx, None)


@op
def scatter_along(k, x, index, src, *, dim):
    """A copy of x with `src` at int64 positions along one axis; the last of several values for one element stays."""
    return _scattered(k, "scatter", x, index, src, dim, add=False)


@op
def scatter_add_along(k, x, index, src, *, dim):
    """x, and `src` added at int64 positions along one axis."""
    return _scattered(k, "scatter_add", x, index, src, dim, add=True)


def _scattered(k, name, x, index, src, dim, add):
    if src.dtype != x.dtype:
        raise DtypeError(f"{name}(): Expected self.dtype to be equal to src.dtype, got {x.dtype} and {src.dtype}")
    before, of_src = x.shape, src.shape
    axis, x = one_axis(name, dim, x)
    index, src = index.reshape(index.shape or (1,)), src.reshape(src.shape or (1,))
    y = k.copy(x)
    if not index.size:
        return y.reshape(before), (lambda g: g, None, lambda g: k.full(of_src, 0, g.dtype))
    within = _within(name, x, index, axis, src)
    check_index(name, index, x.shape[axis], axis)
    part = tuple([slice(n) for n in index.shape])
    (k.add_along if add else k.assign_along)(y[within], index, src[part], axis)
    shape, wide = x.shape, src.shape

    def dx(g):
        if add:
            return g
        rest = k.copy(g.reshape(shape))
        k.assign_along(rest[within], index, k.full((), 0, g.dtype), axis)
        return rest.reshape(before)

    def dsrc(g):
        d = k.full(wide, 0, g.dtype)
        k.assign(d, part, k.take_along(g.reshape(shape)[within], index, axis))
        return d.reshape(of_src)

    return y.reshape(before), (dx, None, dsrc)


def gather(input, dim, index, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and likewise along any other axis.

    `index` is int64, has as many dimensions as `input`, and is no larger than it apart from `dim`.
    """
    if sparse_grad:
        raise NotImplementedError("gather(sparse_grad=True): sparse gradients are not offered")
    return gather_along(input, index, dim=dim)


def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of `input` with out[index[i][j]][j] = src[i][j] for dim 0, and likewise along any other axis.

    `src` is a Tensor at least as large as the int64 `index`, or a number (or `value`); reduce='add' adds it instead.
    """
    src = value if src is None else src
    expect_tensors("scatter", input=input, index=index)
    if reduce not in (None, "add"):
        if reduce == "multiply":
            raise NotImplementedError("scatter(reduce='multiply') is not offered; reduce='add' is")
        raise RuntimeError(f"scatter(): reduce argument must be either add or multiply, got {reduce!r}")
    if not isinstance(src, Tensor):
        if src is None:
            raise TypeError("scatter(): takes src, a Tensor, or value, a number")
        src = broadcast_to(one_number("scatter", input, src), index.shape)
    return (scatter_along if reduce is None else scatter_add_along)(input, index, src, dim=dim)


def scatter_add(input, dim, index, src):
    """`input`, and src[i][j] added to out[index[i][j]][j] for dim 0, and likewise along any other axis."""
    return scatter_add_along(input, index, src, dim=dim)


def take_along_dim(input, indices, dim=None):
    """As gather, with `input` and `indices` broadcast apart from `dim` and negative positions; dim None: both flattened."""
    expect_tensors("take_along_dim", input=input, indices=indices)
    if dim is None:
        input, indices, dim = reshape(input, shape=(-1,)), reshape(indices, shape=(-1,)), 0
    if input.ndim != indices.ndim:
        raise ShapeError(
            f"take_along_dim(): input and indices must have the same number of dimensions, got shapes {input.shape} "
            f"and {indices.shape}"
        )
    axis, array = one_axis("take_along_dim", dim, input._array)
    k, size = indices._k, array.shape[axis]
    indices = wrap(from_the_front(k, indices._array, size), k)
    if input.ndim:
        without = [s[:axis] + (1,) + s[axis + 1 :] for s in (input.shape, indices.shape)]
        both = broadcast_shapes(*without)
        input, indices = (
            broadcast_to(t, both[:axis] + t.shape[axis : axis + 1] + both[axis + 1 :]) for t in (input, indices)
        )
    return gather_along(input, indices, dim=axis)


# ---- along one axis: an index of one dimension, for whole rows


def _rows(name, x, dim, index, negative=False):
    """(axis, index of brackets) of the entries `index`, int64 and of at most one dimension, along `dim`."""
    expect_tensors(name, input=x, index=index)
    axis, array = one_axis(name, dim, x._array)
    if index.ndim > 1:
        raise OutOfRange(f"{name}(): index must have one dimension, got shape {index.shape}")
    size = array.shape[axis]
    positions = index._array.reshape(-1)
    if negative:
        positions = from_the_front(index._k, positions, size)
    check_index(name, positions, size, axis)
    return axis, (slice(None),) * axis + (positions,)


def index_select(input, dim, index):
    """The entries at the int64 positions `index` (one dimension) along `dim`, a copy."""
    _, where = _rows("index_select", input, dim, index)
    if not input.ndim and index.numel() != 1:
        raise OutOfRange(f"index_select(): a tensor without dimensions has one entry, got {index.numel()} positions")
    y = getitem(as_vector(input), index=where)
    return y if input.ndim else reshape(y, shape=())


@op
def add_rows(k, x, source, *, index, alpha):
    """x, and alpha * source added at x[index], where entries may repeat."""
    y = k.copy(x)
    scaled = k.mul(source, k.full((), alpha, source.dtype)) if alpha != 1 else source
    k.add_at(y, index, scaled)

    def dsource(g):
        part = k.getitem(g, index)
        return k.mul(part, k.full((), alpha, g.dtype)) if alpha != 1 else part

    return y, (lambda g: g, dsource)


def _check_source(name, input, axis, where, source):
    expect_tensors(name, source=source)
    if source.dtype != input.dtype:
        raise DtypeError(f"{name}(): self and source must have the same dtype, got {input.dtype} and {source.dtype}")
    expected = tuple([len(where[-1]) if i == axis else n for i, n in enumerate(as_vector(input).shape)])
    if as_vector(source).shape != expected:
        raise OutOfRange(f"{name}(): source has shape {source.shape}, expected {expected}, an entry for each position")


def index_add(input, dim, index, source, *, alpha=1):
    """`input`, and alpha * source added to its entries at the int64 positions `index` along `dim`, which may repeat."""
    expect_numbers("index_add", alpha=alpha)
    axis, where = _rows("index_add", input, dim, index)
    _check_source("index_add", input, axis, where, source)
    try:
        y = add_rows(as_vector(input), as_vector(source), index=where, alpha=alpha)
    except OverflowError:
        raise RuntimeError(f"index_add(): alpha {alpha} does not fit into {source.dtype}") from None
    return reshape(y, shape=input.shape)


def index_copy(input, dim, index, source):
    """A copy of `input` with the entries of `source` at the int64 positions `index` along `dim`."""
    axis, where = _rows("index_copy", input, dim, index)
    _check_source("index_copy", input, axis, where, source)
    return reshape(setitem(as_vector(input), as_vector(source), index=where), shape=input.shape)


def index_fill(input, dim, index, value):
    """A copy of `input` with a number at the int64 positions `index` along `dim`."""
    _, where = _rows("index_fill", input, dim, index, negative=True)
    return reshape(setitem(as_vector(input), one_number("index_fill", input, value), index=where), shape=input.shape)
