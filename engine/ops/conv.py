"""Convolution: cross-correlation, as every framework defines it."""

from __future__ import annotations

from engine.geometry import Conv2dGeometry, ShapeError
from engine.ops._op import check_floats, op

__all__ = ["conv2d"]


@op
def conv2d(k, x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of x[N, C, H, W] with w[O, C/groups, kh, kw], plus b[O]: y[N, O, OH, OW].

    OH = floor((H + padding above and below - dilation*(kh-1) - 1) / stride) + 1, likewise OW. `padding` is an
    integer, (vertical, horizontal), (top, bottom, left, right), 'same' or 'valid'.
    """
    check_floats("conv2d", input=x, weight=w, bias=b)
    geom = Conv2dGeometry.of(x.shape, w.shape, stride, padding, dilation, groups)
    if b is not None and b.shape != (geom.o,):
        raise ShapeError(f"conv2d got a bias of shape {b.shape}, expected ({geom.o},)")
    return k.conv2d(x, w, b, geom), (
        lambda g: k.conv2d_dx(g, w, geom),
        lambda g: k.conv2d_dw(g, x, geom),
        k.channel_sum,
    )
