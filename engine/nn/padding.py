"""Padding layers: an integer for all sides, or (left, right) of one axis, (left, right, top, bottom) of two."""

from __future__ import annotations

from engine.geometry import several
from engine.nn import functional as F
from engine.nn.module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "ConstantPad1d", "ConstantPad2d", "ReflectionPad1d", "ReflectionPad2d", "ReplicationPad1d",
    "ReplicationPad2d", "ZeroPad1d", "ZeroPad2d",
]  # fmt: skip


class _Pad(Module):
    axes: int
    mode: str

    def __init__(self, padding):
        super().__init__()
        self.padding = several(padding, 2 * self.axes, "padding")

    def forward(self, input):
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad1d(_Pad):
    """Zeros on both sides of the last axis."""

    axes, mode = 1, "constant"


class ZeroPad2d(_Pad):
    """Zeros on all sides of the last two axes."""

    axes, mode = 2, "constant"


class ReflectionPad1d(_Pad):
    """x[N, C, L] (or [C, L]) reflected about its outermost elements."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """x[N, C, H, W] (or [C, H, W]) reflected about its outermost elements."""

    axes, mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """x[N, C, L] (or [C, L]) with its outermost elements repeated."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """x[N, C, H, W] (or [C, H, W]) with its outermost elements repeated."""

    axes, mode = 2, "replicate"


class CircularPad1d(_Pad):
    """x[N, C, L] (or [C, L]) continued from its other end."""

    axes, mode = 1, "circular"


class CircularPad2d(_Pad):
    """x[N, C, H, W] (or [C, H, W]) continued from its other end."""

    axes, mode = 2, "circular"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` on both sides of the last axis."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """`value` on all sides of the last two axes."""

    axes = 2
