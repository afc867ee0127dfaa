"""Sizes of resized images, and how far apart their points lie in the image they are made from."""

from __future__ import annotations

import math

from engine.geometry.arguments import MAX_ELEMENTS, ShapeError, checked_product, integer


def resized(
    x_shape, size, scale_factor, recompute_scale_factor, least=1
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """(output sizes, steps) of x[N, C, ...] resized to `size` or by `scale_factor`, a number or one for each axis.

    A step is 1 / scale_factor, or None where the sizes decide it. `least`: the smallest output size.
    """
    sizes = x_shape[2:]
    if (size is None) == (scale_factor is None):
        only = "either" if size is None else "only one of"
        raise ValueError(
            f"interpolate: {only} size or scale_factor should be defined, got {size!r} and {scale_factor!r}"
        )
    if size is not None:
        if recompute_scale_factor:
            raise ValueError("interpolate: recompute_scale_factor is not meaningful with an explicit size")
        wanted = tuple(integer(v, "size") for v in _each(size, sizes, "size"))
        steps: tuple[float | None, ...] = (None,) * len(sizes)
    else:
        factors = [_number(f) for f in _each(scale_factor, sizes, "scale_factor")]
        wanted = tuple(math.floor(n * f) for n, f in zip(sizes, factors, strict=True))
        steps = tuple(None if recompute_scale_factor or f <= 0 else 1 / f for f in factors)
    if min(sizes) < 1 or min(wanted) < least:
        raise ShapeError(
            f"interpolate: sizes must be at least {least}, got input sizes {sizes} and output sizes {wanted}"
        )
    checked_product(*(max(n, 1) for n in x_shape[:2]), *(max(n, 1) for n in wanted), 4)
    return wanted, steps


def _each(value, sizes, name):
    """`value` for each axis."""
    if not isinstance(value, (tuple, list)):
        return (value,) * len(sizes)
    if len(value) != len(sizes):
        raise ValueError(
            f"interpolate: {name} must be a number or one for each of the {len(sizes)} axes behind N and C, got {value!r}"
        )
    return value


def _number(factor):
    """A scale factor as a float."""
    if isinstance(factor, (str, bytes)) or not hasattr(factor, "__float__"):
        raise TypeError(f"interpolate: scale_factor must be a number, got {factor!r}")
    factor = float(factor)
    if not abs(factor) < MAX_ELEMENTS:
        raise ShapeError(f"interpolate: scale_factor must be finite and not absurd, got {factor}")
    return factor
