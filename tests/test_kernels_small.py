"""The element-wise, normalisation and loss kernels against NumPy in float64, on every ISA.

Each is also run on 1, 2, 3, 4 and 7 threads with no threshold, and must give the same bits.
"""

import itertools

import numpy as np
import pytest
from checks import EPS, TINY, close, on_all_threads, random, same_bits

from engine_ext import loss, norm, pointwise

SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 127, 1009, 16384, 16385, 70001]
# Pure copies of NumPy's semantics on odd values warn there, as they should.
pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning"), pytest.mark.usefixtures("isa_any_threads")]


def ulps(y, expected):
    """Largest distance in units of the last place of float32; odd values must match exactly."""
    exact = np.asarray(expected, dtype=np.float64)
    rounded = exact.astype(np.float32)
    assert y.dtype == np.float32 and y.shape == exact.shape
    odd = ~np.isfinite(rounded)
    np.testing.assert_array_equal(y[odd], rounded[odd])
    if odd.all():
        return 0.0
    unit = np.spacing(np.maximum(np.abs(rounded[~odd]), TINY)).astype(np.float64)
    return float(np.max(np.abs(y[~odd] - exact[~odd]) / unit))


# ---- element-wise

ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 1.2e-38], dtype=np.float32)


def flushed(y):
    """As the kernels see numbers: subnormal ones are 0."""
    return np.where(np.abs(y) < TINY, np.float32(0), y)


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("n", SIZES)
def test_arithmetic_is_numpys_to_the_bit(name, n):
    f, numpys = getattr(pointwise, name), ARITHMETIC[name]
    a, b = random(n), random(n, seed=1)
    assert same_bits(on_all_threads(f, a, b), numpys(a, b))
    for s in (2, 0.7, np.array(0.7, np.float32), np.array([-3.0], np.float32)):
        assert same_bits(on_all_threads(f, a, s), numpys(a, np.array(s, np.float32).reshape(())))
        assert same_bits(on_all_threads(f, s, a), numpys(np.array(s, np.float32).reshape(()), a))
    for shape in ((3, n), (2, 2, n), (1, n), (0, n)):
        rows = random(*shape, seed=2)
        assert same_bits(on_all_threads(f, rows, b), numpys(rows, b))


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_of_odd_values(name):
    a, b = (v.ravel().copy() for v in np.meshgrid(ODD, ODD))
    y, expected = getattr(pointwise, name)(a, b), flushed(ARITHMETIC[name](a, b))
    np.testing.assert_array_equal(y, expected)
    zero = y == 0
    np.testing.assert_array_equal(np.signbit(y[zero & (b != 0)]), np.signbit(ARITHMETIC[name](a, b)[zero & (b != 0)]))


def test_arithmetic_shapes():
    a = random(4, 3, 5)
    for b in (random(3, 5), random(5), random(1), random(1, 1, 1), random()):
        np.testing.assert_array_equal(pointwise.add(a, b), a + b)
    assert pointwise.add(random(), random()).shape == ()
    assert pointwise.add(random(1), random()).shape == (1,)
    assert pointwise.add(random(), random(1)).shape == (1,)
    assert pointwise.add(random(1, 1), random(5)) is NotImplemented  # NumPy's answer has more dimensions than either
    assert pointwise.add(random(3, 1), random(3, 5)) is NotImplemented
    assert pointwise.add(random(3), random(4)) is NotImplemented
    assert pointwise.add(random(4, 3), random(4, 1)) is NotImplemented


@pytest.mark.parametrize("bad", [np.zeros(5), np.zeros(5, np.int32), np.zeros(10, np.float32)[::2], [1.0] * 5, None,
                                 np.zeros(5, ">f4"), np.zeros(5, np.float16), "text", np.zeros(5, np.float32)[::-1],
                                 np.broadcast_to(np.float32(1), (5,)), np.float64(2.0), True, 1j])  # fmt: skip
def test_what_is_not_ours_is_not_implemented(bad):
    a = random(5)
    for f in (pointwise.add, pointwise.sub, pointwise.mul, pointwise.div):
        assert f(a, bad) is NotImplemented
        assert f(bad, a) is NotImplemented
    for f in (pointwise.exp, pointwise.relu):
        assert f(bad) is NotImplemented
        if bad is not None:
            assert f(a, bad) is NotImplemented
    assert pointwise.relu_dx(a, bad) is NotImplemented
    assert pointwise.relu_dx(bad, a) is NotImplemented


