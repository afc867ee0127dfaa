"""A call made of one library: what it gave or raised, and the gradients; and what two outcomes differ in."""

from __future__ import annotations

import builtins
import warnings
from dataclasses import dataclass, field

import numpy as np

from comparison.call import build

EPS = {"float32": float(np.finfo("float32").eps), "float64": 1e-12}


@dataclass
class Outcome:
    """What a call gave."""

    error: Exception | None = None
    value: object = None
    inputs: list = field(default_factory=list)  # tensors given, as they are afterwards
    gradients: object = None  # list of arrays or None, or the error of the backward pass


@dataclass(frozen=True)
class Difference:
    """Where the engine and PyTorch do not agree."""

    target: str
    call: str
    aspect: str
    ours: str
    theirs: str
    spoiled: str = ""

    def __str__(self):
        return f"{self.target}{self.call}\n    {self.aspect}\n      engine:  {self.ours}\n      PyTorch: {self.theirs}"


def is_tensor(value):
    return hasattr(value, "requires_grad") and hasattr(value, "detach")


def run(lib, invoke, call, positional, keywords, over_copy):
    """The Outcome of `invoke(lib, arguments, keywords, leaves)`; over_copy: the first tensor is the copy of a leaf."""
    leaves = []
    out = Outcome()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if lib.__name__ == "engine":
            warnings.simplefilter("error", RuntimeWarning)  # NumPy's: users would see them
        arguments = list(build(lib, positional, leaves))
        named = build(lib, keywords, leaves)
        if over_copy and arguments and is_tensor(arguments[0]) and arguments[0].requires_grad:
            arguments[0] = arguments[0].clone()
        try:
            out.value = invoke(lib, arguments, named, leaves)
        except Exception as error:
            out.error = error
            return out
        out.inputs = [array(t) for t in [*arguments, *named.values()] if is_tensor(t)]
        try:
            out.gradients = gradients(lib, out.value, leaves)
        except Exception as error:
            out.gradients = error
    return out


def array(t):
    return t.detach().numpy().copy()


def gradients(lib, value, leaves):
    """Those of the leaves, for random gradients of every output."""
    rng = np.random.default_rng(7)
    for _, t in parts(value):
        if is_tensor(t):
            g = np.asarray(rng.standard_normal(tuple(t.shape)))
            if t.requires_grad and not t.is_leaf:
                t.backward(lib.from_numpy(g.astype(dtype_name(t))), retain_graph=True)
    return [None if t.grad is None else array(t.grad) for t in leaves]


def dtype_name(t):
    return str(t.dtype).removeprefix("torch.")


# ---- structure


def fields(value):
    return getattr(value, "_fields", None) or getattr(type(value), "__match_args__", ()) or ()


def parts(value, path="result"):
    """(path, leaf or description) of everything in a nested value."""
    if isinstance(value, (tuple, list)):
        sized = type(value).__name__ == "Size"
        yield (
            path,
            f"{'list' if isinstance(value, list) else 'tuple'} of {len(value)} {' '.join(() if sized else fields(value))}".strip(),
        )
        for i, v in enumerate(value):
            yield from parts(v, f"{path}[{i}]")
    elif isinstance(value, dict):
        yield path, f"dict of {', '.join(map(str, value))}"
        for k, v in value.items():
            yield from parts(v, f"{path}[{k!r}]")
    else:
        yield path, value


def plain(value):
    """What is no tensor, so that both libraries' may be compared: dtypes and devices by name."""
    text = str(value)
    if type(value).__name__ in ("dtype", "device") or type(value).__module__.startswith("numpy.dtypes"):
        return text.removeprefix("torch.")
    return value


# ---- what differs


def kind(error):
    """The type of Python's own that an error is of."""
    return next(c for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c)


def said(error):
    return f"{type(error).__name__}: {' '.join(str(error).splitlines()[:2])[:200]}"


def differences(ours, theirs, call):
    """(aspect, ours, PyTorch's) of everything in which two outcomes differ."""
    if theirs.error and ours.error:
        if not isinstance(ours.error, kind(theirs.error)):
            yield "type of error", said(ours.error), said(theirs.error)
        elif len(str(ours.error)) <= 15:
            yield "no message", said(ours.error), said(theirs.error)
        return
    if ours.error:
        yield "only the engine raises", said(ours.error), short(theirs.value)
        return
    if theirs.error:
        yield "only PyTorch raises", short(ours.value), said(theirs.error)
        return
    yield from _values(list(parts(ours.value)), list(parts(theirs.value)), call)
    for i, (a, b) in enumerate(zip(ours.inputs, theirs.inputs, strict=True)):
        if message := unequal(a, b, call):
            yield f"input {i} afterwards: {message}", short(a), short(b)
    yield from _gradients(ours.gradients, theirs.gradients, call)


