"""Batch normalisation folded into the layer before it, for inference: one layer computes what two did."""

from __future__ import annotations

import copy

from engine.grad_mode import no_grad
from engine.nn.parameter import Parameter
from engine.ops.shape import reshape
from engine.ops.unary import rsqrt


def _folded(bias, mean, var, eps, weight, shift):
    """What batch norm multiplies by, and the bias that it leaves."""
    scale = rsqrt(var + eps) if weight is None else weight * rsqrt(var + eps)
    bias = (-mean if bias is None else bias - mean) * scale
    return scale, bias if shift is None else bias + shift


def _parameters(weight, bias, old_weight, old_bias):
    """Both as Parameters that require gradients where the old ones did."""
    return Parameter(weight, old_weight.requires_grad), Parameter(bias, old_bias is not None and old_bias.requires_grad)


@no_grad()
def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """(weight, bias) of a convolution that includes the batch norm behind it; conv_b, bn_w and bn_b may be None.

    `transpose`: of a transposed convolution, whose output channels are the second dimension.
    """
    scale, bias = _folded(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    channels = (1, -1) if transpose else (-1, 1)
    weight = conv_w * reshape(scale, shape=(*channels, *(1,) * (conv_w.ndim - 2)))
    return _parameters(weight, bias, conv_w, conv_b)


@no_grad()
def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """(weight, bias) of a linear layer that includes the batch norm behind it."""
    scale, bias = _folded(linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return _parameters(linear_w * reshape(scale, shape=(-1, 1)), bias, linear_w, linear_b)


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A copy of the convolution `conv` that includes the batch norm `bn` behind it, both in eval mode."""
    return _fused(conv, bn, fuse_conv_bn_weights, transpose)


def fuse_linear_bn_eval(linear, bn):
    """A copy of the linear layer that includes the batch norm `bn` behind it, both in eval mode."""
    if bn.num_features not in (1, linear.out_features):
        raise AssertionError(
            f"To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got {linear.out_features} and "
            f"{bn.num_features}"
        )
    return _fused(linear, bn, fuse_linear_bn_weights)


def _fused(layer, bn, weights, *options):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval! Call .eval() on both layers")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None: it has to track its statistics")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, *options
    )
    return fused
