"""Tensors taken apart, into views, and put together."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops._op import DtypeError, OutOfRange, expect_tensors, numpys_names, one_axis, op
from engine.ops.indexing import getitem
from engine.ops.shape import cat, expand, integer, integers, reshape, squeeze, transpose, unsqueeze
from engine.tensor import Tensor

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "chunk", "dstack", "hstack", "meshgrid", "narrow", "select", "split",
    "tensor_split", "unbind", "vstack",
]  # fmt: skip
METHODS = "chunk narrow select split tensor_split unbind".split()


# ---- taken apart


@op(view=True)
def split_at(k, x, *, ends, dim):
    """The parts of x along the axis `dim` that end at each of `ends`; the first begins at 0, the last ends with x."""
    before = (slice(None),) * dim
    parts = tuple([x[(*before, slice(a, b))] for a, b in zip((0, *ends[:-1]), ends, strict=True)])
    shapes = [part.shape for part in parts]

    def dx(gs):
        return (k.cat([k.full(s, 0, x.dtype) if g is None else g for g, s in zip(gs, shapes, strict=True)], dim),)

    return parts, dx


def length_along(name, x, dim):
    """(axis, size along it) of a tensor with at least one dimension."""
    expect_tensors(name, input=x)
    if not x.ndim:
        raise OutOfRange(f"{name}() cannot be applied to a tensor without dimensions")
    axis, array = one_axis(name, dim, x._array)
    return axis, array.shape[axis]


@numpys_names
def split(tensor, split_size_or_sections, dim=0):
    """Views of `tensor` along `dim`, each of one size (the last may be smaller), or of the sizes in a list."""
    axis, n = length_along("split", tensor, dim)
    sizes = integers("split", split_size_or_sections, alone=True)
    if not isinstance(split_size_or_sections, (tuple, list)):
        (size,) = sizes
        if size < 0 or (size == 0 and n):
            raise ShapeError(f"split(): the size of the parts must be positive, got {size}")
        return split_at(tensor, ends=(*range(size, n, size or 1), n), dim=axis)
    ends, end = [], 0
    for size in sizes:
        end += size
        ends.append(end)
    if end != n or any(size < 0 for size in sizes):
        raise ShapeError(f"split(): sizes {list(sizes)} must not be negative and sum to {n}, the size of dim {dim}")
    return split_at(tensor, ends=tuple(ends), dim=axis)


@numpys_names
def chunk(input, chunks, dim=0):
    """At most `chunks` views of `input` along `dim`, of equal size but for the last."""
    axis, n = length_along("chunk", input, dim)
    chunks = integer("chunk", chunks)
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = -(-n // chunks)
    return split_at(input, ends=(*range(size, n, size), n) if n else (0,) * chunks, dim=axis)


@numpys_names
def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """Views of `input` along `dim`: that many, the first of them one larger where need be, or cut at the positions given."""
    given = [v for v in (indices_or_sections, indices, sections) if v is not None]
    if len(given) != 1:
        raise TypeError("tensor_split() takes either indices or sections")
    (indices_or_sections,) = given
    axis, n = length_along("tensor_split", input, dim)
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    cuts = integers("tensor_split", indices_or_sections, alone=True)
    if isinstance(indices_or_sections, (tuple, list)):
        before = (slice(None),) * axis
        return tuple(
            [getitem(input, index=(*before, slice(a, b))) for a, b in zip((0, *cuts), (*cuts, None), strict=True)]
        )
    (sections,) = cuts
    if sections < 1:
        raise RuntimeError(f"tensor_split(): number of sections must be larger than 0, got {sections}")
    size, larger = divmod(n, sections)
    return split_at(input, ends=tuple([size * i + min(i, larger) for i in range(1, sections + 1)]), dim=axis)


@numpys_names
def unbind(input, dim=0):
    """Views of the entries along `dim`, which they no longer have."""
    axis, n = length_along("unbind", input, dim)
    if not n:
        return ()
    return tuple([squeeze(part, axis) for part in split_at(input, ends=tuple(range(1, n + 1)), dim=axis)])


@numpys_names
def narrow(input, dim, start, length):
    """A view of `length` entries along `dim`, from `start` (negative: from the end)."""
    axis, n = length_along("narrow", input, dim)
    start, length = integers("narrow", (start, length))
    if not -n <= start <= n:
        raise OutOfRange(f"narrow(): start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start += n if start < 0 else 0
    if length < 0 or start + length > n:
        raise ShapeError(f"narrow(): start ({start}) + length ({length}) must lie in 0 to the dimension's size ({n})")
    return getitem(input, index=(slice(None),) * axis + (slice(start, start + length),))


@numpys_names
def select(input, dim, index):
    """A view of the entry `index` along `dim`, which it no longer has."""
    axis, n = length_along("select", input, dim)
    index = integer("select", index)
    if not -n <= index < n:
        raise OutOfRange(f"select(): index {index} out of range for tensor of size {input.shape} at dimension {axis}")
    return getitem(input, index=(slice(None),) * axis + (index,))


@op(view=True)
def windows_along(k, x, *, dim, size, step):
    """Views of `size` neighbours along one axis, `step` apart, as a new last axis."""
    size, step = integers("unfold", (size, step))
    axis, array = one_axis("unfold", dim, x)
    n, shape, before = array.shape[axis], x.shape, (slice(None),) * axis
    if not x.ndim or not 1 <= size <= n or step < 1:
        raise ShapeError(f"unfold(): size must lie in 1 to {n} and step be at least 1, got size {size} and step {step}")

    def dx(g):
        d = k.full(shape, 0, g.dtype)
        for i in range(size):  # windows may overlap, their i-th elements do not
            part = d[(*before, slice(i, n - size + i + 1, step))]
            k.add(part, g[..., i], part)
        return d

    return k.windows(x, axis, size)[(*before, slice(None, None, step))], (dx,)


def unfold(input, dimension, size, step):
    """Tensor.unfold: a view of all windows of `size` along one axis, `step` apart; they are the new last axis."""
    expect_tensors("unfold", input=input)
    return windows_along(input, dim=dimension, size=size, step=step)


# ---- put together


def _each(f):
    """`f` of one Tensor, for several too: a tuple of what it makes of each."""

    def wrapper(*tensors):
        if len(tensors) == 1:
            tensors = tensors[0]
        if isinstance(tensors, Tensor):
            return f(tensors)
        expect_tensors(f.__name__, **{f"tensors[{i}]": t for i, t in enumerate(tensors)})
        return tuple([f(t) for t in tensors])

    wrapper.__name__, wrapper.__doc__ = f.__name__, f.__doc__
    return wrapper


@_each
def atleast_1d(x):
    """A Tensor with at least one dimension, or a tuple of several such."""
    return x if x.ndim else reshape(x, shape=(1,))


@_each
def atleast_2d(x):
    """A Tensor with at least two dimensions, new ones in front, or a tuple of several such."""
    return x if x.ndim > 1 else reshape(x, shape=(1, x.numel()))


@_each
def atleast_3d(x):
    """A Tensor with at least three dimensions (a matrix becomes [M, N, 1]), or a tuple of several such."""
    return x if x.ndim > 2 else unsqueeze(atleast_2d(x), 2)


def hstack(tensors):
    """Tensors side by side: along the second axis, vectors and numbers along the first."""
    tensors = atleast_1d(list(tensors))
    return cat(tensors, dim=0 if tensors and tensors[0].ndim == 1 else 1)


def vstack(tensors):
    """Tensors one below the other: along the first axis, a vector counting as a row."""
    return cat(atleast_2d(list(tensors)), dim=0)


def dstack(tensors):
    """Tensors one behind the other: along the third axis."""
    return cat(atleast_3d(list(tensors)), dim=2)


def meshgrid(*tensors, indexing="ij"):
    """A tuple of Tensors: each of the N vectors given, expanded along the axes of the others.

    indexing 'ij': the first vector runs along the first axis; 'xy': along the second, and the second along the first.
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    tensors = atleast_1d(list(tensors))
    if not tensors:
        raise ShapeError("meshgrid() expects at least one vector, got none")
    indexing = "ij" if indexing is None else indexing
    if indexing not in ("ij", "xy"):
        raise (RuntimeError if isinstance(indexing, str) else TypeError)(
            f"meshgrid: indexing must be one of 'xy' or 'ij', got {indexing!r}"
        )
    for i, t in enumerate(tensors):
        if t.ndim > 1:
            raise ShapeError(f"meshgrid(): expected vectors, got shape {t.shape} (tensor {i})")
        if t.dtype != tensors[0].dtype:
            raise DtypeError(f"meshgrid(): expects one dtype, got {tensors[0].dtype} and {t.dtype} (tensor {i})")
    shape = [len(t) for t in tensors]
    grids = [
        expand(reshape(t, shape=[-1 if i == j else 1 for j in range(len(shape))]), shape=shape)
        for i, t in enumerate(tensors)
    ]
    return tuple([transpose(g, 0, 1) for g in grids] if indexing == "xy" and len(grids) > 1 else grids)
