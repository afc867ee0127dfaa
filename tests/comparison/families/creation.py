"""Calls of functions that make tensors, convert them and ask what they are."""

from __future__ import annotations

import numpy as np

from comparison.call import Call
from comparison.draw import ALL, FLOATS, Made, named
from comparison.registry import calls


def options(draw, dtypes=ALL, p=0.5):
    """dtype=, device= and requires_grad=, or some of them."""
    made = {}
    if draw.chance(p):
        made["dtype"] = named(draw.dtype(*dtypes))
    if draw.chance(0.15):
        made["device"] = "cpu"
    if draw.chance(0.15) and (not made.get("dtype") or made["dtype"].text in FLOATS):
        made["requires_grad"] = True
    return made


@calls("zeros ones empty", "engine")
def zeros(draw, name):
    shape = draw.shape()
    unset = "shape" if name == "empty" else ""
    if draw.chance(0.4) and shape:
        return Call({}, rest=shape, only=options(draw), random=unset)
    return Call({"size": shape}, only=options(draw), random=unset)


@calls("full", "engine")
def full(draw, name):
    return Call({"size": draw.shape(), "fill_value": draw.pick(draw.number(), True, 0)}, only=options(draw))


@calls("zeros_like ones_like empty_like")
def zeros_like(draw, name):
    only = options(draw, FLOATS)
    return Call(
        {"input": draw.tensor(draw.shape(), draw.dtype(*FLOATS))},
        only=only,
        random="shape" if name.startswith("empty") else "",
    )


@calls("full_like")
def full_like(draw, name):
    return Call(
        {"input": draw.tensor(draw.shape(), draw.dtype()), "fill_value": draw.pick(draw.number(), 0)},
        only=options(draw, p=0.3) if draw.chance(0.5) else {},
    )


@calls("new_zeros new_ones new_empty")
def new_zeros(draw, name):
    x = draw.tensor(draw.shape(most=2), draw.dtype())
    only = {k: v for k, v in options(draw).items() if k == "dtype"}
    return Call({"_self": x, "_size": draw.shape()} if draw.chance(0.6) else {"_self": x, **{f"_{i}": n for i, n in enumerate(draw.shape(1))}},
                only=only, random="shape" if "empty" in name else "")  # fmt: skip


@calls("new_full")
def new_full(draw, name):
    return Call({"self": draw.tensor((2,), draw.dtype()), "size": draw.shape(), "fill_value": draw.number()})


@calls("new_tensor")
def new_tensor(draw, name):
    return Call({"self": draw.tensor((2,), draw.dtype()), "data": draw.pick(2.5, 3, [1, 2], [[1.5, 2.0]], True)})


@calls("eye", "engine")
def eye(draw, name):
    return Call(
        {"n": draw.integer(0, 5), **({"m": draw.integer(0, 5)} if draw.chance(0.5) else {})}, only=options(draw)
    )


@calls("arange")
def arange(draw, name):
    end = draw.pick(draw.integer(0, 12), float(draw.integer(0, 6)) + 0.5)
    if draw.chance(0.3):
        return Call({"_end": end}, only=options(draw))
    start = draw.pick(0, 1, -3, 0.5, 1.0)
    step = {} if draw.chance(0.3) else {"step": draw.pick(1, 2, 0.5, 3, -1)}
    if step.get("step") == -1:
        start, end = max(start, end), min(start, end)
    return Call(
        {"start": start, "end": end, **step}
        if end >= start or step.get("step") == -1
        else {"start": end, "end": start, **step},
        only=options(draw, FLOATS),
    )


@calls("linspace logspace")
def linspace(draw, name):
    base = {"base": draw.pick(2.0, 10.0, 0.5)} if name == "logspace" and draw.chance(0.5) else {}
    return Call(
        {"start": draw.number(), "end": draw.number(), "steps": draw.integer(0, 9), **base},
        only=options(draw, FLOATS),
        length=4,
        ulps=64,
    )


DATA = [1, 2.5, True, [1, 2, 3], [1.5, 2], [[1, 2], [3, 4]], [], [[]], [True, False], ((1.0,), (2.0,)), [1, 2.5, True], [[1], [2, 3]], "text", None, [None], [[1, 2], 3], 2**40, -0.0]  # fmt: skip


@calls("tensor as_tensor asarray")
def tensor(draw, name):
    data = draw.pick(
        *DATA, np.float32(1.5), np.int64(3), np.arange(3), np.ones((2, 2), "float32"), np.ones(2, "uint8"), range(3)
    )
    if draw.chance(0.15):
        data = draw.tensor(draw.shape(), draw.dtype(), grad=False)
    only = options(draw) if name == "tensor" else {k: v for k, v in options(draw).items() if k == "dtype"}
    return Call({"data" if name != "asarray" else "obj": data}, only=only)


