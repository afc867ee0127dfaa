"""Elements repeated, reversed, rolled and cut along a diagonal. All copies but for the diagonal, a view."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops._op import OutOfRange, expect_tensors, numpys_names, op
from engine.ops._op import dims as axes_of
from engine.ops.gathering import index_select
from engine.ops.pieces import length_along
from engine.ops.reduce import sum
from engine.ops.shape import clone, expand, integer, integers, reshape, transpose, unsqueeze
from engine.tensor import Tensor, wrap

__all__ = [
    "diag", "diagonal", "flip", "fliplr", "flipud", "repeat_interleave", "roll", "rot90", "tile", "trace", "tril", "triu",
]  # fmt: skip
METHODS = "diag diagonal fliplr flipud repeat_interleave roll rot90 trace tril triu".split()
IN_PLACE = "tril triu".split()


# ---- repeated, reversed, rolled


def repeat(input, repeats):
    """`input` that many times along each axis, new ones in front: `x.repeat(2, 1)`. A copy, as NumPy's tile."""
    expect_tensors("repeat", input=input)
    repeats = integers("repeat", repeats)
    if len(repeats) < input.ndim:
        raise ShapeError(
            f"repeat(): Number of dimensions of repeat dims, {len(repeats)}, can not be smaller than number of "
            f"dimensions of tensor, {input.ndim}"
        )
    if any(r < 0 for r in repeats):
        raise ShapeError(f"repeat(): repeats must not be negative, got {repeats}")
    shape = (1,) * (len(repeats) - input.ndim) + input.shape
    apart = [n for size in shape for n in (1, size)]
    wide = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    many = expand(reshape(input, shape=apart), shape=wide)
    return clone(reshape(many, shape=[r * n for r, n in zip(repeats, shape, strict=True)]))


