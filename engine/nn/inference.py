"""Convolution when nothing is recorded: weights that do what batch norm does too, and what the backend makes of them,
are kept until one of their sources changes."""

from __future__ import annotations

from engine.grad_mode import mode
from engine.nn.kept import Kept
from engine.ops import fused
from engine.tensor import Tensor


def serves(x, conv, bn=None, residual=None):
    """Whether `convolution` is for this input of a Conv2d, of a BatchNorm2d behind it, and for what is added then."""
    return (
        not mode.grad and type(x) is Tensor and x._array.ndim == 4 and x._k is conv.weight._k
        and conv.padding_mode == "zeros"
        and (bn is None or (not bn.training and bn._buffers["running_mean"] is not None))
        and (residual is None or (type(residual) is Tensor and residual._k is x._k))
    )  # fmt: skip


def convolution(x, conv, bn=None, relu=False, pool=False, residual=None):
    """max_pool2d(relu(bn(conv(x)) + residual), 2), of which every part but the convolution, and ReLU before pooling, may be
    absent."""
    sources, eps = (conv.weight, conv.bias), None
    if bn is not None:
        buffers, eps = bn._buffers, bn.eps
        sources = (*sources, bn.weight, bn.bias, buffers["running_mean"], buffers["running_var"])
    weights = _folded(conv, sources, eps, x._k)
    numbers = conv.stride, conv.padding, conv.dilation, conv.groups
    return fused.conv2d_inference(x, *weights, numbers, relu, pool, residual)


def _fold(arrays, eps, k):
    """(weight, bias, {}) of the convolution that computes (x * w + b - mean) / sqrt(var + eps) * scale + shift."""
    w, b, *statistics = arrays
    if statistics:
        scale, shift, mean, var = statistics
        invstd = k.invstd(var, eps)
        scale = invstd if scale is None else k.mul(invstd, scale)
        w = k.mul(w, scale.reshape(-1, 1, 1, 1))
        b = k.mul(k.neg(mean) if b is None else k.sub(b, mean), scale)
        b = b if shift is None else k.add(b, shift)
    return w, b, {}


_folded = Kept(_fold)
