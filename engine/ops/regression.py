"""Losses of numbers against numbers, element by element, and of probabilities against probabilities.

`reduction` is 'mean', 'sum' or 'none' everywhere; size_average and reduce are what it was called before. Input and target
are floats of one shape; where they must be broadcast there is a UserWarning, and results have the wider of their dtypes.
"""

from __future__ import annotations

import math
import warnings

from engine.geometry import ShapeError
from engine.grad_mode import no_grad
from engine.ops._losses import REDUCTIONS, pair, reduced, reduction_of
from engine.ops._op import DtypeError, check_floats, expect_bools, expect_numbers, expect_tensors, op
from engine.ops.activation import logsigmoid
from engine.ops.compare import gt, lt
from engine.ops.pointwise import add, div, mul, sub, where
from engine.ops.reduce import any, sum
from engine.ops.shape import clone, unsqueeze
from engine.ops.unary import abs, exp, log, square
from engine.tensor import Tensor

__all__: list[str] = []


# ---- distances


@op
def squared_error(k, x, t):
    """(x - t) * (x - t)."""
    d = k.sub(x, t)
    twice = lambda g: k.mul(k.mul(g, d), 2.0)  # noqa: E731
    return k.mul(d, d), (twice, lambda g: k.neg(twice(g)))


@op
def huber_error(k, x, t, *, delta):
    """d * d / 2 where |d| = |x - t| is at most delta, delta * (|d| - delta / 2) beyond (Huber 1964)."""
    d = k.sub(x, t)
    far = k.gt(k.abs(d), delta)
    y = k.where(far, k.mul(k.sub(k.abs(d), delta / 2), delta), k.mul(k.mul(d, d), 0.5))
    slope = lambda g: k.mul(g, k.where(far, k.mul(k.sign(d), delta), d))  # noqa: E731
    return y, (slope, lambda g: k.neg(slope(g)))


def _weighted(name, losses, input, weight, reduction, mean_of_weights):
    """The losses times `weight` (None: all 1) of the input's shape; their mean, perhaps divided by that of the weights."""
    if weight is None:
        return reduced(losses, reduction)
    expect_tensors(name, weight=weight)
    if weight.shape != input.shape:
        raise ShapeError(f"{name} got a weight of shape {weight.shape}, expected that of the input, {input.shape}")
    losses = mul(losses, weight)
    if reduction == "mean" and mean_of_weights:
        return div(sum(losses), sum(weight))
    return reduced(losses, reduction)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target) ** 2; the mean with a `weight` is divided by the sum of the weights."""
    reduction = reduction_of(size_average, reduce, reduction)
    return _weighted("mse_loss", squared_error(*pair("mse_loss", input, target)), input, weight, reduction, True)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|; the mean with a `weight` is divided by the sum of the weights."""
    reduction = reduction_of(size_average, reduce, reduction)
    return _weighted("l1_loss", abs(sub(*pair("l1_loss", input, target))), input, weight, reduction, True)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """d * d / (2 * beta) where |d| = |input - target| is below beta, |d| - beta / 2 beyond (Girshick 2015)."""
    reduction = reduction_of(size_average, reduce, reduction)
    expect_numbers("smooth_l1_loss", beta=beta)
    if not beta >= 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    input, target = pair("smooth_l1_loss", input, target)
    if beta == 0:
        return reduced(abs(sub(input, target)), reduction)
    return reduced(div(huber_error(input, target, delta=beta), beta), reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """d * d / 2 where |d| = |input - target| is at most delta, delta * (|d| - delta / 2) beyond (Huber 1964)."""
    reduction_of(None, None, reduction)
    expect_numbers("huber_loss", delta=delta)
    if not delta > 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}")
    losses = huber_error(*pair("huber_loss", input, target), delta=delta)
    return _weighted("huber_loss", losses, input, weight, reduction, False)


# ---- two classes


@op
def binary_cross_entropy_of(k, p, t):
    """-t * log(p) - (1 - t) * log(1 - p), each logarithm at least -100, of probabilities p."""
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise RuntimeError(
            f"binary_cross_entropy: all elements of input should be between 0 and 1, got {p.min()} to {p.max()}; "
            "scores are for binary_cross_entropy_with_logits"
        )
    yes, no = k.log(p), k.log1p(k.neg(p))
    y = k.neg(k.add(k.mul(t, k.maximum(yes, -100.0)), k.mul(k.sub(1.0, t), k.maximum(no, -100.0))))

    def dp(g):
        variance = k.maximum(k.mul(p, k.sub(1.0, p)), 1e-12)
        return k.div(k.mul(g, k.sub(p, t)), variance)

    return y, (dp, lambda g: k.mul(g, k.sub(no, yes)))


def _times(name, losses, weight):
    """The losses times `weight`, which broadcasts to them; None: themselves."""
    if weight is None:
        return losses
    expect_tensors(name, weight=weight)
    y = mul(losses, weight)
    if y.shape != losses.shape:
        raise ShapeError(f"{name} got a weight of shape {weight.shape}, which does not broadcast to {losses.shape}")
    return y


