"""Calls of layers: how they are made, what they are fed with, and their parameters, which are drawn too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from comparison import families
from comparison.call import Call, build, wrong
from comparison.draw import FLOATS
from comparison.families import activations, losses, windows
from comparison.registry import calls


@dataclass
class Fed:
    """A layer made, given drawn parameters, and called."""

    inputs: tuple
    training: bool = True
    named: dict = field(default_factory=dict)

    def __call__(self, lib, cls, arguments, named, leaves):
        module = cls(*arguments, **named)
        fed = [build(lib, x, leaves) for x in self.inputs]
        if named.get("inplace") or (arguments and cls.__name__ in INPLACE_FIRST and arguments[0] is True):
            fed = [x.clone() if x.requires_grad else x for x in fed]
        module.train(self.training)
        if "Lazy" in cls.__name__:
            with lib.no_grad():
                module(*fed)
        draw_parameters(lib, module, leaves)
        described = [
            repr(module),
            {k: (tuple(v.shape), str(v.dtype).replace("torch.", "")) for k, v in module.state_dict().items()},
        ]
        output = module(*fed, **self.named)
        return [
            *described,
            output,
            {k: b for k, b in module.named_buffers()},
            [n for n, _ in module.named_parameters()],
        ]

    def spoil(self, draw):
        """(the same with one input that is wrong, what is wrong with it)."""
        i = draw.integer(0, len(self.inputs) - 1)
        value, what = wrong(draw, self.inputs[i])
        return replace(
            self, inputs=tuple(value if j == i else x for j, x in enumerate(self.inputs))
        ), f"input {i}: {what}"

    def __repr__(self):
        return f"fed {self.inputs!r}" + ("" if self.training else " in eval")


INPLACE_FIRST = ("ReLU", "ReLU6", "SiLU", "SELU", "Mish", "Hardswish", "Hardsigmoid")


def draw_parameters(lib, module, leaves):
    """Random values for every parameter and buffer, the same in both libraries."""
    rng = np.random.default_rng(5)
    for name, t in [*module.named_parameters(), *module.named_buffers()]:
        values = rng.uniform(0.3, 1.5, tuple(t.shape)) if "var" in name else rng.standard_normal(tuple(t.shape)) * 0.7
        if "num_batches" not in name:
            with lib.no_grad():
                t.copy_(lib.from_numpy(np.asarray(values)))
    leaves.extend(module.parameters())


def of(call, constructor, *inputs, training=True, **options):
    """A Call of a layer from the Call of its function: length and precision are those."""
    return Call(constructor, through=Fed(inputs, training), length=max(call.length, 1), ulps=call.ulps, **options)


def split(call, *inputs):
    """(the inputs named, all else that the function was given)."""
    given = {**call.named, **call.only}
    return [given[n] for n in inputs], {n.lstrip("_"): v for n, v in given.items() if n not in inputs}


# ---- activations


ACTIVATIONS = {
    "ReLU": "relu", "ReLU6": "relu6", "SiLU": "silu", "Mish": "mish", "SELU": "selu", "Hardsigmoid": "hardsigmoid", "Hardswish": "hardswish",
    "Hardtanh": "hardtanh", "LeakyReLU": "leaky_relu", "ELU": "elu", "CELU": "celu",
}  # fmt: skip
SMOOTH = {
    "Softsign": "softsign", "Tanhshrink": "tanhshrink", "LogSigmoid": "logsigmoid", "GELU": "gelu", "Softplus": "softplus",
    "Hardshrink": "hardshrink", "Softshrink": "softshrink",
}  # fmt: skip


@calls(" ".join(ACTIVATIONS), "nn")
def activation(draw, name):
    call = activations.with_inplace(draw, ACTIVATIONS[name])
    (x,), options = split(call, "input")
    return of(call, {}, x, only=options)


@calls(" ".join(SMOOTH), "nn")
def smooth(draw, name):
    call = activations.smooth(draw, SMOOTH[name])
    (x,), options = split(call, "input")
    return of(call, {}, x, only=options)


@calls("Sigmoid Tanh Identity Softmax2d", "nn")
def without_options(draw, name):
    x = (
        draw.tensor((2, 3, 4, 5)[draw.integer(0, 1) :], draw.dtype(*FLOATS))
        if name == "Softmax2d"
        else activations.activated(draw)
    )
    return Call({}, through=Fed((x,)), length=4)


@calls("Softmax LogSoftmax Softmin", "nn")
def softmax(draw, name):
    x = activations.activated(draw)
    return Call({"dim": draw.dim(x.values.ndim)} if draw.chance(0.85) else {}, through=Fed((x,)), length=8, ulps=32)


@calls("Threshold GLU PReLU", "nn")
def others(draw, name):
    if name == "PReLU":
        call = activations.prelu(draw, "prelu")
        n = call.named["weight"].values.size
        return Call(
            {"num_parameters": n} if n > 1 or draw.chance(0.5) else {},
            only={"init": 0.1} if draw.chance(0.3) else {},
            through=Fed((call.named["input"],)),
            length=64,
        )
    call = getattr(activations, name.lower())(draw, name.lower())
    (x,), options = split(call, "input")
    return of(call, options, x)


# ---- convolution, pooling, padding, resizing


def factory(draw):
    return {"dtype": families.creation.named("float64")} if draw.chance(0.3) else {}


def _dtype_of(options):
    return "float64" if options else "float32"


def _convolution(draw, name, transposed):
    axes = windows.axes_of(name)
    options, channels, out, kernel = windows.convolution(draw, axes, transposed)
    options = {
        n: v for n, v in options.items() if draw.chance(0.8) or n in ("groups", "output_padding", "stride", "dilation")
    }
    only = {**options, **({"bias": draw.chance(0.5)} if draw.chance(0.6) else {}), **factory(draw)}
    size = (
        tuple(draw.integer(2, 5) for _ in range(axes))
        if transposed
        else windows.windowed(draw, axes, kernel, options["dilation"], 0)
    )
    if not transposed and draw.chance(0.3):
        only["padding_mode"] = draw.pick("reflect", "replicate", "circular")
        size = tuple(n + 3 for n in size)
    x = draw.tensor((*windows.lead(draw, channels), *size), _dtype_of(only.get("dtype")))
    kernel = draw.pick(kernel, kernel[0]) if len(set(kernel)) == 1 else kernel
    named = (
        {"out_channels": out, "kernel_size": kernel}
        if "Lazy" in name
        else {"in_channels": channels, "out_channels": out, "kernel_size": kernel}
    )
    return Call(named, only=only, through=Fed((x,)), length=64)


@calls("Conv1d Conv2d LazyConv1d LazyConv2d", "nn")
def conv(draw, name):
    return _convolution(draw, name, transposed=False)


@calls("ConvTranspose1d ConvTranspose2d LazyConvTranspose1d LazyConvTranspose2d", "nn")
def conv_transpose(draw, name):
    return _convolution(draw, name, transposed=True)


@calls("Unfold Fold", "nn")
def unfold(draw, name):
    call = getattr(windows, name.lower())(draw, name.lower())
    (x,), options = split(call, "input")
    return of(call, options, x)


POOLS = {
    "MaxPool": "max_pool",
    "AvgPool": "avg_pool",
    "LPPool": "lp_pool",
    "AdaptiveAvgPool": "adaptive",
    "AdaptiveMaxPool": "adaptive",
}


@calls(" ".join(f"{n}{a}d" for n in POOLS for a in (1, 2)), "nn")
def pool(draw, name):
    function = getattr(windows, POOLS[name[:-2]])
    call = function(draw, f"{'max' if 'Max' in name else 'avg'}_pool{name[-2:]}")
    (x,), options = split(call, "input")
    first = {n: options.pop(n) for n in ("norm_type", "kernel_size", "output_size") if n in options}
    if "AdaptiveMax" in name and draw.chance(0.3):
        first["return_indices"] = True
    return of(call, first, x, only=options)


@calls("MaxUnpool1d MaxUnpool2d", "nn")
def unpool(draw, name):
    values, positions, kernel, full = windows.unpooling(draw, windows.axes_of(name))
    through = Fed((values, positions), named={"output_size": full} if draw.chance(0.3) else {})
    return Call({"kernel_size": kernel, **({"stride": kernel} if draw.chance(0.4) else {})}, through=through)


MODES = {
    "ReflectionPad": "reflect",
    "ReplicationPad": "replicate",
    "CircularPad": "circular",
    "ZeroPad": "constant",
    "ConstantPad": "constant",
}


@calls(" ".join(f"{n}{a}d" for n in MODES for a in (1, 2)), "nn")
def pad(draw, name):
    axes, mode = windows.axes_of(name), MODES[name[:-2]]
    x = windows.images(draw, tuple(draw.integer(3, 6) for _ in range(axes)))
    widths = windows.widths(draw, x.values.shape, axes, mode)
    named = {"padding": draw.pick(widths, 1), **({"value": draw.number()} if name.startswith("Constant") else {})}
    return Call(named, through=Fed((x,)), length=4)


@calls("Upsample UpsamplingNearest2d UpsamplingBilinear2d", "nn")
def upsample(draw, name):
    options, size = windows.resizing(draw)
    if name == "Upsample":
        options["mode"] = draw.pick("nearest", "bilinear")
        if options["mode"] == "bilinear" and draw.chance(0.4):
            options["align_corners"] = draw.chance(0.5)
    x = draw.tensor((draw.integer(1, 2), 2, *size), draw.dtype(*FLOATS))
    return Call({}, only=options, through=Fed((x,)), length=16)


@calls("PixelShuffle PixelUnshuffle ChannelShuffle", "nn")
def shuffled(draw, name):
    function = {
        "PixelShuffle": "pixel_shuffle",
        "PixelUnshuffle": "pixel_unshuffle",
        "ChannelShuffle": "channel_shuffle",
    }[name]
    call = families.shapes.shuffled(draw, function)
    (x,), options = split(call, "input")
    return of(call, options, x)


@calls("Flatten Unflatten", "nn")
def flatten(draw, name):
    call = getattr(families.shapes, name.lower())(draw, name.lower())
    (x,), options = split(call, "input")
    return of(call, {n.replace("sizes", "unflattened_size"): v for n, v in options.items()}, x)


# ---- linear layers


@calls("Linear LazyLinear", "nn")
def linear(draw, name):
    k, n, only = draw.integer(1, 9), draw.integer(1, 9), factory(draw)
    if draw.chance(0.5):
        only["bias"] = draw.chance(0.5)
    x = draw.tensor((*draw.shape(most=3), k), _dtype_of(only.get("dtype")))
    return Call(
        {"out_features": n} if "Lazy" in name else {"in_features": k, "out_features": n},
        only=only,
        through=Fed((x,)),
        length=k,
    )


@calls("Bilinear", "nn")
def bilinear(draw, name):
    call = families.linear.bilinear(draw, "bilinear")
    a, b = call.named["input1"], call.named["input2"]
    named = {"in1_features": a.values.shape[-1], "in2_features": b.values.shape[-1], "out_features": draw.integer(1, 4)}
    return Call(named, only={"dtype": families.creation.named(str(a.values.dtype))}, through=Fed((a, b)), length=32)


@calls("Embedding", "nn")
def embedding(draw, name):
    n = draw.integer(2, 6)
    only = {"padding_idx": draw.integer(-n, n - 1)} if draw.chance(0.4) else {}
    return Call(
        {"num_embeddings": n, "embedding_dim": draw.integer(1, 4)},
        only=only,
        through=Fed((draw.labels(draw.shape(most=2), n),)),
        length=8,
    )


@calls("Dropout Dropout1d Dropout2d AlphaDropout FeatureAlphaDropout", "nn")
def dropout(draw, name):
    function = {
        "Dropout": "dropout",
        "Dropout1d": "dropout1d",
        "Dropout2d": "dropout2d",
        "AlphaDropout": "alpha_dropout",
    }.get(name, "feature_alpha_dropout")
    call = families.drawn.dropout(draw, function)
    (x,), options = split(call, "input")
    training = options.pop("training", True)
    return of(call, {}, x, training=training, only=options, random="drawn")


# ---- normalisation


def _norm(draw, name, x, channels):
    options = {
        "eps": 0.1,
        "momentum": draw.pick(0.3, None, 0.0),
        "affine": draw.chance(0.6),
        "track_running_stats": draw.chance(0.6),
    }
    only = {n: v for n, v in options.items() if draw.chance(0.5)}
    if only.get("momentum", 0) is None and "Instance" in name:
        only.pop("momentum")
    return Call(
        {"num_features": channels} if "Lazy" not in name else {},
        only=only,
        through=Fed((x,), draw.chance(0.6)),
        length=64,
    )


@calls("BatchNorm1d BatchNorm2d", "nn")
def batch_norm(draw, name):
    c = draw.integer(1, 4)
    sizes = tuple(draw.integer(1, 4) for _ in range(2)) if name.endswith("2d") else draw.pick((), (draw.integer(1, 4),))
    return _norm(draw, name, draw.tensor((draw.integer(2, 4), c, *sizes)), c)


@calls("InstanceNorm1d InstanceNorm2d", "nn")
def instance_norm(draw, name):
    c, axes = draw.integer(1, 4), windows.axes_of(name)
    return _norm(draw, name, draw.tensor((*windows.lead(draw, c), *(draw.integer(2, 4) for _ in range(axes)))), c)


@calls("GroupNorm", "nn")
def group_norm(draw, name):
    call = losses.group_norm(draw, "group_norm")
    x, groups = call.named["input"], call.named["num_groups"]
    only = {"affine": draw.chance(0.5), "eps": 0.1, "dtype": families.creation.named(str(x.values.dtype))}
    return of(call, {"num_groups": groups, "num_channels": x.values.shape[1]}, x, only=only)


@calls("LayerNorm RMSNorm", "nn")
def layer_norm(draw, name):
    call = losses.layer_norm(draw, "rms_norm")
    x = call.named["input"]
    only = {"elementwise_affine": draw.chance(0.6), "dtype": families.creation.named(str(x.values.dtype))}
    if name == "LayerNorm" and draw.chance(0.4):
        only["bias"] = draw.chance(0.5)
    return of(call, {"normalized_shape": call.named["normalized_shape"]}, x, only=only)


@calls("LocalResponseNorm", "nn")
def local_response_norm(draw, name):
    call = losses.local_response_norm(draw, name)
    (x,), options = split(call, "input")
    return of(call, {"size": options.pop("size")}, x, only=options)


# ---- losses


LOSSES = {
    "CrossEntropyLoss": ("cross_entropy", "input target"), "NLLLoss": ("nll_loss", "input target"), "MultiMarginLoss": ("multi_margin_loss", "input target"),
    "MSELoss": ("distance", "input target"), "L1Loss": ("distance", "input target"), "SoftMarginLoss": ("distance", "input target"),
    "SmoothL1Loss": ("smooth_l1_loss", "input target"), "HuberLoss": ("huber_loss", "input target"), "BCELoss": ("binary_cross_entropy", "input target"),
    "BCEWithLogitsLoss": ("with_logits", "input target"), "KLDivLoss": ("kl_div", "input target"), "PoissonNLLLoss": ("poisson_nll_loss", "input target"),
    "GaussianNLLLoss": ("gaussian_nll_loss", "input target var"), "MarginRankingLoss": ("margin_ranking_loss", "input1 input2 target"),
    "HingeEmbeddingLoss": ("hinge_embedding_loss", "input target"), "CosineEmbeddingLoss": ("cosine_embedding_loss", "input1 input2 target"),
    "TripletMarginLoss": ("triplet_margin_loss", "anchor positive negative"), "CosineSimilarity": ("cosine_similarity", "x1 x2"),
    "PairwiseDistance": ("pairwise_distance", "x1 x2"),
}  # fmt: skip


@calls(" ".join(LOSSES), "nn")
def loss(draw, name):
    function, inputs = LOSSES[name]
    call = getattr(losses, function)(draw, "soft_margin_loss" if name == "SoftMarginLoss" else function)
    tensors, options = split(call, *inputs.split())
    return of(call, {}, *tensors, only=options)
