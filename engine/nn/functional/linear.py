"""Fully connected layers, dropout and embedding as functions."""

from __future__ import annotations

from engine.ops.linear import linear
from engine.ops.random import dropout

__all__ = ["dropout", "linear"]
