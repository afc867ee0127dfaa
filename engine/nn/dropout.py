"""Dropout layers: they act while training, and pass their input on in eval mode."""

from __future__ import annotations

from engine.nn import functional as F
from engine.nn.functional.dropout import check_probability
from engine.nn.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "FeatureAlphaDropout"]


class _Dropout(Module):
    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        check_probability(type(self).__name__, p)
        self.p, self.inplace = p, inplace

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """While training, zeroes each element with probability p and scales the others by 1 / (1 - p)."""

    def forward(self, x):
        return F.dropout(x, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """While training, zeroes each channel of x[N, C, L] or [C, L] with probability p and scales the others by 1 / (1 - p)."""

    def forward(self, x):
        return F.dropout1d(x, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """While training, zeroes each channel of x[N, C, H, W] with probability p and scales the others by 1 / (1 - p)."""

    def forward(self, x):
        return F.dropout2d(x, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps the mean and the variance of what selu gives (Klambauer et al. 2017)."""

    def forward(self, x):
        return F.alpha_dropout(x, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of x[N, C, ...]."""

    def forward(self, x):
        return F.feature_alpha_dropout(x, self.p, self.training, self.inplace)
