"""Lazy layers: the number of input features or channels is read off the first batch; the layer is an ordinary one then."""

from __future__ import annotations

import inspect

from engine.generator import Generator, drawing_from
from engine.geometry import ShapeError
from engine.nn import errors
from engine.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from engine.nn.linear import Linear
from engine.nn.parameter import UninitializedParameter
from engine.tensor import Tensor

__all__ = ["LazyConv1d", "LazyConv2d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyLinear"]


class _Lazy:
    """Built with the smallest size that fits, which checks the arguments; its parameters wait without a shape."""

    kind: type  # the ordinary layer
    size_name: str  # its first argument, left out here
    axis = -1  # of the input, that the size is read off

    def __init__(self, *args, **kwargs):
        given = inspect.signature(self.kind.__init__).bind(self, 1, *args, **kwargs).arguments
        with drawing_from(Generator()):  # these values are thrown away
            super().__init__(given.get("groups", 1), *args, **kwargs)
        self._arguments = args, kwargs
        setattr(self, self.size_name, 0)
        for name, p in self._parameters.items():
            if p is not None:
                self._parameters[name] = UninitializedParameter(dtype=p.dtype, device=p.device)

    def __call__(self, x, *args, **kwargs):
        try:
            self.initialize_parameters(x)
        except (ShapeError, TypeError) as error:
            errors.name_layer(self, error, (x,))
            raise
        return self(x, *args, **kwargs)

    def initialize_parameters(self, x):
        """Become the ordinary layer for inputs like x. Parameters that were loaded before keep their values."""
        if not isinstance(x, Tensor):
            raise TypeError(f"{type(self).__name__}: argument 'input' must be a Tensor, got {type(x).__name__}")
        if x.ndim < -self.axis:
            raise ShapeError(f"expected an input of at least {-self.axis} dimensions, got shape {x.shape}")
        size = x.shape[self.axis]
        given, options = self._arguments
        if any(isinstance(p, UninitializedParameter) for p in self.parameters()):
            made = self.kind(size, *given, **options)
            for name, p in made._parameters.items():
                own = self._parameters[name]
                if isinstance(own, UninitializedParameter):
                    own.materialize(p.shape)
                    own.detach().copy_(p.detach())
        del self._arguments
        setattr(self, self.size_name, size)
        self.__class__ = self.kind


class LazyLinear(_Lazy, Linear):
    """Linear(in_features, ...) whose in_features is the last size of the first input."""

    kind, size_name = Linear, "in_features"


class LazyConv2d(_Lazy, Conv2d):
    """Conv2d(in_channels, ...) whose in_channels is that of the first input [N, C, H, W] or [C, H, W]."""

    kind, size_name, axis = Conv2d, "in_channels", -3


class LazyConv1d(_Lazy, Conv1d):
    """Conv1d(in_channels, ...) whose in_channels is that of the first input [N, C, L] or [C, L]."""

    kind, size_name, axis = Conv1d, "in_channels", -2


class LazyConvTranspose1d(_Lazy, ConvTranspose1d):
    """ConvTranspose1d(in_channels, ...) whose in_channels is that of the first input [N, C, L] or [C, L]."""

    kind, size_name, axis = ConvTranspose1d, "in_channels", -2


class LazyConvTranspose2d(_Lazy, ConvTranspose2d):
    """ConvTranspose2d(in_channels, ...) whose in_channels is that of the first input [N, C, H, W] or [C, H, W]."""

    kind, size_name, axis = ConvTranspose2d, "in_channels", -3