def test_out():
    a, b = random(1000), random(1000, seed=1)
    out = np.empty(1000, np.float32)
    assert pointwise.add(a, b, out=out) is out
    np.testing.assert_array_equal(out, a + b)
    for f, expected in ((lambda x: pointwise.add(x, b, out=x), a + b), (lambda x: pointwise.sub(b, x, out=x), b - a),
                        (lambda x: pointwise.relu(x, out=x), np.maximum(a, 0)),
                        (lambda x: pointwise.mul(x, 2, out=x), a * 2)):  # fmt: skip
        x = a.copy()
        assert f(x) is x
        np.testing.assert_array_equal(x, expected)
    big = np.zeros(1001, np.float32)
    assert pointwise.relu(big[:-1], out=big[1:]) is NotImplemented
    assert pointwise.add(a, big[:-1], out=big[1:]) is NotImplemented
    readonly = a.copy()
    readonly.flags.writeable = False
    assert pointwise.relu(a, out=readonly) is NotImplemented
    assert pointwise.relu(a, out=np.empty(999, np.float32)) is NotImplemented


def sigmoid64(x):
    return 1 / (1 + np.exp(-x))


MAPS = {"exp": (np.exp, 1.1), "log": (np.log, 1.1), "sqrt": (np.sqrt, 0.501), "sigmoid": (sigmoid64, 2.6),
        "tanh": (np.tanh, 1.6), "neg": (np.negative, 0), "relu": (lambda x: np.where(x <= 0, 0, x), 0)}  # fmt: skip


@pytest.mark.parametrize("name", MAPS)
def test_functions(name):
    f, (exact, bound) = getattr(pointwise, name), MAPS[name]
    for n in SIZES:
        x = random(n, scale=3)
        if name in ("log", "sqrt"):
            x = np.abs(x)
        assert ulps(on_all_threads(f, x), exact(x.astype(np.float64))) <= bound
    bits = np.arange(0, 2**32, 65537 * 13, dtype=np.uint32).view(np.float32)
    wide = np.concatenate([bits, random(100_000, scale=20), np.exp(random(1000, scale=30)), ODD]).astype(np.float32)
    wide = wide[~((wide != 0) & (np.abs(wide) < TINY))]
    assert ulps(flushed(f(wide)), flushed(exact(wide.astype(np.float64)))) <= bound


def test_odd_values_of_functions():
    inf, nan = np.inf, np.nan

    def at(f, *values):
        return list(f(np.array(values, np.float32)))

    assert at(pointwise.exp, inf, -inf, 89.5, -110, 0) == [inf, 0, inf, 0, 1]
    assert at(pointwise.log, inf, 0, -0.0, 1, 1e-40) == [inf, -inf, -inf, 0, -inf]
    assert at(pointwise.sigmoid, inf, -inf, 0, -200, 200) == [1, 0, 0.5, 0, 1]
    assert at(pointwise.tanh, inf, -inf, 0, 30, -30) == [1, -1, 0, 1, -1]
    assert at(pointwise.relu, inf, -inf, -0.0, 1e-40) == [inf, 0, 0, 0]
    assert np.isnan(at(pointwise.log, -1, -inf)).all() and np.isnan(at(pointwise.sqrt, -1)).all()
    assert np.signbit(at(pointwise.tanh, -0.0)).all() and np.signbit(at(pointwise.sqrt, -0.0)).all()
    for name in MAPS:
        assert np.isnan(at(getattr(pointwise, name), nan)).all(), name
    assert np.float32(1e-40) * np.float32(1) != 0, "the caller's mode for subnormals must be back"


@pytest.mark.parametrize("n", SIZES)
def test_gradients_of_functions(n):
    g, y = random(n), random(n, seed=1)
    np.testing.assert_array_equal(on_all_threads(pointwise.relu_dx, g, y), np.where(y <= 0, 0, g))
    g64, y64 = g.astype(np.float64), y.astype(np.float64)
    close(on_all_threads(pointwise.sigmoid_dx, g, y), g64 * y64 * (1 - y64))
    close(on_all_threads(pointwise.tanh_dx, g, y), g64 * (1 - y64 * y64))


def test_gradients_check_shapes():
    with pytest.raises(ValueError, match="shape"):
        pointwise.relu_dx(random(4), random(5))
    assert pointwise.relu_dx(random(1), np.array([np.nan], np.float32))[0] == random(1)[0]


# ----- Batch normalisation -----

NORMS = [(4, 3, 5, 5), (64, 2, 12, 13), (1, 3, 70, 71), (7, 1, 4, 4), (33, 5), (2, 40, 3, 3), (1, 1, 300, 300), (3, 2, 17),
         (1, 4, 1, 1), (9, 1, 64, 65), (50, 33, 7, 7)]  # fmt: skip


