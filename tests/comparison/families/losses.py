"""Calls of losses, distances, normalisation and embedding."""

from __future__ import annotations

import numpy as np

from comparison.call import Call
from comparison.draw import FLOATS, Array
from comparison.registry import calls


def reduction(draw):
    """reduction=, or one of the old arguments, or nothing."""
    if draw.chance(0.1):
        return draw.pick({"size_average": draw.chance(0.5)}, {"reduce": draw.chance(0.5)})
    return {"reduction": draw.pick("mean", "sum", "none")} if draw.chance(0.75) else {}


def probabilities(draw, shape, dtype, axis=-1):
    v = draw.rng.random(shape) + 0.05
    if v.ndim and v.shape[axis]:
        v = v / v.sum(axis, keepdims=True)
    return Array(np.asarray(v.astype(dtype)), grad=draw.chance(0.3))


def pair(draw, least=0, most=3):
    """Input and target of one shape and dtype."""
    shape, dtype = draw.shape(least, most), draw.dtype(*FLOATS)
    return draw.tensor(shape, dtype), draw.tensor(shape, dtype, grad=draw.chance(0.4))


# ---- classification


def classified(draw):
    """(scores, labels, number of classes): [N, C], [C] or [N, C, d]."""
    classes, dtype = draw.integer(2, 5), draw.dtype(*FLOATS)
    batch = draw.integer(1, 4) if draw.chance(0.95) else 0
    shape = draw.pick((batch, classes), (classes,), (batch, classes, draw.integer(1, 3)), (batch, classes, 2, 3))
    scores = draw.tensor(shape, dtype)
    labels = draw.labels((*shape[:1], *shape[2:]) if len(shape) > 1 else (), classes)
    if draw.chance(0.2) and labels.values.size:
        labels.values.reshape(-1)[0] = -100
    return scores, labels, classes


def weights(draw, classes, dtype):
    return draw.tensor((classes,), str(dtype), low=0.1, high=2, grad=False) if draw.chance(0.4) else None


@calls("cross_entropy")
def cross_entropy(draw, name):
    scores, labels, classes = classified(draw)
    only = reduction(draw)
    if draw.chance(0.4):
        only["label_smoothing"] = draw.pick(0.1, 0.5, 0.0)
    if draw.chance(0.3):
        labels = probabilities(draw, scores.values.shape, scores.values.dtype, min(1, scores.values.ndim - 1))
    elif draw.chance(0.3):
        only["ignore_index"] = draw.integer(0, classes - 1)
    return Call(
        {"input": scores, "target": labels, "weight": weights(draw, classes, scores.values.dtype)}, only=only, length=32
    )


@calls("nll_loss")
def nll_loss(draw, name):
    scores, labels, classes = classified(draw)
    only = reduction(draw)
    if draw.chance(0.4):
        only["ignore_index"] = draw.integer(0, classes - 1)
    return Call(
        {"input": scores, "target": labels, "weight": weights(draw, classes, scores.values.dtype)}, only=only, length=32
    )


@calls("multi_margin_loss")
def multi_margin_loss(draw, name):
    classes, dtype = draw.integer(2, 5), draw.dtype(*FLOATS)
    batch = draw.pick((), (draw.integer(1, 4),))
    only = {
        **reduction(draw),
        **({"p": draw.pick(1, 2)} if draw.chance(0.5) else {}),
        **({"margin": draw.pick(1.0, 0.5)} if draw.chance(0.5) else {}),
    }
    only["weight"] = weights(draw, classes, dtype)
    return Call(
        {"input": draw.tensor((*batch, classes), dtype), "target": draw.labels(batch, classes)}, only=only, length=32
    )


# ---- regression and probabilities


@calls("mse_loss l1_loss soft_margin_loss")
def distance(draw, name):
    x, y = pair(draw)
    y.grad = y.grad and name != "soft_margin_loss"
    return Call({"input": x, "target": y}, only=reduction(draw), length=32)


