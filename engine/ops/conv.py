"""Convolution (cross-correlation, as every framework defines it), its transpose, its patches, and the locally connected
layer, which is a convolution that shares nothing.

Images have one axis, [N, C, L], or two, [N, C, H, W]; without N they are a batch of one. One axis is computed as images
of height 1. The `padding` of a convolution is an integer, one per axis, or two per axis: (left, right) of one axis,
(top, bottom, left, right) of two.
"""

from __future__ import annotations

from engine.geometry import Conv2dGeometry, ShapeError
from engine.ops._images import outside, shaped
from engine.ops._op import check_floats, op
from engine.tape import Adding

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "locally_connected2d"]


@op
def conv1d(k, input, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of input[N, C, L] with weight[O, C/groups, k], plus bias[O]: [N, O, OL].

    OL = floor((L + padding on both sides - dilation*(k-1) - 1) / stride) + 1. `padding` may also be 'same' (with any
    stride: ceil(L / stride) outputs, the odd one behind, TensorFlow's rule) or 'valid' (none).
    """
    return _convolution(k, input, weight, bias, 1, stride, padding, dilation, groups)


@op
def conv2d(k, input, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of input[N, C, H, W] with weight[O, C/groups, kh, kw], plus bias[O]: [N, O, OH, OW].

    OH = floor((H + padding above and below - dilation*(kh-1) - 1) / stride) + 1, likewise OW. `padding` may also be
    'same' (with any stride: ceil(H / stride) outputs, the odd one behind, TensorFlow's rule) or 'valid' (none).
    """
    return _convolution(k, input, weight, bias, 2, stride, padding, dilation, groups)


@op
def conv_transpose1d(k, input, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of conv1d: input[N, C, L] with weight[C, O/groups, k], plus bias[O]: [N, O, OL].

    OL = (L - 1)*stride - padding on both sides + dilation*(k-1) + output_padding + 1.
    """
    return _transposed(k, input, weight, bias, 1, stride, padding, output_padding, groups, dilation)


@op
def conv_transpose2d(k, input, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of conv2d: input[N, C, H, W] with weight[C, O/groups, kh, kw], plus bias[O]: [N, O, OH, OW].

    OH = (H - 1)*stride - padding above and below + dilation*(kh-1) + output_padding + 1, likewise OW. What a
    convolution of that stride and padding shrank gets its size back; `output_padding` (less than stride or dilation)
    tells apart the sizes that it maps to the same.
    """
    return _transposed(k, input, weight, bias, 2, stride, padding, output_padding, groups, dilation)


def _convolution(k, x, w, b, axes, *numbers):
    name = f"conv{axes}d"
    check_floats(name, input=x, weight=w, bias=b)
    geom = Conv2dGeometry.of(x.shape, w.shape, *numbers, axes=axes)
    check_bias(name, b, geom.o)
    x_shape, w_shape = x.shape, w.shape
    images, filters = shaped(x, geom.x_shape), shaped(w, geom.w_shape)
    y = k.conv2d(images, filters, b, geom)

    def dx(g, onto):
        onto = onto if onto is None else shaped(onto, geom.x_shape)
        return shaped(k.conv2d_dx(shaped(g, geom.y_shape), filters, geom, onto), x_shape)

    return shaped(y, outside(geom.y_shape, x_shape, axes)), (
        Adding(dx),
        lambda g: shaped(k.conv2d_dw(shaped(g, geom.y_shape), images, geom), w_shape),
        lambda g: k.channel_sum(shaped(g, geom.y_shape)),
    )


def _transposed(k, x, w, b, axes, *numbers):
    """The kernels of the convolution whose output has the shape of x: forward is its input gradient, and so on."""
    name = f"conv_transpose{axes}d"
    check_floats(name, input=x, weight=w, bias=b)
    geom = Conv2dGeometry.of_transposed(x.shape, w.shape, *numbers, axes=axes)
    check_bias(name, b, geom.c)
    x_shape, w_shape = x.shape, w.shape
    images, filters = shaped(x, geom.y_shape), shaped(w, geom.w_shape)
    y = k.conv2d_dx(images, filters, geom)
    if b is not None:
        y = k.add(y, b.reshape(-1, 1, 1), y)
    return shaped(y, outside(geom.x_shape, x_shape, axes)), (
        lambda g: shaped(k.conv2d(shaped(g, geom.x_shape), filters, None, geom), x_shape),
        lambda g: shaped(k.conv2d_dw(images, shaped(g, geom.x_shape), geom), w_shape),
        lambda g: k.channel_sum(shaped(g, geom.x_shape)),
    )


@op
def locally_connected2d(k, input, weight, bias=None, *, stride=1, padding=0):
    """input[N, C, H, W] with a filter of its own at every position, weight[O, C, kh, kw, OH, OW], plus bias[O, OH, OW]:
    [N, O, OH, OW].

    A convolution whose weights are not shared: output (y, x) is what conv2d gives there with weight[..., y, x]. OH and OW,
    stride and padding are conv2d's. Taigman et al. 2014, "DeepFace", section 2.2; Chainer's LocalConvolution2D.
    """
    name = "locally_connected2d"
    check_floats(name, input=input, weight=weight, bias=bias)
    geom = Conv2dGeometry.of_local(input.shape, weight.shape, stride, padding)
    check_bias(name, bias, geom.o, geom.oh, geom.ow)
    x_shape, images = input.shape, shaped(input, geom.x_shape)
    y = k.locally_connected2d(images, weight, bias, geom)
    return shaped(y, outside(geom.y_shape, x_shape, 2)), (
        lambda g: shaped(k.locally_connected2d_dx(shaped(g, geom.y_shape), weight, geom), x_shape),
        lambda g: k.locally_connected2d_dw(shaped(g, geom.y_shape), images, geom),
        lambda g: k.sum(shaped(g, geom.y_shape), (0,), False),
    )


def check_bias(name, b, *shape):
    if b is not None and b.shape != shape:
        raise ShapeError(f"{name} got a bias of shape {b.shape}, expected {shape}")


@op
def unfold(k, input, *, kernel_size, dilation=1, padding=0, stride=1):
    """The patches of input[N, C, H, W] that a convolution sees, as columns: [N, C*kh*kw, positions]."""
    check_floats("unfold", input=input)
    geom = Conv2dGeometry.of_patches("unfold", input.shape, kernel_size, dilation, padding, stride)
    x_shape, columns = input.shape, (geom.n, geom.c * geom.kh * geom.kw, geom.oh * geom.ow)
    y = k.unfold(shaped(input, geom.x_shape), geom)
    return y.reshape(x_shape[:-3] + columns[1:]), (lambda g: shaped(k.fold(shaped(g, columns), geom), x_shape),)


@op
def fold(k, input, *, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The transpose of unfold: columns input[N, C*kh*kw, positions] added up where they lie in [N, C, *output_size]."""
    check_floats("fold", input=input)
    geom = Conv2dGeometry.of_columns(input.shape, output_size, kernel_size, dilation, padding, stride)
    in_shape, columns = input.shape, (geom.n, geom.c * geom.kh * geom.kw, geom.oh * geom.ow)
    y = k.fold(shaped(input, columns), geom)
    return y.reshape(in_shape[:-2] + geom.x_shape[1:]), (
        lambda g: shaped(k.unfold(shaped(g, geom.x_shape), geom), in_shape),
    )