def _equal_shapes(name, input, target):
    expect_tensors(name, input=input, target=target)
    if input.shape != target.shape:
        raise ShapeError(f"{name} got shapes {input.shape} and {target.shape}; they must agree")
    if input.dtype.kind != "f" and input.dtype == target.dtype:
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; use .float()")
    check_floats(name, input=input._array, target=target._array)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-target * log(input) - (1 - target) * log(1 - input), logarithms limited to -100: probabilities of one shape.

    RuntimeError for an input outside of 0 to 1. `weight` broadcasts to the target.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _equal_shapes("binary_cross_entropy", input, target)
    return reduced(_times("binary_cross_entropy", binary_cross_entropy_of(input, target), weight), reduction)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """binary_cross_entropy(sigmoid(input), target) without overflow; `pos_weight` multiplies the first of its terms."""
    name = "binary_cross_entropy_with_logits"
    reduction = reduction_of(size_average, reduce, reduction)
    _equal_shapes(name, input, target)
    positive = logsigmoid(input)
    if pos_weight is not None:
        expect_tensors(name, pos_weight=pos_weight)
        positive = mul(positive, add(mul(sub(pos_weight, 1), target), 1))
    losses = sub(mul(sub(1, target), input), positive)
    if losses.shape != input.shape:
        raise ShapeError(
            f"{name} got a pos_weight of shape {pos_weight.shape}, which does not broadcast to {input.shape}"
        )
    return reduced(_times(name, losses, weight), reduction)


# ---- distributions


@op
def kl_pointwise(k, x, t):
    """t * (log(t) - x), 0 where t is 0."""
    y = k.where(k.eq(t, 0.0), k.full((), 0, t.dtype), k.mul(t, k.sub(k.log(t), x)))
    return y, (lambda g: k.neg(k.mul(g, t)), lambda g: k.mul(g, k.sub(k.add(k.log(t), 1.0), x)))


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target * (log(target) - input): the divergence of Kullback and Leibler (1951), `input` being log-probabilities.

    reduction 'batchmean' is the sum over the size of the first axis: the divergence. 'mean' divides by every size.
    """
    if reduction == "mean" and size_average is reduce is None:
        warnings.warn(
            "kl_div: reduction 'mean' divides by all sizes of the input; the divergence is reduction='batchmean'",
            stacklevel=2,
        )
    reduction = reduction_of(size_average, reduce, reduction, (*REDUCTIONS, "batchmean"))
    expect_tensors("kl_div", input=input, target=target)
    expect_bools("kl_div", log_target=log_target)
    if input.dtype.kind != "f" or target.dtype.kind != "f":
        raise DtypeError(f"kl_div: integers are not supported, got input {input.dtype} and target {target.dtype}")
    x, t = pair("kl_div", input, target, warn=False)
    losses = mul(exp(t), sub(t, x)) if log_target else kl_pointwise(x, t)
    if reduction != "batchmean":
        return reduced(losses, reduction)
    return div(sum(losses), input.shape[0]) if input.ndim else sum(losses)


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
):
    """exp(input) - target * input, or with log_input=False input - target * log(input + eps): counts and their rates.

    `full` adds Stirling's approximation of log(target!) where the target is above 1.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    expect_bools("poisson_nll_loss", log_input=log_input, full=full)
    x, t = pair("poisson_nll_loss", input, target, warn=False)
    losses = sub(exp(x), mul(t, x)) if log_input else sub(x, mul(t, log(add(x, eps))))
    if full:
        stirling = add(sub(mul(t, log(t)), t), mul(log(mul(t, 2 * math.pi)), 0.5))
        losses = add(losses, where(gt(t, 1), stirling, 0.0))
    return reduced(losses, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log(var) + (input - target) ** 2 / var) / 2, the variance at least `eps` (Nix and Weigend 1994).

    `var` is a number, or a Tensor of the input's shape, or of it with a last axis of 1 or none. `full` adds log(2 pi) / 2.
    """
    expect_tensors("gaussian_nll_loss", input=input, target=target)
    reduction_of(None, None, reduction)
    expect_bools("gaussian_nll_loss", full=full)
    expect_numbers("gaussian_nll_loss", eps=eps, **({} if isinstance(var, Tensor) else {"var": var}))
    if var < 0 if not isinstance(var, Tensor) else any(lt(var, 0)):
        raise ValueError("gaussian_nll_loss: var has negative entries")
    var, logarithm = _limited(input, var, eps) if isinstance(var, Tensor) else (max(var, eps), math.log(max(var, eps)))
    losses = mul(add(div(square(sub(input, target)), var), logarithm), 0.5)
    return reduced(add(losses, 0.5 * math.log(2 * math.pi)) if full else losses, reduction)


def _limited(input, var, eps):
    """A variance that fits the input, at least eps, and its logarithm. Gradients pass the limit, as in PyTorch."""
    if var.shape == input.shape[:-1] != input.shape:
        var = unsqueeze(var, -1)
    elif var.shape not in (input.shape, (*input.shape[:-1], 1)):
        raise ShapeError(
            f"gaussian_nll_loss: var is of incorrect size: got {var.shape} for an input of shape {input.shape}"
        )
    var = clone(var)
    with no_grad():
        var.clamp_(min=eps)
    return var, log(var)
