"""Activations as functions."""

from __future__ import annotations

import warnings

from engine.ops import activation
from engine.ops._op import in_place, over
from engine.ops.activation import (
    gelu,
    glu,
    hardshrink,
    logsigmoid,
    prelu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
)
from engine.ops.unary import sigmoid, tanh

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "selu", "selu_",
    "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
    "threshold_",
]  # fmt: skip


def _applied(f, inplace, input, *params):
    """f(input, *params); in the place of the input if `inplace`."""
    return over(input, f, *params) if inplace else f(input, *params)


def relu(input, inplace=False):
    """max(x, 0)."""
    return _applied(activation.relu, inplace, input)


def relu6(input, inplace=False):
    """x limited to 0..6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x limited to min_val..max_val; no gradient at the limits."""
    return _applied(activation.hardtanh, inplace, input, min_val, max_val)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x above 0, negative_slope * x below."""
    return _applied(activation.leaky_relu, inplace, input, negative_slope)


def threshold(input, threshold, value, inplace=False):
    """x where it is above `threshold`, else `value`."""
    return _applied(activation.threshold, inplace, input, threshold, value)


def elu(input, alpha=1.0, inplace=False):
    """x above 0, alpha * (exp(x) - 1) below (Clevert et al. 2016)."""
    return _applied(activation.elu, inplace, input, alpha)


def celu(input, alpha=1.0, inplace=False):
    """x above 0, alpha * (exp(x / alpha) - 1) below (Barron 2017)."""
    return _applied(activation.celu, inplace, input, alpha)


def selu(input, inplace=False):
    """elu scaled so that activations keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _applied(activation.selu, inplace, input)


def silu(input, inplace=False):
    """x * sigmoid(x), also called swish."""
    return _applied(activation.silu, inplace, input)


def mish(input, inplace=False):
    """x * tanh(softplus(x)) (Misra 2019)."""
    return _applied(activation.mish, inplace, input)


def hardsigmoid(input, inplace=False):
    """x / 6 + 1/2, limited to 0..1 (Howard et al. 2019)."""
    return _applied(activation.hardsigmoid, inplace, input)


def hardswish(input, inplace=False):
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    return _applied(activation.hardswish, inplace, input)


relu_, hardtanh_, leaky_relu_, threshold_, elu_, celu_, selu_ = (
    in_place(f) for f in (relu, hardtanh, leaky_relu, threshold, elu, celu, selu)
)


# ---- along a dimension


def _dim(name, input, dim, stacklevel):
    """`dim`, or PyTorch's choice of old where it is None, with its warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) / sum of exp(x) along `dim`. Without a dim, UserWarning and 0 for 0, 1 or 3 dimensions, else 1."""
    return activation.softmax(input, _dim("softmax", input, dim, _stacklevel), dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-x) along `dim`. Without a dim, as softmax."""
    return activation.softmin(input, _dim("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(x)) along `dim`, without overflow. Without a dim, as softmax."""
    return activation.log_softmax(input, _dim("log_softmax", input, dim, _stacklevel), dtype)
