"""Layers in a row as one operation: what nn.Sequential computes in place of them where nobody looks in between.

Pooling is of 2x2 windows with stride 2, batch norm by the batch's own statistics. Results are those of the layers one
by one within rounding. See nn/fusion.py for when.
"""

from __future__ import annotations

from engine.geometry import Conv2dGeometry, ShapeError
from engine.ops._op import check_floats, op
from engine.ops.conv import check_bias
from engine.ops.linear import check_linear
from engine.ops.norm import check_batch
from engine.tape import Adding, spare
from engine.tensor import wrap

__all__: list[str] = []


def _once(f):
    """f of the last gradient, computed once for all the callables that ask for it."""
    last = [None, None]

    def asked(g):
        if last[0] is not g:
            last[:] = g, f(g)
        return last[1]

    return asked


def _convolution(name, x, w, b, *numbers):
    check_floats(name, input=x, weight=w, bias=b)
    if x.ndim != 4:
        raise ShapeError(f"{name} expects [N, C, H, W], got shape {x.shape}")
    geom = Conv2dGeometry.of(x.shape, w.shape, *numbers, axes=2)
    check_bias(name, b, geom.o)
    return geom


def _convolution_gradients(k, x, w, geom, inner):
    """The gradients of a convolution, `inner` giving that of its own output from that of the fused one."""
    inner = _once(inner)
    return (
        Adding(lambda g, onto: k.conv2d_dx(inner(g), w, geom, onto)),
        lambda g: k.conv2d_dw(inner(g), x, geom),
        lambda g: k.channel_sum(inner(g)),
    )


@op
def conv2d_relu(k, x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1):
    """relu(conv2d)."""
    geom = _convolution("conv2d", x, w, b, stride, padding, dilation, groups)
    y = k.conv2d_relu(x, w, b, geom)
    return y, _convolution_gradients(k, x, w, geom, lambda g: k.relu_dx(g, y))


@op
def conv2d_relu_pool(k, x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1):
    """max_pool2d(relu(conv2d), 2)."""
    geom = _convolution("conv2d", x, w, b, stride, padding, dilation, groups)
    if min(geom.oh, geom.ow) < 2:
        raise _too_small(geom.y_shape)
    y, taps = k.conv2d_relu_pool(x, w, b, geom)
    dx, dw, _ = _convolution_gradients(k, x, w, geom, lambda g: k.relu_max_pool2d_dx(g, taps, geom.y_shape))
    # The bias's: what pooling passes on is summed before it is spread over four times as many places.
    return y, (dx, dw, lambda g: k.channel_sum(g, y))


def conv2d_inference(x, w, b, kept, numbers, relu, pool, residual):
    """conv2d of the Tensor x by the arrays w and b, plus a Tensor `residual` or None, then ReLU and 2x2 pooling where asked
    for; never recorded.

    kept: a dict that belongs to these very w and b, where the geometry of the last input is kept, and by the backend what
    it makes of w; numbers: stride, padding, dilation, groups.
    """
    k, a = x._k, x._array
    given, last = (a.shape, a.dtype, numbers), kept.get("last")
    if last is None or last[0] != given:
        last = kept["last"] = given, _convolution("conv2d", a, w, b, *numbers)
    geom = last[1]
    if pool and min(geom.oh, geom.ow) < 2:
        raise _too_small(geom.y_shape)
    if residual is not None:
        residual = residual._array
        if residual.dtype is not a.dtype:
            check_floats("conv2d", input=a, residual=residual)
        if residual.shape != geom.y_shape:
            raise ShapeError(f"conv2d: shapes {geom.y_shape} and {residual.shape} of what is added differ")
    return wrap(k.conv2d_inference(a, w, b, geom, relu, pool, residual, kept), k)


def _too_small(shape):
    return ShapeError(f"max_pool2d: an input of shape {shape} is smaller than the window of 2x2")


