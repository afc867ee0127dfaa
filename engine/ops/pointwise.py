"""Two operands and more, element by element: arithmetic and selection. Operands are broadcast as in NumPy.

Functions with a keyword beside their operands (`add(x, y, alpha=2)`) wrap an operation without, which is their `plain`.
"""

from __future__ import annotations

from functools import wraps

from engine.geometry import ShapeError
from engine.ops._op import DtypeError, cast, expect_tensors, is_number, op, operands
from engine.tensor import Tensor, wrap

__all__ = [
    "add", "addcdiv", "addcmul", "arctan2", "atan2", "clamp", "clamp_max", "clamp_min", "clip", "div", "divide",
    "floor_divide", "fmax", "fmin", "fmod", "lerp", "maximum", "minimum", "mul", "multiply", "pow", "remainder", "sub",
    "subtract", "true_divide", "where",
]  # fmt: skip
METHODS = [name for name in __all__ if name != "where"]
IN_PLACE = [name for name in METHODS if name not in ("fmax", "fmin", "maximum", "minimum")]


def _scaled(plain):
    """`plain` with the keyword `alpha`: a number that multiplies the second operand."""

    @wraps(plain)
    def apply(input, other, *, alpha=1):
        scaled = type(alpha) is not int or alpha != 1
        return plain(input, _times(plain.__name__, input, other, alpha) if scaled else other)

    apply.plain = plain
    return apply


def _times(name, input, other, alpha):
    """other * alpha in the dtype of the result."""
    if not is_number(alpha):
        raise TypeError(f"{name}(): argument 'alpha' must be a number, got {type(alpha).__name__}")
    alpha = alpha if isinstance(alpha, (int, float)) else alpha.item()
    kinds = [
        t._array.dtype.kind if isinstance(t, Tensor) else {bool: "b", float: "f"}.get(type(t), "i")
        for t in (input, other)
    ]
    if isinstance(alpha, bool) and set(kinds) != {"b"}:
        raise RuntimeError(f"{name}(): a bool alpha is for bool operands, got {alpha}")
    if set(kinds) == {"b"} and not isinstance(alpha, float):
        alpha = bool(alpha)
    if name == "sub" and isinstance(other, bool):
        raise RuntimeError("sub: bool operands are not supported; use x.int() to calculate")
    if isinstance(alpha, float) and "f" not in kinds:
        raise RuntimeError(f"{name}(): for integer operands alpha must be an integer, got {alpha}")
    return mul(operands(name, input, other)[1], alpha)


def tensors_only(plain):
    """`plain` that refuses numbers, as PyTorch's does."""

    @wraps(plain)
    def apply(input, other):
        expect_tensors(plain.__name__, input=input, other=other)
        return plain(input, other)

    return apply


def _broadcast(name, plain, *tensors):
    """`plain` of the tensors; ShapeError where their shapes do not fit."""
    try:
        return plain(*tensors)
    except ValueError:
        shapes = [str(t.shape) for t in tensors if t is not None]
        raise ShapeError(f"{name}: shapes {' and '.join(shapes)} cannot be broadcast together") from None


def _pass(g):
    return g


_PASS_BOTH = (_pass, _pass)


@_scaled
@op(arithmetic=True)
def add(k, a, b):
    """a + alpha * b."""
    to_a, to_b = a.shape, b.shape
    if to_a == to_b:
        return k.add(a, b), _PASS_BOTH
    return k.add(a, b), (lambda g: k.sum_to(g, to_a), lambda g: k.sum_to(g, to_b))


@_scaled
@op(arithmetic=True, bools=False)
def sub(k, a, b):
    """a - alpha * b."""
    to_a, to_b = a.shape, b.shape
    return k.sub(a, b), (lambda g: k.sum_to(g, to_a), lambda g: k.sum_to(k.neg(g), to_b))


@op(arithmetic=True)
def mul(k, a, b):
    """a * b."""
    to_a, to_b = a.shape, b.shape
    return k.mul(a, b), (lambda g: k.sum_to(k.mul(g, b), to_a), lambda g: k.sum_to(k.mul(g, a), to_b))