@calls("from_numpy")
def from_numpy(draw, name):
    return Call({"_array": np.asarray(draw.values(draw.shape(), draw.dtype()))})


@calls("is_tensor is_floating_point is_complex")
def asked_of_anything(draw, name):
    return Call({"_input": draw.tensor(draw.shape(), draw.dtype())})


@calls("is_leaf is_cuda is_pinned get_device ndim shape dtype requires_grad nbytes itemsize device data grad", "Tensor")
def asked(draw, name):
    return Call({"_input": draw.tensor(draw.shape(), draw.dtype())})


@calls("is_nonzero")
def is_nonzero(draw, name):
    return Call({"input": draw.tensor(draw.pick((), (1,), (2,), (0,)), draw.dtype())})


@calls("item tolist")
def item(draw, name):
    return Call(
        {
            "self": draw.tensor(
                draw.shape(most=1) if name == "tolist" else draw.pick((), (1,), (1, 1), (2,), (0,)), draw.dtype()
            )
        }
    )


@calls("numpy", "Tensor")
def numpy_(draw, name):
    return Call({"self": draw.tensor(draw.shape(), draw.dtype(), grad=draw.chance(0.2) or None)}, through=_as_list)


def _as_list(lib, f, arguments, named, leaves):
    array = arguments[0].numpy(*arguments[1:], **named)
    return [array.dtype.name, array.shape, array.tolist()]


@calls("float double long int short char byte bool", "Tensor")
def converted(draw, name):
    dtype = draw.dtype()
    low = 0 if dtype[0] == "f" and name in ("byte", "char") else None  # floats that do not fit: undefined
    return Call({"self": draw.tensor(draw.shape(), dtype, low=low, high=100 if low == 0 else None)})


@calls("to", "Tensor")
def to(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype(), low=0, high=9)
    kind = draw.pick("dtype", "device", "other", "both", "named", "copy")
    dtype = named(draw.dtype())
    if kind == "dtype":
        return Call({"_self": x, "_dtype": dtype})
    if kind == "device":
        return Call({"_self": x, "_device": draw.pick("cpu", named_device())})
    if kind == "other":
        return Call({"_self": x, "_other": draw.tensor((2,), draw.dtype(), grad=False)})
    if kind == "both":
        return Call({"_self": x, "_device": "cpu", "_dtype": dtype})
    if kind == "named":
        return Call({"_self": x}, only={"dtype": dtype, "non_blocking": True, "device": "cpu"})
    return Call({"_self": x, "_dtype": dtype}, only={"copy": True})


def named_device():
    return Made("device('cpu')", lambda lib: lib.device("cpu"))


@calls("type", "Tensor")
def type_(draw, name):
    return Call({"_self": draw.tensor(draw.shape(), draw.dtype(), low=0, high=9), "_dtype": named(draw.dtype())})


@calls("type_as", "Tensor")
def type_as(draw, name):
    return Call(
        {"self": draw.tensor(draw.shape(), draw.dtype(), low=0, high=9), "other": draw.tensor((1,), draw.dtype())}
    )


@calls("cpu", "Tensor")
def cpu(draw, name):
    return Call({"self": draw.tensor(draw.shape(), draw.dtype())})


@calls("copy_", "Tensor")
def copy_(draw, name):
    x = draw.tensor(draw.shape(), draw.dtype())
    return Call({"self": x, "src": draw.tensor(draw.broadcastable(x.values.shape), draw.dtype(), low=0, high=9)})


@calls("fill_", "Tensor")
def fill_(draw, name):
    return Call({"self": draw.tensor(draw.shape(), draw.dtype()), "value": draw.pick(draw.number(0, 3), 0, 1, True)})


@calls("zero_", "Tensor")
def zero_(draw, name):
    return Call({"self": draw.tensor(draw.shape(), draw.dtype())})


@calls("requires_grad_", "Tensor")
def requires_grad_(draw, name):
    return Call(
        {
            "self": draw.tensor(draw.shape(), draw.dtype()),
            **({"requires_grad": draw.chance(0.5)} if draw.chance(0.6) else {}),
        }
    )


@calls("result_type")
def result_type(draw, name):
    operands = [
        draw.tensor(draw.shape(most=1), draw.dtype(), grad=False) if draw.chance(0.7) else draw.pick(1, 1.5, True)
        for _ in range(2)
    ]
    return Call({"_a": operands[0], "_b": operands[1]})


@calls("promote_types can_cast")
def promote_types(draw, name):
    return Call({"_a": named(draw.dtype()), "_b": named(draw.dtype())})


@calls("finfo iinfo")
def finfo(draw, name):
    return Call({"_type": named(draw.pick(*ALL[:-1]))}, through=_limits)


def _limits(lib, f, arguments, named, leaves):
    limits = f(*arguments, **named)
    return [
        getattr(limits, n, None)
        for n in ("bits", "eps", "min", "max", "tiny", "smallest_normal", "resolution", "dtype")
    ]