@op
def linear_relu(k, x, w, b=None):
    """relu(linear) of x[N, K] and w[O, K]."""
    check_linear(x, w, b)
    if x.ndim != 2:
        raise ShapeError(f"linear_relu expects [N, K], got shape {x.shape}")
    y = k.linear_relu(x, w, b)
    inner = _once(lambda g: k.relu_dx(g, y))
    return y, (
        lambda g: k.matmul(inner(g), w),
        lambda g: k.matmul(inner(g).T, x),
        lambda g: k.column_sum(inner(g)),
    )


@op
def batch_norm_relu(k, x, w=None, b=None, *, eps=1e-5):
    """(relu(batch_norm), mean[C], biased var[C])."""
    mean, var, invstd = _statistics(k, x, w, b, eps)
    y = k.batch_norm_relu(x, mean, invstd, w, b)

    def all_gradients(gs):
        free = spare(k, gs)
        return k.batch_norm_relu_dx(gs[0], x, mean, invstd, w, b, free)

    return (y, mean, var), all_gradients


@op
def batch_norm_relu_conv2d(
    k, x, kernel, w=None, b=None, bias=None, *, eps=1e-5, stride=1, padding=0, dilation=1, groups=1
):
    """(conv2d(relu(batch_norm(x, w, b)), kernel, bias), mean[C], biased var[C]) of x[N, C, H, W].

    What batch norm and ReLU give is not kept: it is computed again for the gradients, when x is read anyway.
    """
    geom = _convolution("conv2d", x, kernel, bias, stride, padding, dilation, groups)
    mean, var, invstd = _statistics(k, x, w, b, eps)
    y = k.conv2d(k.batch_norm_relu(x, mean, invstd, w, b), kernel, bias, geom)

    def all_gradients(gs):
        g = gs[0]
        dkernel = k.conv2d_dw(g, k.batch_norm_relu(x, mean, invstd, w, b), geom)
        inner = k.conv2d_dx(g, kernel, geom)
        dx, dw, db = k.batch_norm_relu_dx(inner, x, mean, invstd, w, b, True)
        return dx, dkernel, dw, db, None if bias is None else k.channel_sum(g)

    return (y, mean, var), all_gradients


@op
def batch_norm_add_relu(k, x, residual, w=None, b=None, *, eps=1e-5):
    """(relu(batch_norm(x) + residual), mean[C], biased var[C])."""
    mean, var, invstd = _statistics(k, x, w, b, eps, residual=residual)
    if residual.shape != x.shape:
        raise ShapeError(f"batch_norm_add_relu: shapes {x.shape} and {residual.shape} of what is added differ")
    y = k.batch_norm_add_relu(x, mean, invstd, w, b, residual)

    def all_gradients(gs):
        free = spare(k, gs)
        dx, dw, db, dresidual = k.batch_norm_add_relu_dx(gs[0], y, x, mean, invstd, w, free)
        return dx, dresidual, dw, db

    return (y, mean, var), all_gradients


@op
def batch_norm_relu_pool(k, x, w=None, b=None, *, eps=1e-5):
    """(max_pool2d(relu(batch_norm), 2), mean[C], biased var[C]) of x[N, C, H, W]."""
    if x.ndim != 4 or min(x.shape[2:]) < 2:
        raise _too_small(x.shape)
    mean, var, invstd = _statistics(k, x, w, b, eps)
    y, taps = k.batch_norm_relu_pool(x, mean, invstd, w, b)
    return (y, mean, var), lambda gs: k.batch_norm_relu_pool_dx(gs[0], taps, x, mean, invstd, w)


def _statistics(k, x, w, b, eps, **others):
    """mean, biased variance and 1 / sqrt(variance + eps) of each channel."""
    check_batch(x, weight=w, bias=b)
    check_floats("batch_norm", input=x, **others)
    mean, var = k.batch_norm_stats(x)
    return mean, var, k.invstd(var, eps)