@calls("smooth_l1_loss")
def smooth_l1_loss(draw, name):
    x, y = pair(draw)
    return Call(
        {"input": x, "target": y},
        only={**reduction(draw), **({"beta": draw.pick(1.0, 0.3, 0.0, 2)} if draw.chance(0.6) else {})},
        length=32,
    )


@calls("huber_loss")
def huber_loss(draw, name):
    x, y = pair(draw)
    only = {"reduction": draw.pick("mean", "sum", "none")} if draw.chance(0.6) else {}
    return Call(
        {"input": x, "target": y},
        only={**only, **({"delta": draw.pick(1.0, 0.3, 2)} if draw.chance(0.6) else {})},
        length=32,
    )


@calls("binary_cross_entropy")
def binary_cross_entropy(draw, name):
    shape, dtype = draw.shape(most=3), draw.dtype(*FLOATS)
    x = draw.tensor(shape, dtype, low=0.02, high=0.98)
    y = draw.tensor(shape, dtype, low=0, high=1, grad=False)
    weight = draw.tensor(draw.broadcastable(shape), dtype, low=0.1, high=1, grad=False) if draw.chance(0.3) else None
    return Call({"input": x, "target": y, "weight": weight}, only=reduction(draw), length=32)


@calls("binary_cross_entropy_with_logits")
def with_logits(draw, name):
    shape, dtype = draw.shape(most=3), draw.dtype(*FLOATS)
    x, y = draw.tensor(shape, dtype), draw.tensor(shape, dtype, low=0, high=1, grad=draw.chance(0.3))
    weight = draw.tensor(draw.broadcastable(shape), dtype, low=0.1, high=1, grad=False) if draw.chance(0.3) else None
    only = reduction(draw)
    if draw.chance(0.3):
        only["pos_weight"] = draw.tensor(shape[-1:], dtype, low=0.5, high=2, grad=False)
    return Call({"input": x, "target": y, "weight": weight}, only=only, length=32)


@calls("kl_div")
def kl_div(draw, name):
    shape, dtype = draw.shape(most=3), draw.dtype(*FLOATS)
    log_target = draw.chance(0.4)
    y = draw.tensor(shape, dtype) if log_target else probabilities(draw, shape, dtype)
    only = reduction(draw)
    if "reduction" in only and draw.chance(0.3):
        only["reduction"] = "batchmean"
    return Call({"input": draw.tensor(shape, dtype), "target": y}, only={**only, "log_target": log_target}, length=32)


@calls("poisson_nll_loss")
def poisson_nll_loss(draw, name):
    shape, dtype = draw.shape(most=3), draw.dtype(*FLOATS)
    log_input = draw.chance(0.6)
    x = draw.tensor(shape, dtype) if log_input else draw.tensor(shape, dtype, low=0.1, high=3)
    y = draw.tensor(shape, dtype, low=0, high=5, grad=False)
    options = {"log_input": log_input, **({"full": draw.chance(0.5)} if draw.chance(0.5) else {})}
    return Call({"input": x, "target": y}, only={**options, **reduction(draw)}, length=32)


@calls("gaussian_nll_loss")
def gaussian_nll_loss(draw, name):
    x, y = pair(draw, least=1)
    var = draw.tensor(x.values.shape, str(x.values.dtype), low=0.2, high=2)
    only = {"reduction": draw.pick("mean", "sum", "none")} if draw.chance(0.6) else {}
    return Call(
        {"input": x, "target": y, "var": var}, only={**only, **({"full": True} if draw.chance(0.4) else {})}, length=32
    )


# ---- of pairs and triples


def signs(draw, shape, dtype):
    return Array(draw.rng.choice([-1, 1], shape).astype(dtype))


