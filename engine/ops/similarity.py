"""How alike two vectors are, and the losses of margins that compare pairs and triplets of them.

`reduction` is 'mean', 'sum' or 'none' everywhere; size_average and reduce are what it was called before.
"""

from __future__ import annotations

from engine.geometry import ShapeError, integer
from engine.ops._losses import pair, reduced, reduction_of
from engine.ops._op import expect_bools, expect_numbers, expect_tensors, operands
from engine.ops.activation import logsigmoid
from engine.ops.compare import eq, ne
from engine.ops.pointwise import add, clamp_min, div, minimum, mul, sub, where
from engine.ops.reduce import norm, sum
from engine.ops.shape import broadcast_tensors
from engine.ops.unary import neg, sqrt, square

__all__ = ["cosine_similarity", "pairwise_distance"]


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between x1 and x2 along `dim`; each norm counts as at least `eps`. Shapes are broadcast."""
    expect_tensors("cosine_similarity", x1=x1, x2=x2)
    dim = integer(dim, "dim")
    a, b = broadcast_tensors(*operands("cosine_similarity", x1, x2))
    if a.dtype.kind != "f":
        raise NotImplementedError(f"cosine_similarity: not implemented for {a.dtype}; use .float()")
    unit = [div(t, clamp_min(norm(t, 2, dim, True), eps)) for t in (a, b)]
    return sum(mul(*unit), dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps along the last axis."""
    expect_tensors("pairwise_distance", x1=x1, x2=x2)
    expect_numbers("pairwise_distance", p=p, eps=eps)
    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2.0,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative)) of vectors [D] or [N, D].

    `swap` takes distance(positive, negative) where it is the smaller one (Balntas et al. 2016).
    """
    reduction = reduction_of(size_average, reduce, reduction)
    expect_numbers("triplet_margin_loss", margin=margin, p=p, eps=eps)
    expect_bools("triplet_margin_loss", swap=swap)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: margin must be greater than 0, got {margin}")
    expect_tensors("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            "triplet_margin_loss: anchor, positive and negative must have the same number of dimensions, got shapes "
            f"{anchor.shape}, {positive.shape} and {negative.shape}"
        )
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced(clamp_min(add(sub(near, far), margin), 0), reduction)


def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """1 - cosine where the target is 1, max(0, cosine - margin) where it is -1: vectors [D] and [], or [N, D] and [N]."""
    reduction = reduction_of(size_average, reduce, reduction)
    expect_tensors("cosine_embedding_loss", input1=input1, input2=input2, target=target)
    if target.ndim > 1 or not input1.ndim == input2.ndim == target.ndim + 1:
        raise ShapeError(
            "cosine_embedding_loss expects inputs [D] with a target [], or [N, D] with [N]; "
            f"got {input1.shape}, {input2.shape} and {target.shape}"
        )
    lengths = mul(*(add(sum(square(t), -1), 1e-12) for t in (input1, input2)))
    cosine = div(sum(mul(input1, input2), -1), sqrt(lengths))
    alike = where(eq(target, 1), sub(1, cosine), 0.0)
    apart = where(eq(target, -1), clamp_min(sub(cosine, margin), 0), 0.0)
    return reduced(add(alike, apart), reduction)


def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """max(0, margin - target * (input1 - input2)): a target of 1 wants the first larger, -1 the second."""
    reduction = reduction_of(size_average, reduce, reduction)
    expect_tensors("margin_ranking_loss", input1=input1, input2=input2, target=target)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss: all arguments must have the same number of dimensions, got shapes "
            f"{input1.shape}, {input2.shape} and {target.shape}"
        )
    return reduced(clamp_min(add(mul(neg(target), sub(input1, input2)), margin), 0), reduction)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """The input, a distance, where the target is 1; max(0, margin - input) where it is -1; both added elsewhere."""
    reduction = reduction_of(size_average, reduce, reduction)
    expect_tensors("hinge_embedding_loss", input=input, target=target)
    apart = where(ne(target, 1), clamp_min(sub(margin, input), 0), 0.0)
    return reduced(add(apart, where(ne(target, -1), input, 0.0)), reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target * input)), targets being 1 and -1."""
    reduction = reduction_of(size_average, reduce, reduction)
    input, target = pair("soft_margin_loss", input, target, warn=False)
    return reduced(neg(logsigmoid(mul(input, target))), reduction)
