"""engine: a deep-learning engine for CPUs, small enough to read.

The names are PyTorch's. Heavy parts (nn, optim, vision, ...) are imported when first used; importing the
engine starts no thread and touches no floating-point state.
"""

from __future__ import annotations

import importlib

import numpy as _numpy

from engine import methods as _methods
from engine.backends import available as available_backends
from engine.backends import device, use_backend
from engine.functions import (
    arange,
    as_tensor,
    empty,
    from_numpy,
    full,
    is_tensor,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from engine.generator import Generator, default_generator, manual_seed
from engine.geometry import ShapeError
from engine.ops.activation import log_softmax, relu, sigmoid, softmax, tanh
from engine.ops.conv import conv2d
from engine.ops.linear import matmul
from engine.ops.pointwise import (
    abs,
    add,
    clamp,
    div,
    eq,
    exp,
    ge,
    gt,
    le,
    log,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    pow,
    sqrt,
    sub,
    where,
)
from engine.ops.random import dropout, rand, randint, randn, randperm
from engine.ops.reduce import amax, amin, argmax, argmin, logsumexp, max, mean, min, sum, var
from engine.ops.shape import cat, flatten, permute, reshape, squeeze, stack, transpose, unsqueeze
from engine.tape import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from engine.tensor import Tensor

__version__ = "0.1.0"

float32 = float = _numpy.dtype("float32")
float64 = double = _numpy.dtype("float64")
int64 = long = _numpy.dtype("int64")
int32 = int = _numpy.dtype("int32")
int16 = _numpy.dtype("int16")
int8 = _numpy.dtype("int8")
uint8 = _numpy.dtype("uint8")
bool = _numpy.dtype("bool")

_LAZY = {  # name -> module that holds it ("" when it is the module)
    "autograd": "", "nn": "", "optim": "", "utils": "", "vision": "",
    "save": "engine.serialization", "load": "engine.serialization",
    "show_config": "engine.config",
    "set_num_threads": "engine_ext.parallel", "get_num_threads": "engine_ext.parallel",
    "empty_cache": "engine_ext.memory",
}  # fmt: skip

__all__ = [
    "Generator", "ShapeError", "Tensor", "abs", "add", "amax", "amin", "arange", "argmax", "argmin", "as_tensor",
    "available_backends", "bool", "cat", "clamp", "conv2d", "default_generator", "device", "div", "double",
    "dropout", "empty", "enable_grad", "eq", "exp", "flatten", "float", "float32", "float64", "from_numpy", "full",
    "ge", "gt", "int", "int8", "int16", "int32", "int64", "is_grad_enabled", "is_tensor", "le", "log",
    "log_softmax", "logsumexp", "long", "lt", "manual_seed", "matmul", "max", "maximum", "mean", "min", "minimum",
    "mul", "ne", "neg", "no_grad", "ones", "ones_like", "permute", "pow", "rand", "randint", "randn", "randperm",
    "relu", "reshape", "set_grad_enabled", "sigmoid", "softmax", "sqrt", "squeeze", "stack", "sub", "sum", "tanh",
    "tensor", "transpose", "uint8", "unsqueeze", "use_backend", "var", "where", "zeros", "zeros_like", *_LAZY,
]  # fmt: skip


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    value = importlib.import_module(_LAZY[name] or f"engine.{name}")
    if _LAZY[name]:
        value = getattr(value, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_LAZY})


_methods.attach()
