"""The backends by name, the default one, and the rules of dtypes. Kernels arrive in ops as `k`, an instance.

Backends are made on first use, so importing the engine compiles, probes and starts nothing.
"""

from __future__ import annotations

import importlib
import threading
from functools import cache

import numpy

from engine.backends import text as text

_CLASSES = {  # name -> (module, class), in the order `available()` reports
    "cpu": ("engine.backends.cpu", "CPU"),
    "reference": ("engine.backends.reference", "Reference"),
    "cuda": ("engine.backends.cupy", "CuPy"),
    "shape": ("engine.backends.shape", "Shape"),
}
DEFAULT_FLOAT = numpy.dtype("float32")
_NAMES = {"float": "float32", "double": "float64", "long": "int64", "int": "int32", "short": "int16", "half": "float16"}


class DataError(ValueError, TypeError, RuntimeError):
    """Data that no Tensor can be made of. All three, as PyTorch raises now one of them, now another."""


_HALVES = ("float16", "bfloat16")
_SUPPORTED = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")


_INERT = ("cuda", "cudnn", "mkldnn", "mps")  # libraries that scripts ask for by name: no backends of ours


def __getattr__(name):
    if name not in _INERT:
        raise AttributeError(f"module 'engine.backends' has no attribute {name!r}")
    return importlib.import_module(f"engine.backends.{name}")


class _Chosen(threading.local):
    name = "cpu"


_chosen = _Chosen()


class DeviceError(TypeError, RuntimeError):
    """What names no device. Both, as PyTorch raises now the one, now the other."""


class OutOfMemoryError(RuntimeError, MemoryError):
    """A GPU has too little memory left: a RuntimeError as PyTorch's, and a MemoryError as CuPy's."""


class device(str):
    """A device by name, as `torch.device`: 'cpu', or 'cuda:0'. It is a string with `.type` and `.index`."""

    def __new__(cls, name):
        if not isinstance(name, str):
            raise DeviceError(f"a device is given by name, 'cpu' or 'cuda', got {name!r}")
        kind, _, index = str(name).partition(":")
        if kind not in ("cpu", "cuda", "meta") or (index and not index.isdigit()):
            raise RuntimeError(f"unknown device {str(name)!r}; expected 'cpu' or 'cuda'")
        return super().__new__(cls, name)

    @property
    def type(self):
        return str(self).partition(":")[0]

    @property
    def index(self):
        index = str(self).partition(":")[2]
        return int(index) if index else None

    def __repr__(self):
        return (
            f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"
        )


@cache
def get(name):
    """The backend called `name`; ValueError lists those there are."""
    if name not in _CLASSES:
        raise ValueError(f"unknown backend {name!r}; there are {', '.join(_CLASSES)}")
    module, cls = _CLASSES[name]
    return getattr(importlib.import_module(module), cls)()


def available():
    """Names of the backends that compute and work here."""
    return [name for name in _CLASSES if name != "shape" and _works(name)]


def _works(name):
    try:
        get(name)
    except ImportError:
        return False
    return True


def default():
    """The backend of tensors made from now on by this thread."""
    return get(_chosen.name)


def for_device(name):
    """The backend of a device: None means the default."""
    if name is None:
        return default()
    if device(name).type == "cpu":
        return default() if default().device == "cpu" else get("cpu")
    if device(name).type == "meta":
        return get("shape")
    if device(name).index:
        raise RuntimeError(
            f"device {str(name)!r} is not available: one GPU is used, 'cuda:0'; CUDA_VISIBLE_DEVICES chooses which that is"
        )
    return get("cuda")


class use_backend:
    """Make tensors on backend `name` from now on in this thread, or inside `with use_backend("reference"):`.

    Tensors of the reference pull those of the cpu backend along, so a model made before runs on it too.
    """

    def __init__(self, name):
        get(name)
        self.before, _chosen.name = _chosen.name, name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _chosen.name = self.before


def common(op, a, b):
    """The backend for operands of two: the reference where one is on it; RuntimeError across devices."""
    if a is None or b is None or a is b:
        return a or b
    if a.device == b.device:
        return get("reference")
    raise RuntimeError(
        f"{op}(): expected all tensors to be on the same device, got {a.device} and {b.device}; use x.to(...)"
    )