def _values(ours, theirs, call):
    if [p for p, _ in ours] != [p for p, _ in theirs]:
        yield (
            "structure",
            "; ".join(f"{p}: {short(v)}" for p, v in ours),
            "; ".join(f"{p}: {short(v)}" for p, v in theirs),
        )
        return
    for (path, a), (_, b) in zip(ours, theirs, strict=True):
        if is_tensor(a) != is_tensor(b):
            yield f"{path}: type", type(a).__name__, type(b).__name__
        elif is_tensor(a):
            if message := unequal(array(a), array(b), call):
                yield f"{path}: {message}", short(a), short(b)
            elif a.requires_grad != b.requires_grad:
                yield f"{path}: requires_grad", a.requires_grad, b.requires_grad
        elif not same(plain(a), plain(b)):
            yield f"{path}: value", short(a), short(b)


def _gradients(ours, theirs, call):
    if isinstance(theirs, Exception):
        return  # some derivatives are missing there
    if isinstance(ours, Exception):
        yield "only the engine's backward raises", said(ours), short(theirs)
        return
    if len(ours) != len(theirs):
        yield "number of leaves", len(ours), len(theirs)
        return
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if (a is None) != (b is None):
            yield f"gradient {i}: missing", short(a), short(b)
        elif a is not None and (message := unequal(a, b, call, gradient=True)):
            yield f"gradient {i}: {message}", short(a), short(b)


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b) or abs(a - b) <= 1e-12 * abs(b)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    return type(a) is type(b) and a == b


def short(value):
    if is_tensor(value) and min(value.shape, default=0) < 0:
        return f"a tensor of shape {tuple(value.shape)}"  # PyTorch makes some
    if is_tensor(value):
        value = array(value)
    if isinstance(value, np.ndarray):
        text = np.array2string(value, separator=",", threshold=30, precision=9).replace("\n", "").replace(" ", "")
        return f"{value.dtype}{list(value.shape)} {text}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__}({', '.join(short(v) for v in value[:4])})"
    return repr(value)[:200]


def unequal(ours, theirs, call, gradient=False):
    """What two arrays differ in, in words, or nothing."""
    if ours.dtype != theirs.dtype:
        return f"dtype {ours.dtype}, PyTorch's {theirs.dtype}"
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, PyTorch's {theirs.shape}"
    if call.random:
        return different_distribution(ours, theirs) if call.random == "drawn" else ""
    if theirs.dtype.kind != "f":
        return "" if np.array_equal(ours, theirs) else "values"
    eps = EPS["float32" if "float32" in repr(call) else theirs.dtype.name]  # of the coarsest that took part
    finite = np.isfinite(theirs)
    if not np.array_equal(np.isfinite(ours), finite) or not np.array_equal(
        ours[~finite], theirs[~finite], equal_nan=True
    ):
        return "values that are not finite"
    a, b = ours[finite].astype("float64"), theirs[finite].astype("float64")
    relative = call.ulps * (8 if gradient else 1) * eps
    absolute = 1e-40
    if call.length or gradient:  # sums: what cancels leaves the rounding of what was summed
        scale = max(1.0, np.max(np.abs(b), where=np.abs(b) < 1e4, initial=1.0))
        absolute = eps * (call.ulps + 2 * call.length) * (8 if gradient else 1) * scale
    off = np.abs(a - b) > relative * np.abs(b) + absolute
    if off.any():
        return f"values, off by up to {np.max(np.abs(a - b)[off]):.2g}"
    zeros = (b == 0) & (a == 0)
    if call.signed_zeros and not gradient and not np.array_equal(np.signbit(a[zeros]), np.signbit(b[zeros])):
        return "sign of zero"
    return ""


def different_distribution(ours, theirs):
    """Kolmogorov and Smirnov's test of two samples, passed by all but one in 10^7 pairs that are of one distribution."""
    n = theirs.size
    if n < 100:
        return ""
    ours, theirs = (np.sort(np.round(v.astype("float64"), 4), axis=None) for v in (ours, theirs))
    both = np.concatenate([ours, theirs])
    steps = [np.searchsorted(v, both, side="right") for v in (ours, theirs)]
    distance = np.abs(steps[0] - steps[1]).max() / n
    bound = np.sqrt(np.log(2 / 1e-7) / n)
    return f"distribution, distance {distance:.3f} above {bound:.3f}" if distance > bound else ""
