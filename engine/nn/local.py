"""The locally connected layer: a convolution whose filters are not shared between positions."""

from __future__ import annotations

import math

from engine import functions
from engine.geometry import Conv2dGeometry, ShapeError, integer, pair
from engine.nn import functional as F
from engine.nn import init
from engine.nn.module import Module
from engine.nn.parameter import Parameter, registered
from engine.tensor import Tensor

__all__ = ["LocallyConnected2d"]


class LocallyConnected2d(Module):
    """x[N, C, H, W] (or [C, H, W]) of just input_size (H, W), with a filter of its own at every position: [N, O, OH, OW].

    weight [O, C, kh, kw, OH, OW] holds in weight[..., y, x] what Conv2d has for all positions; bias [O, OH, OW] is one number
    for each output. Stride and padding are Conv2d's, `output_size` is (OH, OW). Both start uniform in +-1/sqrt(C*kh*kw),
    as Conv2d's do. ShapeError where the filters do not fit the images, or images of another size come.
    """

    weight, bias = registered("_parameters"), registered("_parameters")

    def __init__(self, in_channels, out_channels, kernel_size, input_size, stride=1, padding=0, bias=True,
                 device=None, dtype=None):  # fmt: skip
        super().__init__()
        self.in_channels, self.out_channels = integer(in_channels, "in_channels"), integer(out_channels, "out_channels")
        self.kernel_size, self.input_size = pair(kernel_size, "kernel_size"), pair(input_size, "input_size")
        self.stride, self.padding = pair(stride, "stride"), padding
        for argument in ("in_channels", "out_channels"):
            if getattr(self, argument) < 1:
                raise ShapeError(
                    f"LocallyConnected2d: {argument} must be a positive integer, got {getattr(self, argument)}"
                )
        filters = (self.out_channels, self.in_channels, *self.kernel_size)
        geom = Conv2dGeometry.of((1, self.in_channels, *self.input_size), filters, self.stride, padding)
        self.output_size = (geom.oh, geom.ow)
        self.weight = Parameter(functions.empty((*filters, *self.output_size), dtype=dtype, device=device))
        self.register_parameter(
            "bias",
            Parameter(functions.empty((filters[0], *self.output_size), dtype=dtype, device=device)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self):
        inputs = self.in_channels * math.prod(self.kernel_size)  # of one output
        init.uniform_bias_(self.weight, inputs)
        init.uniform_bias_(self.bias, inputs)

    def forward(self, input):
        if isinstance(input, Tensor) and input.ndim > 2 and input.shape[-2:] != self.input_size:
            raise ShapeError(
                f"got images of {_by(input.shape[-2:])} (shape {input.shape}), but there are filters for every position of "
                f"images of {_by(self.input_size)}"
            )
        return F.locally_connected2d(input, self.weight, self.bias, self.stride, self.padding)

    def _advice(self, x):
        if x.ndim < 3 or (x.shape[-3] == self.in_channels and x.shape[-2:] == self.input_size):
            return ""
        return f"LocallyConnected2d({x.shape[-3]}, {self.out_channels}, ..., input_size={tuple(x.shape[-2:])})"

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, input_size={self.input_size}"
        text += f", stride={self.stride}"
        if self.padding not in (0, (0, 0)):
            text += f", padding={self.padding!r}"
        return text if self.bias is not None else text + ", bias=False"


def _by(sizes):
    return "x".join(map(str, sizes))
