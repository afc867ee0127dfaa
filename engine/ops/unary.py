"""One operand, element by element: mathematics, rounding, and what kind of number it is.

Integers are computed in float32 where the result is no integer, as in PyTorch.
"""

from __future__ import annotations

import math

from engine.ops._op import expect_numbers, expect_tensors, op
from engine.ops.pointwise import mul, pow

_KINDS = ["isfinite", "isinf", "isnan"]
_CHANGES = [
    "abs", "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh",
    "atan", "atanh", "bitwise_not", "ceil", "cos", "cosh", "deg2rad", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix",
    "floor", "frac", "log", "log10", "log1p", "log2", "logical_not", "logit", "nan_to_num", "neg", "negative", "rad2deg",
    "reciprocal", "round", "rsqrt", "sgn", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
]  # fmt: skip
__all__ = ["positive", *_KINDS, *_CHANGES]
METHODS = __all__
IN_PLACE = _CHANGES


def _flat(k):
    """The derivative of steps."""
    return (lambda g: k.full(g.shape, 0, g.dtype),)


# ---- sign


@op(onto=True)
def neg(k, x):
    """-x. RuntimeError for bool."""
    return k.neg(x), (k.neg,)


def positive(input):
    """input itself. RuntimeError for bool."""
    expect_tensors("positive", input=input)
    if input.dtype.kind == "b":
        raise RuntimeError("positive: the + operator is not supported on a bool tensor")
    return input


@op
def abs(k, x):
    """|x|; the gradient at 0 is 0."""
    return k.abs(x), (lambda g: k.mul(g, k.sign(x)),)


@op
def sign(k, x):
    """-1, 0 or 1, as x is below, at or above 0."""
    return k.sign(x), _flat(k)


# ---- powers, exponentials, logarithms


def square(input):
    """input * input."""
    return pow(input, 2)


@op(floats=True, onto=True)
def sqrt(k, x):
    """Square root; nan below 0."""
    y = k.sqrt(x)
    return y, (lambda g: k.sqrt_dx(g, y),)


@op(floats=True)
def rsqrt(k, x):
    """1 / sqrt(x)."""
    y = k.div(1.0, k.sqrt(x))
    return y, (lambda g: k.mul(k.mul(g, -0.5), k.mul(y, k.mul(y, y))),)


@op(floats=True)
def reciprocal(k, x):
    """1 / x."""
    y = k.div(1.0, x)
    return y, (lambda g: k.neg(k.mul(g, k.mul(y, y))),)


@op(floats=True, onto=True)
def exp(k, x):
    """e to the power x."""
    y = k.exp(x)
    return y, (lambda g: k.mul(g, y),)


@op(floats=True)
def exp2(k, x):
    """2 to the power x."""
    y = k.exp2(x)
    return y, (lambda g: k.mul(k.mul(g, y), math.log(2)),)


@op(floats=True)
def expm1(k, x):
    """exp(x) - 1, exact near 0."""
    y = k.expm1(x)
    return y, (lambda g: k.mul(g, k.add(y, 1.0)),)


@op(floats=True, onto=True)
def log(k, x):
    """Natural logarithm; -inf at 0, nan below."""
    return k.log(x), (lambda g: k.div(g, x),)


@op(floats=True)
def log2(k, x):
    """Logarithm to the base 2."""
    return k.log2(x), (lambda g: k.div(g, k.mul(x, math.log(2))),)


@op(floats=True)
def log10(k, x):
    """Logarithm to the base 10."""
    return k.log10(x), (lambda g: k.div(g, k.mul(x, math.log(10))),)


@op(floats=True)
def log1p(k, x):
    """log(1 + x), exact near 0."""
    return k.log1p(x), (lambda g: k.div(g, k.add(x, 1.0)),)


# ---- trigonometry


@op(floats=True)
def sin(k, x):
    """Sine of radians."""
    return k.sin(x), (lambda g: k.mul(g, k.cos(x)),)


@op(floats=True)
def cos(k, x):
    """Cosine of radians."""
    return k.cos(x), (lambda g: k.neg(k.mul(g, k.sin(x))),)


@op(floats=True)
def tan(k, x):
    """Tangent of radians."""
    y = k.tan(x)
    return y, (lambda g: k.mul(g, k.add(k.mul(y, y), 1.0)),)


@op(floats=True)
def asin(k, x):
    """The angle whose sine is x, in -pi/2 to pi/2."""
    return k.asin(x), (lambda g: k.div(g, k.sqrt(k.sub(1.0, k.mul(x, x)))),)


@op(floats=True)
def acos(k, x):
    """The angle whose cosine is x, in 0 to pi."""
    return k.acos(x), (lambda g: k.neg(k.div(g, k.sqrt(k.sub(1.0, k.mul(x, x))))),)


