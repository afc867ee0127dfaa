"""Activations, and softmax. At a kink the derivative is PyTorch's choice of the two.

Derivatives are written in terms of the output where that is as exact: it is kept by the next layer anyway, and an
activation in place may then overwrite its input.
"""

from __future__ import annotations

from functools import wraps

from engine.geometry import ShapeError
from engine.ops._op import dims, expect_numbers, expect_tensors, op
from engine.ops.pointwise import add, div, sub
from engine.ops.unary import abs, neg, tanh

__all__ = ["celu", "hardshrink", "log_softmax", "prelu", "relu", "selu", "softmax", "threshold"]
METHODS = ["hardshrink", "log_softmax", "prelu", "relu", "softmax"]
IN_PLACE = ["relu"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017, equation 14


def _check_floats(name, x):
    """NotImplementedError, PyTorch's choice, unless the array has a float dtype."""
    if x.dtype.kind != "f":
        raise NotImplementedError(f"{name}(): not implemented for {x.dtype}; use x.float()")


def _limit(k, name, value, dtype):
    """`value` as an array of that dtype, cut to an integer if need be; RuntimeError when it does not fit."""
    expect_numbers(name, limit=value)
    if dtype.kind == "b":
        raise RuntimeError(f"{name}(): bool inputs are not supported; use x.float()")
    try:
        return k.full((), value if dtype.kind == "f" else int(value), dtype)
    except OverflowError:
        raise RuntimeError(f"{name}(): the limit {value} does not fit into {dtype}; use x.float()") from None


# ---- of straight pieces


@op(onto=True)
def relu(k, x):
    """max(x, 0)."""
    y = k.relu(x)
    return y, (lambda g: k.relu_dx(g, y),)


@op
def hardtanh(k, x, *, min_val=-1.0, max_val=1.0):
    """x limited to min_val..max_val; no gradient at the limits."""
    if min_val > max_val:
        raise ValueError(f"hardtanh(): min_val must not be greater than max_val, got {min_val} and {max_val}")
    low, high = _limit(k, "hardtanh", min_val, x.dtype), _limit(k, "hardtanh", max_val, x.dtype)
    y = k.clamp(x, low, high)
    return y, (lambda g: k.hardtanh_dx(g, y, low, high),)


def relu6(input):
    """x limited to 0..6."""
    return hardtanh(input, 0.0, 6.0)


@op
def leaky_relu(k, x, *, negative_slope=0.01):
    """x above 0, negative_slope * x below."""
    _check_floats("leaky_relu", x)
    y = k.leaky_relu(x, negative_slope)
    sign = y if negative_slope >= 0 else x  # has the sign of x
    return y, (lambda g: k.leaky_relu_dx(g, sign, negative_slope),)


@op
def prelu(k, x, weight):
    """x above 0, weight * x below; one weight, or one for each channel (dimension 1 of x)."""
    if x.dtype != weight.dtype:
        raise RuntimeError(f"prelu(): input and weight must have one dtype, got {x.dtype} and {weight.dtype}")
    _check_floats("prelu", x)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ShapeError(
            f"prelu(): expected a weight of 1 or {channels} elements (channels of the input of shape {x.shape}), "
            f"got shape {weight.shape}"
        )
    to = weight.shape
    w = weight.reshape(() if weight.size == 1 else (channels,) + (1,) * (x.ndim - 2))
    return k.leaky_relu(x, w), (
        lambda g: k.leaky_relu_dx(g, x, w),
        lambda g: k.sum_to(k.prelu_dw(g, x), w.shape).reshape(to),
    )


@op
def threshold(k, x, *, threshold, value):
    """x where it is above `threshold`, else `value`."""
    if x.dtype.kind == "b":
        raise NotImplementedError("threshold(): not implemented for bool; use x.float()")
    limit, value = _limit(k, "threshold", threshold, x.dtype), _limit(k, "threshold", value, x.dtype)
    return k.threshold(x, limit, value), (lambda g: k.threshold_dx(g, x, limit),)


@op
def hardshrink(k, x, *, lambd=0.5):
    """x outside of -lambd..lambd, 0 within."""
    _check_floats("hardshrink", x)
    return k.hardshrink(x, lambd), (lambda g: k.hardshrink_dx(g, x, lambd),)


@op
def softshrink(k, x, *, lambd=0.5):
    """x moved towards 0 by lambd, 0 within -lambd..lambd."""
    _check_floats("softshrink", x)
    if not 0 <= lambd < float("inf"):
        raise RuntimeError(f"softshrink(): lambd must be finite and not negative, got {lambd}")
    return k.softshrink(x, lambd), (lambda g: k.hardshrink_dx(g, x, lambd),)


@op
def hardsigmoid(k, x):
    """x / 6 + 1/2, limited to 0..1 (Howard et al. 2019)."""
    _check_floats("hardsigmoid", x)
    return k.hardsigmoid(x), (lambda g: k.hardsigmoid_dx(g, x),)


@op
def hardswish(k, x):
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    _check_floats("hardswish", x)
    return k.hardswish(x), (lambda g: k.hardswish_dx(g, x),)


# ---- smooth


def _elu(k, name, x, alpha, scale, rate):
    _check_floats(name, x)
    return k.elu(x, alpha, scale, rate), (lambda g: k.elu_dx(g, x, alpha, scale, rate),)


@op
def elu(k, x, *, alpha=1.0):
    """x above 0, alpha * (exp(x) - 1) below (Clevert et al. 2016)."""
    return _elu(k, "elu", x, alpha, 1.0, 1.0)


@op
def celu(k, x, *, alpha=1.0):
    """x above 0, alpha * (exp(x / alpha) - 1) below (Barron 2017)."""
    if alpha == 0:
        raise RuntimeError("celu(): ZeroDivisionError, alpha must not be 0")
    return _elu(k, "celu", x, alpha, 1.0, 1 / alpha)


@op
def selu(k, x):
    """elu scaled so that activations keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _elu(k, "selu", x, SELU_ALPHA, SELU_SCALE, 1.0)


@op
def gelu(k, x, *, approximate="none"):
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016); approximate "tanh": nearly so, faster."""
    _check_floats("gelu", x)
    if approximate not in ("none", "tanh"):
        kind = RuntimeError if isinstance(approximate, str) else TypeError
        raise kind(f"gelu(): approximate must be 'none' or 'tanh', got {approximate!r}")
    if approximate == "tanh":
        return k.gelu_tanh(x), (lambda g: k.gelu_tanh_dx(g, x),)
    return k.gelu(x), (lambda g: k.gelu_dx(g, x),)


@op
def silu(k, x):
    """x * sigmoid(x), also called swish."""
    _check_floats("silu", x)
    gate = k.sigmoid(x)
    return k.mul(x, gate), (lambda g: k.add(k.mul(g, gate), k.sigmoid_dx(k.mul(g, x), gate)),)


@op
def mish(k, x):
    """x * tanh(softplus(x)) (Misra 2019)."""
    _check_floats("mish", x)
    return k.mish(x), (lambda g: k.mish_dx(g, x),)


@op
def softplus(k, x, *, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above `threshold`."""
    _check_floats("softplus", x)
    return k.softplus(x, beta, threshold), (lambda g: k.softplus_dx(g, x, beta, threshold),)


@op
def logsigmoid(k, x):
    """log(sigmoid(x)), without overflow."""
    _check_floats("logsigmoid", x)
    return k.logsigmoid(x), (lambda g: k.mul(g, k.sigmoid(k.neg(x))),)


def softsign(input):
    """x / (1 + |x|)."""
    return div(input, add(abs(input), 1))


def tanhshrink(input):
    """x - tanh(x)."""
    expect_tensors("tanhshrink", input=input)
    if input.dtype.kind == "b":
        raise RuntimeError("tanhshrink(): bool inputs are not supported; use x.float()")
    return sub(input, tanh(input))


# ---- along an axis


def _axis(name, dim, ndim):
    """`dim` as an axis; TypeError unless it is one integer, IndexError out of range."""
    if not hasattr(dim, "__index__"):
        raise TypeError(f"{name}(): dim must be an integer, got {dim!r}")
    (axis,) = dims(name, dim, ndim) or (0,)
    return axis


@op
def glu(k, x, *, dim=-1):
    """The first half of x along `dim` times the sigmoid of the second (Dauphin et al. 2017)."""
    _check_floats("glu", x)
    if not x.ndim:
        raise ShapeError("glu(): a scalar has no halves")
    axis = _axis("glu", dim, x.ndim)
    if x.shape[axis] % 2:
        raise ShapeError(f"glu(): the size along dim {dim} must be even, got shape {x.shape}")
    return k.glu(x, axis), (lambda g: k.glu_dx(g, x, axis),)


def _cast_first(plain):
    """`plain` of the input in another dtype, where one is given."""

    @wraps(plain)
    def apply(input, dim, dtype=None):
        if dtype is not None:
            from engine.functions import to

            expect_tensors(plain.__name__, input=input)
            input = to(input, dtype=dtype)
        return plain(input, dim)

    return apply


@_cast_first
@op
def softmax(k, x, *, dim):
    """exp(x) / sum of exp(x) along `dim`, computed in `dtype` where one is given."""
    axis = _axis("softmax", dim, x.ndim)
    _check_floats("softmax", x)
    y = k.softmax(x, axis)
    return y, (lambda g: k.softmax_dx(g, y, axis),)


@_cast_first
@op
def log_softmax(k, x, *, dim):
    """log(softmax(x)) along `dim`, without overflow, computed in `dtype` where one is given."""
    axis = _axis("log_softmax", dim, x.ndim)
    _check_floats("log_softmax", x)
    y = k.log_softmax(x, axis)
    return y, (lambda g: k.log_softmax_dx(g, y, axis),)


def softmin(input, dim, dtype=None):
    """softmax(-x) along `dim`."""
    return softmax(neg(input), dim, dtype)
