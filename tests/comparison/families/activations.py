"""Calls of activations and of softmax."""

from __future__ import annotations

from comparison.call import Call
from comparison.draw import ALL, FLOATS, named
from comparison.registry import calls


def activated(draw, p_integer=0.1):
    """What an activation is fed with: floats, now and then integers, nans and infinities."""
    dtypes = FLOATS if draw.chance(1 - p_integer) else ALL
    return draw.tensor(draw.shape(), draw.dtype(*dtypes), special=0.25)


def parameters(draw, name):
    """The parameters of an activation, some of them, by PyTorch's names."""
    all_of = {
        "hardtanh": {"min_val": draw.number(-2, 0), "max_val": draw.number(0, 2)},
        "leaky_relu": {"negative_slope": draw.pick(0.1, 0.0, 1.5, -0.3, 1)},
        "elu": {"alpha": draw.pick(0.5, 2, 1.0, -0.5)},
        "celu": {"alpha": draw.pick(0.5, 2, 1.0, -0.5)},
        "hardshrink": {"lambd": draw.pick(0.3, 1, 0.0)},
        "softshrink": {"lambd": draw.pick(0.3, 1, 0.0)},
        "softplus": {"beta": draw.pick(0.5, 2, 1.0), "threshold": draw.pick(20, 1.0, 3)},
        "gelu": {"approximate": draw.pick("none", "tanh")},
    }.get(name.removesuffix("_"), {})
    return {n: v for n, v in all_of.items() if draw.chance(0.6)}


PLAIN = "relu relu6 silu mish selu hardsigmoid hardswish hardtanh leaky_relu elu celu"


@calls(PLAIN, "nn.functional")
def with_inplace(draw, name):
    options = parameters(draw, name)
    if not name.endswith("_") and draw.chance(0.25):
        options["inplace"] = draw.chance(0.7)
    return _call(draw, name, options)


def _call(draw, name, options):
    """By position only as far as no parameter is left out before."""
    names = {
        "hardtanh": ["min_val", "max_val", "inplace"], "leaky_relu": ["negative_slope", "inplace"], "elu": ["alpha", "inplace"],
        "celu": ["alpha", "inplace"], "softplus": ["beta", "threshold"],
    }.get(name.removesuffix("_"), list(options))  # fmt: skip
    count = next((i for i, n in enumerate(names) if n not in options), len(names))
    first = {n: options[n] for n in names[:count] if n in options}
    rest = {n: v for n, v in options.items() if n not in first}
    return Call({"input": activated(draw), **first}, only=rest, ulps=32, length=int("tanhshrink" in name))


@calls("relu selu celu", "engine")
@calls("relu", "Tensor")
def of_engine(draw, name):
    return _call(draw, name, parameters(draw, name))


@calls("softsign tanhshrink logsigmoid gelu softplus hardshrink softshrink", "nn.functional")
@calls("hardshrink", "engine", "Tensor")
def smooth(draw, name):
    options = parameters(draw, name)
    if name == "gelu":
        return Call({"input": activated(draw)}, only=options, ulps=64, length=1)
    return _call(draw, name, options)


@calls("threshold")
def threshold(draw, name):
    return Call({"input": activated(draw), "threshold": draw.number(-1, 1), "value": draw.number(-2, 2)})


@calls("prelu")
def prelu(draw, name):
    dtype = draw.dtype(*FLOATS)
    x = draw.tensor(draw.shape(), dtype)
    shape = x.values.shape
    channels = shape[1] if len(shape) > 1 else 1
    weight = draw.tensor((draw.pick(1, channels),) if draw.chance(0.9) else (), dtype)
    return Call({"input": x, "weight": weight}, length=x.values.size)


@calls("glu")
def glu(draw, name):
    shape = list(draw.shape(least=1))
    dim = draw.dim(len(shape))
    shape[dim] = 2 * draw.integer(1, 3) if draw.chance(0.9) else shape[dim]
    x = draw.tensor(tuple(shape), draw.dtype(*FLOATS))
    return Call({"input": x, **({"dim": dim} if draw.chance(0.7) else {})}, ulps=32)


@calls("softmax log_softmax softmin", "nn.functional")
def softmax_functional(draw, name):
    x = activated(draw)
    only = {"dtype": named(draw.pick(*FLOATS))} if draw.chance(0.2) else {}
    return Call(
        {"input": x, **({"dim": draw.dim(x.values.ndim)} if draw.chance(0.85) else {})}, only=only, length=8, ulps=32
    )


@calls("softmax log_softmax", "engine", "Tensor")
def softmax(draw, name):
    x = activated(draw)
    only = {"dtype": named(draw.pick(*FLOATS))} if draw.chance(0.2) else {}
    return Call({"input": x, "dim": draw.dim(x.values.ndim)}, only=only, length=8, ulps=32)