@op(floats=True)
def atan(k, x):
    """The angle whose tangent is x, in -pi/2 to pi/2."""
    return k.atan(x), (lambda g: k.div(g, k.add(k.mul(x, x), 1.0)),)


@op(floats=True)
def sinh(k, x):
    """Hyperbolic sine."""
    return k.sinh(x), (lambda g: k.mul(g, k.cosh(x)),)


@op(floats=True)
def cosh(k, x):
    """Hyperbolic cosine."""
    return k.cosh(x), (lambda g: k.mul(g, k.sinh(x)),)


@op(floats=True, onto=True)
def tanh(k, x):
    """Hyperbolic tangent."""
    y = k.tanh(x)
    return y, (lambda g: k.tanh_dx(g, y),)


@op(floats=True)
def asinh(k, x):
    """The inverse of sinh."""
    return k.asinh(x), (lambda g: k.div(g, k.sqrt(k.add(k.mul(x, x), 1.0))),)


@op(floats=True)
def acosh(k, x):
    """The inverse of cosh, at least 0; nan below 1."""
    return k.acosh(x), (lambda g: k.div(g, k.sqrt(k.sub(k.mul(x, x), 1.0))),)


@op(floats=True)
def atanh(k, x):
    """The inverse of tanh; nan outside of -1 to 1."""
    return k.atanh(x), (lambda g: k.div(g, k.sub(1.0, k.mul(x, x))),)


def deg2rad(input):
    """Degrees as radians."""
    return mul(input, math.pi / 180)


def rad2deg(input):
    """Radians as degrees."""
    return mul(input, 180 / math.pi)


# ---- the error function, the logistic function


@op(floats=True)
def erf(k, x):
    """2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x."""
    return k.erf(x), (lambda g: k.mul(k.mul(g, k.exp(k.neg(k.mul(x, x)))), 2 / math.sqrt(math.pi)),)


@op(floats=True)
def erfc(k, x):
    """1 - erf(x), exact for large x."""
    return k.erfc(x), (lambda g: k.mul(k.mul(g, k.exp(k.neg(k.mul(x, x)))), -2 / math.sqrt(math.pi)),)


@op(floats=True)
def erfinv(k, x):
    """The inverse of erf; nan outside of -1 to 1."""
    y = k.erfinv(x)
    return y, (lambda g: k.mul(k.mul(g, k.exp(k.mul(y, y))), math.sqrt(math.pi) / 2),)


@op(floats=True, onto=True)
def sigmoid(k, x):
    """1 / (1 + exp(-x))."""
    y = k.sigmoid(x)
    return y, (lambda g: k.sigmoid_dx(g, y),)


@op(floats=True)
def logit(k, x, *, eps=None):
    """log(x / (1 - x)), the inverse of sigmoid; x is limited to eps..1-eps unless eps is None."""
    if eps is not None:
        expect_numbers("logit", eps=eps)
    return k.logit(x, eps), (lambda g: k.logit_dx(g, x, eps),)


# ---- rounding: the gradient is 0


@op
def floor(k, x):
    """The largest whole number not above x."""
    return k.floor(x), _flat(k)


@op
def ceil(k, x):
    """The smallest whole number not below x."""
    return k.ceil(x), _flat(k)


@op
def trunc(k, x):
    """x without its fraction."""
    return k.trunc(x), _flat(k)


@op
def round(k, x, *, decimals=0):
    """The nearest whole number, of two as near the even one; `decimals` digits behind the point are kept."""
    if isinstance(decimals, bool) or not hasattr(decimals, "__index__"):
        raise TypeError(f"round(): decimals must be an integer, got {decimals!r}")
    return k.round(x, int(decimals)), _flat(k)


@op
def frac(k, x):
    """x - trunc(x)."""
    return k.frac(x), (lambda g: g,)


# ---- what kind of number


@op
def nan_to_num(k, x, *, nan=None, posinf=None, neginf=None):
    """x with `nan` (None: 0) for nan, and for inf and -inf the numbers given (None: the largest and smallest there are)."""
    given = {"nan": nan, "posinf": posinf, "neginf": neginf}
    expect_numbers("nan_to_num", **{argument: value for argument, value in given.items() if value is not None})
    return k.nan_to_num(x, nan or 0.0, posinf, neginf), (lambda g: k.masked(g, k.isfinite(x)),)


@op
def isnan(k, x):
    """Whether x is nan, as bool."""
    return k.isnan(x), None


@op
def isinf(k, x):
    """Whether x is inf or -inf, as bool."""
    return k.isinf(x), None


@op
def isfinite(k, x):
    """Whether x is neither infinite nor nan, as bool."""
    return k.isfinite(x), None


@op
def logical_not(k, x):
    """Whether x is 0, as bool."""
    return k.logical_not(x), None


@op
def bitwise_not(k, x):
    """The other bits of an integer, the other of True and False."""
    return k.bitwise_not(x), None


absolute, negative, sgn, fix = abs, neg, sign, trunc
arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh
