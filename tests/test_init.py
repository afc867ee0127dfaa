"""Initialisation: distributions by their distribution functions, structures by what they are for, names and refusals."""

import math

import numpy as np
import pytest
from scipy import stats

import engine
from engine import nn
from engine.nn import init


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        engine.manual_seed(0)
        yield request.param


W = (60, 40, 3, 3)  # fan in 360, fan out 540
UNIFORM = {
    "uniform": (lambda t: init.uniform_(t, -3, 2), (-3, 2)),
    "kaiming": (init.kaiming_uniform_, (-math.sqrt(6 / 360), math.sqrt(6 / 360))),
    "kaiming with a slope": (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), (-(360**-0.5), 360**-0.5)),
    "kaiming out": (lambda t: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"), (-1 / math.sqrt(90), 1 / math.sqrt(90))),
    "xavier": (lambda t: init.xavier_uniform_(t, gain=2.0), (-2 * math.sqrt(6 / 900), 2 * math.sqrt(6 / 900))),
}  # fmt: skip
NORMAL = {
    "normal": (lambda t: init.normal_(t, 1.0, 0.5), 1.0, 0.5),
    "kaiming": (init.kaiming_normal_, 0.0, math.sqrt(2 / 360)),
    "kaiming out": (lambda t: init.kaiming_normal_(t, 0.2, "fan_out", "leaky_relu"), 0.0, math.sqrt(2 / 1.04 / 540)),
    "xavier": (lambda t: init.xavier_normal_(t, 5 / 3), 0.0, 5 / 3 * math.sqrt(2 / 900)),
}


def follows(values, cdf):
    """Whether values follow a distribution: Kolmogorov and Smirnov's distance, exceeded once in 10,000 seeds."""
    return stats.kstest(values.ravel().astype("float64"), cdf).pvalue > 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNIFORM)
def test_uniform(name, dtype):
    fill, (low, high) = UNIFORM[name]
    w = engine.empty(*W, dtype=dtype, requires_grad=True)
    assert fill(w) is w and w.is_leaf and w.dtype == dtype
    assert follows(w.detach().numpy(), stats.uniform(low, high - low).cdf)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NORMAL)
def test_normal(name, dtype):
    fill, mean, std = NORMAL[name]
    w = engine.empty(*W, dtype=dtype, requires_grad=True)
    assert fill(w) is w and w.is_leaf and w.dtype == dtype
    assert follows(w.detach().numpy(), stats.norm(mean, std).cdf)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean, std, a, b", [
    (0, 1, -2, 2), (0, 0.02, -2, 2), (1, 0.5, -0.1, 0.2), (0, 1, 3, 5), (0, 1, 20, 22), (0, 2, -40, -30), (5, 1, -math.inf, 4),
    (0, 1, 0, math.inf),
])  # fmt: skip
def test_truncated_normal(mean, std, a, b, dtype):
    w = engine.empty(*W, dtype=dtype)
    assert init.trunc_normal_(w, mean, std, a, b) is w
    v = w.numpy()
    assert v.min() >= np.dtype(dtype).type(a) and v.max() <= np.dtype(dtype).type(b)
    assert follows(v, stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std).cdf)


def test_truncated_normal_at_its_limits():
    assert set(init.trunc_normal_(engine.empty(9), a=1.5, b=1.5).tolist()) == {1.5}
    assert init.trunc_normal_(engine.empty(0, 3)).shape == (0, 3)
    assert -2 <= init.trunc_normal_(engine.empty(())).item() <= 2
    with pytest.raises(RuntimeError, match=r"expects a finite std >= 0 and a <= b, got std=1.0, a=3, b=2"):
        init.trunc_normal_(engine.empty(2), a=3, b=2)
    with pytest.raises(RuntimeError, match="std=-1"):
        init.trunc_normal_(engine.empty(2), std=-1)
    with pytest.raises(ZeroDivisionError, match="std=0 draws nothing"):
        init.trunc_normal_(engine.empty(2), std=0)


FILLS = {
    "uniform_": init.uniform_, "normal_": init.normal_, "trunc_normal_": init.trunc_normal_,
    "kaiming_normal_": init.kaiming_normal_, "kaiming_uniform_": init.kaiming_uniform_,
    "xavier_normal_": init.xavier_normal_, "xavier_uniform_": init.xavier_uniform_, "orthogonal_": init.orthogonal_,
    "sparse_": lambda t, generator=None: init.sparse_(t, 0.3, generator=generator),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLS)
def test_draws_come_from_the_generator(name):
    """The same values for a seed; one generator leaves the other where it was; draws differ."""
    fill, w = FILLS[name], engine.empty(8, 6)
    mine = engine.Generator().manual_seed(5)
    first = fill(w, generator=mine).tolist()
    second = fill(w, generator=mine).tolist()
    before = engine.default_generator.get_state()
    assert fill(w, generator=mine.manual_seed(5)).tolist() == first != second
    assert str(engine.default_generator.get_state()) == str(before)
    engine.manual_seed(5)
    assert fill(w).tolist() == first


def test_constants():
    w = engine.empty(*W, requires_grad=True)
    assert init.constant_(w, 2.5) is w and set(w.detach().numpy().ravel()) == {2.5}
    assert not init.zeros_(w).detach().numpy().any() and init.ones_(w).detach().numpy().all()


def test_identity():
    for shape in ((3, 3), (2, 5), (4, 1), (0, 2)):
        assert init.eye_(engine.ones(shape, requires_grad=True)).tolist() == np.eye(*shape).tolist()
    with pytest.raises(ValueError, match=r"Only tensors with 2 dimensions are supported, got shape \(2, 2, 2\)"):
        init.eye_(engine.empty(2, 2, 2))


