"""Normalisation as functions."""

from __future__ import annotations

from engine.ops import norm
from engine.tape import touch

__all__ = ["batch_norm"]


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