# ---- division


def _rounded(plain):
    """Division with the keyword `rounding_mode`."""

    @wraps(plain)
    def apply(input, other, *, rounding_mode=None):
        if rounding_mode is None:
            return plain(input, other)
        if rounding_mode not in ("floor", "trunc"):
            raise (RuntimeError if isinstance(rounding_mode, str) else TypeError)(
                f"div(): rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}"
            )
        return (floor_divide if rounding_mode == "floor" else div_trunc)(input, other)

    apply.plain = plain
    return apply


@_rounded
@op(arithmetic=True, floats=True)
def div(k, a, b):
    """a / b; integers are divided as float32.

    rounding_mode: None, "floor" or "trunc" (towards 0), which keep integers integers and have a gradient of 0.
    """
    to_a, to_b = a.shape, b.shape
    y = k.div(a, b)
    return y, (
        lambda g: k.sum_to(k.div(g, b), to_a),
        lambda g: k.sum_to(k.neg(k.div(k.mul(g, y), b)), to_b),
    )


def _flat(k, a, b):
    """The derivatives of steps."""
    to_a, to_b = a.shape, b.shape
    return (lambda g: k.full(to_a, 0, g.dtype)), (lambda g: k.full(to_b, 0, g.dtype))


@op(arithmetic=True)
def floor_divide(k, a, b):
    """The largest whole number not above a / b. RuntimeError for an integer divided by 0."""
    return k.floor_divide(a, b), _flat(k, a, b)


@op(arithmetic=True)
def div_trunc(k, a, b):
    """a / b without its fraction."""
    return k.div_trunc(a, b), _flat(k, a, b)


@op(arithmetic=True)
def remainder(k, a, b):
    """a - b * floor(a / b), with the sign of b. RuntimeError for an integer divided by 0."""
    to_a, to_b = a.shape, b.shape
    return k.remainder(a, b), (
        lambda g: k.sum_to(g, to_a),
        lambda g: k.sum_to(k.neg(k.mul(g, k.floor_divide(a, b))), to_b),
    )


@op(arithmetic=True)
def fmod(k, a, b):
    """a - b * trunc(a / b), with the sign of a. RuntimeError for an integer divided by 0."""
    to_a, to_b = a.shape, b.shape
    return k.fmod(a, b), (
        lambda g: k.sum_to(g, to_a),
        lambda g: k.sum_to(k.neg(k.mul(g, k.div_trunc(a, b))), to_b),
    )


def _exponent(plain):
    """`plain` with its second operand by PyTorch's name."""

    @wraps(plain)
    def apply(input, exponent):
        if isinstance(exponent, int) and exponent < 0 and isinstance(input, Tensor) and input.dtype.kind != "f":
            raise RuntimeError("pow: Integers to negative integer powers are not allowed; use x.float()")
        return plain(input, exponent)

    return apply


@_exponent
@op(arithmetic=True)
def pow(k, a, b):
    """a to the power b. d/db is 0 where a is 0 and b is not negative, as in PyTorch."""
    to_a, to_b = a.shape, b.shape
    y = k.pow(a, b)
    return y, (
        lambda g: k.sum_to(k.mul(g, k.pow_da(a, b)), to_a),
        lambda g: k.sum_to(k.mul(g, k.pow_db(a, b, y)), to_b),
    )


@tensors_only
@op(arithmetic=True, floats=True)
def atan2(k, a, b):
    """The angle of the point (b, a), in -pi to pi."""
    to_a, to_b = a.shape, b.shape
    return k.atan2(a, b), (
        lambda g: k.sum_to(k.atan2_dx(g, a, b, b), to_a),
        lambda g: k.sum_to(k.neg(k.atan2_dx(g, a, b, a)), to_b),
    )


# ---- the larger and the smaller


@tensors_only
@op(arithmetic=True)
def maximum(k, a, b):
    """The larger of both, nan where one is; equal ones share the gradient."""
    to_a, to_b = a.shape, b.shape
    return k.maximum(a, b), (
        lambda g: k.sum_to(k.shared(g, k.lt(a, b), k.eq(a, b)), to_a),
        lambda g: k.sum_to(k.shared(g, k.gt(a, b), k.eq(a, b)), to_b),
    )


