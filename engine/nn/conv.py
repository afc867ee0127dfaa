"""Convolutional layers, transposed ones, and patches."""

from __future__ import annotations

import math

from engine import functions
from engine.geometry import ShapeError, integer, padding_argument, padding_sides, several, transposed_output_padding
from engine.nn import functional as F
from engine.nn import inference, init
from engine.nn.module import Module
from engine.nn.parameter import Parameter, registered
from engine.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "Fold", "Unfold"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """What convolutions of 1 and 2 axes share. Weights and biases start as PyTorch's do: uniform in +-1/sqrt(fan in)."""

    axes: int
    transposed = False
    weight, bias = registered("_parameters"), registered("_parameters")

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", device=None, dtype=None):  # fmt: skip
        super().__init__()
        name, axes = type(self).__name__, self.axes
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"{name}: padding_mode must be one of {_PADDING_MODES}, got {padding_mode!r}")
        self.in_channels, self.out_channels = integer(in_channels, "in_channels"), integer(out_channels, "out_channels")
        self.kernel_size = several(kernel_size, axes, "kernel_size")
        self.stride, self.dilation = several(stride, axes, "stride"), several(dilation, axes, "dilation")
        self._sides = padding_argument(padding, axes)
        self.padding = padding if isinstance(padding, str) else _as_given(padding, axes)
        self.output_padding = (0,) * axes
        self.groups, self.padding_mode = integer(groups, "groups"), padding_mode
        for argument in ("in_channels", "out_channels", "groups"):
            if getattr(self, argument) < 1:
                raise ShapeError(f"{name}: {argument} must be a positive integer, got {getattr(self, argument)}")
        for argument in ("kernel_size", "stride", "dilation"):
            if min(getattr(self, argument)) < 1:
                raise ShapeError(f"{name}: {argument} must be at least 1, got {getattr(self, argument)}")
        for argument in ("in_channels", "out_channels"):
            if getattr(self, argument) % self.groups:
                raise ShapeError(
                    f"{name}: {argument} must be divisible by groups, got {getattr(self, argument)} and {groups}"
                )
        rows, columns = self.out_channels, self.in_channels
        if self.transposed:
            rows, columns = columns, rows
        shape = (rows, columns // self.groups, *self.kernel_size)
        self.weight = Parameter(functions.empty(shape, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(functions.empty(self.out_channels, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        init.uniform_bias_(self.bias, init.fan_in(self.weight))

    def _advice(self, x):
        if not isinstance(x, Tensor):
            return ""
        channels = x.shape[-1 - len(self.kernel_size)] if x.ndim > len(self.kernel_size) else self.in_channels
        if not x.ndim or self.in_channels in (channels, x.shape[-1]):
            return ""
        name = type(self).__name__
        return f"{name}({channels}, {self.out_channels}, ...), or Lazy{name}({self.out_channels}, ...)"

    def _convolve(self, f, x):
        """`f` of x, which is padded first unless the padding is of zeros."""
        if self.padding_mode == "zeros":
            return f(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        if not isinstance(x, Tensor):
            raise TypeError(f"{type(self).__name__}: argument 'input' must be a Tensor, got {type(x).__name__}")
        sides = padding_sides(self._sides, x.shape[-self.axes :], self.kernel_size, self.stride, self.dilation)
        x = F.pad(x, tuple([p for side in reversed(sides) for p in side]), self.padding_mode)
        return f(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if isinstance(self.padding, str) or any(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.axes:
            text += f", dilation={self.dilation}"
        if any(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else text + f", padding_mode={self.padding_mode}"


def _as_given(padding, axes):
    """Padding as a tuple: per side where it was given so, else one number for each axis."""
    if isinstance(padding, (tuple, list)) and len(padding) == 2 * axes:
        return tuple(padding)
    return several(padding, axes, "padding")


class Conv1d(_Conv):
    """Cross-correlation of x[N, C, L] (or [C, L]) with weight [O, C/groups, k], plus bias [O].

    `padding` is an integer, a pair (left, right), 'same' (with any stride) or 'valid'; `padding_mode` 'zeros', 'reflect',
    'replicate' or 'circular'.
    """

    axes = 1

    def forward(self, input):
        return self._convolve(F.conv1d, input)


class Conv2d(_Conv):
    """Cross-correlation of x[N, C, H, W] (or [C, H, W]) with weight [O, C/groups, kh, kw], plus bias [O].

    `padding` is an integer, a pair, four numbers (top, bottom, left, right), 'same' (with any stride) or 'valid';
    `padding_mode` 'zeros', 'reflect', 'replicate' or 'circular'.
    """

    axes = 2

    def forward(self, input):
        if inference.serves(input, self):
            return inference.convolution(input, self)
        return self._convolve(F.conv2d, input)


class _ConvTranspose(_Conv):
    """What transposed convolutions of 1 and 2 axes share. Fan in is counted as PyTorch counts it: O/groups * kernel."""

    transposed = True

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", device=None, dtype=None):  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f"{type(self).__name__}: padding_mode must be 'zeros', got {padding_mode!r}")
        if isinstance(padding, str):
            raise TypeError(f"{type(self).__name__}: padding must be integers, got {padding!r}")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
                         device=device, dtype=dtype)  # fmt: skip
        self.output_padding = several(output_padding, self.axes, "output_padding")
        if min(self.output_padding) < 0:
            raise ShapeError(f"{type(self).__name__}: output_padding must not be negative, got {output_padding}")

    def _transpose(self, f, x, output_size):
        extra = self.output_padding
        if output_size is not None:
            extra = transposed_output_padding(
                x.shape, output_size, self.kernel_size, self.stride, self.padding, self.dilation, type(self).__name__
            )
        return f(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d: x[N, C, L] (or [C, L]) with weight [C, O/groups, k], plus bias [O].

    `layer(x, output_size=...)` gives that length in place of what `output_padding` would.
    """

    axes = 1

    def forward(self, input, output_size=None):
        return self._transpose(F.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTranspose):
    """The transpose of Conv2d: x[N, C, H, W] (or [C, H, W]) with weight [C, O/groups, kh, kw], plus bias [O].

    `layer(x, output_size=...)` gives those sizes in place of what `output_padding` would.
    """

    axes = 2

    def forward(self, input, output_size=None):
        return self._transpose(F.conv_transpose2d, input, output_size)


class Unfold(Module):
    """The patches of x[N, C, H, W] that a convolution sees, as columns: [N, C*kh*kw, positions]."""

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input):
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """The transpose of Unfold: columns [N, C*kh*kw, positions] added up in [N, C, *output_size]."""

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.output_size = output_size
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input):
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self):
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
