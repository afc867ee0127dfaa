"""Padding as a function."""

from __future__ import annotations

from engine.ops import shape

__all__ = ["pad"]


def pad(input, pad, mode="constant", value=None):
    """Constant padding: (before, after) of the last axis, then of the one before it, ...; negative crops."""
    if mode != "constant":
        raise NotImplementedError(f"pad: mode must be 'constant', got {mode!r}")
    return shape.pad(input, pad=tuple(pad), value=0.0 if value is None else value)
