"""Fully connected layers and embeddings as functions."""

from __future__ import annotations

import math

from engine.geometry import ShapeError, integer
from engine.grad_mode import no_grad
from engine.ops._op import check_floats, expect_bools, expect_numbers, expect_tensors
from engine.ops.compare import gt
from engine.ops.embedding import embedding_rows, one_hot
from engine.ops.linear import linear, matmul
from engine.ops.pointwise import add, div, mul, where
from engine.ops.reduce import norm
from engine.ops.shape import permute, reshape

__all__ = ["bilinear", "embedding", "linear", "one_hot"]


def bilinear(input1, input2, weight, bias=None):
    """input1[..., I] @ weight[O, I, J] @ input2[..., J] for each of O, plus bias[O]: [..., O]."""
    expect_tensors("bilinear", input1=input1, input2=input2, weight=weight, **({} if bias is None else {"bias": bias}))
    check_floats("bilinear", input1=input1._array, input2=input2._array, weight=weight._array)
    lead = input1.shape[:-1]
    if (
        weight.ndim != 3
        or lead != input2.shape[:-1]
        or (input1.shape[-1:], input2.shape[-1:])
        != (
            weight.shape[1:2],
            weight.shape[2:],
        )
    ):
        raise ShapeError(
            f"bilinear expects inputs [..., I] and [..., J] with a weight [O, I, J], got {input1.shape}, {input2.shape} "
            f"and {weight.shape}"
        )
    rows, (o, i, j) = math.prod(lead), weight.shape
    if bias is not None and bias.shape != (o,):
        raise ShapeError(f"bilinear got a bias of shape {bias.shape}, expected ({o},)")
    left = reshape(permute(weight, (1, 0, 2)), shape=(i, o * j))
    half = reshape(matmul(reshape(input1, shape=(rows, i)), left), shape=(rows, o, j))
    y = reshape(matmul(half, reshape(input2, shape=(rows, j, 1))), shape=(*lead, o))
    return y if bias is None else add(y, bias)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """Rows of weight[num_embeddings, D] at the indices `input`, int64 or int32 of any shape: [*input.shape, D].

    The row `padding_idx` gets no gradient. Rows looked up whose `norm_type`-norm passes `max_norm` are first scaled
    to it, in place. `scale_grad_by_freq` divides the gradient of a row by how often it was looked up.
    """
    if sparse:
        raise NotImplementedError("embedding(sparse=True): sparse gradients are not offered")
    expect_tensors("embedding", input=input, weight=weight)
    if padding_idx is not None:
        rows = weight.shape[0] if weight.ndim else 0
        if not -rows <= integer(padding_idx, "padding_idx") < rows:
            raise AssertionError(f"embedding: padding_idx must be within num_embeddings, got {padding_idx} of {rows}")
        padding_idx %= rows
    expect_bools("embedding", scale_grad_by_freq=scale_grad_by_freq)
    if max_norm is not None:
        expect_numbers("embedding", max_norm=max_norm)
        with no_grad():
            found = embedding_rows(input, weight)
            norms = norm(found, norm_type, -1, True)
            weight.detach()[input] = where(gt(norms, max_norm), mul(found, div(max_norm, add(norms, 1e-7))), found)
    return embedding_rows(input, weight, padding_idx=padding_idx, by_frequency=scale_grad_by_freq)
