"""Calls of what surrounds layers: initialisation, gradient clipping, folding, the tape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from comparison.call import Call, build
from comparison.draw import FLOATS, Array
from comparison.registry import calls
from comparison.surfaces import NotATensor

# ---- initialisation


def _weights(draw, least=2):
    sizes = tuple(draw.integer(1, 5) for _ in range(draw.integer(least, 4)))
    return draw.tensor(
        (draw.integer(20, 40), 30) if draw.chance(0.4) else sizes, draw.dtype(*FLOATS), grad=draw.chance(0.5)
    )


@calls("ones_ zeros_ constant_ constant", "nn.init")
def constant(draw, name):
    return Call({"tensor": _weights(draw, 0), **({"val": draw.number()} if "constant" in name else {})})


@calls("eye_ eye", "nn.init")
def eye(draw, name):
    return Call({"tensor": draw.tensor((draw.integer(1, 5), draw.integer(1, 5)), grad=draw.chance(0.5))})


@calls("dirac_ dirac", "nn.init")
def dirac(draw, name):
    groups = draw.integer(1, 2)
    shape = (groups * draw.integer(1, 3), draw.integer(1, 3), *(draw.integer(1, 3) for _ in range(draw.integer(1, 2))))
    return Call({"tensor": draw.tensor(shape), **({"groups": groups} if groups > 1 else {})})


@calls("uniform_ uniform normal_ normal trunc_normal_", "nn.init")
def drawn(draw, name):
    first, second = ("a", "b") if "uniform" in name else ("mean", "std")
    options = {first: draw.number(-2, 0), second: draw.number(1, 3)}
    return Call({"tensor": _weights(draw, 0), **(options if draw.chance(0.6) else {})}, random="drawn")


@calls("kaiming_uniform_ kaiming_normal_ kaiming_uniform kaiming_normal", "nn.init")
def kaiming(draw, name):
    options = {
        "a": draw.pick(0, 0.2),
        "mode": draw.pick("fan_in", "fan_out"),
        "nonlinearity": draw.pick("leaky_relu", "relu", "tanh"),
    }
    return Call({"tensor": _weights(draw)}, only={n: v for n, v in options.items() if draw.chance(0.5)}, random="drawn")


@calls("xavier_uniform_ xavier_normal_ xavier_uniform xavier_normal orthogonal_ orthogonal", "nn.init")
def xavier(draw, name):
    return Call(
        {"tensor": _weights(draw), **({"gain": draw.pick(1.0, 0.5, 2)} if draw.chance(0.5) else {})}, random="drawn"
    )


@calls("sparse_ sparse", "nn.init")
def sparse(draw, name):
    return Call(
        {
            "tensor": draw.tensor((draw.integer(10, 40), 30)),
            "sparsity": draw.pick(0.1, 0.5, 0.9),
            **({"std": 0.5} if draw.chance(0.5) else {}),
        },
        random="drawn",
    )


@calls("calculate_gain", "nn.init")
def calculate_gain(draw, name):
    kind = draw.pick("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu", "conv_transpose1d", "gelu")
    return Call(
        {
            "nonlinearity": kind,
            **({"param": draw.pick(0.2, 1, None)} if kind == "leaky_relu" and draw.chance(0.6) else {}),
        }
    )


# ---- gradients and parameters of models


@dataclass
class WithGradients:
    """Parameters with gradients, handed to a function; what it returns and what has become of the gradients."""

    gradients: list
    rest: dict
    of_gradients: bool = False

    def __call__(self, lib, f, arguments, named, leaves):
        parameters = [lib.nn.Parameter(lib.ones(*g.values.shape) if g else lib.ones(2)) for g in self.gradients]
        for p, g in zip(parameters, self.gradients, strict=True):
            p.grad = None if g is None else lib.from_numpy(g.laid_out())
        first = [p.grad for p in parameters if p.grad is not None] if self.of_gradients else parameters
        value = f(first if len(parameters) != 1 or self.of_gradients else parameters[0], **build(lib, self.rest, []))
        return [value, *[p.grad for p in parameters]]

    def __repr__(self):
        return f"of gradients {self.gradients}, {self.rest}"


def _gradients(draw):
    return [
        None
        if draw.chance(0.1)
        else draw.tensor(tuple(draw.integer(1, 4) for _ in range(draw.integer(1, 3))), grad=False)
        for _ in range(draw.integer(1, 4))
    ]


def _norm_options(draw, *names):
    options = {
        "norm_type": draw.pick(2.0, 1, float("inf"), 3.0),
        "error_if_nonfinite": draw.chance(0.3),
        "foreach": draw.pick(None, False),
    }
    return {n: options[n] for n in names if draw.chance(0.5)}


@calls("clip_grad_norm_ clip_grad_norm clip_grad_value_ clip_grads_with_norm_ get_total_norm", "nn.utils")
def clipping(draw, name):
    rest = {"max_norm": draw.pick(1.0, 0.1, 100, 1)}
    if name == "clip_grad_value_":
        rest = {"clip_value": draw.pick(1.0, 0.1, 2)}
    elif name == "clip_grads_with_norm_":
        rest["total_norm"] = Array(np.asarray(draw.pick(1.0, 5.0), "float32"))
    elif name == "get_total_norm":
        rest = _norm_options(draw, "norm_type", "error_if_nonfinite")
    else:
        rest |= _norm_options(draw, "norm_type", "error_if_nonfinite", "foreach")
    return Call({}, through=WithGradients(_gradients(draw), rest, name == "get_total_norm"), length=64)


@calls("parameters_to_vector vector_to_parameters", "nn.utils")
def vector(draw, name):
    tensors = [draw.tensor(draw.shape(least=1, most=2), grad=True) for _ in range(draw.integer(1, 3))]
    if name == "parameters_to_vector":
        return Call({"parameters": tensors})
    size = sum(t.values.size for t in tensors)
    return Call({}, through=Vector(draw.tensor((size,), grad=False), [t.values.shape for t in tensors]))


@dataclass
class Vector:
    """Parameters of these shapes, filled from a vector."""

    vector: Array
    shapes: list

    def __call__(self, lib, f, arguments, named, leaves):
        parameters = [lib.nn.Parameter(lib.ones(*s)) for s in self.shapes]
        f(self.vector.build(lib), parameters)
        return [p.detach() for p in parameters]


@dataclass
class Fused:
    """A convolution or linear layer folded with its batch norm, applied."""

    kind: str
    weights: bool
    x: Array

    def __call__(self, lib, f, arguments, named, leaves):
        from comparison.families.modules import draw_parameters

        layer = lib.nn.Conv2d(3, 4, 2, bias=self.weights) if self.kind == "conv" else lib.nn.Linear(3, 4)
        norm = lib.nn.BatchNorm2d(4) if self.kind == "conv" else lib.nn.BatchNorm1d(4)
        for m in (layer.eval(), norm.eval()):
            draw_parameters(lib, m, [])
        if self.weights:
            return list(
                f(layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
            )
        return f(layer, norm)(self.x.build(lib)).detach()


@calls("fuse_conv_bn_eval fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights", "nn.utils")
def fused(draw, name):
    kind = "conv" if "conv" in name else "linear"
    x = draw.tensor((2, 3, 4, 4) if kind == "conv" else (2, 3), grad=False)
    return Call({}, through=Fused(kind, name.endswith("weights"), x), length=32)


# ---- the tape


@dataclass
class Graph:
    """A small computation, and gradients asked of it."""

    x: Array
    unused: bool

    def __call__(self, lib, f, arguments, named, leaves):
        x, w, other = self.x.build(lib), lib.ones(3, requires_grad=True), lib.ones(2, requires_grad=True)
        y = (x * w).exp().sum(-1) + (x * x).sum(-1)
        gradient = lib.ones(*y.shape)
        inputs = [x, w, other] if self.unused else [x, w]
        if f.__name__ == "grad":
            return list(f([y], inputs, [gradient], **named))
        f([y], [gradient], **named)
        return [x.grad, w.grad, other.grad]

    def __repr__(self):
        return f"of {self.x!r}" + (" and an unused tensor" if self.unused else "")


@calls("grad backward", "autograd")
def tape(draw, name):
    only = {"retain_graph": draw.chance(0.5)} if draw.chance(0.4) else {}
    if name == "grad" and draw.chance(0.5):
        only["allow_unused"] = draw.chance(0.6)
    if name == "grad" and draw.chance(0.2):
        only["materialize_grads"] = True
    return Call({}, only=only, through=Graph(draw.tensor((2, 3), grad=True), draw.chance(0.4)), length=8)


def _recorded(lib, f, arguments, named, leaves):
    x = lib.ones(2, requires_grad=True)
    with f(*arguments, **named):
        inside = [(x * 2).requires_grad, lib.is_grad_enabled()]
    return [*inside, (x * 2).requires_grad, lib.is_grad_enabled()]


@calls("no_grad enable_grad inference_mode set_grad_enabled", "engine", "autograd")
def recording(draw, name):
    return Call({"mode": draw.chance(0.5)} if name in ("set_grad_enabled", "inference_mode") else {}, through=_recorded)


@calls("backward", "Tensor")
def backward(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(*FLOATS), grad=True)
    gradient = draw.tensor(x.values.shape, str(x.values.dtype), grad=False) if draw.chance(0.7) else None
    return Call(
        {"self": x, "gradient": gradient}, only={"retain_graph": True} if draw.chance(0.3) else {}, through=_backward
    )


def _backward(lib, f, arguments, named, leaves):
    x = leaves[0] if leaves else arguments[0]
    if not isinstance(x, lib.Tensor):
        raise NotATensor
    y = x * 3
    f(y, *arguments[1:], **named)
    return [x.grad]


@calls("device", "engine")
def device(draw, name):
    return Call({"_name": draw.pick("cpu", "cuda", "cuda:1", "cpu:0", "nonsense", "meta")}, through=_device)


def _device(lib, f, arguments, named, leaves):
    d = f(*arguments, **named)
    return [d.type, d.index, str(d), repr(d)]


@calls("get_default_dtype is_grad_enabled", "engine")
def bare(draw, name):
    return Call({})