@pytest.mark.parametrize("shape", NORMS, ids=str)
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_batch_norm(shape, shift):
    x = random(*shape, scale=2, shift=shift)
    axes = (0, *range(2, len(shape)))
    x64 = x.astype(np.float64)
    mean, var = on_all_threads(norm.batch_norm_stats, x)
    np.testing.assert_allclose(mean, x64.mean(axes), rtol=2 * EPS, atol=2 * EPS)
    np.testing.assert_allclose(var, x64.var(axes), rtol=8 * EPS, atol=1e-12)

    c = shape[1]
    invstd, w, b = np.abs(random(c, seed=1)) + 0.5, random(c, seed=2), random(c, seed=3)

    def spread(v):
        return v.astype(np.float64).reshape(-1, *(1,) * (len(shape) - 2))

    normal = (x64 - spread(mean)) * spread(invstd)
    close(on_all_threads(norm.batch_norm, x, mean, invstd, w, b), normal * spread(w) + spread(b))
    close(on_all_threads(norm.batch_norm, x, mean, invstd, None, None), normal)

    g = random(*shape, seed=4)
    g64, count = g.astype(np.float64), x.size // c
    for weight, f in itertools.product((w, None), (norm.batch_norm_dx, norm.batch_norm_eval_dx)):
        dx, dw, db = on_all_threads(f, g, x, mean, invstd, weight)
        exact_w, exact_b = (g64 * normal).sum(axes), g64.sum(axes)
        scale = spread(invstd) * (1 if weight is None else spread(weight))
        exact = scale * g64
        if f is norm.batch_norm_dx:
            exact = scale * (g64 - spread(exact_b) / count - normal * spread(exact_w) / count)
        np.testing.assert_allclose(dx, exact, rtol=4 * EPS, atol=8 * EPS * np.abs(scale * g64).max())
        np.testing.assert_allclose(dw, exact_w, rtol=8 * EPS, atol=4 * EPS * np.abs(g64 * normal).sum(axes).max())
        np.testing.assert_allclose(db, exact_b, rtol=8 * EPS, atol=4 * EPS * np.abs(g64).sum(axes).max())


def test_batch_norm_of_nothing_and_of_odd_values():
    ones = np.ones(3, np.float32)
    for shape in ((0, 3, 4, 4), (2, 3, 0, 4)):
        nothing = np.zeros(shape, np.float32)
        assert norm.batch_norm_stats(nothing) is NotImplemented
        assert norm.batch_norm(nothing, ones, ones, ones, ones) is NotImplemented
        assert norm.batch_norm_dx(nothing, nothing, ones, ones, ones) is NotImplemented
    assert norm.batch_norm_stats(np.zeros((2, 0, 4, 4), np.float32))[0].shape == (0,)
    x = random(4, 3, 5, 5)
    x[0, 1, 2, 3], x[0, 2, 2, 3] = np.nan, np.inf
    mean, var = norm.batch_norm_stats(x)
    assert np.isfinite(mean[0]) and np.isnan(mean[1]) and np.isnan(var[1]) and np.isnan(var[2])
    constant = np.full((4, 2, 9, 9), 0.1, np.float32)
    mean, var = norm.batch_norm_stats(constant)
    assert (mean == np.float32(0.1)).all() and (var < 1e-15).all() and (var >= 0).all()


def test_batch_norm_checks():
    x, v = random(4, 3, 5, 5), random(3)
    for arguments in ((v, v, v, random(4)), (random(2), v, v, v), (v, random(3, 1), v, v)):
        with pytest.raises(ValueError, match="shape"):
            norm.batch_norm(x, *arguments)
    with pytest.raises(ValueError, match="shape"):
        norm.batch_norm_dx(random(4, 3, 5, 4), x, v, v, v)
    assert norm.batch_norm_stats(random(5)) is NotImplemented
    assert norm.batch_norm_stats(x.astype(np.float64)) is NotImplemented
    assert norm.batch_norm_stats(x.transpose(0, 1, 3, 2)) is NotImplemented
    assert norm.batch_norm(x, v.astype(np.float64), v, v, v) is NotImplemented
    assert norm.batch_norm_dx(None, x, v, v, v) is NotImplemented


# ----- Losses -----

ROWS = [(64, 10), (3, 1), (1, 17), (5, 16), (7, 15), (2, 5000), (0, 10), (4, 0), (1000, 3), (129, 100)]


