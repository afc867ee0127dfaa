"""Making tensors: from data, from NumPy, filled, counted; and in another dtype or place."""

from __future__ import annotations

import math

from engine import backends
from engine.ops._op import cast, expect_tensors, is_number, sizes
from engine.ops.shape import clone
from engine.tensor import Tensor, record, wrap

__all__ = [
    "arange", "as_tensor", "asarray", "channels_last", "contiguous_format", "empty", "empty_like", "eye", "from_numpy", "full",
    "full_like", "is_nonzero", "is_tensor", "linspace", "logspace", "numel", "ones", "ones_like", "preserve_format",
    "set_printoptions", "tensor", "zeros",
    "zeros_like",
]  # fmt: skip

# Orders of axes in memory, by torch's names. There is one here, row-major, and asking for another changes nothing.
channels_last, contiguous_format, preserve_format = "channels_last", "contiguous_format", "preserve_format"


# ---- from data


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new Tensor from numbers, nested lists, a NumPy array or a Tensor (copied).

    Python floats become float32, integers int64; arrays keep their dtype.
    """
    if isinstance(data, Tensor):
        data = data._k.to_numpy(data._array)
    elif isinstance(data, (list, tuple)) and any(isinstance(d, Tensor) for d in data):
        data = [d.tolist() if isinstance(d, Tensor) else d for d in data]
    k = backends.for_device(device)
    return wrap(k.from_numpy(backends.as_array(data, dtype)), k).requires_grad_(requires_grad)


def as_tensor(data, dtype=None, device=None):
    """`data` as a Tensor, without a copy where it is a Tensor or a writable NumPy array already."""
    if not isinstance(data, Tensor):
        shareable = hasattr(data, "__array_interface__") and getattr(getattr(data, "flags", None), "writeable", False)
        data = from_numpy(data) if shareable else tensor(data, dtype=dtype)
    return to(data, device=device or data.device, dtype=dtype or data.dtype)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`obj` as a Tensor, as `as_tensor`; a copy of it if `copy`, ValueError for copy=False where it takes one."""
    shared = isinstance(obj, Tensor) or hasattr(obj, "__array_interface__")
    y = as_tensor(obj, dtype, device)
    same = shared and y._k.shares_memory(y._array, obj._array if isinstance(obj, Tensor) else obj)
    if copy is False and not same:
        raise ValueError("asarray(): can't alias the memory of obj as asked: it needs a copy")
    y = clone(y.detach()) if copy and same else y
    return y.requires_grad_() if requires_grad else y


def from_numpy(array):
    """A Tensor over the array's own memory: a change of one is a change of the other."""
    out = wrap(backends.shared_array(array), backends.for_device("cpu"))
    out._version.share()
    return out


