"""Dropout layers."""

from __future__ import annotations

from engine.nn import functional as F
from engine.nn.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """While training, zeroes each element with probability p and scales the others by 1 / (1 - p)."""

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, x):
        return F.dropout(x, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"
