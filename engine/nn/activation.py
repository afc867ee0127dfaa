"""Activations as layers."""

from __future__ import annotations

from engine import functions
from engine.nn import functional as F
from engine.nn import init
from engine.nn.module import Module
from engine.nn.parameter import Parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "SELU", "Sigmoid", "SiLU", "Softmax", "Softmax2d", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Activation(Module):
    """A layer whose repr shows the attributes named in `shown`, and `inplace` where it is set."""

    shown: tuple[str, ...] = ()
    inplace = False

    def extra_repr(self):
        parts = [f"{name}={getattr(self, name)!r}" for name in self.shown]
        return ", ".join([*parts, "inplace=True"] if self.inplace else parts)


class _InPlace(_Activation):
    """A layer whose only parameter is `inplace`."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace


class ReLU(_InPlace):
    """max(x, 0)."""

    def forward(self, x):
        return F.relu(x, self.inplace)


class SELU(_InPlace):
    """elu scaled so that activations keep mean 0 and variance 1 (Klambauer et al. 2017)."""

    def forward(self, x):
        return F.selu(x, self.inplace)


class SiLU(_InPlace):
    """x * sigmoid(x), also called swish."""

    def forward(self, x):
        return F.silu(x, self.inplace)


class Mish(_InPlace):
    """x * tanh(softplus(x)) (Misra 2019)."""

    def forward(self, x):
        return F.mish(x, self.inplace)


class Hardsigmoid(_InPlace):
    """x / 6 + 1/2, limited to 0..1 (Howard et al. 2019)."""

    def forward(self, x):
        return F.hardsigmoid(x, self.inplace)

    def extra_repr(self):
        return ""  # as PyTorch's, which keeps silent about `inplace`


class Hardswish(_InPlace):
    """x * hardsigmoid(x) (Howard et al. 2019)."""

    def forward(self, x):
        return F.hardswish(x, self.inplace)

    def extra_repr(self):
        return ""


class Hardtanh(_Activation):
    """x limited to min_val..max_val."""

    shown: tuple[str, ...] = ("min_val", "max_val")

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        super().__init__()
        assert max_val > min_val, f"Hardtanh: max_val ({max_val}) must be greater than min_val ({min_val})"
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, x):
        return F.hardtanh(x, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """x limited to 0..6."""

    shown = ()

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)


class LeakyReLU(_Activation):
    """x above 0, negative_slope * x below."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, x):
        return F.leaky_relu(x, self.negative_slope, self.inplace)


class PReLU(_Activation):
    """x above 0, weight * x below; one learned weight, or one for each channel (dimension 1 of x) (He et al. 2015)."""

    shown = ("num_parameters",)

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(functions.empty(num_parameters, dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self):
        init.constant_(self.weight, self.init)

    def forward(self, x):
        return F.prelu(x, self.weight)


class _Alpha(_Activation):
    shown = ("alpha",)

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class ELU(_Alpha):
    """x above 0, alpha * (exp(x) - 1) below (Clevert et al. 2016)."""

    def forward(self, x):
        return F.elu(x, self.alpha, self.inplace)


class CELU(_Alpha):
    """x above 0, alpha * (exp(x / alpha) - 1) below (Barron 2017)."""

    def forward(self, x):
        return F.celu(x, self.alpha, self.inplace)


class GELU(_Activation):
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016); approximate "tanh": nearly so."""

    shown = ("approximate",)

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, x):
        return F.gelu(x, approximate=self.approximate)


class Softplus(_Activation):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above `threshold`."""

    shown = ("beta", "threshold")

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        return F.softplus(x, self.beta, self.threshold)


class Threshold(_Activation):
    """x where it is above `threshold`, else `value`."""

    shown = ("threshold", "value")

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, x):
        return F.threshold(x, self.threshold, self.value, self.inplace)


class _Shrink(Module):
    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def extra_repr(self):
        return str(self.lambd)


class Hardshrink(_Shrink):
    """x outside of -lambd..lambd, 0 within."""

    def forward(self, x):
        return F.hardshrink(x, self.lambd)


class Softshrink(_Shrink):
    """x moved towards 0 by lambd, 0 within -lambd..lambd."""

    def forward(self, x):
        return F.softshrink(x, self.lambd)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x):
        return F.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x):
        return F.tanh(x)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x):
        return F.softsign(x)


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, x):
        return F.tanhshrink(x)


class LogSigmoid(Module):
    """log(sigmoid(x)), without overflow."""

    def forward(self, x):
        return F.logsigmoid(x)


# ---- along a dimension


class GLU(_Activation):
    """The first half of x along `dim` times the sigmoid of the second (Dauphin et al. 2017)."""

    shown = ("dim",)

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        return F.glu(x, self.dim)


class _Along(_Activation):
    """A layer along a dimension, which it chooses with a warning where it is None."""

    shown = ("dim",)

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim


class Softmax(_Along):
    """exp(x) / sum of exp(x) along `dim`."""

    def forward(self, x):
        return F.softmax(x, self.dim, _stacklevel=5)


class Softmin(_Along):
    """softmax(-x) along `dim`."""

    def forward(self, x):
        return F.softmin(x, self.dim, _stacklevel=5)


class LogSoftmax(_Along):
    """log(softmax(x)) along `dim`, without overflow."""

    def forward(self, x):
        return F.log_softmax(x, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Softmax over the channels of [N, C, H, W] or [C, H, W]. ValueError for other dimensions."""

    def forward(self, x):
        if x.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {x.ndim}D instead")
        return F.softmax(x, -3)
