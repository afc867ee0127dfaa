"""Batch normalisation (Ioffe and Szegedy 2015): y = (x - mean) / sqrt(var + eps) * w + b, per channel."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops._op import check_floats, op


def _check(x, **per_channel):
    check_floats("batch_norm", input=x, **per_channel)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm expects [N, C, ...], got shape {x.shape}")
    for name, a in per_channel.items():
        if a is not None and a.shape != (x.shape[1],):
            raise ShapeError(f"batch_norm got {name} of shape {a.shape} for {x.shape[1]} channels (input {x.shape})")


@op
def batch_norm_train(k, x, w=None, b=None, *, eps=1e-5):
    """Normalised by the batch's own statistics: (y, mean[C], biased var[C]). Only y has a gradient."""
    _check(x, weight=w, bias=b)
    if x.size and x.size // x.shape[1] == 1:
        raise ShapeError(f"batch_norm: expected more than 1 value per channel when training, got input size {x.shape}")
    mean, var = k.batch_norm_stats(x)
    invstd = k.invstd(var, eps)
    y = k.batch_norm(x, mean, invstd, w, b)
    return (y, mean, var), lambda gs: k.batch_norm_dx(gs[0], x, mean, invstd, w)


@op
def batch_norm_eval(k, x, mean, var, w=None, b=None, *, eps=1e-5):
    """Normalised by given statistics, which are constants here."""
    _check(x, running_mean=mean, running_var=var, weight=w, bias=b)
    invstd = k.invstd(var, eps)

    def all_gradients(g):
        dx, dw, db = k.batch_norm_eval_dx(g, x, mean, invstd, w)
        return dx, None, None, dw, db

    return k.batch_norm(x, mean, invstd, w, b), all_gradients