@calls("margin_ranking_loss")
def margin_ranking_loss(draw, name):
    x, y = pair(draw, most=2)
    target = signs(draw, x.values.shape, x.values.dtype)
    return Call(
        {"input1": x, "input2": y, "target": target},
        only={**reduction(draw), **({"margin": 0.5} if draw.chance(0.4) else {})},
        length=32,
    )


@calls("hinge_embedding_loss")
def hinge_embedding_loss(draw, name):
    x = draw.tensor(draw.shape(most=2), draw.dtype(*FLOATS))
    return Call(
        {"input": x, "target": signs(draw, x.values.shape, x.values.dtype)},
        only={**reduction(draw), **({"margin": 0.5} if draw.chance(0.4) else {})},
        length=32,
    )


@calls("cosine_embedding_loss")
def cosine_embedding_loss(draw, name):
    batch, dtype = draw.pick((), (draw.integer(1, 4),)), draw.dtype(*FLOATS)
    a, b = (draw.tensor((*batch, 5), dtype) for _ in range(2))
    return Call(
        {"input1": a, "input2": b, "target": signs(draw, batch, dtype)},
        only={**reduction(draw), **({"margin": 0.5} if draw.chance(0.4) else {})},
        length=64,
    )


@calls("triplet_margin_loss")
def triplet_margin_loss(draw, name):
    shape, dtype = draw.pick((5,), (3, 5), (2, 3, 4)), draw.dtype(*FLOATS)
    options = {"margin": draw.pick(1.0, 0.3), "p": draw.pick(2, 1, 3), "swap": draw.chance(0.5)}
    only = {**reduction(draw), **{n: v for n, v in options.items() if draw.chance(0.5)}}
    return Call(
        {
            "anchor": draw.tensor(shape, dtype),
            "positive": draw.tensor(shape, dtype),
            "negative": draw.tensor(shape, dtype),
        },
        only=only,
        length=64,
    )


@calls("cosine_similarity")
def cosine_similarity(draw, name):
    shape, dtype = draw.shape(least=2, most=3), draw.dtype(*FLOATS)
    a, b = draw.tensor(shape, dtype), draw.tensor(draw.broadcastable(shape) if draw.chance(0.2) else shape, dtype)
    return Call({"x1": a, "x2": b, **({"dim": draw.dim(len(shape))} if draw.chance(0.7) else {})}, length=64)


@calls("pairwise_distance")
def pairwise_distance(draw, name):
    shape, dtype = draw.pick((5,), (3, 5)), draw.dtype(*FLOATS)
    options = {"p": draw.pick(2, 1, 3, 2.0)} if draw.chance(0.6) else {}
    return Call(
        {"x1": draw.tensor(shape, dtype), "x2": draw.tensor(shape, dtype), **options},
        only={"keepdim": draw.chance(0.5)} if draw.chance(0.5) else {},
        length=64,
    )


# ---- normalisation


def affine(draw, shape, dtype):
    return [draw.tensor(shape, dtype, low=-1, high=2) if draw.chance(0.7) else None for _ in range(2)]


def channelled(draw, dtype, least=0):
    """An input [N, C, ...] with several values in each channel, and the number of channels."""
    c = draw.integer(1, 4)
    return draw.tensor((draw.integer(2, 4), c, *(draw.integer(1, 4) for _ in range(draw.integer(least, 2)))), dtype), c


@calls("batch_norm")
def batch_norm(draw, name):
    dtype = draw.dtype(*FLOATS)
    x, c = channelled(draw, dtype)
    weight, bias = affine(draw, (c,), dtype)
    mean, var = draw.tensor((c,), dtype, grad=False), draw.tensor((c,), dtype, low=0.2, high=2, grad=False)
    training = draw.chance(0.6)
    if training and draw.chance(0.2):
        mean = var = None
    options = {"training": training, "momentum": draw.pick(0.1, 0.5), "eps": draw.pick(1e-5, 0.1)}
    return Call(
        {"input": x, "running_mean": mean, "running_var": var, "weight": weight, "bias": bias, **options}, length=64
    )


