"""Fully connected layers and the flattening before them."""

from __future__ import annotations

import math

from engine import functions
from engine.geometry import ShapeError, integer
from engine.nn import functional as F
from engine.nn import init
from engine.nn.module import Module
from engine.nn.parameter import Parameter, registered

__all__ = ["Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    """y = x @ weight.T + bias for x[..., in_features]; weight [out_features, in_features], bias [out_features].

    Both start uniform in +-1/sqrt(in_features), as in PyTorch.
    """

    weight, bias = registered("_parameters"), registered("_parameters")

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features = integer(in_features, "in_features")
        self.out_features = integer(out_features, "out_features")
        if self.in_features < 0 or self.out_features < 0:
            raise ShapeError(f"Linear: sizes must not be negative, got {in_features} and {out_features}")
        self.weight = Parameter(functions.empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(functions.empty(out_features, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        init.uniform_bias_(self.bias, self.in_features)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def _advice(self, x):
        wrong = getattr(x, "ndim", 0) and x.shape[-1] != self.in_features
        return f"Linear({x.shape[-1]}, {self.out_features}), or LazyLinear({self.out_features})" if wrong else ""

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Flatten(Module):
    """The axes start_dim..end_dim as one: by default everything but the batch."""

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return x.flatten(self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The axis `dim` as the axes `unflattened_size`, sizes of which one may be -1."""

    def __init__(self, dim, unflattened_size):
        super().__init__()
        if not hasattr(dim, "__index__"):
            raise TypeError(f"Unflatten: dim must be an int (axes have no names here), got {type(dim).__name__}")
        if not isinstance(unflattened_size, (tuple, list)) or any(not isinstance(n, int) for n in unflattened_size):
            raise TypeError(f"Unflatten: unflattened_size must be a tuple of ints, got {unflattened_size!r}")
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, x):
        return x.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Identity(Module):
    """Returns its input; takes and ignores any arguments."""

    def __init__(self, *_, **__):
        super().__init__()

    def forward(self, x):
        return x
