"""Convolutions as functions."""

from __future__ import annotations

from engine.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d, fold, locally_connected2d, unfold

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "fold", "locally_connected2d", "unfold"]
