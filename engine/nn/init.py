"""Initialisation, in place, under PyTorch's names; draws come from the engine's generator, or from one that is given.

Fans count the inputs and the outputs of one unit: of a weight [out, in, *window], in and out times the window. Nothing
here is recorded for gradients.
"""

from __future__ import annotations

import math
import warnings
from functools import wraps

from engine.generator import chosen
from engine.grad_mode import no_grad
from engine.ops import random
from engine.tensor import wrap

__all__ = [
    "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal",
    "kaiming_normal_", "kaiming_uniform", "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal",
    "orthogonal_", "sparse", "sparse_", "trunc_normal_", "uniform", "uniform_", "xavier_normal", "xavier_normal_",
    "xavier_uniform", "xavier_uniform_", "zeros_",
]  # fmt: skip

_LINEAR = ["linear", *(f"{kind}{n}d" for kind in ("conv", "conv_transpose") for n in (1, 2, 3))]
_GAINS = {**dict.fromkeys(_LINEAR, 1), "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity, param=None):
    """The factor that keeps a signal's variance through a nonlinearity ('leaky_relu': param is its slope, 0.01)."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {slope!r} not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity!r}; there are leaky_relu, {', '.join(_GAINS)}")
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor):
    if tensor.ndim < 2:
        raise ValueError(
            f"Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got {tensor.shape}"
        )
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def fan_in(tensor):
    """Inputs of one output: shape[1] times the receptive field."""
    return _calculate_fan_in_and_fan_out(tensor)[0]


def _calculate_correct_fan(tensor, mode):
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode!r} not supported, please use 'fan_in' or 'fan_out'")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def _matrix(tensor):
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {tensor.shape}")
    return tensor.shape


# ---- numbers, alike for all elements


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Draws from [a, b)."""
    with no_grad():
        return random.uniform_(tensor, a, b, generator=generator)


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Draws from the normal distribution."""
    with no_grad():
        return random.normal_(tensor, mean, std, generator=generator)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Draws from the normal distribution, of those that lie in [a, b]: exactly distributed for any limits."""
    if tensor.dtype.kind != "f":
        raise NotImplementedError(f"trunc_normal_: not implemented for {tensor.dtype}, expected float32 or float64")
    if not 0 <= std < math.inf or a > b:
        raise RuntimeError(f"trunc_normal_ expects a finite std >= 0 and a <= b, got std={std}, a={a}, b={b}")
    if std == 0:
        raise ZeroDivisionError("trunc_normal_ with std=0 draws nothing; use constant_")
    k = tensor._k
    draws = k.truncated_normal(tensor.shape, mean, std, a, b, chosen(generator).next_key(), tensor.dtype)
    with no_grad():
        return tensor.copy_(wrap(draws, k))


def constant_(tensor, val):
    """Every element `val`."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor):
    """Every element 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor):
    """Every element 0."""
    return constant_(tensor, 0.0)


# ---- numbers that keep the variance of signals


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform in +-gain * sqrt(3 / fan) (He et al. 2015); `a` is the slope of a leaky ReLU."""
    if _empty(tensor):
        return tensor
    bound = math.sqrt(3 / _calculate_correct_fan(tensor, mode)) * calculate_gain(nonlinearity, a)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with standard deviation gain / sqrt(fan) (He et al. 2015); `a` is the slope of a leaky ReLU."""
    if _empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def _empty(tensor):
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return 0 in tensor.shape


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def uniform_bias_(bias, fan):
    """A layer's default bias: uniform in +-1/sqrt(fan). None is left alone."""
    if bias is not None and fan > 0:
        uniform_(bias, -1 / math.sqrt(fan), 1 / math.sqrt(fan))
    return bias


# ---- matrices of a structure


def eye_(tensor):
    """The identity: ones on the diagonal of a matrix, which need not be square."""
    rows, columns = _matrix(tensor)
    with no_grad():
        tensor.zero_()
        for i in range(min(rows, columns)):
            tensor[i, i] = 1
    return tensor


def dirac_(tensor, groups=1):
    """A convolution weight that hands its input on: a one in the middle of the window of channel i to channel i.

    Within each of `groups`, and for as many channels as there are on both sides.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got shape {tensor.shape}")
    if tensor.shape[0] % groups:
        raise ValueError(f"dim 0 must be divisible by groups, got shape {tensor.shape} and groups={groups}")
    outputs = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for i in range(min(outputs, tensor.shape[1])):
                tensor[(group * outputs + i, i, *middle)] = 1
    return tensor


def orthogonal_(tensor, gain=1, generator=None):
    """`gain` times a matrix [shape[0], the rest] with orthonormal rows, or columns where these are fewer.

    Uniform among all such matrices (Saxe et al. 2013).
    """
    if tensor.ndim < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, got shape {tensor.shape}")
    if not tensor.numel():
        return tensor
    k, rows = tensor._k, tensor.shape[0]
    columns = tensor.numel() // rows
    shape = max(rows, columns), min(rows, columns)
    q = k.orthonormal(k.normal(shape, 0.0, 1.0, chosen(generator).next_key(), tensor.dtype))
    with no_grad():
        return tensor.copy_(wrap(gain * (q if rows >= columns else q.T).reshape(tensor.shape), k))


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal numbers, but zero in a share `sparsity` (rounded up) of the rows of each column, at random (Martens 2010)."""
    rows, columns = _matrix(tensor)
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    with no_grad():
        for column in range(columns):
            tensor[random.randperm(rows, generator=generator)[:zeros], column] = 0
    return tensor


# ---- the names from before PyTorch 0.4


def _deprecated(f):
    name = f.__name__[:-1]

    @wraps(f)
    def old(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{f.__name__}`.", FutureWarning, stacklevel=2
        )
        return f(*args, **kwargs)

    old.__name__, old.__doc__ = name, f"Deprecated name of `{f.__name__}`."
    return old


uniform, normal, constant = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_)
eye, dirac, orthogonal, sparse = _deprecated(eye_), _deprecated(dirac_), _deprecated(orthogonal_), _deprecated(sparse_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
