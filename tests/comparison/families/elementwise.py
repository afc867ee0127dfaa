"""Calls of functions that work element by element: of one operand, of two, of several; comparisons and logic."""

from __future__ import annotations

from comparison.call import Call
from comparison.draw import ALL, FLOATS, INTEGERS
from comparison.registry import calls

# ---- one operand


def _single(draw, low=None, high=None, special=0.4, dtypes=ALL):
    return draw.tensor(draw.shape(), draw.dtype(*dtypes), low, high, special)


@calls(
    "abs absolute neg negative positive sign sgn floor ceil trunc fix frac square sqrt rsqrt reciprocal exp exp2 expm1 log "
    "log2 log10 log1p sin cos tan sinh cosh tanh asinh arcsinh atan arctan deg2rad rad2deg erf erfc sigmoid isnan isinf "
    "isfinite logical_not bitwise_not"
)
def unary(draw, name):
    return Call({"input": _single(draw)}, signed_zeros=True)


@calls("asin arcsin acos arccos atanh arctanh erfinv")
def within_one(draw, name):
    return Call({"input": _single(draw, -1.1, 1.1)}, ulps=64)


@calls("acosh arccosh")
def above_one(draw, name):
    return Call({"input": _single(draw, 0.9, 5)})


@calls("logit")
def logit(draw, name):
    return Call({"input": _single(draw, -0.1, 1.1), "eps": draw.pick(None, 1e-6, 0.1, 0.5, 0.7, 0.0)})


@calls("round")
def round_(draw, name):
    only = {} if draw.chance(0.5) else {"decimals": draw.integer(-3, 4)}
    return Call({"input": _single(draw)}, only=only)


@calls("nan_to_num")
def nan_to_num(draw, name):
    options = {n: draw.pick(None, draw.number(), float("inf")) for n in ("nan", "posinf", "neginf") if draw.chance(0.5)}
    return (
        Call({"input": _single(draw, special=0.9), **options})
        if draw.chance(0.5)
        else Call({"input": _single(draw, special=0.9)}, only=options)
    )


# ---- two operands


def pair(draw, dtypes=ALL, special=0.3, numbers=True):
    """Two operands of shapes that fit: tensors, the second sometimes a number."""
    shape = draw.shape()
    first, second = (shape, draw.broadcastable(shape)) if draw.chance(0.7) else (draw.broadcastable(shape), shape)
    dtype = draw.dtype(*dtypes)
    x = draw.tensor(first, dtype, special=special)
    if numbers and draw.chance(0.3):
        return x, draw.pick(draw.number(), 0, 1, 2, -1, True, 0.5, 2.5)
    return x, draw.tensor(second, dtype if draw.chance(0.6) else draw.dtype(*dtypes), special=special)


@calls("mul multiply floor_divide remainder fmod pow true_divide atan2 arctan2 fmax fmin maximum minimum")
def binary(draw, name):
    x, y = pair(draw)
    return Call(
        {"input": x, "exponent" if name.startswith("pow") else "other": y},
        ulps=64 if "tan" in name or "pow" in name else 16,
    )


@calls("eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or logical_xor")
def comparison(draw, name):
    x, y = pair(draw)
    return Call({"input": x, "other": y})


@calls("bitwise_and bitwise_or bitwise_xor")
def bits(draw, name):
    x, y = pair(draw, (*INTEGERS, "bool", "bool") if draw.chance(0.9) else ALL)
    return Call({"input": x, "other": y})


@calls("add sub subtract")
def scaled(draw, name):
    x, y = pair(draw)
    return Call(
        {"input": x, "other": y},
        only={"alpha": draw.pick(draw.number(), 2, 1, 0)} if draw.chance(0.4) else {},
        length=2,
    )


@calls("div divide")
def division(draw, name):
    x, y = pair(draw)
    return Call(
        {"input": x, "other": y},
        only={"rounding_mode": draw.pick(None, "floor", "trunc", "up")} if draw.chance(0.6) else {},
    )


@calls("isclose allclose")
def close(draw, name):
    shape = draw.shape()
    dtype = draw.dtype()
    x = draw.tensor(shape, dtype, special=0.4)
    y = draw.tensor(draw.broadcastable(shape), dtype if draw.chance(0.9) else draw.dtype(), special=0.4)
    if draw.chance(0.4):
        y = x
    options = {
        "rtol": draw.pick(1e-5, 0.5, 0.0, -1.0),
        "atol": draw.pick(1e-8, 0.5, 0.0),
        "equal_nan": draw.chance(0.5),
    }
    return Call({"input": x, "other": y, **{n: v for n, v in options.items() if draw.chance(0.5)}})


@calls("equal")
def equal(draw, name):
    x, y = pair(draw, numbers=False)
    return Call({"input": x, "other": x if draw.chance(0.5) else y})


# ---- several operands


def _three(draw, dtypes=FLOATS):
    shape = draw.shape()
    dtype = draw.dtype(*dtypes)
    return [draw.tensor(draw.broadcastable(shape) if i else shape, dtype, special=0.15) for i in range(3)]


@calls("addcmul addcdiv")
def addcmul(draw, name):
    a, b, c = _three(draw, FLOATS if draw.chance(0.8) else ALL)
    return Call(
        {"input": a, "tensor1": b, "tensor2": c}, only={"value": draw.number()} if draw.chance(0.6) else {}, length=3
    )


@calls("lerp")
def lerp(draw, name):
    a, b, c = _three(draw)
    return Call({"input": a, "end": b, "weight": draw.number(-1, 2) if draw.chance(0.4) else c}, length=3)


@calls("clamp clip")
def clamp(draw, name):
    x = _single(draw)
    if draw.chance(0.3):
        limits = {
            n: draw.tensor(draw.broadcastable(x.values.shape), draw.pick(str(x.values.dtype), draw.dtype()))
            for n in ("min", "max")
        }
    else:
        limits = {"min": draw.number(-2, 1), "max": draw.number(-1, 2)}
    return Call({"input": x, **{n: v if draw.chance(0.75) else None for n, v in limits.items()}})


@calls("clamp_min clamp_max")
def clamp_one(draw, name):
    x = _single(draw)
    limit = draw.number(-1, 1) if draw.chance(0.7) else draw.tensor(draw.broadcastable(x.values.shape), draw.dtype())
    return Call({"input": x, "min" if "min" in name else "max": limit})


@calls("where")
def where(draw, name):
    shape = draw.shape()
    condition = draw.tensor(draw.broadcastable(shape), "bool" if draw.chance(0.9) else draw.dtype())
    if draw.chance(0.1):
        return Call({"condition": condition})
    a, b = (
        draw.tensor(draw.broadcastable(shape), draw.dtype()) if draw.chance(0.75) else draw.number() for _ in range(2)
    )
    return Call({"_condition": condition, "_input": a, "_other": b})


@calls("where", "Tensor")
def where_method(draw, name):
    shape = draw.shape()
    x = draw.tensor(shape, draw.dtype())
    y = draw.tensor(draw.broadcastable(shape), draw.dtype()) if draw.chance(0.75) else draw.number()
    return Call({"self": x, "condition": draw.tensor(draw.broadcastable(shape), "bool"), "y": y})
