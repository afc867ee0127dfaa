"""Pooling over windows of each channel."""

from __future__ import annotations

from engine.geometry import Pool2dGeometry
from engine.ops._op import check_floats, op

__all__: list[str] = []


@op
def max_pool2d(k, x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Largest value of each window of x[N, C, H, W]; the gradient goes to it (the first among equals)."""
    check_floats("max_pool2d", input=x)
    geom = Pool2dGeometry.of(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    y, taps = k.max_pool2d(x, geom)
    return y, (lambda g: k.max_pool2d_dx(g, taps, geom),)


@op
def avg_pool2d(
    k, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Mean of each window of x[N, C, H, W]; padding counts unless `count_include_pad` is False."""
    check_floats("avg_pool2d", input=x)
    geom = Pool2dGeometry.of(x.shape, kernel_size, stride, padding, 1, ceil_mode, count_include_pad, divisor_override)
    return k.avg_pool2d(x, geom), (lambda g: k.avg_pool2d_dx(g, geom),)