@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_softmax(shape):
    x, g = random(*shape, scale=4), random(*shape, seed=1)
    x64, g64 = x.astype(np.float64), g.astype(np.float64)
    e = np.exp(x64 - x64.max(-1, keepdims=True, initial=-1e30))
    p = e / e.sum(-1, keepdims=True)
    close(on_all_threads(loss.softmax, x, -1), p)
    close(on_all_threads(loss.log_softmax, x, 1), np.log(p))
    y, z = loss.softmax(x, -1), loss.log_softmax(x, -1)
    y64 = y.astype(np.float64)
    close(on_all_threads(loss.softmax_dx, g, y, -1), y64 * (g64 - (g64 * y64).sum(-1, keepdims=True)))
    size = np.abs(g64).sum(-1, keepdims=True).max(initial=1)
    np.testing.assert_allclose(
        on_all_threads(loss.log_softmax_dx, g, z, -1), g64 - np.exp(z.astype(np.float64)) * g64.sum(-1, keepdims=True),
        rtol=4 * EPS, atol=8 * EPS * size)  # fmt: skip
    if shape[1]:
        labels = np.random.default_rng(2).integers(0, shape[1], shape[0])
        losses, probabilities = on_all_threads(loss.cross_entropy, x, labels)
        rows = np.arange(shape[0])
        close(losses, -np.log(p)[rows, labels])
        close(probabilities, p)
        one = np.zeros(shape)
        one[rows, labels] = 1
        close(
            on_all_threads(loss.cross_entropy_dx, g[:, 0].copy(), probabilities, labels),
            g64[:, :1] * (p - one),
            scale=16,
        )
        for mean in (True, False)[shape[0] == 0 :]:
            total, again = on_all_threads(loss.cross_entropy_total, x, labels, mean)
            assert total.shape == () and np.array_equal(again, probabilities)
            exact = -np.log(p)[rows, labels].astype(np.float64).sum() / (shape[0] if mean else 1)
            np.testing.assert_allclose(total, exact, rtol=4 * EPS)
            share = np.full((), 3, np.float32)
            close(
                on_all_threads(loss.cross_entropy_total_dx, share, probabilities, labels, mean),
                3 * (p - one) / (shape[0] if mean else 1),
                scale=16,
            )


def test_softmax_of_odd_values():
    x = random(6, 21)
    x[0, 3], x[1, 20], x[2], x[3, 0], x[4, 5] = np.nan, np.inf, -np.inf, -np.inf, 3e38
    y = loss.softmax(x, -1)
    assert np.isnan(y[:3]).all() and np.isfinite(y[3:]).all()
    assert y[3, 0] == 0 and y[4, 5] == 1 and y[4].sum() == 1
    losses, _ = loss.cross_entropy(x, np.zeros(6, np.int64))
    assert np.isnan(losses[:3]).all() and losses[3] == np.inf and np.isfinite(losses[5])
    assert loss.softmax(random(2, 3, 5), 2).shape == (2, 3, 5)
    assert loss.softmax(random(2, 3, 5), 1) is NotImplemented
    assert loss.softmax(random(), -1) is NotImplemented
    assert loss.softmax(random(3, 4).T, -1) is NotImplemented


def test_labels_are_checked():
    x = random(5, 10)
    labels = np.array([0, 9, 3, 10, 11])
    with pytest.raises(IndexError) as error:
        loss.cross_entropy(x, labels)
    assert str(error.value) == "cross_entropy: label 10 at position 3 is out of range for 10 classes (expected 0 to 9)"
    _, p = loss.cross_entropy(x, labels % 10)
    for bad in (-1, 10, 2**62, -(2**63)):
        with pytest.raises(IndexError, match=f"label {bad} at position 1"):
            loss.cross_entropy_dx(x[:, 0].copy(), p, np.array([0, bad, 0, 0, 0]))
    with pytest.raises(ValueError, match="one for each row"):
        loss.cross_entropy(x, labels[:3])
    with pytest.raises(ValueError, match="shape"):
        loss.cross_entropy_dx(random(4), p, labels % 10)
    assert loss.cross_entropy(x, labels.astype(np.int32)) is NotImplemented
    assert loss.cross_entropy(x, [0] * 5) is NotImplemented
    with pytest.raises(IndexError, match="label 10 at position 3"):
        loss.cross_entropy_total(x, labels, True)
    with pytest.raises(IndexError, match="label 10 at position 3"):
        loss.cross_entropy_total_dx(random(), p, labels, True)
    with pytest.raises(ValueError, match="one element"):
        loss.cross_entropy_total_dx(random(5), p, labels % 10, True)
    assert loss.cross_entropy_total(x.astype(np.float64), labels, True) is NotImplemented