@tensors_only
@op(arithmetic=True)
def minimum(k, a, b):
    """The smaller of both, nan where one is; equal ones share the gradient."""
    to_a, to_b = a.shape, b.shape
    return k.minimum(a, b), (
        lambda g: k.sum_to(k.shared(g, k.gt(a, b), k.eq(a, b)), to_a),
        lambda g: k.sum_to(k.shared(g, k.lt(a, b), k.eq(a, b)), to_b),
    )


def _one_wins(k, a, b, first):
    """The derivatives where all of the gradient goes to one of the two, to the first where they tie."""
    to_a, to_b = a.shape, b.shape
    return (
        lambda g: k.sum_to(k.masked(g, k.logical_or(first(a, b), k.isnan(b))), to_a),
        lambda g: k.sum_to(k.masked(g, k.logical_not(k.logical_or(first(a, b), k.isnan(b)))), to_b),
    )


@tensors_only
@op(arithmetic=True)
def fmax(k, a, b):
    """The larger of both, the number where one is nan; of equal ones the first gets the gradient."""
    return k.fmax(a, b), _one_wins(k, a, b, k.ge)


@tensors_only
@op(arithmetic=True)
def fmin(k, a, b):
    """The smaller of both, the number where one is nan; of equal ones the first gets the gradient."""
    return k.fmin(a, b), _one_wins(k, a, b, k.le)


def _limits(plain):
    """`plain` with limits that are numbers or Tensors, in the dtype of all three by PyTorch's rules."""

    @wraps(plain)
    def apply(input, min=None, max=None):
        expect_tensors("clamp", input=input)
        given = [limit for limit in (min, max) if limit is not None]
        if not given:
            raise RuntimeError("clamp(): at least one of min and max must be given")
        if len({isinstance(limit, Tensor) for limit in given}) > 1:
            raise TypeError(f"clamp(): min and max must be two numbers or two Tensors, got {min!r} and {max!r}")
        for name, limit in (("min", min), ("max", max)):
            if not (limit is None or isinstance(limit, Tensor) or is_number(limit)):
                raise TypeError(f"clamp(): {name} must be a number or a Tensor, got {type(limit).__name__}")
        for limit in sorted(given, key=lambda limit: isinstance(limit, int)):  # floats first: they decide the dtype
            input, _ = operands("clamp", input, limit)
        if input.dtype.kind == "b" and not (len(given) == 1 and isinstance(given[0], Tensor)):
            raise NotImplementedError("clamp(): not implemented for bool; use x.int()")
        low, high = (None if limit is None else operands("clamp", input, limit)[1] for limit in (min, max))
        return _broadcast("clamp", plain, input, low, high)

    return apply


@_limits
@op
def clamp(k, x, low=None, high=None):
    """x limited to min..max, numbers or Tensors, one of which may be None; max where min is above it.

    The gradient passes where x lies within, limits included; elsewhere it goes to the limit.
    """
    to_x = x.shape
    to_low, to_high = (None if limit is None else limit.shape for limit in (low, high))
    return k.clamp(x, low, high), (
        lambda g: k.sum_to(k.clamp_dx(g, x, low, high), to_x),
        lambda g: k.sum_to(k.clamp_dlow(g, x, low, high), to_low),
        lambda g: k.sum_to(k.clamp_dhigh(g, x, low, high), to_high),
    )


def clamp_min(input, min):
    """The elements of input, at least `min`, a number or a Tensor."""
    return clamp(input, _given("clamp_min", min))


def clamp_max(input, max):
    """The elements of input, at most `max`, a number or a Tensor."""
    return clamp(input, None, _given("clamp_max", max))


def _given(name, limit):
    if limit is None:
        raise TypeError(f"{name}(): the limit must be a number or a Tensor, got None")
    return limit


# ---- three operands


