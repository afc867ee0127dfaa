"""Sizes of convolutions, transposed convolutions and patches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from engine.geometry.arguments import (
    AXES,
    LAYOUTS,
    MAX_ELEMENTS,
    ShapeError,
    batch,
    checked_product,
    integer,
    integers,
    positive,
    several,
    short,
    two_axes,
    window_positions,
)

_ROTATED = {1: ("x.permute(0, 2, 1)", "[N, L, C]"), 2: ("x.permute(0, 3, 1, 2)", "[N, H, W, C]")}
_WEIGHTS = {1: "k]", 2: "kh, kw]"}
_NAMES = {1: "conv1d", 2: "conv2d"}


def padding_argument(value, axes: int):
    """The padding of a convolution as 'same' or as (before, after) of each axis.

    It is an integer, one for each axis, two for each axis (before and after, per side), 'same' or 'valid'.
    """
    both = (value, value) if type(value) is int else value
    if type(both) is tuple and len(both) == axes == 2:
        above, left = both
        if type(above) is int is type(left) and 0 <= above <= MAX_ELEMENTS and 0 <= left <= MAX_ELEMENTS:
            return (above, above), (left, left)  # the usual forms, one or two numbers, without the words of errors
    expected = "an integer, 2 integers" if axes == 1 else "an integer, 2 or 4 integers"
    if isinstance(value, str):
        if value == "valid":
            return ((0, 0),) * axes
        if value == "same":
            return value
        raise ShapeError(f"padding must be {expected}, 'same' or 'valid', got {value!r}")
    if isinstance(value, (tuple, list)) and len(value) == 2 * axes:
        numbers = [integer(v, "padding") for v in value]
        sides = tuple([*zip(numbers[::2], numbers[1::2], strict=True)])
    else:
        sides = tuple([(p, p) for p in several(value, axes, "padding")])
    for side in (side for pair in sides for side in pair):
        if side < 0:
            raise ShapeError(f"padding must not be negative, got padding={value!r}")
        if side > MAX_ELEMENTS:
            raise ShapeError(f"padding is too large: got {side}")
    return sides


def _same_padding(size, kernel, stride, dilation) -> tuple[int, int]:
    """Padding that gives ceil(size / stride) outputs, the odd one behind (TensorFlow's rule)."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def padding_sides(padding, sizes, kernel, stride, dilation) -> tuple[tuple[int, int], ...]:
    """(before, after) of each axis from what `padding_argument` returned."""
    if padding != "same":
        return padding
    return tuple([_same_padding(*q) for q in zip(sizes, kernel, stride, dilation, strict=True)])


@dataclass(frozen=True)
class Conv2dGeometry:
    """Sizes of a 2-D cross-correlation of x[n, c, h, w] with weights [o, c/groups, kh, kw].

    `padding` is (top, bottom, left, right); a negative side crops. `upsample` is input dilation, the zeros that the
    input gradient of a strided convolution sees between its rows and columns; ordinary convolutions have (1, 1).
    A convolution of one axis is one of images of height 1.
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
    def of(x_shape, w_shape, stride=1, padding=0, dilation=1, groups=1, axes=2) -> Conv2dGeometry:
        """From shapes and PyTorch's arguments, for images of 1 or 2 axes; ShapeError says what does not fit."""
        stride, dilation = several(stride, axes, "stride"), several(dilation, axes, "dilation")
        if type(groups) is not int:
            groups = integer(groups, "groups")
        return _convolution(
            _NAMES[axes], tuple(x_shape), tuple(w_shape), stride, padding_argument(padding, axes), dilation, groups
        )

    @staticmethod
    def of_patches(name, x_shape, kernel_size, dilation=1, padding=0, stride=1) -> Conv2dGeometry:
        """The convolution whose patches `unfold` writes out: one output, all channels."""
        kernel = several(kernel_size, 2, "kernel_size")
        channels = x_shape[-3] if len(x_shape) > 2 else 1
        return _convolution(
            name, tuple(x_shape), (1, channels, *kernel), several(stride, 2, "stride"), padding_argument(padding, 2),
            several(dilation, 2, "dilation"), 1,
        )  # fmt: skip

    @staticmethod
    def of_local(x_shape, w_shape, stride=1, padding=0) -> Conv2dGeometry:
        """The convolution of the same sizes, for weights [O, C, kh, kw, OH, OW] that are not shared between positions."""
        w_shape = tuple(w_shape)
        if len(w_shape) != 6:
            raise ShapeError(
                f"locally_connected2d expects weights of 6 dimensions [O, C, kh, kw, OH, OW], got shape {w_shape}"
            )
        geom = _convolution(
            "locally_connected2d", tuple(x_shape), w_shape[:4], several(stride, 2, "stride"),
            padding_argument(padding, 2), (1, 1), 1,
        )  # fmt: skip
        if w_shape[4:] != (geom.oh, geom.ow):
            raise ShapeError(
                f"locally_connected2d has weights for {w_shape[4]}x{w_shape[5]} positions, but images of "
                f"{geom.h}x{geom.w} have {geom.oh}x{geom.ow}"
            )
        return geom

    @staticmethod
    def of_columns(columns_shape, output_size, kernel_size, dilation=1, padding=0, stride=1) -> Conv2dGeometry:
        """The convolution of images of `output_size` whose patches are the columns [N, C*kh*kw, positions]."""
        if len(columns_shape) not in (2, 3):
            raise ShapeError(f"fold expects columns [N, C*kh*kw, positions] or without N, got shape {columns_shape}")
        n, (rows, positions) = (columns_shape[:-2] or (1,)), columns_shape[-2:]
        kernel, sizes = several(kernel_size, 2, "kernel_size"), several(output_size, 2, "output_size")
        positive(kernel, "kernel_size")
        positive(sizes, "output_size")
        if rows < 1 or rows % (kernel[0] * kernel[1]):
            raise ShapeError(
                f"fold got columns of shape {columns_shape}: {rows} rows, expected channels times the {kernel[0]} x {kernel[1]} kernel"
            )
        geom = Conv2dGeometry.of_patches(
            "fold", (*n, rows // (kernel[0] * kernel[1]), *sizes), kernel, dilation, padding, stride
        )
        if positions != geom.oh * geom.ow:
            raise ShapeError(
                f"fold got columns of shape {columns_shape}, expected {geom.oh} * {geom.ow} = {geom.oh * geom.ow} positions "
                f"of kernel_size={short(kernel)} in output_size={short(sizes)}"
            )
        return geom

    @staticmethod
    def of_transposed(
        x_shape, w_shape, stride=1, padding=0, output_padding=0, groups=1, dilation=1, axes=2
    ) -> Conv2dGeometry:
        """The convolution whose input gradient is the transposed convolution of x with weights [c, o/groups, ...].

        Its `y_shape` is that of x, and its `x_shape` that of the output.
        """
        if isinstance(padding, str):
            raise TypeError(f"conv_transpose{axes}d: padding must be integers, got {padding!r}")
        return _transposed(
            f"conv_transpose{axes}d", tuple(x_shape), tuple(w_shape), several(stride, axes, "stride"),
            padding_argument(padding, axes), several(output_padding, axes, "output_padding"), integer(groups, "groups"),
            several(dilation, axes, "dilation"),
        )  # fmt: skip

    @cached_property
    def ints(self) -> tuple[int, ...]:
        """Every size in one tuple, in the order of the C struct."""
        return (self.n, self.c, self.h, self.w, self.o, self.kh, self.kw, *self.stride, *self.padding,
                *self.dilation, self.groups, *self.upsample, self.oh, self.ow)  # fmt: skip

    @cached_property
    def taken(self) -> dict:
        """Room for a backend to note which algorithm it takes; geometries are made once for all calls alike."""
        return {}

    @cached_property
    def x_shape(self):
        return (self.n, self.c, self.h, self.w)

    @cached_property
    def w_shape(self):
        return (self.o, self.c // self.groups, self.kh, self.kw)

    @cached_property
    def y_shape(self):
        return (self.n, self.o, self.oh, self.ow)

    @cached_property
    def halves(self) -> Conv2dGeometry:
        """The plain convolution that one of stride 2 is, where even and odd rows and columns are channels of their own."""
        kh, kw = -(-self.kh // 2), -(-self.kw // 2)
        return replace(
            self,
            c=4 * self.c,
            h=self.oh + kh - 1,
            w=self.ow + kw - 1,
            kh=kh,
            kw=kw,
            stride=(1, 1),
            padding=(0, 0, 0, 0),
        )

    @cached_property
    def phases(self) -> Conv2dGeometry:
        """The plain convolution of the dh * dw images into which a dilated one of stride 1 falls, padding in them."""
        (dh, dw), oh, ow = self.dilation, -(-self.oh // self.dilation[0]), -(-self.ow // self.dilation[1])
        return replace(
            self, n=self.n * dh * dw, h=oh + self.kh - 1, w=ow + self.kw - 1, padding=(0, 0, 0, 0), dilation=(1, 1),
            oh=oh, ow=ow,
        )  # fmt: skip

    @cached_property
    def input_phases(self) -> Conv2dGeometry:
        """The plain convolution whose input gradient gives those of the dh * dw images that dx falls into."""
        (dh, dw), h, w = self.dilation, -(-self.h // self.dilation[0]), -(-self.w // self.dilation[1])
        back_h, back_w = self.kh - 1, self.kw - 1
        return replace(
            self, n=self.n * dh * dw, h=h, w=w, padding=(back_h, back_h, back_w, back_w), dilation=(1, 1),
            oh=h + back_h, ow=w + back_w,
        )  # fmt: skip

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


def _check(name, w_shape, groups, stride, dilation):
    """What is wrong with the weights and numbers of a convolution, whatever its input."""
    axes = len(stride)
    if len(w_shape) != axes + 2:
        layout = "[C, O/groups, " if "transpose" in name else "[O, C/groups, "
        raise ShapeError(
            f"{name} expects weights of {axes + 2} dimensions {layout}{_WEIGHTS[axes]}, got shape {w_shape}"
        )
    positive((groups,), "groups")
    positive(stride, "stride")
    positive(dilation, "dilation")
    positive(w_shape[2:], "kernel_size")
    if w_shape[0] < 1 or w_shape[1] < 1:
        raise ShapeError(f"{name} needs at least one channel on both sides, got weights of shape {w_shape}")


def _lifted(n, c, sizes, o, kernel, stride, sides, dilation, groups, out) -> Conv2dGeometry:
    """The geometry, with a height of 1 where there is one axis only."""
    (h, w), (kh, kw), (oh, ow) = two_axes(sizes), two_axes(kernel), two_axes(out)
    (top, bottom), (left, right) = two_axes(sides, (0, 0))
    checked_product(max(n, 1), o, oh, ow, 4)
    checked_product(max(n, 1), c, h, w, 4)
    checked_product(max(n, 1), c, kh, kw, oh, ow, 4)
    return Conv2dGeometry(
        n, c, h, w, o, kh, kw, two_axes(stride), (top, bottom, left, right), two_axes(dilation), groups, (1, 1), oh, ow
    )


@lru_cache(maxsize=1024)
def _convolution(name, x_shape, w_shape, stride, padding, dilation, groups) -> Conv2dGeometry:
    axes = len(stride)
    n, c, *sizes = batch(x_shape, axes, name)
    _check(name, w_shape, groups, stride, dilation)
    o, c_group, *kernel = w_shape
    if c % groups or o % groups:
        raise ShapeError(f"groups must divide the channels: got groups={groups}, {c} input and {o} output channels")
    if c != c_group * groups:
        fix = ""
        if sizes[-1] == c_group * groups:
            call, layout = _ROTATED[axes]
            fix = f"\n  Fix: {call}; the last axis fits, the input looks like {layout}"
        raise ShapeError(
            f"{name} got an input with {c} channels (shape {x_shape}), expected {c_group * groups} "
            f"(weights of shape {w_shape}, groups={groups}){fix}"
        )
    sides = padding_sides(padding, sizes, kernel, stride, dilation)
    out = [
        window_positions(size, k, s, before, after, d, axis)
        for size, k, s, (before, after), d, axis in zip(sizes, kernel, stride, sides, dilation, AXES[axes], strict=True)
    ]
    return _lifted(n, c, sizes, o, kernel, stride, sides, dilation, groups, out)


@lru_cache(maxsize=1024)
def _transposed(name, x_shape, w_shape, stride, padding, output_padding, groups, dilation) -> Conv2dGeometry:
    axes = len(stride)
    n, c, *sizes = batch(x_shape, axes, name)
    _check(name, w_shape, groups, stride, dilation)
    c_weights, o_group, *kernel = w_shape
    if c != c_weights:
        raise ShapeError(
            f"{name} got an input with {c} channels (shape {x_shape}), expected {c_weights} "
            f"(weights of shape {w_shape}, which are [C, O/groups, {_WEIGHTS[axes]})"
        )
    if c % groups:
        raise ShapeError(f"groups must divide the input channels: got groups={groups} and {c} input channels")
    if min(sizes) < 1:
        raise ShapeError(f"{name} expects images with at least one element along each axis, got shape {x_shape}")
    out, sides = [], []
    for size, k, s, (before, after), extra, d, axis in zip(
        sizes, kernel, stride, padding, output_padding, dilation, AXES[axes], strict=True
    ):
        if not 0 <= extra < max(s, d):
            raise ShapeError(
                f"output_padding must not be negative and must be smaller than stride or dilation, got "
                f"output_padding={short(output_padding)} for stride={short(stride)} and dilation={short(dilation)}"
            )
        length = transposed_size(size, k, s, before + after, d) + extra
        if length < 1:
            raise ShapeError(
                f"{name}: nothing is left along the {axis}: {length - extra + before + after} outputs, "
                f"less padding of {before} before and {after} after. Use less padding"
            )
        out.append(length)
        # More output padding than a stride would make room for another window; as many rows are cropped behind.
        sides.append((before, after - extra // s * s))
    return _lifted(n, o_group * groups, out, c, kernel, stride, tuple(sides), dilation, groups, sizes)


def transposed_size(size, kernel, stride, padding, dilation) -> int:
    """Outputs of a transposed convolution along one axis; `padding` counts both sides."""
    return (size - 1) * stride + dilation * (kernel - 1) + 1 - padding


def transposed_output_padding(x_shape, output_size, kernel, stride, padding, dilation, name) -> tuple[int, ...]:
    """The `output_padding` that gives a transposed convolution of x the sizes asked for (with or without N and C)."""
    axes = len(kernel)
    batch(x_shape, axes, name)
    wanted = integers(output_size, "output_size")
    if len(wanted) == len(x_shape):
        wanted = wanted[-axes:]
    if len(wanted) != axes:
        raise ShapeError(
            f"{name}: output_size must have {axes} or {len(x_shape)} elements for an input {LAYOUTS[axes][len(x_shape) == axes + 1]}, "
            f"got {output_size!r}"
        )
    sides = padding_argument(padding, axes)
    least = [
        transposed_size(size, k, s, sum(side), d)
        for size, k, s, side, d in zip(x_shape[-axes:], kernel, stride, sides, dilation, strict=True)
    ]
    most = [low + s - 1 for low, s in zip(least, stride, strict=True)]
    if not all(low <= v <= high for low, v, high in zip(least, wanted, most, strict=True)):
        raise ShapeError(
            f"{name}: got output_size {wanted}, but for an input of shape {x_shape} it ranges from {least} to {most}"
        )
    return tuple([v - low for v, low in zip(wanted, least, strict=True)])
