"""How large a convolution's or a pooling's output is, as the sum that a student writes down."""

from __future__ import annotations


def size_sum(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> str:
    """The output size along one axis, written out: "(32 - 5 + 2*0)/1 + 1 = 28".

    A dilated kernel counts as wide as it spreads, dilation*(kernel - 1) + 1; what the last step leaves over is cut off.
    ValueError where an argument is no size, or the kernel does not fit.
    """
    for name, value, least in (
        ("size", size, 1), ("kernel", kernel, 1), ("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1),
    ):  # fmt: skip
        if not isinstance(value, int) or value < least:
            raise ValueError(f"size_sum: {name} must be an int of at least {least}, got {value!r}")
    spread = dilation * (kernel - 1) + 1
    room = size - spread + 2 * padding
    written = str(spread) if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"
    if room < 0:
        raise ValueError(f"size_sum: a kernel of {spread} pixels does not fit {size} + 2*{padding} pixels")
    if room % stride:
        return f"floor(({size} - {written} + 2*{padding})/{stride}) + 1 = {room // stride + 1}"
    return f"({size} - {written} + 2*{padding})/{stride} + 1 = {room // stride + 1}"
