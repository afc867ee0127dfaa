"""Losses as layers. `reduction` is 'mean', 'sum' or 'none'."""

from __future__ import annotations

from engine.nn import functional as F
from engine.nn.module import Module

__all__ = ["CrossEntropyLoss", "MSELoss", "NLLLoss"]


class _Loss(Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"{reduction!r} is not a valid value for reduction: use 'mean', 'sum' or 'none'")
        self.reduction = reduction


class CrossEntropyLoss(_Loss):
    """Softmax and negative log-likelihood of scores [M, C, ...] for class indices [M, ...]."""

    def forward(self, input, target):
        return F.cross_entropy(input, target, reduction=self.reduction)


class NLLLoss(_Loss):
    """Negative log-likelihood of log-probabilities [M, C, ...] for class indices [M, ...]."""

    def forward(self, input, target):
        return F.nll_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """Squared difference of equal shapes."""

    def forward(self, input, target):
        return F.mse_loss(input, target, reduction=self.reduction)
