"""Element-wise operations beside PyTorch's: values, gradients, dtypes and errors, on every backend."""

import itertools

import numpy as np
import pytest
from beside import agree, torch

import engine

DTYPES = ["float32", "float64", "int64", "int32", "int8", "uint8", "bool"]
SPECIAL = [0.0, -0.0, 0.5, -0.5, 1, -1, 1.5, 2.5, -1.5, 2, -2, 3, -3, 6, -6, 30, -30, np.inf, -np.inf, np.nan]


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def numbers(dtype, low=-3.0, high=3.0, size=33, seed=0):
    """Random numbers and, where they are floats, those at which something happens."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return np.concatenate([rng.uniform(low, high, size), SPECIAL]).astype(dtype)
    if dtype == "bool":
        return rng.random(size) < 0.5
    return rng.integers(0 if dtype == "uint8" else -5, 6, size).astype(dtype)


# ---- one operand

UNARY = """abs absolute acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh bitwise_not ceil cos cosh
deg2rad erf erfc erfinv exp exp2 expm1 fix floor frac isfinite isinf isnan log log10 log1p log2 logical_not logit
nan_to_num neg negative positive rad2deg reciprocal round rsqrt sgn sigmoid sign sin sinh sqrt square tan tanh trunc relu
""".split()
NOT_IN_PLACE = ["isfinite", "isinf", "isnan", "positive"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name, dtype):
    x = numbers(dtype)
    if name == "logit":
        x[x == 0] = 0  # at -0.0 the derivative has one sign there in float32 and the other in float64
    agree(lambda lib, x: getattr(lib, name)(x), x)
    agree(lambda lib, x: getattr(x, name)(), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in UNARY if name not in NOT_IN_PLACE])
def test_one_operand_in_place(name, dtype):
    def call(lib, x):
        x = x.detach().clone()
        assert getattr(x, f"{name}_")() is x
        return x

    agree(call, numbers(dtype))


@pytest.mark.parametrize("call", [
    lambda lib, x: lib.round(x, decimals=1), lambda lib, x: x.round(decimals=-1),
    lambda lib, x: lib.logit(x, 0.1), lambda lib, x: lib.logit(x, eps=1e-6), lambda lib, x: x.logit(0.3),
    lambda lib, x: lib.nan_to_num(x, 1.0), lambda lib, x: lib.nan_to_num(x, nan=2.0, posinf=7.0, neginf=-7.0),
    lambda lib, x: lib.nan_to_num(x, posinf=1.0), lambda lib, x: lib.nan_to_num(x, nan=1e300),
    lambda lib, x: x.clone().detach().nan_to_num_(0.5), lambda lib, x: +x, lambda lib, x: -x, lambda lib, x: ~x,
    lambda lib, x: abs(x),
])  # fmt: skip
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_operand_and_keywords(call, dtype):
    agree(call, numbers(dtype))


# ---- two operands

BINARY = """add sub mul div true_divide divide multiply subtract floor_divide remainder fmod pow maximum minimum fmax fmin atan2
arctan2 eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or logical_xor bitwise_and
bitwise_or bitwise_xor isclose clamp_min clamp_max""".split()
NUMBERS = [2, 0.5, -1, 0, True, 3.0]


def more_is_taken(name, dtype, other):
    """Where PyTorch refuses bool: in differences with numbers, in powers and limits of bool by bool."""
    bools = [v is True or v == "bool" for v in (dtype, other)]
    if name in ("sub", "subtract", "-", "-="):
        return any(bools) and (not all(bools) or other is True)
    return name in ("pow", "**", "**=", "clamp_min", "clamp_max") and all(bools) and other is True


def pairs(a, b, seed=1):
    """Every pair of a few numbers, equal ones and those at which something happens among them."""

    def few(dtype, seed):
        if np.dtype(dtype).kind == "f":
            some = [0.0, -0.0, 1, -1, 2, -2.5, np.inf, -np.inf, np.nan]
            return np.concatenate([some, np.random.default_rng(seed).uniform(-3, 3, 4)]).astype(dtype)
        return np.array(
            [0, 1] if dtype == "bool" else [0, 1, 2, 3, 5] if dtype == "uint8" else [0, 1, -1, 2, -3, 5], dtype
        )

    return tuple(t.copy() for t in np.broadcast_arrays(few(a, seed)[:, None], few(b, seed + 1)[None]))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtypes", [*itertools.product(DTYPES[:2] + ["int64", "uint8", "bool"], repeat=2), ("int8", "uint8")],
                         ids="-".join)  # fmt: skip
def test_two_operands(name, dtypes):
    if more_is_taken(name, *dtypes):
        return
    a, b = pairs(*dtypes)
    if name in ("floor_divide", "remainder", "fmod") and b.dtype.kind != "f" and a.dtype.kind != "f":
        agree(lambda lib, x, y: getattr(lib, name)(x, y), a, b)  # an error: there is a 0
        if b.dtype.kind != "b":
            b[b == 0] = 7
    # Of two dtypes, PyTorch computes some derivatives in the smaller: rounded in float32, negated in uint8.
    loose = {} if dtypes[0] == dtypes[1] else {"rtol": 4e-6, "atol": 1e-6}
    if name in ("atan2", "arctan2") and "uint8" in dtypes:
        agree(lambda lib, x, y: getattr(lib, name)(x.detach(), y.detach()), a, b)
    else:
        agree(lambda lib, x, y: getattr(lib, name)(x, y), a, b, **loose)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", BINARY)
def test_an_operand_and_a_number(name, dtype, number):
    if more_is_taken(name, dtype, number) or (dtype == "uint8" and number == -1):
        return  # the last: test_integers_that_do_not_fit
    x = pairs(dtype, "float32")[0]
    if name == "pow" and number == 0.5:
        x = abs(x)  # the derivative at -inf is that of sqrt there, nan, and of the power here, 0
    agree(lambda lib, x: getattr(x, name)(number), x)


OPERATORS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "//": lambda a, b: a // b, "%": lambda a, b: a % b, "**": lambda a, b: a**b, "&": lambda a, b: a & b,
    "|": lambda a, b: a | b, "^": lambda a, b: a ^ b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_operators(operator, dtype):
    f, x = OPERATORS[operator], np.array([1, 2, 3] if dtype != "bool" else [True, True], dtype)
    agree(lambda lib, a, b: f(a, b), x, x[::-1].copy())
    for number in (2, 1.5, True):
        if not more_is_taken(operator, dtype, number):
            agree(lambda lib, a: f(a, number), x)
            agree(lambda lib, a: f(number, a), x)


@pytest.mark.parametrize("statement", ["+=", "-=", "*=", "/=", "//=", "%=", "**=", "&=", "|=", "^="])
@pytest.mark.parametrize("other", [2, 2.5, True, "float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
def test_operators_in_place(statement, dtype, other):
    if more_is_taken(statement, dtype, other):
        return

    def call(lib, a, b):
        kept = a = a.detach().clone()
        names = {"a": a, "b": b.detach() if hasattr(b, "detach") else b}
        exec(f"a {statement} b", names)
        assert names["a"] is kept
        return kept

    b = np.array([1, 1, 2]).astype(other) if isinstance(other, str) else other
    agree(call, np.array([1, 3, 2]).astype(dtype), b)


@pytest.mark.parametrize(
    "name", ["eq", "less_equal", "logical_and", "bitwise_xor", "clamp_min", "fmod", "atan2", "lerp", "divide"]
)
def test_functions_in_place_keep_the_dtype(name):
    extra = (0.5,) if name == "lerp" else ()
    for dtype in ("float32", "int64", "bool"):
        agree(
            lambda lib, a, b: getattr(a.detach().clone(), f"{name}_")(b.detach(), *extra),
            *(np.array([1, 2, 1], dtype),) * 2,
        )


KEYWORDS = {
    "add": lambda lib, x, y: lib.add(x, y, alpha=2), "add-float": lambda lib, x, y: lib.add(x, y, alpha=2.5),
    "add-method": lambda lib, x, y: x.add(y, alpha=-3), "add-number": lambda lib, x, y: x.add(3, alpha=2),
    "add-in-place": lambda lib, x, y: x.clone().add_(y, alpha=2), "add-text": lambda lib, x, y: lib.add(x, y, alpha="a"),
    "sub": lambda lib, x, y: lib.sub(x, y, alpha=2), "subtract": lambda lib, x, y: x.subtract(y, alpha=0.5),
    "div": lambda lib, x, y: lib.div(x, y, rounding_mode=None), "floor": lambda lib, x, y: lib.div(x, y, rounding_mode="floor"),
    "trunc": lambda lib, x, y: x.div(y, rounding_mode="trunc"), "divide": lambda lib, x, y: x.divide(y, rounding_mode="trunc"),
    "mode": lambda lib, x, y: lib.div(x, y, rounding_mode="up"), "div-number": lambda lib, x, y: lib.div(x, 2, rounding_mode="trunc"),
    "floor-number": lambda lib, x, y: x.div(-2.5, rounding_mode="floor"),
    "div-in-place": lambda lib, x, y: x.detach().clone().div_(y.detach(), rounding_mode="floor"),
    "isclose": lambda lib, x, y: lib.isclose(x, y, 0.1, 0.2), "nan": lambda lib, x, y: lib.isclose(x, y, equal_nan=True),
    "rtol": lambda lib, x, y: lib.isclose(x, y, rtol=-1.0), "allclose": lambda lib, x, y: lib.allclose(x, y, atol=3.0),
    "allclose-self": lambda lib, x, y: x.allclose(x, equal_nan=True), "equal": lambda lib, x, y: lib.equal(x, y),
    "equal-self": lambda lib, x, y: lib.equal(x.nan_to_num(), x.nan_to_num()), "lerp": lambda lib, x, y: lib.lerp(x, y, 0.3),
    "lerp-far": lambda lib, x, y: x.lerp(y, 0.75), "lerp-tensor": lambda lib, x, y: lib.lerp(x, y, y),
    "lerp-0d": lambda lib, x, y: lib.lerp(x, y, lib.tensor(0.25, dtype=lib.float64)),
    "lerp-integer": lambda lib, x, y: lib.lerp(x, y, 2), "lerp-number": lambda lib, x, y: lib.lerp(x, 1.0, 0.5),
    "addcmul": lambda lib, x, y: lib.addcmul(x, x, y), "addcmul-value": lambda lib, x, y: x.addcmul(y, y, value=3),
    "addcdiv": lambda lib, x, y: lib.addcdiv(x, x, y), "addcdiv-value": lambda lib, x, y: x.addcdiv(y, x, value=0.5),
    "addcmul-in-place": lambda lib, x, y: x.detach().clone().addcmul_(x.detach(), y.detach(), value=2),
}  # fmt: skip


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float64", "float32"), ("float32", "int64"), ("int64", "int64"),
                                    ("uint8", "uint8"), ("int64", "float32")], ids="-".join)  # fmt: skip
@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords(name, dtypes):
    rng = np.random.default_rng(0)
    x, y = (np.asarray(rng.integers(1, 9, (3, 4)) + (0.3 if d[0] == "f" else 0)).astype(d) for d in dtypes)
    if "uint8" in dtypes and name in ("sub", "add-method"):
        return  # a negative alpha does not fit, and PyTorch would wrap around
    if name == "lerp-0d" and x.dtype.kind != "f":
        return  # PyTorch rounds the weight to an integer
    agree(KEYWORDS[name], x, y, **({} if dtypes[0] == dtypes[1] else {"rtol": 4e-6, "atol": 1e-6}))


# ---- limits and selection

CLAMPS = [
    lambda lib, x, y: lib.clamp(x, -1, 2), lambda lib, x, y: x.clamp(min=0), lambda lib, x, y: x.clamp(max=1.5),
    lambda lib, x, y: lib.clip(x, 0.5, 2), lambda lib, x, y: x.clip(3, 1), lambda lib, x, y: lib.clamp(x),
    lambda lib, x, y: x.clamp(y), lambda lib, x, y: x.clamp(y, y + 1), lambda lib, x, y: lib.clamp(x, max=y),
    lambda lib, x, y: x.clamp(y + 1, y), lambda lib, x, y: x.clamp(0, y), lambda lib, x, y: x.clamp("a"),
    lambda lib, x, y: x.clamp_min(y), lambda lib, x, y: x.clamp_max(y), lambda lib, x, y: x.clamp_min(1),
    lambda lib, x, y: lib.clamp_max(x, 0.5), lambda lib, x, y: x.clamp(min=float("nan")), lambda lib, x, y: x.clamp(lib.zeros(7, 1)),
    lambda lib, x, y: x.detach().clone().clamp_(0, 2), lambda lib, x, y: x.detach().clone().clip_(max=1),
    lambda lib, x, y: x.detach().clone().clamp_min_(0.5),
]  # fmt: skip


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float32", "float64"), ("float64", "float32"), ("int64", "int64"),
                                    ("int64", "float32"), ("float32", "int64"), ("bool", "int64")], ids="-".join)  # fmt: skip
@pytest.mark.parametrize("number", range(len(CLAMPS)))
def test_clamp(number, dtypes):
    x = numbers(dtypes[0], size=20)
    y = np.resize(np.array([0, 1, -1, 2]), x.shape).astype(dtypes[1])
    agree(CLAMPS[number], x, y)


WHERES = [
    lambda lib, c, x, y: lib.where(c, x, y), lambda lib, c, x, y: x.where(c, y), lambda lib, c, x, y: lib.where(c, x, 0),
    lambda lib, c, x, y: lib.where(c, 1.5, y), lambda lib, c, x, y: lib.where(c, 1, 2), lambda lib, c, x, y: lib.where(c, 1, 2.5),
    lambda lib, c, x, y: lib.where(c, True, False), lambda lib, c, x, y: lib.where(c, True, 2), lambda lib, c, x, y: lib.where(x, x, y),
    lambda lib, c, x, y: lib.where(c, "a", y), lambda lib, c, x, y: lib.where(c, x), lambda lib, c, x, y: lib.where([True], x, y),
    lambda lib, c, x, y: lib.where(c, lib.zeros(7), y), lambda lib, c, x, y: lib.where(c, x.sum(), y),
    lambda lib, c, x, y: lib.where(c)[0],
]  # fmt: skip


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float32", "float64"), ("int64", "float32"), ("uint8", "int64")],
                         ids="-".join)  # fmt: skip
@pytest.mark.parametrize("number", range(len(WHERES)))
def test_where(number, dtypes):
    if number == 8 and dtypes[0] == "uint8":
        return  # bytes as a condition are deprecated there
    condition = np.array([True, False, True])
    agree(
        WHERES[number],
        condition,
        *(np.array(v, d) for v, d in zip(([1, 2, 3], [[4, 5, 6], [7, 8, 9]]), dtypes, strict=True)),
    )


# ---- errors

BAD = [
    lambda lib, x: lib.exp([1.0]), lambda lib, x: lib.exp(1.0), lambda lib, x: lib.exp(None), lambda lib, x: lib.exp(x, 1, 2),
    lambda lib, x: lib.exp(), lambda lib, x: lib.exp(x, nonsense=1), lambda lib, x: x + [1], lambda lib, x: x + "a",
    lambda lib, x: lib.add(x, None), lambda lib, x: lib.add(x, x, 2, 3), lambda lib, x: lib.add([1], x), lambda lib, x: x < None,
    lambda lib, x: x < "a", lambda lib, x: lib.eq(x, "a"), lambda lib, x: x.eq(None), lambda lib, x: x & "a", lambda lib, x: x & x,
    lambda lib, x: x | 1, lambda lib, x: x ** "a", lambda lib, x: x // "a", lambda lib, x: x % None, lambda lib, x: lib.maximum(x, 1),
    lambda lib, x: lib.minimum(1, x), lambda lib, x: lib.fmax(x, 2.0), lambda lib, x: lib.atan2(x, 1), lambda lib, x: lib.logical_and(x, 1),
    lambda lib, x: lib.isclose(x, 1.0), lambda lib, x: lib.allclose(x, 1.0), lambda lib, x: lib.equal(x, 1.0),
    lambda lib, x: lib.allclose(x, x.double()), lambda lib, x: x + lib.zeros(5), lambda lib, x: lib.atan2(x, lib.zeros(5)),
    lambda lib, x: lib.equal(x, lib.zeros(5)), lambda lib, x: lib.addcmul(x, 1.0, x), lambda lib, x: lib.addcdiv(x, x.long(), x.long()),
    lambda lib, x: lib.lerp(x, x.double(), 0.5), lambda lib, x: lib.lerp(x, x, x.double()), lambda lib, x: lib.lerp(x, lib.zeros(5), 0.5),
    lambda lib, x: x == [1], lambda lib, x: x == "a", lambda lib, x: x != None, lambda lib, x: x.long() // 0,  # noqa: E711
    lambda lib, x: x.long() % 0, lambda lib, x: x.long() ** -1, lambda lib, x: x.long().sqrt_(), lambda lib, x: x.bool() - x.bool(),
    lambda lib, x: -x.bool(), lambda lib, x: x.detach().clone().logical_and_(x.long()), lambda lib, x: x.long().clamp_(0.5),
    lambda lib, x: x.to(lib.uint8) ** 300, lambda lib, x: x.to(lib.uint8).clamp(max=300), lambda lib, x: lib.deg2rad(2),
    lambda lib, x: lib.square("a"), lambda lib, x: lib.positive(1), lambda lib, x: lib.clamp(1, 0), lambda lib, x: x.exp_(),
    lambda lib, x: lib.where(1, x, x), lambda lib, x: lib.where(x > 0, x, None),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_calls(number):
    agree(BAD[number], np.array([1.0, 2.0, 3.0], "float32"))


def test_integers_are_compared_with_larger_ones_by_value():
    """PyTorch wraps 300 around to 44 before it compares; here the answer is that of arithmetic."""
    x = engine.tensor([1, 200], dtype="uint8")
    assert (
        (x < 300).tolist() == [True, True]
        and (x > -1).tolist() == [True, True]
        and (x == 300).tolist() == [False, False]
    )
    assert (
        (x != -56).tolist() == [True, True]
        and (x >= 2**70).tolist() == [False, False]
        and (-1 <= x).tolist() == [True, True]
    )
    assert (engine.tensor([2**63 - 1]) < 2**63).tolist() == [True] and (
        engine.tensor([-(2**63)]) <= -(2**70)
    ).tolist() == [False]
    assert (x < np.int64(300)).tolist() == [True, True]
    assert torch.tensor([200], dtype=torch.uint8).lt(300).tolist() == [False]


def test_integers_that_do_not_fit_are_refused_in_arithmetic():
    """PyTorch wraps them around to others."""
    x = engine.tensor([1, 200], dtype="uint8")
    for call in (lambda: x + 300, lambda: x * -1, lambda: x // 256, lambda: x % -1, lambda: x & 300, lambda: x.clamp(-5, 300),
                 lambda: x.add(x, alpha=-1), lambda: 300 - x, lambda: engine.where(x > 3, x, -1)):  # fmt: skip
        with pytest.raises(RuntimeError, match="does not fit into uint8"):
            call()


def test_large_and_small_integers():
    big = np.array([2**62, -(2**63), 7, -7, 0])
    for name in ("floor_divide", "remainder", "fmod", "maximum", "bitwise_and", "eq", "lt"):
        agree(lambda lib, x, y: getattr(lib, name)(x, y), big[:, None], np.array([[3, -2, 2**61]]))
    agree(lambda lib, x, y: lib.div(x, y, rounding_mode="trunc"), big[:, None], np.array([[3, -2, 2**61]]))
