"""Normalisation layers."""

from __future__ import annotations

from engine import functions
from engine.geometry import ShapeError, integer
from engine.nn import functional as F
from engine.nn.module import Module
from engine.nn.parameter import Parameter

__all__ = ["BatchNorm2d"]


class BatchNorm2d(Module):
    """Batch normalisation of x[N, C, H, W] per channel (Ioffe and Szegedy 2015).

    While training by the batch's statistics, of which `running_mean` and `running_var` keep an average of weight
    `momentum` (None: of all batches alike); in eval mode by these. weight [C] starts at 1, bias [C] at 0.
    """

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None
    ):
        super().__init__()
        self.num_features = c = integer(num_features, "num_features")
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        like = {"dtype": dtype, "device": device}
        self.register_parameter("weight", Parameter(functions.ones(c, **like)) if affine else None)
        self.register_parameter("bias", Parameter(functions.zeros(c, **like)) if affine else None)
        self.register_buffer("running_mean", functions.zeros(c, **like) if track_running_stats else None)
        self.register_buffer("running_var", functions.ones(c, **like) if track_running_stats else None)
        count = functions.full((), 0, dtype="int64", device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)

    def forward(self, x):
        if x.ndim != 4:
            raise ShapeError(f"expected 4D input (got {x.ndim}D input of shape {x.shape})")
        if x.shape[1] != self.num_features:
            raise ShapeError(
                f"got an input with {x.shape[1]} channels (shape {x.shape}), expected num_features={self.num_features}"
            )
        momentum = self.momentum
        if self.training and self.track_running_stats:
            self.num_batches_tracked.fill_(self.num_batches_tracked.item() + 1)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        training = self.training or not self.track_running_stats
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps
        )

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
