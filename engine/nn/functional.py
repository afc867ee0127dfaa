"""Layers as functions, with PyTorch's names and argument order."""

from __future__ import annotations

from engine.ops import activation, conv, norm, pool, shape
from engine.ops.activation import log_softmax, sigmoid, softmax, tanh
from engine.ops.linear import linear
from engine.ops.loss import cross_entropy, mse_loss, nll_loss
from engine.ops.random import dropout
from engine.tape import touch

__all__ = [
    "avg_pool2d", "batch_norm", "conv2d", "cross_entropy", "dropout", "linear", "log_softmax", "max_pool2d",
    "mse_loss", "nll_loss", "pad", "relu", "sigmoid", "softmax", "tanh",
]  # fmt: skip


def _batched(f, x, *args):
    """f on x[N, C, H, W], or on a single image x[C, H, W]."""
    if x.ndim != 3:
        return f(x, *args)
    y = f(shape.unsqueeze(x, 0), *args)
    return shape.reshape(y, shape=y.shape[1:])


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation; see `engine.ops.conv.conv2d`. `input` is [N, C, H, W] or [C, H, W]."""
    return _batched(conv.conv2d, input, weight, bias, stride, padding, dilation, groups)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Largest value of each window of [N, C, H, W] or [C, H, W]."""
    if return_indices:
        raise NotImplementedError("max_pool2d(return_indices=True) is not offered")
    return _batched(pool.max_pool2d, input, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Mean of each window of [N, C, H, W] or [C, H, W]."""
    return _batched(
        pool.avg_pool2d, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def relu(input, inplace=False):
    """max(x, 0)."""
    return input.relu_() if inplace else activation.relu(input)


def pad(input, pad, mode="constant", value=None):
    """Constant padding: (before, after) of the last axis, then of the one before it, ...; negative crops."""
    if mode != "constant":
        raise NotImplementedError(f"pad: mode must be 'constant', got {mode!r}")
    return shape.pad(input, pad=tuple(pad), value=0.0 if value is None else value)


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Batch normalisation of [N, C, ...]; while training the running statistics, if any, are updated in place."""
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: running_mean and running_var are needed when training is False")
        return norm.batch_norm_eval(input, running_mean, running_var, weight, bias, eps=eps)
    y, mean, var = norm.batch_norm_train(input, weight, bias, eps=eps)
    if running_mean is not None and input.numel():
        items = input.numel() // input.shape[1]
        unbiased = var.detach() * (items / (items - 1)) if items > 1 else var.detach()
        for running, value in ((running_mean, mean), (running_var, unbiased)):
            running._k.lerp_into(running._array, value._array, momentum)
            touch(running._version, running._array, "batch_norm")
    return y
