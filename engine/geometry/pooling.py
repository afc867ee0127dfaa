"""Sizes of pooling, of adaptive pooling and of its reverse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from engine.geometry.arguments import (
    AXES,
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


@dataclass(frozen=True)
class Pool2dGeometry:
    """Sizes of a 2-D pooling of x[n, c, h, w]; `padding` is (top, bottom, left, right).

    `count_include_pad` and `divisor` (0: none) decide what an average is divided by. A pooling of one axis is one of
    images of height 1.
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
           divisor=None, axes=2) -> Pool2dGeometry:  # fmt: skip
        """From a shape and PyTorch's arguments (stride None: the kernel's size), for images of 1 or 2 axes."""
        kernel = several(kernel_size, axes, "kernel_size")
        stride = (
            kernel if stride is None or (isinstance(stride, tuple) and not stride) else several(stride, axes, "stride")
        )
        if divisor is not None and not 0 < abs(integer(divisor, "divisor_override")) <= MAX_ELEMENTS:
            raise ShapeError(f"divisor_override must not be 0 or too large, got {divisor}")
        return _pool(tuple(x_shape), kernel, stride, several(padding, axes, "padding"), several(dilation, axes, "dilation"),
                     bool(ceil_mode), bool(count_include_pad), divisor or 0)  # fmt: skip

    @cached_property
    def ints(self) -> tuple[int, ...]:
        """Every size in one tuple, in the order of the C struct."""
        return (self.n, self.c, self.h, self.w, self.kh, self.kw, *self.stride, *self.padding, *self.dilation,
                self.oh, self.ow, int(self.count_include_pad), self.divisor)  # fmt: skip

    @cached_property
    def x_shape(self):
        return (self.n, self.c, self.h, self.w)

    @cached_property
    def y_shape(self):
        return (self.n, self.c, self.oh, self.ow)


@lru_cache(maxsize=1024)
def _pool(x_shape, kernel, stride, padding, dilation, ceil_mode, include, divisor) -> Pool2dGeometry:
    axes = len(kernel)
    n, c, *sizes = batch(x_shape, axes, "pooling")
    positive(kernel, "kernel_size")
    positive(stride, "stride")
    positive(dilation, "dilation")
    if checked_product(*kernel) >= 2**31:  # taps are numbered in 32 bits
        raise ShapeError(f"kernel_size is too large: got kernel_size={short(kernel)}")
    for p, k in zip(padding, kernel, strict=True):
        if p < 0 or p > k // 2:
            raise ShapeError(
                f"padding must be between 0 and half the kernel, got padding={short(padding)} for kernel_size={short(kernel)}"
            )
    out = tuple(
        window_positions(size, k, s, p, p, d, axis, ceil_mode)
        for size, k, s, p, d, axis in zip(sizes, kernel, stride, padding, dilation, AXES[axes], strict=True)
    )
    checked_product(max(n, 1), max(c, 1), *out, *kernel, 4)
    (h, w), (kh, kw), (oh, ow), (ph, pw) = two_axes(sizes), two_axes(kernel), two_axes(out), two_axes(padding, 0)
    return Pool2dGeometry(
        n, c, h, w, kh, kw, two_axes(stride), (ph, ph, pw, pw), two_axes(dilation), oh, ow, include, divisor
    )


def adaptive_sizes(x_shape, output_size, axes: int, name: str) -> tuple[int, ...]:
    """The sizes that adaptive pooling is to give: an integer for all axes or one for each, None for the input's own."""
    batch(x_shape, axes, name)
    sizes = x_shape[-axes:]
    if isinstance(output_size, (tuple, list)):
        if len(output_size) != axes:
            raise ShapeError(f"{name}: output_size must be an integer or {axes} of them, got {output_size!r}")
        wanted = tuple(
            [size if v is None else integer(v, "output_size") for size, v in zip(sizes, output_size, strict=True)]
        )
    else:
        wanted = several(output_size, axes, "output_size")
    if min(wanted) < 0:
        raise ShapeError(f"{name}: output_size must not be negative, got {output_size!r}")
    if min(sizes) < 1:
        raise ShapeError(f"{name} expects images with at least one element along each axis, got shape {x_shape}")
    checked_product(*[max(v, 1) for v in x_shape[:-axes]], *[max(v, 1) for v in wanted], 4)
    return wanted


def even_windows(x_shape, wanted) -> tuple[int, ...] | None:
    """The windows of an adaptive pooling where they are all alike and touch but do not overlap; else None."""
    sizes = x_shape[-len(wanted) :]
    if any(v < 1 or size % v for size, v in zip(sizes, wanted, strict=True)):
        return None
    return tuple([size // v for size, v in zip(sizes, wanted, strict=True)])


def unpooled_sizes(x_shape, kernel_size, stride, padding, output_size, axes: int, name: str) -> tuple[int, ...]:
    """The sizes that max-unpooling gives: those of the pooled image, which `output_size` may choose among."""
    batch(x_shape, axes, name)
    kernel = several(kernel_size, axes, "kernel_size")
    stride = kernel if stride is None or stride == () else several(stride, axes, "stride")
    padding = several(padding, axes, "padding")
    natural = tuple(
        [(size - 1) * s + k - 2 * p for size, k, s, p in zip(x_shape[-axes:], kernel, stride, padding, strict=True)]
    )
    wanted = natural
    if output_size is not None:
        wanted = integers(output_size, "output_size")
        if len(wanted) == axes + 2:
            wanted = wanted[2:]
        if len(wanted) != axes:
            raise ShapeError(f"{name}: output_size must have {axes} or {axes + 2} elements, got {output_size!r}")
        if any(abs(v - size) >= s for v, size, s in zip(wanted, natural, stride, strict=True)):
            raise ShapeError(
                f"{name}: got output_size {wanted}, but it must be less than the stride {short(stride)} away from {natural}"
            )
    if min(wanted) < 0:
        raise ShapeError(f"{name}: the output would have the sizes {wanted}; use less padding or a larger kernel")
    checked_product(*[max(v, 1) for v in x_shape[:-axes]], *[max(v, 1) for v in wanted], 4)
    return wanted
