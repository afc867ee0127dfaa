"""Activations beside PyTorch's, as functions, in place and as layers: values, gradients, dtypes, texts and errors."""

import warnings

import numpy as np
import pytest
from beside import agree, run, torch

import engine
from engine import nn

DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]
# Where a piece ends and where numbers overflow or vanish; the edges of every default, and a little to both sides.
POINTS = [0, -0.0, 0.5, -0.5, 1, -1, 2, 3, -3, 6, 0.49, 0.51, 5.99, 6.01, -2.99, -3.01, 10, -10, 19.9, 20.1, -20, 50, -50, 100, -100]  # fmt: skip


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def numbers(dtype, extremes=()):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return np.concatenate([rng.normal(0, 2, 101), POINTS, extremes]).astype(dtype)
    return (
        np.array([True, False])
        if dtype == "bool"
        else np.array([0, 1, 2, 3, 7, 20] + [-4, -1] * (dtype[0] != "u"), dtype)
    )


F = {
    "relu": lambda F, x: F.relu(x), "relu6": lambda F, x: F.relu6(x), "leaky_relu": lambda F, x: F.leaky_relu(x),
    "leaky_relu-slope": lambda F, x: F.leaky_relu(x, 0.3), "leaky_relu-negative": lambda F, x: F.leaky_relu(x, negative_slope=-0.5),
    "elu": lambda F, x: F.elu(x), "elu-alpha": lambda F, x: F.elu(x, 0.7), "elu-negative": lambda F, x: F.elu(x, alpha=-1.0),
    "celu": lambda F, x: F.celu(x), "celu-alpha": lambda F, x: F.celu(x, 2.0), "celu-zero": lambda F, x: F.celu(x, 0.0),
    "selu": lambda F, x: F.selu(x), "gelu": lambda F, x: F.gelu(x), "gelu-tanh": lambda F, x: F.gelu(x, approximate="tanh"),
    "gelu-other": lambda F, x: F.gelu(x, approximate="erf"), "silu": lambda F, x: F.silu(x), "mish": lambda F, x: F.mish(x),
    "softplus": lambda F, x: F.softplus(x), "softplus-beta": lambda F, x: F.softplus(x, 2, 10), "softplus-sharp":
    lambda F, x: F.softplus(x, beta=0.5, threshold=1), "softsign": lambda F, x: F.softsign(x), "tanhshrink": lambda F, x: F.tanhshrink(x),
    "hardtanh": lambda F, x: F.hardtanh(x), "hardtanh-limits": lambda F, x: F.hardtanh(x, 0, 3), "hardtanh-wrong":
    lambda F, x: F.hardtanh(x, 1.0, -1.0), "hardsigmoid": lambda F, x: F.hardsigmoid(x), "hardswish": lambda F, x: F.hardswish(x),
    "hardshrink": lambda F, x: F.hardshrink(x), "hardshrink-1": lambda F, x: F.hardshrink(x, 1), "hardshrink-negative":
    lambda F, x: F.hardshrink(x, -1.0), "softshrink": lambda F, x: F.softshrink(x), "softshrink-0": lambda F, x: F.softshrink(x, 0),
    "softshrink-negative": lambda F, x: F.softshrink(x, -1.0), "threshold": lambda F, x: F.threshold(x, 0.5, 20),
    "threshold-2": lambda F, x: F.threshold(x, 2, 1), "logsigmoid": lambda F, x: F.logsigmoid(x), "sigmoid": lambda F, x: F.sigmoid(x),
    "tanh": lambda F, x: F.tanh(x), "softmax": lambda F, x: F.softmax(x, 0), "log_softmax": lambda F, x: F.log_softmax(x, dim=-1),
    "softmin": lambda F, x: F.softmin(x, 0), "softmax-dtype": lambda F, x: F.softmax(x / 50, 0, dtype=None), "prelu":
    lambda F, x: F.prelu(x, x[:1]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", F)
def test_functions(name, dtype):
    tolerance = 1e-7 if (name, dtype) == ("hardsigmoid", "float64") else None  # its derivative there is 1/6 in float32
    agree(lambda lib, x: F[name](lib.nn.functional, x), numbers(dtype), rtol=tolerance)


# nan, and infinities where PyTorch has an answer: gelu and the derivative of mish of infinity are nan there.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", [name for name in F if name not in ("softmax", "log_softmax", "softmin", "softmax-dtype")]
)
def test_extremes(name, dtype):
    extremes = [np.nan, 1e15, -1e15] if name[:4] in ("gelu", "mish") else [np.nan, 1e30, -1e30, np.inf, -np.inf]
    agree(lambda lib, x: F[name](lib.nn.functional, x), np.array(extremes, dtype))


@pytest.mark.parametrize("name", ["gelu", "mish", "silu", "softplus", "logsigmoid", "gelu-tanh"])
def test_small_values_are_exact(name):
    """In float32, relative to float64: the tails that cancel where they are computed carelessly."""
    x = np.linspace(-12, 12, 2001)
    small = F[name](nn.functional, engine.tensor(x.astype("float32"))).numpy()
    exact = F[name](torch.nn.functional, torch.tensor(x.astype("float32").astype("float64"))).numpy()
    np.testing.assert_allclose(small, exact, rtol=3e-5, atol=1e-15)  # gelu cancels there, in float64


CALLS = {  # torch's namespace and methods
    "relu": lambda lib, x: lib.relu(x), "relu-method": lambda lib, x: x.relu(), "celu": lambda lib, x: lib.celu(x, 0.5),
    "selu": lambda lib, x: lib.selu(x), "hardshrink": lambda lib, x: lib.hardshrink(x, 0.3), "method": lambda lib, x: x.hardshrink(),
    "threshold": lambda lib, x: lib.threshold(x, 1.0, 2.0), "prelu": lambda lib, x: lib.prelu(x, x[:1]),
    "prelu-method": lambda lib, x: x.prelu(x[1:2]), "sigmoid": lambda lib, x: x.sigmoid(), "softmax": lambda lib, x: lib.softmax(x, 0),
    "softmax-dtype": lambda lib, x: lib.softmax(x, dim=0, dtype=lib.float64), "softmax-method": lambda lib, x: x.softmax(-1),
    "log_softmax": lambda lib, x: x.log_softmax(0, lib.float64), "softmax-dim": lambda lib, x: x.softmax(1),
    "softmax-text": lambda lib, x: x.softmax("a"), "softmax-tuple": lambda lib, x: lib.softmax(x, (0,)), "softmax-none": lambda lib, x: lib.softmax(x),
    "softmax-integer": lambda lib, x: lib.softmax(x, 0, dtype=lib.int64), "softmax-keyword": lambda lib, x: lib.softmax(input=x, dim=0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("name", CALLS)
def test_names_outside_of_functional(name, dtype):
    agree(CALLS[name], numbers(dtype)[:9])


SHAPES = [(6,), (4, 6), (2, 4, 6), (2, 4, 6, 2), (0, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_along_a_dimension(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    for dim in range(-len(shape) - 1, len(shape) + 1):
        for name in ("softmax", "log_softmax", "softmin", "glu"):
            agree(lambda lib, x: getattr(lib.nn.functional, name)(x, dim), x)


@pytest.mark.parametrize("shape, weight", [((7,), (1,)), ((3, 4), (4,)), ((3, 4), (1,)), ((2, 3, 5), (3,)), ((2, 3, 4, 5), (3,)),
    ((), (1,)), ((3,), ()), ((3, 4), (3,)), ((3,), (3,)), ((3, 4), (1, 1)), ((0, 4), (4,)), ((3, 4), (0,))], ids=str)  # fmt: skip
def test_prelu(shape, weight):
    rng = np.random.default_rng(0)
    x, w = np.asarray(rng.standard_normal(shape)), np.asarray(rng.uniform(0.1, 0.5, weight))
    for dtypes in (("float32", "float32"), ("float64", "float64"), ("float32", "float64")):
        agree(lambda lib, x, w: lib.nn.functional.prelu(x, w), x.astype(dtypes[0]), w.astype(dtypes[1]))


IN_PLACE = "relu relu6 leaky_relu elu celu selu silu mish hardtanh hardsigmoid hardswish".split()


@pytest.mark.parametrize("name", [*IN_PLACE, "threshold"])
def test_in_place(name):
    params = (0.1, 2.0) if name == "threshold" else ()

    def call(lib, x):
        h = x * 1.5
        assert getattr(lib.nn.functional, name)(h, *params, inplace=True) is h
        return h * 2

    agree(call, numbers("float32"))
    agree(lambda lib, x: getattr(lib.nn.functional, name)(x, *params, inplace=True), numbers("float32"))  # a leaf


@pytest.mark.parametrize("name", "relu_ leaky_relu_ elu_ celu_ selu_ hardtanh_ threshold_".split())
def test_functions_with_an_underscore(name):
    params = (0.1, 2.0) if name == "threshold_" else ()
    agree(lambda lib, x: getattr(lib.nn.functional, name)(x.detach().clone(), *params), numbers("float32"))


# ---- layers

LAYERS = [
    lambda nn: nn.ReLU(), lambda nn: nn.ReLU(True), lambda nn: nn.ReLU6(), lambda nn: nn.ReLU6(inplace=True), lambda nn: nn.LeakyReLU(),
    lambda nn: nn.LeakyReLU(0.2, True), lambda nn: nn.PReLU(), lambda nn: nn.PReLU(6), lambda nn: nn.PReLU(6, init=0.1),
    lambda nn: nn.ELU(), lambda nn: nn.ELU(1, True), lambda nn: nn.CELU(), lambda nn: nn.CELU(2.0, inplace=True), lambda nn: nn.SELU(),
    lambda nn: nn.SELU(True), lambda nn: nn.GELU(), lambda nn: nn.GELU("tanh"), lambda nn: nn.SiLU(), lambda nn: nn.SiLU(True),
    lambda nn: nn.Mish(), lambda nn: nn.Mish(True), lambda nn: nn.Softplus(), lambda nn: nn.Softplus(2, 10), lambda nn: nn.Softsign(),
    lambda nn: nn.Tanhshrink(), lambda nn: nn.Hardtanh(), lambda nn: nn.Hardtanh(0, 1, True), lambda nn: nn.Hardsigmoid(),
    lambda nn: nn.Hardsigmoid(True), lambda nn: nn.Hardswish(), lambda nn: nn.Hardswish(inplace=True), lambda nn: nn.Hardshrink(),
    lambda nn: nn.Hardshrink(1), lambda nn: nn.Softshrink(), lambda nn: nn.Softshrink(0.25), lambda nn: nn.Threshold(0.1, 20),
    lambda nn: nn.Threshold(1, 2, True), lambda nn: nn.GLU(), lambda nn: nn.GLU(1), lambda nn: nn.LogSigmoid(), lambda nn: nn.Softmin(1),
    lambda nn: nn.Softmax(1), lambda nn: nn.Softmax(dim=-1), lambda nn: nn.Softmax2d(), lambda nn: nn.LogSoftmax(dim=2),
    lambda nn: nn.Sigmoid(), lambda nn: nn.Tanh(), lambda nn: nn.Softmax(), lambda nn: nn.Softmin(), lambda nn: nn.LogSoftmax(),
]  # fmt: skip


@pytest.mark.parametrize("make", LAYERS, ids=[repr(make(nn)) for make in LAYERS])
def test_layers(make):
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert {n: tuple(t.shape) for n, t in ours.state_dict().items()} == {
        n: tuple(t.shape) for n, t in theirs.state_dict().items()
    }
    assert {k: v for k, v in vars(theirs).items() if not k.startswith("_")}.items() <= vars(ours).items()
    layer = {engine: ours, torch: theirs}
    x = np.random.default_rng(0).normal(0, 3, (2, 6, 4, 3)).astype("float32")
    if "GLU" in repr(ours):
        x = x[..., :2].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agree(lambda lib, x: layer[lib](x * 1), x)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("make, shape", [
    (lambda nn: nn.Softmax2d(), (3, 4)), (lambda nn: nn.GLU(), (3, 5)), (lambda nn: nn.GLU(), ()), (lambda nn: nn.PReLU(3), (2, 4)),
    (lambda nn: nn.GELU("x"), (3,)), (lambda nn: nn.Softmax(3), (2, 2)), (lambda nn: nn.Softshrink(-1), (2,)),
    (lambda nn: nn.CELU(0), (2,)), (lambda nn: nn.Softmax2d(), (2, 3, 4)),
])  # fmt: skip
def test_layers_and_inputs_that_do_not_fit(make, shape):
    layer = {engine: make(nn), torch: make(torch.nn)}
    agree(lambda lib, x: layer[lib](x), np.ones(shape, "float32"))


def test_limits_of_hardtanh_in_the_wrong_order():
    for make in (lambda nn: nn.Hardtanh(1, -1), lambda nn: nn.Hardtanh(1, 1)):
        for module in (nn, torch.nn):
            with pytest.raises(AssertionError, match="must be greater than min_val"):
                make(module)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4), (2, 3, 4, 2)], ids=str)
def test_a_dimension_chosen_implicitly_warns(name, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    results = []
    for lib in (engine, torch):
        with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been deprecated") as seen:
            results.append(run(lib, lambda lib, x: getattr(lib.nn.functional, name)(x), [np.asarray(x)])[0])
        assert seen[0].filename.endswith(("test_activation_torch.py", "beside.py"))
    np.testing.assert_allclose(*results, rtol=1e-6)


def test_the_warning_of_a_layer_points_at_its_caller():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax") as seen:
        nn.Softmax()(engine.ones(2, 3))
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    "bad", [[1.0], 1.0, None, np.ones(3, "float32"), "a"], ids=["list", "number", "None", "array", "text"]
)
@pytest.mark.parametrize(
    "name", "relu relu6 leaky_relu elu gelu silu mish softplus softsign tanhshrink hardtanh logsigmoid glu".split()
)
def test_what_is_no_tensor(name, bad):
    for inplace in (False, True) if name in IN_PLACE else (False,):
        with pytest.raises(TypeError, match="must be a Tensor, got"):
            getattr(nn.functional, name)(bad, **({"inplace": True} if inplace else {}))


def test_which_layers_are_kinds_of_others():
    assert isinstance(nn.ReLU6(), nn.Hardtanh) and isinstance(torch.nn.ReLU6(), torch.nn.Hardtanh)
    for name in nn.activation.__all__:
        bases = {base.__name__ for base in getattr(nn, name).__mro__} & set(nn.activation.__all__)
        assert bases == {base.__name__ for base in getattr(torch.nn, name).__mro__} & set(nn.activation.__all__)
