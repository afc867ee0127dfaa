"""Normalisation: y = (x - mean) / sqrt(var + eps) * w + b.

What differs is which elements share a mean and a variance: those of a channel in the whole batch (batch norm, Ioffe and
Szegedy 2015), of a group of channels in one sample (group norm, Wu and He 2018; of one channel: instance norm, Ulyanov et
al. 2016), of the last axes of one sample (layer norm, Ba et al. 2016). All of them are served by batch norm's kernels: a
set of elements is a channel of another view. Statistics are outputs without a gradient.
"""

from __future__ import annotations

import math

from engine.geometry import ShapeError
from engine.ops._op import check_floats, op
from engine.tape import spare

__all__: list[str] = []


def check_input(name, x, **affine):
    """NotImplementedError, PyTorch's choice, for integers; DtypeError for parameters of another dtype."""
    if x.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for input of dtype {x.dtype}; use .float()")
    check_floats(name, input=x, **affine)


def _check(name, x, **per_channel):
    check_input(name, x, **per_channel)
    if x.ndim < 2:
        raise ShapeError(f"{name} expects [N, C, ...], got shape {x.shape}")
    for argument, a in per_channel.items():
        if a is not None and a.shape != (x.shape[1],):
            raise ShapeError(f"{name} got {argument} of shape {a.shape} for {x.shape[1]} channels (input {x.shape})")


def check_batch(x, **per_channel):
    """ShapeError for a batch without statistics of its own, or parameters of other sizes."""
    _check("batch_norm", x, **per_channel)
    if x.size and x.size // x.shape[1] == 1:
        raise ShapeError(f"batch_norm: expected more than 1 value per channel when training, got input size {x.shape}")


@op
def batch_norm_train(k, x, w=None, b=None, *, eps=1e-5):
    """Normalised by the batch's own statistics: (y, mean[C], biased var[C])."""
    check_batch(x, weight=w, bias=b)
    mean, var = k.batch_norm_stats(x)
    invstd = k.invstd(var, eps)
    y = k.batch_norm(x, mean, invstd, w, b)

    def all_gradients(gs):
        free = spare(k, gs)
        return k.batch_norm_dx(gs[0], x, mean, invstd, w, free)

    return (y, mean, var), all_gradients


@op
def batch_norm_eval(k, x, mean, var, w=None, b=None, *, eps=1e-5):
    """Normalised by given statistics, which are constants here."""
    _check("batch_norm", x, running_mean=mean, running_var=var, weight=w, bias=b)
    invstd = k.invstd(var, eps)

    def all_gradients(g):
        dx, dw, db = k.batch_norm_eval_dx(g, x, mean, invstd, w)
        return dx, None, None, dw, db

    return k.batch_norm(x, mean, invstd, w, b), all_gradients


@op
def group_norm(k, x, w=None, b=None, *, groups, eps=1e-5):
    """x[N, C, ...], each C / groups channels of a sample normalised: (y, mean[N * groups], biased var[N * groups])."""
    _check("group_norm", x, weight=w, bias=b)
    shape, (n, c) = x.shape, x.shape[:2]
    if groups < 1 or c % groups:
        raise ShapeError(f"group_norm: expected number of channels to be divisible by num_groups, got {c} and {groups}")
    channels, plane = c // groups, math.prod(shape[2:])
    in_groups, in_planes = (1, n * groups, channels * plane), (1, n * c, plane)

    def of_planes(a, per):
        """A value for each plane from one for each group of each sample, or for each channel; None stays."""
        return a if a is None else k.broadcast(a.reshape(per), (n, groups, channels)).reshape(n * c)

    grouped, planes = x.reshape(in_groups), x.reshape(in_planes)
    mean, var = k.batch_norm_stats(grouped)
    invstd = k.invstd(var, eps)
    a, s = of_planes(mean, (n, groups, 1)), of_planes(invstd, (n, groups, 1))
    scale = of_planes(w, (1, groups, channels))
    y = k.batch_norm(planes, a, s, scale, of_planes(b, (1, groups, channels)))

    def all_gradients(gs):
        dx, dw, db = k.batch_norm_eval_dx(gs[0].reshape(in_planes), planes, a, s, scale)
        # What the mean and the variance of a group owe to all its elements: a line through x, the same for the group.
        by_var, by_mean = (d if w is None else k.mul(d, scale) for d in (dw, db))
        by_var, by_mean = (k.sum(d.reshape(n * groups, channels), (1,), False) for d in (by_var, by_mean))
        items = max(channels * plane, 1)
        slope = k.neg(k.div(k.mul(k.mul(invstd, invstd), by_var), items))
        shift = k.neg(k.div(k.mul(invstd, by_mean), items))
        dx = k.add(dx.reshape(in_groups), k.batch_norm(grouped, mean, slope, None, shift))
        dw, db = (k.sum(d.reshape(n, c), (0,), False) for d in (dw, db))
        return dx.reshape(shape), dw, db

    return (y.reshape(shape), mean, var), all_gradients


@op
def layer_norm(k, x, w=None, b=None, *, dims, eps=1e-5):
    """Each sample's last `dims` axes normalised; w and b have the shape of these axes."""
    check_input("layer_norm", x, weight=w, bias=b)
    shape, last = x.shape, x.shape[x.ndim - dims :]
    flat = (math.prod(shape[: x.ndim - dims]), math.prod(last))
    rows = x.reshape(1, *flat)
    mean, var = k.batch_norm_stats(rows)
    invstd = k.invstd(var, eps)
    y = normed = k.batch_norm(rows, mean, invstd, None, None).reshape(shape)
    y = y if w is None else k.mul(y, w)
    y = y if b is None else k.add(y, b)

    def dx(g):
        g = (g if w is None else k.mul(g, w)).reshape(1, *flat)
        return k.batch_norm_dx(g, rows, mean, invstd, None)[0].reshape(shape)

    return y, (
        dx,
        lambda g: k.column_sum(k.mul(g, normed).reshape(flat)).reshape(last),
        lambda g: k.column_sum(g.reshape(flat)).reshape(last),
    )
