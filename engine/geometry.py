"""Geometry of convolution and pooling: output sizes, and every error that sizes alone can show.

Plain integers in, frozen dataclasses out; nothing here knows an array. Results are cached, because a
training loop asks for the same few geometries in every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

MAX_ELEMENTS = 2**62  # sizes are 64-bit in C; products stay well clear of overflow


class ShapeError(ValueError, RuntimeError):
    """Shapes that do not fit together. Both a ValueError and, as in PyTorch, a RuntimeError."""


def pair(value, name: str) -> tuple[int, int]:
    """`value` as (vertical, horizontal): an integer counts for both."""
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            value = (value[0], value[0])
        if len(value) != 2:
            raise ValueError(f"{name} must be an integer or two integers, got {value!r}")
        return integer(value[0], name), integer(value[1], name)
    return (integer(value, name),) * 2


def integer(value, name: str) -> int:
    """`value` as an int; TypeError names the argument when it is none."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer or two integers, got {value!r}")
    return value.__index__()


def _positive(values, name: str) -> None:
    for v in values:
        if v < 1:
            raise ShapeError(f"{name} must be at least 1, got {name}={_short(values)}")
        if v > MAX_ELEMENTS:
            raise ShapeError(f"{name} is too large: got {v}")


def _short(values):
    return values[0] if len(set(values)) == 1 else tuple(values)


def _checked_product(*sizes: int) -> int:
    total = 1
    for s in sizes:
        total *= s
    if total > MAX_ELEMENTS:
        raise ShapeError(f"sizes {tuple(sizes)} have {total} elements, more than fit in memory")
    return total