def tile(input, dims):
    """As repeat; fewer repeats than axes count for the last ones."""
    expect_tensors("tile", input=input)
    dims = integers("tile", dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


@numpys_names
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each entry along `dim` (None: of the flattened input) `repeats` times in a row; an integer, or a Tensor of one for each.

    `repeat_interleave(repeats)` alone gives the positions: 0 repeats[0] times, and so on. output_size is not needed.
    """
    expect_tensors("repeat_interleave", input=input)
    if repeats is None and dim is not None:
        raise TypeError("repeat_interleave() is missing its argument 'repeats'")
    if repeats is None:
        return wrap(input._k.counted(_counts(input)), input._k)
    if dim is None:
        input, dim = reshape(input, shape=(-1,)), 0
    axis, n = length_along("repeat_interleave", input, dim)
    shape = input.shape
    if isinstance(repeats, Tensor) and (repeats.numel() != 1 or repeats.ndim > 1):
        counts = _counts(repeats)
        if counts.shape != (n,):
            raise ShapeError(
                f"repeat_interleave(): repeats has shape {repeats.shape}, expected one for each of {n} entries"
            )
        return index_select(input, axis, wrap(repeats._k.counted(counts), repeats._k))
    repeats = integer("repeat_interleave", int(repeats) if isinstance(repeats, Tensor) else repeats)
    if repeats < 0:
        raise RuntimeError(f"repeat_interleave(): Repeats must be non-negative, got {repeats}")
    many = expand(unsqueeze(input, axis + 1), shape=shape[: axis + 1] + (repeats,) + shape[axis + 1 :])
    return clone(reshape(many, shape=shape[:axis] + (n * repeats,) + shape[axis + 1 :]))


def _counts(repeats):
    if repeats.dtype.name not in ("int64", "int32"):
        raise NotImplementedError(f"repeat_interleave(): repeats must be int64 or int32, got {repeats.dtype}")
    if repeats.ndim > 1 or bool((repeats._array < 0).any()):
        raise RuntimeError("repeat_interleave(): repeats must be a vector and non-negative")
    return repeats._array


@op
def flip(k, x, *, dims):
    """The order along the given axes reversed; a copy."""
    axes = axes_of("flip", integers("flip", dims), x.ndim)
    back = tuple([slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim)])
    return k.copy(x[back]), (lambda g: k.copy(g[back]),)


def fliplr(input):
    """The order along the second axis reversed."""
    return flip(_at_least_2d("fliplr", input), dims=(1,))


def flipud(input):
    """The order along the first axis reversed."""
    expect_tensors("flipud", input=input)
    if not input.ndim:
        raise ShapeError("flipud(): Input must be >= 1-d, got shape ()")
    return flip(input, dims=(0,))


def rot90(input, k=1, dims=(0, 1)):
    """k quarter turns in the plane of two axes, from the first towards the second."""
    if len(integers("rot90", dims)) != 2:
        raise RuntimeError(f"rot90(): expected two dims, got {dims}")
    axes = axes_of("rot90", dims, _at_least_2d("rot90", input).ndim)
    turns = integer("rot90", k) % 4
    if turns == 0:
        return clone(input)
    if turns == 2:
        return flip(input, dims=axes)
    return flip(transpose(input, *axes), dims=(axes[0] if turns == 1 else axes[1],))


def _at_least_2d(name, x):
    expect_tensors(name, input=x)
    if x.ndim < 2:
        raise ShapeError(f"{name}(): Input must be >= 2-d, got shape {x.shape}")
    return x


@op
def roll(k, x, *, shifts, dims=None):
    """Elements moved along axes, those that leave coming back at the other end; dims None: in the flattened order."""
    shifts = integers("roll", shifts, alone=True)
    axes = (
        None
        if dims is None or (isinstance(dims, (tuple, list)) and not dims)
        else tuple([(axes_of("roll", d, x.ndim) or (0,))[0] for d in integers("roll", dims, alone=True)])
    )
    if axes and not x.ndim:
        raise OutOfRange("roll(): a tensor without dimensions has none to roll along")
    if len(shifts) != (1 if axes is None else len(axes)):
        raise ShapeError(f"roll(): shifts and dimensions must align, got shifts {shifts} and dims {dims}")
    if axes is None:
        shifts = shifts[0]
    back = tuple([-s for s in shifts]) if axes else -shifts
    return k.roll(x, shifts, axes), (lambda g: k.roll(g, back, axes),)


# ---- diagonals


@op
def tril(k, x, *, diagonal=0):
    """The elements of each matrix on and below a diagonal (0: the main one, positive: above it), 0 elsewhere."""
    diagonal = _within_matrices("tril", x, diagonal)
    return k.tril(x, diagonal), (lambda g: k.tril(g, diagonal),)


@op
def triu(k, x, *, diagonal=0):
    """The elements of each matrix on and above a diagonal (0: the main one, positive: above it), 0 elsewhere."""
    diagonal = _within_matrices("triu", x, diagonal)
    return k.triu(x, diagonal), (lambda g: k.triu(g, diagonal),)


def _within_matrices(name, x, diagonal):
    """The diagonal, one just outside of the matrices for those further away."""
    if x.ndim < 2:
        raise ShapeError(f"{name}: input tensor must have at least 2 dimensions, got shape {x.shape}")
    offset = integer(name, diagonal)
    return min(max(offset, -x.shape[-2]), x.shape[-1])


@op(view=True)
def diagonal(k, x, *, offset=0, dim1=0, dim2=1):
    """A view of the diagonal in the plane of two axes, as the last axis."""
    if x.ndim < 2:
        raise OutOfRange(f"diagonal(): input must have at least 2 dimensions, got shape {x.shape}")
    offset, axes = integer("diagonal", offset), axes_of("diagonal", (dim1, dim2), x.ndim)
    shape = x.shape

    def dx(g):
        d = k.full(shape, 0, g.dtype)
        k.assign(k.diagonal(d, offset, *axes), Ellipsis, g)
        return d

    return k.diagonal(x, offset, *axes), (dx,)


@op
def diag_matrix(k, x, *, diagonal):
    """The square matrix with the vector x on a diagonal."""
    size = x.shape[0] + abs(diagonal)
    y = k.full((size, size), 0, x.dtype)
    k.assign(k.diagonal(y, diagonal, 0, 1), Ellipsis, x)
    return y, (lambda g: k.diagonal(g, diagonal, 0, 1),)


def diag(input, diagonal=0):
    """Of a matrix, a copy of its diagonal; of a vector, the matrix with it on that diagonal."""
    expect_tensors("diag", input=input)
    offset = integer("diag", diagonal)
    if input.ndim not in (1, 2):
        raise ShapeError(f"diag(): Supports 1D or 2D tensors, got shape {input.shape}")
    return diag_matrix(input, diagonal=offset) if input.ndim == 1 else clone(_diagonal(input, offset=offset))


_diagonal = diagonal  # `diag` has an argument of that name


def trace(input):
    """The sum of a matrix' diagonal."""
    expect_tensors("trace", input=input)
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, but got shape {input.shape}")
    return sum(diagonal(input))