@op
def choose(k, condition, a, b):
    """a where the bool `condition` holds, else b."""
    if condition.dtype.kind != "b":
        raise DtypeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
        )
    to_a, to_b = a.shape, b.shape
    return k.where(condition, a, b), (
        None,
        lambda g: k.sum_to(k.where(condition, g, k.full((), 0, g.dtype)), to_a),
        lambda g: k.sum_to(k.where(condition, k.full((), 0, g.dtype), g), to_b),
    )


def where(condition, input=None, other=None):
    """`input` where the bool `condition` holds, else `other`; one of both, or both, may be numbers.

    `where(condition)` alone: where it holds, a tuple of int64 coordinates, one Tensor per dimension.
    """
    expect_tensors("where", condition=condition)
    if condition.dtype.name == "uint8":  # masks of old
        condition = cast(condition, dtype="bool")
    if input is None and other is None:
        from engine.ops.indexing import nonzero

        return nonzero(condition, as_tuple=True)
    if not isinstance(input, Tensor) and not isinstance(other, Tensor) and is_number(input):
        input = input if isinstance(input, (int, float)) else input.item()
        dtype = "bool" if isinstance(input, bool) else "int64" if isinstance(input, int) else "float32"
        input = wrap(condition._k.full((), input, dtype), condition._k)
    return _broadcast("where", choose, condition, *operands("where", input, other))


def _weighted(plain):
    """`plain` with a weight that is a number or a Tensor, in the dtype of the ends."""

    @wraps(plain)
    def apply(input, end, weight):
        expect_tensors("lerp", input=input, end=end)
        if input.dtype.kind != "f":
            raise NotImplementedError(f"lerp(): not implemented for {input.dtype}; use x.float()")
        if not isinstance(weight, Tensor):
            _, weight = operands("lerp", input, weight)
        elif not weight.ndim:
            weight = cast(weight, dtype=input.dtype)
        for name, t in (("end", end), ("weight", weight)):
            if t.dtype != input.dtype:
                raise RuntimeError(f"lerp(): expected dtype {input.dtype} for `{name}` but got dtype {t.dtype}")
        return _broadcast("lerp", plain, input, end, weight)

    return apply


@_weighted
@op
def lerp(k, a, b, weight):
    """input + weight * (end - input), floats of one dtype; the weight is a number or a Tensor."""
    to_a, to_b, to_weight = a.shape, b.shape, weight.shape
    return k.lerp(a, b, weight), (
        lambda g: k.sum_to(k.mul(g, k.sub(1.0, weight)), to_a),
        lambda g: k.sum_to(k.mul(g, weight), to_b),
        lambda g: k.sum_to(k.mul(g, k.sub(b, a)), to_weight),
    )


def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2."""
    input, tensor1, tensor2 = _of_one_dtype("addcmul", input, tensor1, tensor2)
    return add(input, mul(tensor1, tensor2), alpha=_scale(value))


def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2. RuntimeError where both of the quotient are integers."""
    expect_tensors("addcdiv", input=input, tensor1=tensor1, tensor2=tensor2)
    if tensor1.dtype.kind != "f" and tensor2.dtype.kind != "f":
        raise RuntimeError("addcdiv(): integer division is not supported; use input + value * (tensor1 / tensor2)")
    input, tensor1, tensor2 = _of_one_dtype("addcdiv", input, tensor1, tensor2)
    return add(input, div(tensor1, tensor2), alpha=_scale(value))


def _scale(value):
    return int(value) if isinstance(value, bool) else value


def _of_one_dtype(name, input, tensor1, tensor2):
    expect_tensors(name, input=input, tensor1=tensor1, tensor2=tensor2)
    input, tensor1 = operands(name, input, tensor1)
    tensor1, tensor2 = operands(name, tensor1, tensor2)
    if tensor2.dtype.kind == "b":
        raise NotImplementedError(f"{name}(): not implemented for bool; use x.int()")
    return operands(name, input, tensor1)[0], tensor1, tensor2


arctan2, clip, divide, multiply, subtract, true_divide = atan2, clamp, div, mul, sub, div
