"""Arguments that are sizes: integers, tuples of them, their products; and the error that shapes raise."""

from __future__ import annotations

MAX_ELEMENTS = 2**62  # sizes are 64-bit in C; products stay well clear of overflow
AXES = {1: ("length",), 2: ("height", "width")}  # names of the axes of a window, by their number
LAYOUTS = {1: ("[N, C, L]", "[C, L]"), 2: ("[N, C, H, W]", "[C, H, W]")}  # of images, with and without a batch
_COUNTED = {1: "an integer or a tuple of one", 2: "an integer or two integers", 4: "an integer or four integers"}


class ShapeError(ValueError, RuntimeError):
    """Shapes that do not fit together. Both a ValueError and, as in PyTorch, a RuntimeError."""


def integer(value, name: str, expected: str = "an integer") -> int:
    """`value` as an int; TypeError names the argument when it is none."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be {expected}, got {value!r}")
    return value.__index__()


def several(value, count: int, name: str) -> tuple[int, ...]:
    """`value` as `count` integers: a single one counts for all."""
    if type(value) is int:  # the two usual forms first: every call of a layer comes by here
        return (value,) * count
    if type(value) is tuple and len(value) == count == 2 and type(value[0]) is int is type(value[1]):
        return value
    expected = _COUNTED[count]
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, count):
            raise ShapeError(f"{name} must be {expected}, got {value!r}")
        value = tuple([integer(v, name, expected) for v in value])
        return value * (count // len(value))
    return (integer(value, name, expected),) * count


def integers(value, name: str) -> tuple[int, ...]:
    """A tuple or list of integers as a tuple; TypeError for anything else."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be a tuple of integers, got {value!r}")
    return tuple([integer(v, name) for v in value])


def pair(value, name: str) -> tuple[int, ...]:
    """`value` as (vertical, horizontal): an integer counts for both."""
    return several(value, 2, name)


def positive(values, name: str) -> None:
    """ShapeError unless every one is at least 1 and not absurd."""
    for v in values:
        if v < 1:
            raise ShapeError(f"{name} must be at least 1, got {name}={short(values)}")
        if v > MAX_ELEMENTS:
            raise ShapeError(f"{name} is too large: got {v}")


def short(values):
    """One number where all are equal, for a message."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def checked_product(*sizes: int) -> int:
    """The product, unless it passes MAX_ELEMENTS."""
    total = 1
    for s in sizes:
        total *= s
    if total > MAX_ELEMENTS:
        raise ShapeError(f"sizes {tuple(sizes)} have {total} elements, more than fit in memory")
    return total


def batch(x_shape, axes: int, name: str) -> tuple[int, ...]:
    """The shape of images of 1 or 2 axes as [N, C, ...]: one without a batch is a batch of one."""
    if len(x_shape) == axes + 2:
        return x_shape
    if len(x_shape) == axes + 1:
        return (1, *x_shape)
    full, single = LAYOUTS[axes]
    raise ShapeError(
        f"{name} expects an input of {axes + 2} dimensions {full} or {axes + 1} {single}, got shape {x_shape}"
    )


def two_axes(values, first=1):
    """A value for each of 1 or 2 axes as (vertical, horizontal): one axis is the width of images of height 1."""
    return tuple(values) if len(values) == 2 else (first, *values)


def window_positions(size, kernel, stride, before, after, dilation, axis: str, ceil_mode=False) -> int:
    """Number of window positions along one axis."""
    span = dilation * (kernel - 1) + 1
    padded = size + before + after
    free = padded - span
    positions = (-(-free // stride) if ceil_mode else free // stride) + 1
    # As PyTorch: a window must start inside the input or its padding before, never in the padding behind.
    if ceil_mode and (positions - 1) * stride >= size + before:
        positions -= 1
    if positions < 1:
        raise ShapeError(
            f"kernel does not fit: kernel {kernel} with dilation {dilation} spans {span} along the {axis}, "
            f"but the input has {size} there ({padded} with padding)\n  Fix: a smaller kernel, more padding or a larger input"
        )
    return positions
