"""Making tensors: from data, from NumPy, filled, counted."""

from __future__ import annotations

from engine import backends
from engine.ops._op import cast, sizes
from engine.tensor import Tensor, record, wrap

__all__ = [
    "arange", "as_tensor", "empty", "from_numpy", "full", "is_tensor", "ones", "ones_like", "tensor", "zeros", "zeros_like",
]  # fmt: skip


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new Tensor from numbers, nested lists, a NumPy array or a Tensor (copied).

    Python floats become float32, integers int64; arrays keep their dtype.
    """
    if isinstance(data, Tensor):
        data = data.detach().cpu().numpy()
    elif isinstance(data, (list, tuple)) and any(isinstance(d, Tensor) for d in data):
        data = [d.tolist() if isinstance(d, Tensor) else d for d in data]
    k = backends.for_device(device)
    return wrap(k.from_numpy(backends.as_array(data, dtype)), k).requires_grad_(requires_grad)


def as_tensor(data, dtype=None, device=None):
    """`data` as a Tensor, without a copy where it is a Tensor or a writable NumPy array already."""
    if not isinstance(data, Tensor):
        shareable = hasattr(data, "__array_interface__") and getattr(getattr(data, "flags", None), "writeable", False)
        data = from_numpy(data) if shareable else tensor(data)
    return to(data, device or data.device, dtype or data.dtype)


def from_numpy(array):
    """A Tensor over the array's own memory: a change of one is a change of the other."""
    return wrap(backends.shared_array(array), backends.for_device("cpu"))


def to(x, *args, dtype=None, device=None):
    """x in another dtype or on another device: `x.to(engine.float64)`, `x.to("cpu")`, `x.to(other)`."""
    for a in args:
        if isinstance(a, Tensor):
            device, dtype = a.device, a.dtype
        elif isinstance(a, str) and a.partition(":")[0] in ("cpu", "cuda"):
            device = a
        else:
            dtype = a
    if device is not None and backends.device(device).type != x.device.type:
        k = backends.for_device(device)
        before = x._k
        x = record(
            "to", k, k.from_numpy(before.to_numpy(x._array)), (lambda g: before.from_numpy(k.to_numpy(g)),), (x,)
        )
    if dtype is not None and (wanted := backends.dtype(dtype)) != x.dtype:
        x = cast(x, dtype=wanted)
    return x


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A Tensor of one value; its dtype follows the value (float32, int64 or bool) unless given."""
    k = backends.for_device(device)
    natural = "bool" if isinstance(fill_value, bool) else "int64" if isinstance(fill_value, int) else "float32"
    wanted = backends.dtype(dtype or natural)
    try:
        array = k.full(sizes((size,)), fill_value, wanted)
    except OverflowError:
        raise RuntimeError(f"full(): {fill_value} does not fit into {wanted}") from None
    return wrap(array, k).requires_grad_(requires_grad)


def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A Tensor of zeros, float32 unless `dtype` says otherwise."""
    return full(sizes(size), 0, dtype=dtype or "float32", device=device, requires_grad=requires_grad)


def ones(*size, dtype=None, device=None, requires_grad=False):
    """A Tensor of ones, float32 unless `dtype` says otherwise."""
    return full(sizes(size), 1, dtype=dtype or "float32", device=device, requires_grad=requires_grad)


def empty(*size, dtype=None, device=None, requires_grad=False):
    """A Tensor to be filled. It holds zeros: no memory that was never written is handed out."""
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def zeros_like(x, *, dtype=None):
    """Zeros of x's shape, dtype and device."""
    return zeros(x.shape, dtype=dtype or x.dtype, device=x.device)


def ones_like(x, *, dtype=None):
    """Ones of x's shape, dtype and device."""
    return ones(x.shape, dtype=dtype or x.dtype, device=x.device)


def arange(start, end=None, step=1, *, dtype=None):
    """start, start + step, ... below end, int64 for integers, else float32; `arange(end)` starts at 0."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) / step < 0:
        raise RuntimeError(f"arange: upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}")
    natural = "int64" if all(isinstance(v, int) for v in (start, end, step)) else "float32"
    return wrap(backends.arange(start, end, step, backends.dtype(dtype or natural)), backends.for_device("cpu"))


def is_tensor(x):
    """Whether x is a Tensor."""
    return isinstance(x, Tensor)
