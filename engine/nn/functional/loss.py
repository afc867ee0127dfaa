"""Losses as functions."""

from __future__ import annotations

from engine.ops.loss import cross_entropy, mse_loss, nll_loss

__all__ = ["cross_entropy", "mse_loss", "nll_loss"]