# ---- dtypes


def dtype(name):
    """A NumPy dtype from a dtype, a NumPy type or a name such as 'float32' or 'long'; TypeError for those not offered."""
    try:
        d = numpy.dtype(_NAMES.get(name, name) if isinstance(name, str) else name)
        known = d.name
    except TypeError:
        known = str(name)
    if known not in _SUPPORTED:
        why = " (half precision has no kernels here: it would be slower, not faster)" if known in _HALVES else ""
        raise TypeError(f"dtype {known} is not supported; use one of {', '.join(_SUPPORTED)}{why}")
    return d if d.isnative else d.newbyteorder("=")


@cache
def promote(a, b, a_is_0d=False, b_is_0d=False):
    """The dtype of an operation on two: the wider of the higher kind; a 0-d operand decides only by its kind."""
    rank_a, rank_b = ("biuf".index(d.kind.replace("u", "i")) for d in (a, b))
    if rank_a != rank_b:
        return a if rank_a > rank_b else b
    if a_is_0d != b_is_0d:
        return b if a_is_0d else a
    return numpy.promote_types(a, b)


def promote_number(d, number):
    """The dtype of an operation on a tensor of dtype `d` and a Python number."""
    if isinstance(number, bool):
        return d
    if isinstance(number, int):
        return d if d.kind != "b" else numpy.dtype("int64")
    return d if d.kind == "f" else DEFAULT_FLOAT


# ---- arrays in and out


def as_array(data, dtype_=None):
    """A new NumPy array from numbers, nested lists or an array, in a supported dtype.

    Python floats become float32, integers int64, arrays keep their dtype. ValueError for ragged lists,
    TypeError for what holds no numbers, RuntimeError for integers that do not fit.
    """
    is_array = hasattr(data, "__array_interface__") or hasattr(data, "dtype")
    try:
        array = numpy.array(data)
    except ValueError as error:
        raise DataError(f"tensor(): the nested lists do not form a rectangle: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"tensor(): could not infer numbers from {type(data).__name__} (NumPy calls it {array.dtype})")
    if dtype_ is None:
        dtype_ = array.dtype if is_array or array.dtype.kind != "f" else DEFAULT_FLOAT
    elif not is_array and array.dtype.kind in "iu" and dtype(dtype_).kind in "iu" and array.size:
        limits = numpy.iinfo(dtype(dtype_))
        if array.min() < limits.min or array.max() > limits.max:
            raise RuntimeError(f"tensor(): a value does not fit into {limits.dtype} ({limits.min} to {limits.max})")
    if not is_array and array.dtype.kind == "f" and dtype(dtype_).kind in "iu" and not numpy.isfinite(array).all():
        raise RuntimeError(f"tensor(): a value cannot be converted to {dtype(dtype_)}: it is infinite or nan")
    return array.astype(dtype(dtype_), order="C", copy=False)


def shared_array(array):
    """A NumPy array that `from_numpy` may share; TypeError otherwise."""
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"from_numpy expects a numpy.ndarray, got {type(array).__name__}")
    if not array.dtype.isnative:
        raise TypeError(
            f"from_numpy: byte order of {array.dtype} is not this machine's; use array.astype(array.dtype.newbyteorder('='))"
        )
    dtype(array.dtype)
    if not array.flags.writeable:
        raise ValueError(
            "from_numpy: the array is read-only and its memory would be shared; use engine.tensor(array) to copy"
        )
    return numpy.asarray(array)  # a matrix or a memmap has rules of its own


def arange(start, step, steps, dtype_):
    """start + step * (0, 1, ... steps - 1), computed exactly for integers and in float64 otherwise."""
    return (start + step * numpy.arange(steps)).astype(dtype_)


def linspace(start, end, steps, base, dtype_):
    """`steps` numbers from start to end at equal distances, or, unless it is None, `base` to their powers."""
    with numpy.errstate(all="ignore"):
        exponents = numpy.linspace(start, end, steps)
        return (exponents if base is None else numpy.power(float(base), exponents)).astype(dtype_)
