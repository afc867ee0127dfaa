"""Sizes of padding: which axes, how much, and what each mode allows."""

from __future__ import annotations

from engine.geometry.arguments import ShapeError, checked_product, integers

MODES = ("constant", "reflect", "replicate", "circular")


def pad_widths(x_shape, pad, mode: str = "constant") -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis of x from `pad`: two numbers of the last axis, of the one before it, ...

    Negative numbers crop. NotImplementedError for an unknown mode, and for a mode that is not constant unless the
    1, 2 or 3 last axes of an input with one or two axes before them are padded.
    """
    if mode not in MODES:
        raise (NotImplementedError if isinstance(mode, str) else TypeError)(
            f"pad: mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}"
        )
    numbers = integers(pad, "pad")
    ndim, axes = len(x_shape), len(numbers) // 2
    if len(numbers) % 2 or axes > ndim:
        raise ShapeError(f"pad(): expected an even number of at most {2 * ndim} sizes, got {tuple(pad)}")
    if mode != "constant" and not (axes in (1, 2, 3) and ndim in (axes + 1, axes + 2)):
        raise NotImplementedError(
            f"pad: mode {mode!r} pads the last 1, 2 or 3 axes of an input with one or two axes before them; "
            f"got {len(numbers)} sizes for an input of shape {x_shape}"
        )
    widths = ((0, 0),) * (ndim - axes) + tuple([*zip(numbers[-2::-2], numbers[::-2], strict=True)])
    for axis, (size, width) in enumerate(zip(x_shape, widths, strict=True)):
        _check_axis(x_shape, axis, size, width, mode, pad)
    sizes = [size + sum(width) for size, width in zip(x_shape, widths, strict=True)]
    if mode in ("reflect", "replicate") and max(sizes[-axes:]) < 1:
        raise ShapeError(f"pad(): padding {tuple(pad)} of shape {x_shape} leaves nothing")
    checked_product(*[max(size, 1) for size in sizes])
    return widths


def _check_axis(x_shape, axis, size, width, mode, pad):
    """ShapeError where an axis is too short for its padding."""
    left = size + min(width[0], 0) + min(width[1], 0)  # what negative padding leaves of it
    if mode in ("constant", "circular") and left < 0:
        raise ShapeError(f"pad(): padding {tuple(pad)} crops more than shape {x_shape} has")
    if width == (0, 0):
        return
    limit = {"reflect": size - 1, "circular": left}.get(mode)
    if limit is not None and max(width) > limit:
        why = "which a reflection must be smaller than" if mode == "reflect" else "which may be repeated once"
        raise ShapeError(
            f"pad(): got padding {width} for axis {axis} of shape {x_shape}: it has {limit + (mode == 'reflect')} elements, {why}"
        )
    if mode in ("reflect", "replicate") and (size < 1 or size + sum(width) < 0):
        raise ShapeError(f"pad(): padding {tuple(pad)} of shape {x_shape} leaves nothing along axis {axis}")
