"""Losses. `reduction` is 'mean', 'sum' or 'none' everywhere."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops import pointwise
from engine.ops._op import check_floats, expect_tensors, op
from engine.ops.reduce import mean, sum
from engine.ops.shape import permute, reshape


def _reduced(losses, reduction):
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"{reduction!r} is not a valid value for reduction: use 'mean', 'sum' or 'none'")


def _check_labels(name, scores, labels):
    check_floats(name, input=scores)
    if labels.dtype.kind not in "iu":
        hint = (
            "one-hot or probability targets are not accepted; use target.argmax(1)"
            if labels.ndim > 1
            else "use .long()"
        )
        raise TypeError(
            f"{name} expects class indices of an integer dtype, got {labels.dtype} of shape {labels.shape}: {hint}"
        )
    if labels.shape != scores.shape[:1]:
        raise ShapeError(
            f"{name} got scores of shape {scores.shape} and labels of shape {labels.shape}, expected {scores.shape[:1]}"
        )


@op
def cross_entropy_rows(k, scores, labels):
    """-log(softmax(scores[M, C]))[label] for each of M int64 labels; IndexError for a label outside 0..C-1."""
    _check_labels("cross_entropy", scores, labels)
    labels = k.cast(labels, "int64")
    losses, probabilities = k.cross_entropy(scores, labels)
    return losses, (lambda g: k.cross_entropy_dx(g, probabilities, labels), None)


@op
def nll_rows(k, scores, labels):
    """-scores[i, label i] for each row i of scores[M, C] (log-probabilities)."""
    _check_labels("nll_loss", scores, labels)
    column = k.checked_labels("nll_loss", labels, scores.shape[1]).reshape(-1, 1)
    shape = scores.shape
    losses = k.neg(k.take_along(scores, column, 1)).reshape(labels.shape)
    return losses, (lambda g: k.put_along(k.neg(g).reshape(column.shape), column, 1, shape), None)


def _per_position(name, rows, scores, labels, reduction):
    """Scores [C], [M, C] or [M, C, d1, ...] with labels of the same shape less C."""
    expect_tensors(name, input=scores, target=labels)
    check_floats(name, input=scores)
    if not scores.ndim:
        raise ShapeError(f"{name} expects scores of at least one dimension, got a 0-d tensor")
    if scores.ndim == 1:
        return _reduced(rows(reshape(scores, shape=(1, -1)), reshape(labels, shape=(1,))), reduction)
    if scores.ndim <= 2:
        return _reduced(rows(scores, labels), reduction)
    if labels.shape != scores.shape[:1] + scores.shape[2:]:
        raise ShapeError(f"{name} got scores of shape {scores.shape} and labels of shape {labels.shape}")
    last = permute(scores, dims=(0, *range(2, scores.ndim), 1))
    losses = rows(reshape(last, shape=(labels.numel(), scores.shape[1])), reshape(labels, shape=(labels.numel(),)))
    return _reduced(reshape(losses, shape=labels.shape), reduction)


def cross_entropy(input, target, *, reduction="mean"):
    """Softmax and negative log-likelihood in one: input[M, C, ...] scores, target[M, ...] class indices."""
    return _per_position("cross_entropy", cross_entropy_rows, input, target, reduction)


def nll_loss(input, target, *, reduction="mean"):
    """Negative log-likelihood: input[M, C, ...] log-probabilities, target[M, ...] class indices."""
    return _per_position("nll_loss", nll_rows, input, target, reduction)


def mse_loss(input, target, *, reduction="mean"):
    """Squared difference of equal shapes."""
    expect_tensors("mse_loss", input=input, target=target)
    if input.shape != target.shape:
        raise ShapeError(f"mse_loss got shapes {input.shape} and {target.shape}; they must agree")
    difference = pointwise.sub(input, target)
    return _reduced(pointwise.mul(difference, difference), reduction)
