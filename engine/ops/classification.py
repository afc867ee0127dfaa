"""Losses of classifiers: scores[M, C, ...] for C classes against class indices[M, ...], or against probabilities.

`reduction` is 'mean', 'sum' or 'none' everywhere; size_average and reduce are what it was called before. Positions whose
class index is `ignore_index` add nothing. Means with weights are divided by the sum of the weights of the labels.
"""

from __future__ import annotations

from engine.geometry import ShapeError, integer
from engine.ops._losses import reduced, reduction_of
from engine.ops._op import DtypeError, check_floats, converted, expect_numbers, expect_tensors, op
from engine.ops.activation import log_softmax, relu
from engine.ops.compare import ne
from engine.ops.gathering import gather, index_select, scatter
from engine.ops.pointwise import add, div, mul, pow, sub, where
from engine.ops.reduce import sum
from engine.ops.shape import permute, reshape
from engine.ops.unary import neg

__all__: list[str] = []


def _check_labels(name, scores, labels):
    if scores.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for scores of dtype {scores.dtype}; use .float()")
    if labels.dtype.kind not in "iu":
        hint = "use .long()" if labels.ndim < 2 else "use target.argmax(1)"
        if labels.ndim > 1 and name == "cross_entropy":
            hint = f"probabilities of classes must have the shape of the scores, {scores.shape}"
        raise DtypeError(
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
def cross_entropy_total(k, scores, labels, *, mean=True):
    """The mean of cross_entropy_rows, or their sum."""
    _check_labels("cross_entropy", scores, labels)
    labels = k.cast(labels, "int64")
    loss, probabilities = k.cross_entropy_total(scores, labels, mean)
    return loss, (lambda g: k.cross_entropy_total_dx(g, probabilities, labels, mean), None)


@op
def nll_rows(k, scores, labels):
    """-scores[i, label i] for each row i of scores[M, C] (log-probabilities)."""
    _check_labels("nll_loss", scores, labels)
    column = k.checked_labels("nll_loss", labels, scores.shape[1]).reshape(-1, 1)
    shape = scores.shape
    losses = k.neg(k.take_along(scores, column, 1)).reshape(labels.shape)
    return losses, (lambda g: k.put_along(k.neg(g).reshape(column.shape), column, 1, shape), None)


# ---- any shape of scores as rows


def _as_rows(name, scores, labels):
    """Scores [C], [M, C] or [M, C, d1, ...] as rows of C, and the labels of these rows."""
    if scores.ndim == 2:
        return scores, labels
    if not scores.ndim:
        raise ShapeError(f"{name} expects scores of at least one dimension, got a 0-d tensor")
    if scores.ndim == 1:
        if labels.ndim > 1 or labels.numel() != 1:
            raise ShapeError(
                f"{name} got scores of shape {scores.shape} and labels of shape {labels.shape}, expected ()"
            )
        return reshape(scores, shape=(1, scores.shape[0])), reshape(labels, shape=(1,))
    if labels.shape != scores.shape[:1] + scores.shape[2:]:
        raise ShapeError(
            f"{name} got scores of shape {scores.shape} and labels of shape {labels.shape}, "
            f"expected {scores.shape[:1] + scores.shape[2:]}"
        )
    last = permute(scores, (0, *range(2, scores.ndim), 1))
    return reshape(last, shape=(labels.numel(), scores.shape[1])), reshape(labels, shape=(labels.numel(),))


def _check_weight(name, input, weight, classes):
    expect_tensors(name, weight=weight)
    check_floats(name, input=input._array, weight=weight._array)
    if weight.shape != (classes,):
        raise ShapeError(f"{name} got a weight of shape {weight.shape}, expected ({classes},), one for each class")


def _kept(name, rows, scores, labels, ignore_index):
    """(losses of the rows, which of them count, their labels); None for "all of them". Those ignored have label and loss 0."""
    losses = _unless_ignored(rows, scores, labels, ignore_index)
    if losses is not None:
        return losses, None, labels
    _check_labels(name, scores._array, labels._array)
    kept = ne(labels, ignore_index)
    labels = where(kept, labels, 0)
    return where(kept, rows(scores, labels), 0.0), kept, labels


def _unless_ignored(f, scores, labels, ignore_index, **options):
    """f(scores, labels), or None where a label may be one that is ignored."""
    if ignore_index != -100:
        ignore_index = integer(ignore_index, "ignore_index")
    if not 0 <= ignore_index < scores.shape[1]:
        try:
            return f(scores, labels, **options)
        except IndexError:  # the kernel looked at every label: most batches ignore none and need no other look
            pass
    return None


def _classified(name, rows, scores, labels, weight, ignore_index, smoothing, reduction):
    """The loss of `rows`, weighted, with the share `smoothing` spread over all classes."""
    scores, labels = _as_rows(name, scores, labels)
    if weight is not None:
        _check_weight(name, scores, weight, scores.shape[1])
    losses, shares, labels = _kept(name, rows, scores, labels, ignore_index)
    kept = shares
    if weight is not None:
        shares = index_select(weight, 0, converted(name, labels, "int64"))
        shares = shares if kept is None else where(kept, shares, 0.0)
        losses = mul(losses, shares)
    if smoothing:
        logs = log_softmax(scores, 1)
        spread = neg(sum(logs if weight is None else mul(logs, weight), 1))
        spread = spread if kept is None else where(kept, spread, 0.0)
        losses = add(mul(losses, 1 - smoothing), mul(spread, smoothing / scores.shape[1]))
    if reduction == "mean" and shares is not None:
        return div(sum(losses), sum(shares))
    return reduced(losses, reduction)


# ---- the losses


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """-log(softmax(input))[target]: scores [C], [M, C] or [M, C, d1, ...] against integers of that shape less C.

    Or against probabilities, floats of the shape of the scores: -sum(target * log(softmax(input))) over C. `weight` [C]
    weighs the classes; `label_smoothing` takes this share of the target and spreads it evenly (Szegedy et al. 2016).
    IndexError names a label that is no class.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    expect_tensors("cross_entropy", input=input, target=target)
    if label_smoothing != 0.0:
        expect_numbers("cross_entropy", label_smoothing=label_smoothing)
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"cross_entropy: label_smoothing must be between 0.0 and 1.0, got {label_smoothing}")
    if input.shape == target.shape:
        return _against_probabilities(input, target, weight, ignore_index, label_smoothing, reduction)
    if weight is None and not label_smoothing and reduction != "none":
        loss = _unless_ignored(cross_entropy_total, *_as_rows("cross_entropy", input, target), ignore_index,
                               mean=reduction == "mean")  # fmt: skip
        if loss is not None:
            return loss
    return _shaped("cross_entropy", cross_entropy_rows, input, target, weight, ignore_index, label_smoothing, reduction)


def _against_probabilities(input, target, weight, ignore_index, smoothing, reduction):
    name = "cross_entropy"
    if not input.ndim:
        raise ShapeError(f"{name} expects scores of at least one dimension, got a 0-d tensor")
    if target.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: a target of the scores' shape {input.shape} holds probabilities, expected a floating point dtype, "
            f"got {target.dtype}; class indices have no axis of classes"
        )
    if integer(ignore_index, "ignore_index") >= 0:
        raise RuntimeError(f"{name}: ignore_index is not supported for probabilities, got {ignore_index}")
    axis = min(1, input.ndim - 1)
    classes = input.shape[axis]
    logs = log_softmax(input, axis)
    if weight is not None:
        _check_weight(name, input, weight, classes)
        logs = mul(logs, reshape(weight, shape=(classes,) + (1,) * (input.ndim - 1 - axis)))
    if smoothing:
        target = add(mul(target, 1 - smoothing), smoothing / classes)
    return reduced(neg(sum(mul(logs, target), axis)), reduction)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """-input[target]: log-probabilities [C], [M, C] or [M, C, d1, ...] against integers of that shape less C.

    `weight` [C] weighs the classes. IndexError names a label that is no class.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    expect_tensors("nll_loss", input=input, target=target)
    return _shaped("nll_loss", nll_rows, input, target, weight, ignore_index, 0.0, reduction)


def _shaped(name, rows, input, target, weight, ignore_index, smoothing, reduction):
    loss = _classified(name, rows, input, target, weight, ignore_index, smoothing, reduction)
    if not loss.ndim or input.ndim == 2:
        return loss
    return reshape(loss, shape=input.shape[:1] + input.shape[2:] if input.ndim > 1 else ())


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Sum over the classes j other than the target y of max(0, margin - input[y] + input[j]) ** p, over C.

    Scores [C] or [M, C] against integers [] or [M]; p is 1 or 2; `weight` [C] weighs the targets.
    """
    name = "multi_margin_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    expect_numbers(name, p=p, margin=margin)
    if p not in (1, 2):
        raise ValueError(f"{name}: only p == 1 and p == 2 supported, got {p}")
    expect_tensors(name, input=input, target=target)
    if input.ndim not in (1, 2):
        raise ShapeError(f"{name} expects scores [M, C] or [C], got shape {input.shape}")
    scores, labels = _as_rows(name, input, target)
    _check_labels(name, scores._array, labels._array)
    column = reshape(converted(name, labels, "int64"), shape=(-1, 1) if labels.numel() else (0, 1))
    excess = relu(add(sub(scores, gather(scores, 1, column)), margin))
    if p == 2:
        excess = pow(excess, 2)
    losses = div(sum(scatter(excess, 1, column, 0.0), 1), scores.shape[1])
    if weight is not None:
        _check_weight(name, scores, weight, scores.shape[1])
        losses = mul(losses, index_select(weight, 0, reshape(column, shape=labels.shape)))
    return reduced(losses if input.ndim == 2 else reshape(losses, shape=target.shape), reduction)
