"""engine: a deep-learning engine for CPUs, small enough to read.

The names are PyTorch's. Heavy parts (nn, optim, vision, ...) are imported when first used; importing the
engine starts no thread and touches no floating-point state.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi

import numpy as _numpy

from engine import methods as _methods
from engine.backends import available as available_backends
from engine.backends import device, use_backend
from engine.dtypes import *
from engine.functions import *
from engine.generator import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from engine.geometry import ShapeError
from engine.grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from engine.inert import (
    are_deterministic_algorithms_enabled,
    compile,
    get_float32_matmul_precision,
    get_num_interop_threads,
    inference_mode,
    set_float32_matmul_precision,
    set_num_interop_threads,
    use_deterministic_algorithms,
)
from engine.interchange import from_dlpack
from engine.ops.activation import *
from engine.ops.arrange import *
from engine.ops.compare import *
from engine.ops.conv import *
from engine.ops.einsum import *
from engine.ops.extreme import *
from engine.ops.gathering import *
from engine.ops.indexing import *
from engine.ops.linear import *
from engine.ops.pieces import *
from engine.ops.pointwise import *
from engine.ops.pool import *
from engine.ops.random import *
from engine.ops.reduce import *
from engine.ops.resize import *
from engine.ops.scan import *
from engine.ops.shape import *
from engine.ops.similarity import *
from engine.ops.sorting import *
from engine.ops.unary import *
from engine.tensor import Tensor

__version__ = "0.1.0"

float32 = float = _numpy.dtype("float32")
float64 = double = _numpy.dtype("float64")
int64 = long = _numpy.dtype("int64")
int32 = int = _numpy.dtype("int32")
int16 = short = _numpy.dtype("int16")
int8 = _numpy.dtype("int8")
uint8 = _numpy.dtype("uint8")
bool = _numpy.dtype("bool")
float16 = half = _numpy.dtype("float16")  # refused wherever they are asked for, by name
bfloat16 = "bfloat16"
Size = tuple  # what shapes are
dtype = _numpy.dtype  # what dtypes are

_LAZY = {  # name -> module that holds it ("" when it is the module)
    "accelerator": "", "autograd": "", "cuda": "", "distributed": "", "jit": "", "linalg": "", "nn": "", "optim": "", "random": "", "utils": "", "vision": "", "xpu": "",
    "save": "engine.serialization", "load": "engine.serialization", "serialization": "",
    "save_checkpoint": "engine.serialization", "load_checkpoint": "engine.serialization",
    "show_config": "engine.config", "summary": "engine.nn.summary",
    "set_num_threads": "engine_ext.parallel", "get_num_threads": "engine_ext.parallel",
    "set_winograd": "engine.backends.convolution", "get_winograd": "engine.backends.convolution",
    "empty_cache": "engine_ext.memory", "OutOfMemoryError": "engine.backends",
}  # fmt: skip


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

_IN_PLACE = """
abs acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil clamp clamp_max clamp_min clip cos
cosh deg2rad erf erfc exp exp2 expm1 fix floor frac log log10 log1p log2 logit nan_to_num neg negative rad2deg
reciprocal relu round rsqrt sigmoid sin sinh sqrt square tan tanh trunc
"""  # methods that are functions too: engine.relu_(x)
globals().update({f"{name}_": getattr(Tensor, f"{name}_") for name in _IN_PLACE.split()})