def _output_size(size, kernel, stride, before, after, dilation, axis: str, ceil_mode=False) -> int:
    """Number of window positions along one axis."""
    span = dilation * (kernel - 1) + 1
    padded = size + before + after
    free = padded - span
    positions = (-(-free // stride) if ceil_mode else free // stride) + 1
    # As PyTorch: a window must start inside the input or its padding before, never in the padding behind.
    if ceil_mode and (positions - 1) * stride >= size + before:
        positions -= 1
    if positions < 1:
        raise ShapeError(
            f"kernel does not fit: kernel {kernel} with dilation {dilation} spans {span} along the {axis}, "
            f"but the input has {size} there ({padded} with padding). Use a smaller kernel, more padding or a larger input"
        )
    return positions


def _same_padding(size, kernel, stride, dilation) -> tuple[int, int]:
    """Padding that gives ceil(size / stride) outputs, the odd one behind (TensorFlow's rule)."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _padding(value, size, kernel, stride, dilation) -> tuple[int, int, int, int]:
    """Padding as (top, bottom, left, right) from an int, 2 or 4 ints, 'same' or 'valid'."""
    if isinstance(value, str):
        if value == "valid":
            return (0, 0, 0, 0)
        if value == "same":
            (top, bottom), (left, right) = (_same_padding(*q) for q in zip(size, kernel, stride, dilation, strict=True))
            return top, bottom, left, right
        raise ValueError(f"padding must be an integer, 2 or 4 integers, 'same' or 'valid', got {value!r}")
    if isinstance(value, (tuple, list)) and len(value) == 4:
        top, bottom, left, right = (integer(v, "padding") for v in value)
    else:
        top, left = pair(value, "padding")
        bottom, right = top, left
    for side in (top, bottom, left, right):
        if side < 0:
            raise ShapeError(f"padding must not be negative, got padding={value!r}")
        if side > MAX_ELEMENTS:
            raise ShapeError(f"padding is too large: got {side}")
    return top, bottom, left, right


@dataclass(frozen=True)
class Conv2dGeometry:
    """Sizes of a 2-D cross-correlation of x[n, c, h, w] with weights [o, c/groups, kh, kw].

    `padding` is (top, bottom, left, right). `upsample` is input dilation, the zeros that the input gradient
    of a strided convolution sees between its rows and columns; ordinary convolutions have (1, 1).
    """

    n: int
    c: int
    h: int
    w: int
    o: int
    kh: int
    kw: int
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int
    upsample: tuple[int, int]
    oh: int
    ow: int

    @staticmethod
    def of(x_shape, w_shape, stride=1, padding=0, dilation=1, groups=1) -> Conv2dGeometry:
        """Geometry from shapes and PyTorch's arguments; ShapeError says what does not fit."""
        if isinstance(padding, list):
            padding = tuple(padding)
        return _conv2d(
            tuple(x_shape), tuple(w_shape), pair(stride, "stride"), padding, pair(dilation, "dilation"), groups
        )

    @cached_property
    def ints(self) -> tuple[int, ...]:
        """Every size in one tuple, in the order of the C struct."""
        return (self.n, self.c, self.h, self.w, self.o, self.kh, self.kw, *self.stride, *self.padding,
                *self.dilation, self.groups, *self.upsample, self.oh, self.ow)  # fmt: skip

    @property
    def x_shape(self):
        return (self.n, self.c, self.h, self.w)

    @property
    def w_shape(self):
        return (self.o, self.c // self.groups, self.kh, self.kw)

    @property
    def y_shape(self):
        return (self.n, self.o, self.oh, self.ow)

    @cached_property
    def transposed(self) -> Conv2dGeometry:
        """The convolution of the output's gradient, with weights swapped and rotated, that gives dx."""
        (sh, sw), (dh, dw) = self.stride, self.dilation
        top, bottom, left, right = self.padding
        back_h, back_w = dh * (self.kh - 1), dw * (self.kw - 1)
        # Rows that no window reached (the remainder of a strided division) get zeros: padding behind grows.
        rest_h = self.h + top + bottom - back_h - 1 - (self.oh - 1) * sh
        rest_w = self.w + left + right - back_w - 1 - (self.ow - 1) * sw
        return replace(
            self, c=self.o, o=self.c, h=self.oh, w=self.ow, oh=self.h, ow=self.w, stride=(1, 1), upsample=(sh, sw),
            padding=(back_h - top, back_h - bottom + rest_h, back_w - left, back_w - right + rest_w),
        )  # fmt: skip


@lru_cache(maxsize=1024)
def _conv2d(x_shape, w_shape, stride, padding, dilation, groups) -> Conv2dGeometry:
    if len(x_shape) != 4:
        raise ShapeError(f"conv2d expects an input of 4 dimensions [N, C, H, W], got shape {x_shape}")
    if len(w_shape) != 4:
        raise ShapeError(f"conv2d expects weights of 4 dimensions [O, C/groups, kh, kw], got shape {w_shape}")
    (n, c, h, w), (o, c_group, kh, kw) = x_shape, w_shape
    groups = integer(groups, "groups")
    _positive((groups,), "groups")
    _positive(stride, "stride")
    _positive(dilation, "dilation")
    _positive((kh, kw), "kernel_size")
    if o < 1 or c_group < 1:
        raise ShapeError(f"conv2d needs at least one channel on both sides, got weights of shape {w_shape}")
    if c % groups or o % groups:
        raise ShapeError(f"groups must divide the channels: got groups={groups}, {c} input and {o} output channels")
    if c != c_group * groups:
        hint = ""
        if w == c_group * groups:
            hint = ". The last axis fits: the images look like [N, H, W, C]; use x.permute(0, 3, 1, 2)"
        raise ShapeError(
            f"conv2d got an input with {c} channels (shape {x_shape}), expected {c_group * groups} "
            f"(weights of shape {w_shape}, groups={groups}){hint}"
        )
    top, bottom, left, right = _padding(padding, (h, w), (kh, kw), stride, dilation)
    oh = _output_size(h, kh, stride[0], top, bottom, dilation[0], "height")
    ow = _output_size(w, kw, stride[1], left, right, dilation[1], "width")
    _checked_product(max(n, 1), o, oh, ow, 4)
    _checked_product(max(n, 1), c, kh, kw, oh, ow, 4)
    return Conv2dGeometry(n, c, h, w, o, kh, kw, stride, (top, bottom, left, right), dilation, groups, (1, 1), oh, ow)


@dataclass(frozen=True)
class Pool2dGeometry:
    """Sizes of a 2-D pooling of x[n, c, h, w]; `padding` is (top, bottom, left, right).

    `count_include_pad` and `divisor` (0: none) decide what an average is divided by.
    """

    n: int
    c: int
    h: int
    w: int
    kh: int
    kw: int
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    oh: int
    ow: int
    count_include_pad: bool = True
    divisor: int = 0

    @staticmethod
    def of(x_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True,
           divisor=None) -> Pool2dGeometry:  # fmt: skip
        """Geometry from a shape and PyTorch's arguments (stride None: the kernel's size)."""
        kernel = pair(kernel_size, "kernel_size")
        stride = kernel if stride is None or stride == () else pair(stride, "stride")
        if divisor is not None and not 0 < abs(integer(divisor, "divisor_override")) <= MAX_ELEMENTS:
            raise ValueError(f"divisor_override must not be 0 or too large, got {divisor}")
        return _pool2d(tuple(x_shape), kernel, stride, pair(padding, "padding"), pair(dilation, "dilation"),
                       bool(ceil_mode), bool(count_include_pad), divisor or 0)  # fmt: skip

    @cached_property
    def ints(self) -> tuple[int, ...]:
        """Every size in one tuple, in the order of the C struct."""
        return (self.n, self.c, self.h, self.w, self.kh, self.kw, *self.stride, *self.padding, *self.dilation,
                self.oh, self.ow, int(self.count_include_pad), self.divisor)  # fmt: skip

    @property
    def x_shape(self):
        return (self.n, self.c, self.h, self.w)

    @property
    def y_shape(self):
        return (self.n, self.c, self.oh, self.ow)


@lru_cache(maxsize=1024)
def _pool2d(x_shape, kernel, stride, padding, dilation, ceil_mode, include, divisor) -> Pool2dGeometry:
    if len(x_shape) != 4:
        raise ShapeError(f"pooling expects an input of 4 dimensions [N, C, H, W], got shape {x_shape}")
    n, c, h, w = x_shape
    _positive(kernel, "kernel_size")
    _positive(stride, "stride")
    _positive(dilation, "dilation")
    if kernel[0] * kernel[1] >= 2**31:  # taps are numbered in 32 bits
        raise ShapeError(f"kernel_size is too large: got kernel_size={_short(kernel)}")
    for p, k in zip(padding, kernel, strict=True):
        if p < 0 or p > k // 2:
            raise ShapeError(
                f"padding must be between 0 and half the kernel, got padding={_short(padding)} for kernel_size={_short(kernel)}"
            )
    (ph, pw), (sh, sw), (dh, dw) = padding, stride, dilation
    oh = _output_size(h, kernel[0], sh, ph, ph, dh, "height", ceil_mode)
    ow = _output_size(w, kernel[1], sw, pw, pw, dw, "width", ceil_mode)
    _checked_product(max(n, 1), max(c, 1), oh, ow, kernel[0], kernel[1], 4)
    return Pool2dGeometry(
        n, c, h, w, kernel[0], kernel[1], stride, (ph, ph, pw, pw), dilation, oh, ow, include, divisor
    )
