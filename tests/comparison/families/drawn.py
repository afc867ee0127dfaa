"""Calls of functions that draw random numbers: what is compared are shapes, dtypes and distributions."""

from __future__ import annotations

from comparison.call import Call
from comparison.draw import FLOATS, Array, Made
from comparison.families.creation import options
from comparison.registry import calls


def _generator(draw):
    return (
        {"generator": Made("Generator().manual_seed(3)", lambda lib: lib.Generator().manual_seed(3))}
        if draw.chance(0.3)
        else {}
    )


def _many(draw):
    """A shape, often of a thousand elements or more, whose distribution shows."""
    return (draw.integer(20, 40), 50) if draw.chance(0.6) else draw.shape()


@calls("rand randn", "engine")
def rand(draw, name):
    return Call({"size": _many(draw)}, only={**options(draw, FLOATS), **_generator(draw)}, random="drawn")


@calls("randint")
def randint(draw, name):
    low = {"low": draw.integer(-5, 5)} if draw.chance(0.6) else {}
    return Call(
        {**low, "high": draw.integer(6, 20), "size": _many(draw)},
        only={**options(draw, ("int64", "int32", "float32")), **_generator(draw)},
        random="drawn",
    )


@calls("randperm")
def randperm(draw, name):
    return Call(
        {"n": draw.integer(0, 50)},
        only={**options(draw, ("int64", "int32", "float32")), **_generator(draw)},
        random="drawn",
    )


@calls("rand_like randn_like")
def rand_like(draw, name):
    return Call({"input": draw.tensor(_many(draw), draw.dtype(*FLOATS))}, only=options(draw, FLOATS), random="drawn")


@calls("randint_like")
def randint_like(draw, name):
    low = {"low": draw.integer(-5, 5)} if draw.chance(0.6) else {}
    return Call(
        {"input": draw.tensor(_many(draw), draw.dtype("float32", "int64")), **low, "high": draw.integer(6, 20)},
        random="drawn",
    )


@calls("bernoulli")
def bernoulli(draw, name):
    x = draw.tensor(_many(draw), draw.dtype(*FLOATS), low=0, high=1)
    return Call(
        {"input": x, **({"p": draw.pick(0.5, 0.0, 1.0, 0.2)} if draw.chance(0.5) else {})},
        only=_generator(draw),
        random="drawn",
    )


@calls("bernoulli_", "Tensor")
def bernoulli_(draw, name):
    p = draw.pick(0.5, 0.0, 1.0, 0.2, 1.5)
    return Call(
        {"self": draw.tensor(_many(draw), draw.dtype(), grad=False), "p": p}, only=_generator(draw), random="drawn"
    )


@calls("normal_", "Tensor")
def normal_(draw, name):
    return Call(
        {
            "self": draw.tensor(_many(draw), draw.dtype(*FLOATS, *FLOATS, "int64"), grad=False),
            "mean": draw.number(),
            "std": draw.pick(1.0, 0.5, 2),
        },
        only=_generator(draw),
        random="drawn",
    )


@calls("uniform_", "Tensor")
def uniform_(draw, name):
    return Call(
        {
            "_self": draw.tensor(_many(draw), draw.dtype(*FLOATS, *FLOATS, "int64"), grad=False),
            "_from": draw.number(-2, 0),
            "_to": draw.number(1, 3),
        },
        only=_generator(draw),
        random="drawn",
    )


@calls("exponential_", "Tensor")
def exponential_(draw, name):
    return Call(
        {"self": draw.tensor(_many(draw), draw.dtype(*FLOATS), grad=False), "lambd": draw.pick(1.0, 0.5, 2, -1.0)},
        only=_generator(draw),
        random="drawn",
    )


@calls("random_", "Tensor")
def random_(draw, name):
    limits = draw.pick({}, {"_to": draw.integer(1, 100)}, {"_from": draw.integer(-5, 0), "_to": draw.integer(1, 100)})
    dtype = draw.dtype("int64", "int32", "float32", "uint8", "float64")
    limits = {} if dtype == "uint8" and limits.get("_from") else limits
    return Call({"_self": draw.tensor(_many(draw), dtype, grad=False), **limits}, only=_generator(draw), random="drawn")


@calls("normal", "engine")
def normal(draw, name):
    shape = _many(draw)
    if draw.chance(0.3):
        return Call(
            {"mean": draw.number(), "std": draw.pick(1.0, 2.0), "size": shape}, only=_generator(draw), random="drawn"
        )
    mean = draw.tensor(shape, low=-1, high=1) if draw.chance(0.7) else draw.pick(0.0, 1.0)
    std = (
        draw.tensor(shape, low=0.5, high=1) if not isinstance(mean, Array) or draw.chance(0.4) else draw.pick(1.0, 2.0)
    )
    return Call({"mean": mean, "std": std}, only=_generator(draw), random="drawn")


@calls("multinomial")
def multinomial(draw, name):
    n = draw.integer(2, 8)
    x = draw.tensor(draw.pick((n,), (3, n)), draw.dtype(*FLOATS), low=0.1, high=1)
    replacement = draw.chance(0.6)
    return Call(
        {
            "input": x,
            "num_samples": draw.pick(400, 5) if replacement else draw.integer(1, n),
            "replacement": replacement,
        },
        only=_generator(draw),
        random="drawn",
    )


@calls("dropout", "engine")
def torch_dropout(draw, name):
    call = dropout(draw, name)
    return Call({f"_{n}": v for n, v in list(call.named.items())[:3]}, random=call.random)


@calls("dropout alpha_dropout feature_alpha_dropout dropout1d dropout2d", "nn.functional")
def dropout(draw, name):
    shape = {"dropout1d": (40, 30, 4), "dropout2d": (40, 30, 2, 2), "feature_alpha_dropout": (40, 30, 3)}.get(
        name, (40, 50)
    )
    p = draw.pick(0.0, 0.5, 0.2, 1.0)
    x = draw.tensor(shape, draw.dtype(*FLOATS), grad=draw.chance(0.3))
    training = draw.chance(0.7)
    return Call(
        {"input": x, "p": p, "training": training, **({"inplace": draw.chance(0.5)} if draw.chance(0.4) else {})},
        random="drawn",
    )