def to(x, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """x in another dtype or on another device: `x.to(engine.float64)`, `x.to("cpu")`, `x.to(other)`.

    x itself where it is so already, unless `copy`. memory_format changes nothing, and neither does non_blocking: a copy
    has read x when this returns (`engine.utils.data.Upload` brings batches to a GPU while it computes).
    """
    flags = [a for a in args if isinstance(a, bool)]
    for a in args:
        if isinstance(a, Tensor):
            device, dtype = a.device, a.dtype
        elif isinstance(a, str) and a.partition(":")[0] in ("cpu", "cuda", "meta"):
            device = a
        elif type(a) is int:
            device = f"cuda:{a}"
        elif not isinstance(a, bool) and a is not None:
            if dtype is not None:
                raise TypeError(f"to(): got two dtypes, {dtype} and {a}")
            dtype = a
    before = x
    if device is not None and backends.device(device).type != x.device.type:
        k, old = backends.for_device(device), x._k
        x = record("to", k, k.from_numpy(old.to_numpy(x._array)), (lambda g: old.from_numpy(k.to_numpy(g)),), (x,))
    if dtype is not None and (wanted := backends.dtype(dtype)) != x.dtype:
        x = cast(x, dtype=wanted)
    return clone(x) if x is before and (copy or flags[1:] == [True]) else x


# ---- filled


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A Tensor of one value; its dtype follows the value (float32, int64 or bool) unless given."""
    k = backends.for_device(device)
    if not is_number(fill_value):
        raise TypeError(f"full(): fill_value must be a number, got {fill_value!r}")
    value = fill_value.item() if hasattr(fill_value, "item") else fill_value
    natural = "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else "float32"
    wanted = backends.dtype(dtype or natural)
    try:
        array = k.full(sizes((size,)), _whole(value) if wanted.kind in "iu" else value, wanted)
    except OverflowError:
        raise RuntimeError(f"full(): {value} does not fit into {wanted}") from None
    return wrap(array, k).requires_grad_(requires_grad)


def _whole(value):
    """The number without its fraction; OverflowError for nan as for infinity."""
    return math.trunc(value) if value == value else math.trunc(math.inf)


def zeros(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """A Tensor of zeros, float32 unless `dtype` says otherwise. Sizes are given one by one, as a tuple or as size=."""
    return full(_shape(shape, size), 0, dtype=dtype or "float32", device=device, requires_grad=requires_grad)


def ones(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """A Tensor of ones, float32 unless `dtype` says otherwise. Sizes are given one by one, as a tuple or as size=."""
    return full(_shape(shape, size), 1, dtype=dtype or "float32", device=device, requires_grad=requires_grad)


def empty(*shape, size=None, dtype=None, device=None, requires_grad=False, memory_format=None):
    """A Tensor to be filled. It holds zeros: no memory that was never written is handed out."""
    return zeros(*shape, size=size, dtype=dtype, device=device, requires_grad=requires_grad)


def _shape(shape, size):
    if (size is not None) == bool(shape):
        raise TypeError(f"sizes are given one by one, as a tuple or as size=, got {shape} and size={size}")
    return sizes(shape if size is None else (size,))


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """A Tensor of one value, in input's shape, dtype and on its device unless given."""
    expect_tensors("full_like", input=input)
    dtype, device = dtype or input.dtype, device or input.device
    return full(input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def zeros_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Zeros, in input's shape, dtype and on its device unless given."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Ones, in input's shape, dtype and on its device unless given."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """A Tensor to be filled, in input's shape, dtype and on its device unless given. It holds zeros, as `empty`."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The n x m matrix (n x n without m) of ones on the diagonal and zeros elsewhere."""
    y = zeros(n, n if m is None else m, dtype=dtype, device=device)
    k = y._k
    k.assign(k.diagonal(y._array, 0, 0, 1), Ellipsis, k.full((), 1, y.dtype))
    return y.requires_grad_(requires_grad)


# ---- counted


def arange(start=None, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... below end, int64 for integers, else float32; `arange(end)` starts at 0."""
    if end is None:
        if start is None:
            raise TypeError("arange() needs an end")
        start, end = 0, start
    start, end, step = (v.item() if hasattr(v, "item") else v for v in (0 if start is None else start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not all(map(math.isfinite, (start, end, step))):
        raise RuntimeError(f"arange: unsupported range: {start} -> {end} by {step}")
    if (end - start) / step < 0:
        raise RuntimeError(f"arange: upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}")
    integral = all(isinstance(v, int) for v in (start, end, step))
    dtype = backends.dtype(dtype or ("int64" if integral else "float32"))
    if dtype.name == "int64" and not integral:  # PyTorch counts in int64 then, in float64 for other dtypes
        return arange(*map(math.trunc, (start, end, step)), dtype=dtype, device=device, requires_grad=requires_grad)
    steps = -((start - end) // step) if integral else math.ceil((end - start) / step)
    try:
        array = backends.arange(start, step, steps, dtype)
    except OverflowError:
        raise RuntimeError(f"arange: {start} to {end} by {step} does not fit into int64") from None
    return _counted(array, device, requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from start to end, both included, at equal distances; float32 unless `dtype` says otherwise."""
    return _spaced("linspace", start, end, steps, None, dtype, device, requires_grad)


def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`base` to the powers that `linspace(start, end, steps)` gives."""
    return _spaced("logspace", start, end, steps, base, dtype, device, requires_grad)


def _spaced(name, start, end, steps, base, dtype, device, requires_grad):
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        raise TypeError(f"{name}(): steps must be an integer, got {steps!r}")
    if steps < 0:
        raise RuntimeError(f"{name}(): number of steps must be non-negative, got {steps}")
    if not (is_number(start) and is_number(end) and (base is None or is_number(base))):
        raise TypeError(f"{name}(): start and end must be numbers, got {start!r} and {end!r}")
    dtype = backends.dtype(dtype or "float32")
    start, end = (v.item() if hasattr(v, "item") else v for v in (start, end))
    if dtype.kind in "iu":
        start, end = _whole(start), _whole(end)
    return _counted(backends.linspace(start, end, steps, base, dtype), device, requires_grad)


def _counted(array, device, requires_grad):
    k = backends.for_device(device)
    return wrap(k.from_numpy(array), k).requires_grad_(requires_grad)


# ---- printed

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": 2**62, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """How Tensors print from now on: digits, elements from which on they are shortened to `edgeitems` at both ends of
    each axis, characters in a line. `profile` ('default', 'short', 'full') sets all four, sci_mode powers of ten always or
    never, where without it the numbers decide; what is None stays.
    """
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"set_printoptions(): profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
    wanted = dict(_PROFILES.get(profile, {}))
    for name, value in (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            wanted[name] = value
    backends.text.options.update(wanted, sci_mode=sci_mode)


# ---- asked


def is_tensor(x):
    """Whether x is a Tensor."""
    return isinstance(x, Tensor)


def is_nonzero(input):
    """Whether the one element is not 0."""
    expect_tensors("is_nonzero", input=input)
    if input.numel() != 1:
        raise RuntimeError(f"is_nonzero(): Boolean value of a Tensor with {input.numel()} elements is ambiguous")
    return bool(input.item())


def numel(input):
    """How many elements there are."""
    expect_tensors("numel", input=input)
    return input.numel()