@calls("instance_norm")
def instance_norm(draw, name):
    dtype = draw.dtype(*FLOATS)
    c = draw.integer(1, 4)
    x = draw.tensor((draw.integer(1, 3), c, *(draw.integer(2, 4) for _ in range(draw.integer(1, 2)))), dtype)
    weight, bias = affine(draw, (c,), dtype)
    statistics = {}
    if draw.chance(0.4):
        statistics = {
            "running_mean": draw.tensor((c,), dtype, grad=False),
            "running_var": draw.tensor((c,), dtype, low=0.2, high=2, grad=False),
        }
    use = True if not statistics else draw.chance(0.6)
    return Call(
        {"input": x},
        only={**statistics, "weight": weight, "bias": bias, "use_input_stats": use, "momentum": 0.3},
        length=64,
    )


@calls("group_norm")
def group_norm(draw, name):
    groups, dtype = draw.integer(1, 3), draw.dtype(*FLOATS)
    c = groups * draw.integer(1, 3)
    x = draw.tensor((draw.integer(1, 3), c, *(draw.integer(2, 4) for _ in range(draw.integer(1, 2)))), dtype)
    weight, bias = affine(draw, (c,), dtype)
    return Call(
        {"input": x, "num_groups": groups, "weight": weight, "bias": bias},
        only={"eps": 0.1} if draw.chance(0.3) else {},
        length=64,
    )


@calls("layer_norm rms_norm")
def layer_norm(draw, name):
    dtype = draw.dtype(*FLOATS)
    shape = tuple(max(n, 1) for n in draw.shape(least=1, most=3))
    last = shape[len(shape) - draw.integer(1, len(shape)) :]
    weight, bias = affine(draw, last, dtype)
    named = {"input": draw.tensor(shape, dtype), "normalized_shape": draw.pick(last, list(last)), "weight": weight}
    if name == "layer_norm":
        named["bias"] = bias
    return Call({**named, **({"eps": 0.1} if draw.chance(0.4) else {})}, length=64)


@calls("local_response_norm")
def local_response_norm(draw, name):
    x = draw.tensor(
        (draw.integer(1, 3), draw.integer(1, 6), *(draw.integer(1, 4) for _ in range(draw.integer(1, 2)))),
        draw.dtype(*FLOATS),
    )
    options = {"alpha": draw.pick(1e-4, 0.5), "beta": draw.pick(0.75, 1), "k": draw.pick(1.0, 2)}
    return Call(
        {"input": x, "size": draw.integer(1, 5)}, only={n: v for n, v in options.items() if draw.chance(0.5)}, length=64
    )


@calls("normalize")
def normalize(draw, name):
    shape = draw.shape(least=1)
    dim = draw.dim(len(shape)) if len(shape) < 2 or draw.chance(0.7) else 1
    x = draw.tensor(shape, draw.dtype(*FLOATS))
    return Call({"input": x, "p": draw.pick(2.0, 1, 3.0), "dim": dim}, length=64)


# ---- classes as vectors


@calls("one_hot")
def one_hot(draw, name):
    x = draw.labels(draw.shape(), 5)
    return Call({"_tensor": x, **({"num_classes": draw.pick(5, 7, -1)} if draw.chance(0.7) else {})})


@calls("embedding")
def embedding(draw, name):
    n, dtype = draw.integer(2, 6), draw.dtype(*FLOATS)
    only = {"padding_idx": draw.integer(-n, n - 1)} if draw.chance(0.4) else {}
    if draw.chance(0.2):
        only["scale_grad_by_freq"] = True
    weight = draw.tensor((n, draw.integer(1, 4)), dtype)
    return Call(
        {"input": draw.labels(draw.shape(most=2), n, draw.pick("int64", "int32")), "weight": weight},
        only=only,
        length=8,
    )
