"""Padding: more elements around those there are, a constant or from the image itself."""

from __future__ import annotations

from engine.geometry import pad_widths
from engine.ops._op import op

__all__: list[str] = []


@op
def pad(k, x, *, pad, value=0.0):
    """Constant padding: `pad` holds (before, after) of the last axis, then of the one before it, ...; negative crops."""
    widths = pad_widths(x.shape, pad)
    try:
        y = k.pad(x, widths, value)
    except (OverflowError, ValueError):
        raise RuntimeError(f"pad: value {value} does not fit into {x.dtype}") from None
    back = [(-before, -after) for before, after in widths]
    return y, (lambda g: k.pad(g, back, 0),)


@op
def pad_edges(k, x, *, pad, mode):
    """Padding from the image itself; `pad` as in constant padding, of the last 1, 2 or 3 axes.

    mode: 'reflect' about the outermost elements, 'replicate' them, or 'circular'. Negative numbers crop: the image
    that is to be repeated ('circular'), or else what has been padded.
    """
    widths = pad_widths(x.shape, pad, mode)
    grow = [(max(before, 0), max(after, 0)) for before, after in widths]
    crop = [(min(before, 0), min(after, 0)) for before, after in widths]
    back = [(-before, -after) for before, after in crop]
    if not any(map(any, crop)):
        return k.pad_edges(x, grow, mode), (lambda g: k.pad_edges_dx(g, grow, mode),)
    if mode == "circular":
        y = k.pad_edges(k.pad(x, crop, 0), grow, mode)
        return y, (lambda g: k.pad(k.pad_edges_dx(g, grow, mode), back, 0),)
    y = k.pad(k.pad_edges(x, grow, mode), crop, 0)
    return y, (lambda g: k.pad_edges_dx(k.pad(g, back, 0), grow, mode),)
