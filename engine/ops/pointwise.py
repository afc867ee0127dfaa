"""Element by element: arithmetic, comparisons, exp, log, clamp, where. Operands are broadcast as in NumPy."""

from __future__ import annotations

from engine.ops._op import op, operands

__all__ = [
    "abs", "add", "clamp", "div", "eq", "exp", "ge", "gt", "le", "log", "lt", "maximum", "minimum", "mul", "ne",
    "neg", "pow", "sqrt", "sub", "where",
]  # fmt: skip
METHODS = "abs add clamp div eq exp ge gt le log lt maximum minimum mul ne neg pow sqrt sub".split()
IN_PLACE = "add clamp div exp mul neg pow sqrt sub".split()


def _pass(g):
    return g


_PASS_BOTH = (_pass, _pass)


@op(arithmetic=True)
def add(k, a, b):
    """a + b."""
    to_a, to_b = a.shape, b.shape
    if to_a == to_b:
        return k.add(a, b), _PASS_BOTH
    return k.add(a, b), (lambda g: k.sum_to(g, to_a), lambda g: k.sum_to(g, to_b))


@op(arithmetic=True)
def sub(k, a, b):
    """a - b."""
    to_a, to_b = a.shape, b.shape
    return k.sub(a, b), (lambda g: k.sum_to(g, to_a), lambda g: k.sum_to(k.neg(g), to_b))


@op(arithmetic=True)
def mul(k, a, b):
    """a * b."""
    to_a, to_b = a.shape, b.shape
    return k.mul(a, b), (lambda g: k.sum_to(k.mul(g, b), to_a), lambda g: k.sum_to(k.mul(g, a), to_b))


@op(arithmetic=True, floats=True)
def div(k, a, b):
    """a / b; integers are divided as float32."""
    to_a, to_b = a.shape, b.shape
    y = k.div(a, b)
    return y, (
        lambda g: k.sum_to(k.div(g, b), to_a),
        lambda g: k.sum_to(k.neg(k.div(k.mul(g, y), b)), to_b),
    )


@op(arithmetic=True)
def pow(k, a, b):
    """a to the power b. d/db is 0 where a is 0, as in PyTorch."""
    to_a, to_b = a.shape, b.shape
    y = k.pow(a, b)
    return y, (
        lambda g: k.sum_to(k.mul(g, k.pow_da(a, b)), to_a),
        lambda g: k.sum_to(k.mul(g, k.pow_db(a, y)), to_b),
    )


@op(arithmetic=True)
def maximum(k, a, b):
    """The larger of both; equal ones share the gradient."""
    to_a, to_b = a.shape, b.shape
    return k.maximum(a, b), (
        lambda g: k.sum_to(k.mul(g, k.share(k.gt(a, b), k.eq(a, b), g.dtype)), to_a),
        lambda g: k.sum_to(k.mul(g, k.share(k.gt(b, a), k.eq(a, b), g.dtype)), to_b),
    )


@op(arithmetic=True)
def minimum(k, a, b):
    """The smaller of both; equal ones share the gradient."""
    to_a, to_b = a.shape, b.shape
    return k.minimum(a, b), (
        lambda g: k.sum_to(k.mul(g, k.share(k.lt(a, b), k.eq(a, b), g.dtype)), to_a),
        lambda g: k.sum_to(k.mul(g, k.share(k.lt(b, a), k.eq(a, b), g.dtype)), to_b),
    )


@op
def neg(k, x):
    """-x."""
    return k.neg(x), (k.neg,)


@op(floats=True)
def exp(k, x):
    """e to the power x."""
    y = k.exp(x)
    return y, (lambda g: k.mul(g, y),)


@op(floats=True)
def log(k, x):
    """Natural logarithm; -inf at 0, nan below."""
    return k.log(x), (lambda g: k.div(g, x),)


@op(floats=True)
def sqrt(k, x):
    """Square root; nan below 0."""
    y = k.sqrt(x)
    return y, (lambda g: k.sqrt_dx(g, y),)


@op
def abs(k, x):
    """|x|; the gradient at 0 is 0."""
    return k.abs(x), (lambda g: k.mul(g, k.sign(x)),)


@op
def clamp(k, x, *, min=None, max=None):
    """x limited to min..max, numbers or None; the gradient passes where x lies within, limits included."""
    if min is None and max is None:
        raise ValueError("clamp() needs min or max")
    for name, limit in (("min", min), ("max", max)):
        if limit is not None and not isinstance(limit, (int, float)):
            raise TypeError(f"clamp(): {name} must be a number or None, got {type(limit).__name__}")
    if x.dtype.kind != "f" and (isinstance(min, float) or isinstance(max, float)):
        x = k.cast(x, "float32")
    return k.clamp(x, min, max), (lambda g: k.clamp_dx(g, x, min, max),)


@op
def choose(k, condition, a, b):
    """a where the bool `condition` holds, else b."""
    if condition.dtype.kind != "b":
        raise TypeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
        )
    to_a, to_b = a.shape, b.shape
    return k.where(condition, a, b), (
        None,
        lambda g: k.sum_to(k.where(condition, g, k.full((), 0, g.dtype)), to_a),
        lambda g: k.sum_to(k.where(condition, k.full((), 0, g.dtype), g), to_b),
    )


def where(condition, input, other):
    """`input` where the bool `condition` holds, else `other`; one of both may be a number."""
    return choose(condition, *operands("where", input, other))


@op(arithmetic=True)
def eq(k, a, b):
    """a == b, as bool."""
    return k.eq(a, b), None


@op(arithmetic=True)
def ne(k, a, b):
    """a != b, as bool."""
    return k.ne(a, b), None


@op(arithmetic=True)
def lt(k, a, b):
    """a < b, as bool."""
    return k.lt(a, b), None


@op(arithmetic=True)
def le(k, a, b):
    """a <= b, as bool."""
    return k.le(a, b), None


@op(arithmetic=True)
def gt(k, a, b):
    """a > b, as bool."""
    return k.gt(a, b), None


@op(arithmetic=True)
def ge(k, a, b):
    """a >= b, as bool."""
    return k.ge(a, b), None
