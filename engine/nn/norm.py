"""Normalisation layers."""

from __future__ import annotations

import warnings

from engine import functions
from engine.geometry import ShapeError, integer
from engine.nn import functional as F
from engine.nn import init
from engine.nn.functional.norm import count_batch, sizes
from engine.nn.module import Module
from engine.nn.parameter import Parameter, registered

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "LayerNorm", "LocalResponseNorm",
    "RMSNorm",
]  # fmt: skip


class _Affine(Module):
    """A weight and a bias of one shape, either of which may be absent."""

    weight, bias = registered("_parameters"), registered("_parameters")

    def _register_affine(self, shape, weight, bias, **like):
        self.register_parameter("weight", Parameter(functions.ones(shape, **like)) if weight else None)
        self.register_parameter("bias", Parameter(functions.zeros(shape, **like)) if bias else None)

    def reset_parameters(self):
        """The weight at 1 and the bias at 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _WithStatistics(_Affine):
    """Normalisation per channel, and averages of the statistics of batches in buffers."""

    channel_axis: dict  # by the number of an input's dimensions
    running_mean, running_var = registered("_buffers"), registered("_buffers")
    num_batches_tracked = registered("_buffers")

    _may_miss = ("num_batches_tracked",)

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True
    ):  # fmt: skip
        super().__init__()
        self.num_features = c = integer(num_features, "num_features")
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        like = {"dtype": dtype, "device": device}
        self._register_affine((c,), affine, affine and bias, **like)
        self.register_buffer("running_mean", functions.zeros(c, **like) if track_running_stats else None)
        self.register_buffer("running_var", functions.ones(c, **like) if track_running_stats else None)
        count = functions.full((), 0, dtype="int64", device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self):
        """The averages as they were before the first batch."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """The weight at 1, the bias at 0, and the averages as they were before the first batch."""
        self.reset_running_stats()
        super().reset_parameters()

    def _fits(self, x):
        """Whether the input has num_features channels; ShapeError unless its dimensions are those of the layer."""
        if x.ndim not in self.channel_axis:
            expected = " or ".join(f"{n}D" for n in self.channel_axis)
            raise ShapeError(f"expected {expected} input (got {x.ndim}D input of shape {x.shape})")
        return x.shape[self.channel_axis[x.ndim]] == self.num_features

    def _wrong_channels(self, x):
        got = x.shape[self.channel_axis[x.ndim]]
        return f"got an input with {got} channels (shape {x.shape}), expected num_features={self.num_features}"

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


# ---- batch norm


class _BatchNorm(_WithStatistics):
    def forward(self, x):
        if not self._fits(x):
            raise ShapeError(self._wrong_channels(x))
        mean, var, training, momentum = self.statistics()
        return F.batch_norm(x, mean, var, self.weight, self.bias, training, momentum, self.eps)

    def statistics(self):
        """For the next batch, which is counted: running mean and variance, whether to use its own, and the momentum."""
        momentum, tracked = self.momentum, self.training and self.track_running_stats
        if tracked:
            count_batch(self.num_batches_tracked)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        mean, var = (self.running_mean, self.running_var) if tracked or not self.training else (None, None)
        return mean, var, self.training or mean is var is None, momentum


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of x[N, C] or x[N, C, L] per channel; see BatchNorm2d."""

    channel_axis = {2: 1, 3: 1}


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of x[N, C, H, W] per channel (Ioffe and Szegedy 2015).

    While training by the batch's statistics, of which `running_mean` and `running_var` keep an average of weight
    `momentum` (None: of all batches alike); in eval mode by these. weight [C] starts at 1, bias [C] at 0.
    """

    channel_axis = {4: 1}


# ---- instance norm


class _InstanceNorm(_WithStatistics):
    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None, *, bias=True
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, x):
        if not self._fits(x):
            if self.affine or self.track_running_stats:
                raise ShapeError(self._wrong_channels(x))
            warnings.warn(f"{self._wrong_channels(x)}, which is not used because affine=False", stacklevel=2)
        batch = x if self.channel_axis[x.ndim] else x.unsqueeze(0)
        own = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        y = F.instance_norm(batch, self.running_mean, self.running_var, self.weight, self.bias, own, momentum, self.eps)
        return y if batch is x else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of x[N, C, L] or [C, L] normalised by itself; see InstanceNorm2d."""

    channel_axis = {2: 0, 3: 1}


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each sample of x[N, C, H, W] or [C, H, W] normalised by itself (Ulyanov et al. 2016).

    `affine` gives a weight [C] that starts at 1 and a bias [C] that starts at 0; `track_running_stats` keeps averages
    of the statistics, used in eval mode. Neither is so unless asked for.
    """

    channel_axis = {3: 0, 4: 1}


# ---- within a sample


class GroupNorm(_Affine):
    """The channels of each sample of x[N, C, ...] normalised in `num_groups` groups (Wu and He 2018).

    weight [C] starts at 1, bias [C] at 0.
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        self.num_groups = integer(num_groups, "num_groups")
        self.num_channels = integer(num_channels, "num_channels")
        if self.num_groups < 1 or self.num_channels % self.num_groups:
            raise ValueError(
                f"GroupNorm: num_channels must be divisible by num_groups, got {num_channels} and {num_groups}"
            )
        self.eps, self.affine = eps, affine
        self._register_affine((self.num_channels,), affine, affine and bias, dtype=dtype, device=device)

    def forward(self, x):
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LayerNorm(_Affine):
    """The last axes of each sample, of the sizes `normalized_shape`, normalised (Ba et al. 2016).

    weight starts at 1, bias at 0; both have the shape `normalized_shape`.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        affine = elementwise_affine
        self._register_affine(self.normalized_shape, affine, affine and bias, dtype=dtype, device=device)

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """The last axes of each sample, of the sizes `normalized_shape`, over the root of the mean of their squares.

    weight starts at 1 and has the shape `normalized_shape`; eps None is the distance of 1 to the next number of the
    dtype (Zhang and Sennrich 2019).
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = Parameter(functions.ones(self.normalized_shape, dtype=dtype, device=device))
        self.register_parameter("weight", weight if elementwise_affine else None)

    def reset_parameters(self):
        """The weight at 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Module):
    """x over a power of what `size` neighbouring channels of x[N, C, ...] hold (Krizhevsky et al. 2012)."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x):
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