@pytest.mark.parametrize(
    "shape, groups", [((4, 4, 3), 1), ((4, 4, 3, 5), 1), ((6, 3, 3, 3), 2), ((2, 5, 1, 1), 1), ((4, 1, 5, 5), 4)]
)
def test_a_dirac_convolution_hands_its_input_on(shape, groups):
    w = init.dirac_(engine.empty(*shape, requires_grad=True), groups).detach()
    x = engine.randn(2, shape[1] * groups, *(9,) * (len(shape) - 2))
    y = (nn.functional.conv1d if x.ndim == 3 else nn.functional.conv2d)(x, w, padding="same", groups=groups)
    kept = min(shape[0] // groups, shape[1])
    x, y = (t.numpy().reshape(2, groups, -1, *x.shape[2:]) for t in (x, y))
    assert (y[:, :, :kept] == x[:, :, :kept]).all() and not y[:, :, kept:].any()


def test_a_dirac_weight_in_three_dimensions():
    w = init.dirac_(engine.empty(2, 2, 3, 3, 3)).numpy()
    assert w.sum() == 2 and w[0, 0, 1, 1, 1] == w[1, 1, 1, 1, 1] == 1
    with pytest.raises(ValueError, match="Only tensors with 3, 4, or 5 dimensions"):
        init.dirac_(engine.empty(2, 2))
    with pytest.raises(ValueError, match=r"dim 0 must be divisible by groups, got shape \(3, 2, 1\) and groups=2"):
        init.dirac_(engine.empty(3, 2, 1), groups=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (6, 2, 2, 2), (4, 5, 3, 3), (1, 7), (7, 1)])
def test_orthogonal(shape, dtype):
    w = init.orthogonal_(engine.empty(*shape, dtype=dtype, requires_grad=True), gain=3)
    m = w.detach().numpy().reshape(shape[0], -1)
    product = m @ m.T if m.shape[0] <= m.shape[1] else m.T @ m
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=100 * np.finfo(dtype).eps)


def test_orthogonal_matrices_are_drawn_without_preference():
    """Of rotations and reflections of the plane: the angle is uniform, half of them are reflections."""
    drawn = [init.orthogonal_(engine.empty(2, 2)).numpy().copy() for _ in range(1000)]
    angles = np.array([math.atan2(m[1, 0], m[0, 0]) for m in drawn])
    assert follows(angles, stats.uniform(-math.pi, 2 * math.pi).cdf)
    assert 430 < sum(np.linalg.det(m) > 0 for m in drawn) < 570
    with pytest.raises(ValueError, match="Only tensors with 2 or more dimensions are supported"):
        init.orthogonal_(engine.empty(4))
    assert init.orthogonal_(engine.empty(0, 4)).shape == (0, 4)


def test_sparse():
    w = init.sparse_(engine.empty(50, 400, requires_grad=True), sparsity=0.25, std=2.0).detach().numpy()
    assert ((w == 0).sum(0) == math.ceil(0.25 * 50)).all()
    assert follows(w[w != 0], stats.norm(0, 2).cdf)
    assert np.ptp((w == 0).sum(1)) > 0  # not the same rows in every column
    with pytest.raises(ValueError, match="Only tensors with 2 dimensions"):
        init.sparse_(engine.empty(3), 0.1)


def test_gains():
    assert init.calculate_gain("relu") == math.sqrt(2) and init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("leaky_relu", 1) == 1 and init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)
    assert init.calculate_gain("selu") == 0.75
    assert {init.calculate_gain(n) for n in ("linear", "conv1d", "conv2d", "conv_transpose3d", "sigmoid")} == {1}
    with pytest.raises(ValueError, match="Unsupported nonlinearity 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="negative_slope 'a' not a valid number"):
        init.calculate_gain("leaky_relu", "a")


def test_fans():
    assert init._calculate_fan_in_and_fan_out(engine.empty(*W)) == (360, 540)
    assert init._calculate_fan_in_and_fan_out(engine.empty(3, 5)) == (5, 3)
    with pytest.raises(ValueError, match=r"fewer than 2 dimensions, got \(3,\)"):
        init.xavier_uniform_(engine.ones(3))
    with pytest.raises(ValueError, match="Mode 'fan' not supported"):
        init.kaiming_normal_(engine.empty(2, 2), mode="fan")


def test_nothing_to_initialise_is_warned_of():
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
            assert fill(engine.empty(0, 3)).shape == (0, 3)


def test_names_without_underscore_are_deprecated():
    engine.manual_seed(3)
    expected = init.kaiming_normal_(engine.empty(4, 3)).tolist()
    engine.manual_seed(3)
    with pytest.warns(
        FutureWarning, match="`nn.init.kaiming_normal` is now deprecated in favor of `nn.init.kaiming_normal_`"
    ):
        assert init.kaiming_normal(engine.empty(4, 3)).tolist() == expected
    with pytest.warns(FutureWarning, match="nn.init.constant_"):
        assert init.constant(engine.empty(2), val=7).tolist() == [7, 7]


def test_weights_in_use_are_not_changed_unseen():
    """A backward pass refuses a weight that was initialised anew after it was used."""
    layer, x = nn.Linear(3, 3), engine.ones(1, 3, requires_grad=True)
    for fill in (init.orthogonal_, init.trunc_normal_, init.eye_, lambda t: init.sparse_(t, 0.5)):
        loss = layer(x).sum()
        fill(layer.weight)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
