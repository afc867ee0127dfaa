"""Random numbers: the published vectors of Philox, native kernels against the reference, and what the numbers are like."""

import copy
import pickle
import threading

import numpy as np
import pytest
from checks import on_all_threads
from scipy import stats

import engine
from engine import backends
from engine.generator import Generator, chosen, default_generator, derived, drawing_from, philox
from engine_ext import random as native

REFERENCE, CPU = backends.get("reference"), backends.get("cpu")
FLOAT32, FLOAT64 = np.dtype("float32"), np.dtype("float64")
ONES = 2**64 - 1
KEYS = [(0, 0), (1, 2), (ONES, ONES), (0x299F31D0A4093822, 0x0370734413198A2E)]
SIZES = [0, 1, 3, 64, 127, 128, 129, 16385, 40001]


# ---- the generator of words

# Random123 1.14, kat_vectors: counter, key, result of philox4x32 with 10 rounds.
KNOWN_ANSWERS = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]  # fmt: skip


@pytest.mark.parametrize("counter, key, words", KNOWN_ANSWERS)
def test_published_vectors(counter, key, words):
    assert philox(counter, key) == words


def test_the_first_block_of_a_draw_is_a_published_vector(isa):
    assert native.random_words(4, (0, 0)).tolist() == list(KNOWN_ANSWERS[0][2])
    assert REFERENCE.random_words(4, (0, 0)).tolist() == list(KNOWN_ANSWERS[0][2])


@pytest.mark.parametrize("seed, stream", KEYS)
def test_words_are_blocks_by_definition(seed, stream):
    key, upper = (seed & 0xFFFFFFFF, seed >> 32), (stream & 0xFFFFFFFF, stream >> 32)
    blocks = [philox((i, 0, *upper), key) for i in range(50)]
    assert REFERENCE.random_words(199, (seed, stream)).tolist() == [w for block in blocks for w in block][:199]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("n", SIZES)
def test_native_words(n, key, isa_any_threads):
    assert (on_all_threads(native.random_words, n, key) == REFERENCE.random_words(n, key)).all()


# ---- native draws are the reference's


@pytest.mark.parametrize("n", SIZES)
def test_native_floats(n, isa_any_threads):
    for key in KEYS[1:3]:
        for low, high in ((0.0, 1.0), (-0.3, 0.7), (2.0, 2.0), (1e8, 1e8 + 1), (-1e38, 1e38)):
            for dtype in (FLOAT32, FLOAT64):
                y = on_all_threads(native.uniform, (n,), low, high, key, dtype)
                exact = REFERENCE.uniform((n,), low, high, key, dtype)
                assert y.dtype == exact.dtype == dtype
                if dtype == FLOAT32:
                    assert y.tobytes() == exact.tobytes()
                else:  # one rounding with fused multiply-add, two without
                    np.testing.assert_allclose(y, exact, rtol=4e-16, atol=2e-16 * (high - low))
        for dtype, rtol in ((FLOAT32, 6e-8), (FLOAT64, 1e-15)):
            y = on_all_threads(native.normal, (n,), 0.0, 1.0, key, dtype)
            exact = REFERENCE.normal((n,), 0.0, 1.0, key, dtype)
            assert y.dtype == dtype
            np.testing.assert_allclose(y, exact, rtol=rtol, atol=1e-16)
            shifted = on_all_threads(native.normal, (n,), 5.0, 0.1, key, dtype)
            np.testing.assert_allclose(shifted, REFERENCE.normal((n,), 5.0, 0.1, key, dtype), rtol=2 * rtol)


@pytest.mark.parametrize(
    "low, high",
    [(0, 1), (0, 10), (-5, 5), (0, 2**32), (0, 2**63), (3, 2**63 - 1), (-(2**63), 2**63), (-(2**63), 2**63 - 1)],
)
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 20000])
def test_native_integers(low, high, n, isa_any_threads):
    y = on_all_threads(native.integers, (n,), low, high, KEYS[1])
    assert y.dtype == "int64" and (y == REFERENCE.integers((n,), low, high, KEYS[1])).all()
    numbers = REFERENCE.random_words(2 * n, KEYS[1]).view("uint64").tolist()
    assert y.tolist() == [low + (v * (high - low) >> 64) for v in numbers]


@pytest.mark.parametrize("p", [1e-13, 0.1, 0.5, 0.9, 1 - 1e-13, 1.0])
@pytest.mark.parametrize("n", SIZES)
def test_native_dropout(n, p, isa_any_threads):
    x = np.random.default_rng(0).standard_normal(n).astype("float32")
    y = on_all_threads(native.dropout, x, p, KEYS[1])
    assert y.tobytes() == REFERENCE.dropout(x, p, KEYS[1]).tobytes()
    assert native.dropout(x.astype("float64"), p, KEYS[1]) is NotImplemented


def test_an_element_does_not_depend_on_how_many_there_are():
    for draw in (lambda k, n: k.random_words(n, (1, 2)), lambda k, n: k.uniform((n,), 0.0, 1.0, (1, 2), FLOAT64),
                 lambda k, n: k.normal((n,), 0.0, 1.0, (1, 2), FLOAT32), lambda k, n: k.integers((n,), 0, 9, (1, 2))):  # fmt: skip
        for k in (REFERENCE, CPU):
            whole = draw(k, 500)
            for n in (1, 2, 7, 130, 499):
                assert (draw(k, n) == whole[:n]).all()


def test_both_backends_give_the_same_tensors():
    def draws():
        engine.manual_seed(3)
        return [t.numpy().tobytes() for t in (
            engine.rand(7, 5), engine.randn(3, 3), engine.randint(-9, 9, (100,)), engine.randperm(1000),
            engine.bernoulli(engine.full((99,), 0.3)), engine.multinomial(engine.arange(1.0, 20.0), 9),
            engine.nn.functional.dropout(engine.ones(300)), engine.zeros(50).exponential_(), engine.zeros(9).random_(),
        )]  # fmt: skip

    on_cpu = draws()
    with engine.use_backend("reference"):
        assert draws() == on_cpu


# ---- what the numbers are like


def test_uniform_numbers():
    x = engine.rand(200_000, generator=Generator().manual_seed(1))
    assert x.dtype == engine.float32 and 0 <= x.min().item() < 1e-4 and 1 - 1e-4 < x.max().item() < 1
    assert stats.kstest(x.numpy(), "uniform").pvalue > 1e-3
    y = engine.rand(200_000, dtype=engine.float64, generator=Generator().manual_seed(1)).numpy()
    assert stats.kstest(y, "uniform").pvalue > 1e-3 and (y * 2.0**53 == np.rint(y * 2.0**53)).all()
    assert (y * 2.0**30 != np.rint(y * 2.0**30)).mean() > 0.99  # more than 30 bits
    assert abs(np.corrcoef(y[:-1], y[1:])[0, 1]) < 0.01


def test_uniform_numbers_stay_below_the_limit():
    x = engine.empty(100_000).uniform_(1, 1 + 2**-23)
    assert (x == 1).all()
    assert (engine.empty(1000).uniform_(3, 3) == 3).all()


@pytest.mark.parametrize("dtype", [engine.float32, engine.float64])
def test_normal_numbers(dtype):
    x = engine.randn(400_001, dtype=dtype, generator=Generator().manual_seed(2)).numpy().astype("float64")
    assert stats.kstest(x, "norm").pvalue > 1e-3
    assert stats.kstest(x[:-1:2] ** 2 + x[1::2] ** 2, "chi2", args=(2,)).pvalue > 1e-3  # pairs are independent
    assert 4.2 < np.abs(x).max() < 6.7
    y = engine.empty(100_000).normal_(3, 0.5)
    assert abs(y.mean().item() - 3) < 0.01 and abs(y.std().item() - 0.5) < 0.01
    assert (engine.empty(10).normal_(3, 0) == 3).all()


def test_other_distributions():
    engine.manual_seed(0)
    x = engine.empty(100_000).exponential_(2.5).numpy()
    assert (x >= 0).all() and stats.kstest(x, "expon", args=(0, 1 / 2.5)).pvalue > 1e-3
    counts = np.bincount(engine.randint(10, (100_000,)).numpy(), minlength=10)
    assert len(counts) == 10 and stats.chisquare(counts).pvalue > 1e-3
    for p in (0.0, 0.25, 1.0):
        assert abs(engine.bernoulli(engine.full((40_000,), p)).mean().item() - p) < 0.01
    p = engine.tensor([0.0, 0.2, 1.0])
    shares = engine.zeros(30_000, 3).bernoulli_(p).mean(0)
    assert shares[0] == 0 and shares[2] == 1 and abs(shares[1].item() - 0.2) < 0.02
    weights = engine.tensor([1.0, 0.0, 3.0, 4.0])
    drawn = np.bincount(engine.multinomial(weights, 80_000, replacement=True).numpy(), minlength=4)
    assert drawn[1] == 0 and stats.chisquare(drawn[[0, 2, 3]], np.array([1, 3, 4]) * 10_000).pvalue > 1e-3
    first = np.bincount(engine.multinomial(weights.expand(80_000, 4), 2).numpy()[:, 0], minlength=4)
    assert first[1] == 0 and stats.chisquare(first[[0, 2, 3]], np.array([1, 3, 4]) * 10_000).pvalue > 1e-3


def test_permutations():
    for n in (0, 1, 2, 1000):
        assert sorted(engine.randperm(n).tolist()) == list(range(n))
    generator = Generator().manual_seed(0)
    seen = [tuple(engine.randperm(4, generator=generator).tolist()) for _ in range(4800)]
    orders, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(orders) == 24 and stats.chisquare(counts).pvalue > 1e-3


def test_dropout():
    x = engine.ones(100_000, requires_grad=True)
    y = engine.dropout(x, 0.3, generator=Generator().manual_seed(1))
    values, counts = np.unique(y.detach().numpy(), return_counts=True)
    np.testing.assert_allclose(values, [0, 1 / 0.7], rtol=1e-6)
    assert abs(counts[0] / 100_000 - 0.3) < 0.01
    y.sum().backward()
    assert (x.grad == y.detach()).all()
    assert engine.dropout(x, 0.3, training=False) is x and engine.dropout(x, 0.0) is x
    assert (engine.dropout(x, 1.0) == 0).all()


# ---- generators


def test_seeds_and_states():
    a, b = Generator().manual_seed(5), Generator().manual_seed(5)
    assert a.initial_seed() == 5 and a.device.type == "cpu"
    assert engine.rand(9, generator=a).tolist() == engine.rand(9, generator=b).tolist()
    state = a.get_state()
    assert state.dtype == engine.uint8 and state.shape == (16,)
    first, second = engine.randn(3, generator=a).tolist(), engine.randn(3, generator=a).tolist()
    assert first != second
    b.set_state(state)
    assert engine.randn(3, generator=b).tolist() == first
    for other in (copy.deepcopy(b), pickle.loads(pickle.dumps(b))):
        assert engine.randn(3, generator=other).tolist() == second
    assert engine.randn(3, generator=b).tolist() == second
    assert Generator().manual_seed(-1).initial_seed() == ONES
    assert a.seed() == a.initial_seed() != b.seed()
    assert (
        len({tuple(engine.rand(4, generator=Generator().manual_seed(s)).tolist()) for s in (0, 1, 2**32, 2**63)}) == 4
    )


def test_the_default_generator():
    assert engine.manual_seed(7) is default_generator and engine.initial_seed() == 7
    state = engine.get_rng_state()
    with engine.random.fork_rng():
        first = engine.rand(3).tolist()
    assert engine.rand(3).tolist() == first and engine.rand(3).tolist() != first
    engine.set_rng_state(state)
    assert engine.rand(3).tolist() == first
    assert engine.seed() == engine.initial_seed()


def test_refused_seeds_states_and_devices():
    for error, value in ((RuntimeError, 1.5), (RuntimeError, "a"), (ValueError, 2**64), (ValueError, -(2**63) - 1)):
        with pytest.raises(error, match="manual_seed expect"):
            Generator().manual_seed(value)
    for error, state in ((TypeError, 3), (TypeError, engine.zeros(16)), (RuntimeError, engine.zeros(5, dtype="uint8"))):
        with pytest.raises(error, match="get_state"):
            Generator().set_state(state)
    with pytest.raises(RuntimeError, match="use 'cpu'"):
        Generator("meta")
    with pytest.raises(TypeError, match="generator must be an engine.Generator or None, got int"):
        engine.rand(2, generator=3)


def test_derived_generators():
    seeds = {derived((seed, stream), i).initial_seed() for seed in range(3) for stream in range(3) for i in range(99)}
    assert len(seeds) == 3 * 3 * 99
    assert derived((5, 6), 7).initial_seed() == derived((5, 6), 7).initial_seed()
    upper, key = 6 | 1 << 63, (5, 0)
    assert derived((5, 6), 7).initial_seed() & 0xFFFFFFFF == philox((7, 0, upper & 0xFFFFFFFF, upper >> 32), key)[0]
    assert derived((ONES, 2**63 - 1), ONES).initial_seed() < 2**64
    starts = [engine.rand(1, generator=derived((1, 1), i)).item() for i in range(2000)]
    assert stats.kstest(starts, "uniform").pvalue > 1e-3


def test_the_generator_of_a_thread():
    generator = Generator().manual_seed(3)
    expected = engine.rand(2, generator=Generator().manual_seed(3)).tolist()
    other = []
    with drawing_from(generator):
        assert chosen() is generator and chosen(default_generator) is default_generator
        thread = threading.Thread(target=lambda: other.append(chosen()))
        thread.start()
        thread.join()
        assert engine.rand(2).tolist() == expected
    assert chosen() is default_generator and other == [default_generator]


# ---- functions of torch


def test_shapes_and_dtypes():
    assert engine.rand(2, 3).shape == engine.rand((2, 3)).shape == engine.randn(size=(2, 3)).shape == (2, 3)
    assert engine.rand(()).shape == () and engine.rand(0, 3).shape == (0, 3)
    x = engine.zeros(2, 3, dtype=engine.float64)
    assert engine.rand_like(x).dtype == engine.randn_like(x).dtype == engine.randint_like(x, 5).dtype == engine.float64
    assert engine.randint_like(x, 2, 4).min() >= 2 and engine.rand_like(x, dtype=engine.float32).dtype == engine.float32
    assert engine.randint(5, (3,)).dtype == engine.int64
    assert engine.randint(0, 255, (3,), dtype=engine.uint8).dtype == engine.uint8
    assert engine.randint(low=3, high=4, size=(2,)).tolist() == engine.randint(high=4, size=(2,), low=3).tolist()
    assert engine.randperm(3, dtype=engine.float32).dtype == engine.float32
    assert engine.rand(2, requires_grad=True).requires_grad
    assert engine.normal(0.0, 1.0, (2, 3)).shape == engine.normal(x, 1).shape == (2, 3)
    assert engine.normal(x, 2.0).dtype == engine.float64 and engine.normal(0, engine.ones(4)).shape == (4,)
    assert engine.normal(engine.zeros(2, 1), engine.ones(3)).shape == (2, 3)
    assert (engine.normal(engine.arange(3.0), engine.zeros(3)) == engine.arange(3.0)).all()
    assert engine.multinomial(engine.ones(2, 3), 2).shape == (2, 2)
    assert engine.multinomial(engine.tensor([1.0, 0.0, 0.0]), 2).tolist() == [0, 1]
    assert engine.bernoulli(engine.zeros(3), 1.0).tolist() == [1, 1, 1]
    assert engine.zeros(3).bernoulli(0.0).tolist() == [0, 0, 0]


def test_random_in_place():
    for dtype, low, high in (
        ("uint8", 0, 255),
        ("int8", 0, 127),
        ("bool", 0, 1),
        ("float32", 0, 2**24),
        ("int64", 0, 2**63 - 1),
    ):
        x = engine.zeros(5000, dtype=dtype)
        assert x.random_() is x
        assert low <= int(x.min()) and int(x.max()) <= high and len(set(x.tolist())) > (1 if dtype == "bool" else 99)
    x = engine.zeros(3000)
    assert sorted(set(x.random_(3).tolist())) == [0, 1, 2]
    assert sorted(set(x.random_(-2, 1).tolist())) == [-2, -1, 0]
    assert sorted(set(x.random_(5, to=7).tolist())) == [5, 6]
    assert sorted(set(x.random_(**{"from": 1, "to": 3}).tolist())) == [1, 2]
    assert x.uniform_(**{"from": 4, "to": 5}).min() >= 4


@pytest.mark.parametrize(
    "error, call, text",
    [
        (NotImplementedError, lambda: engine.rand(2, dtype="int64"), "rand: not implemented for int64"),
        (NotImplementedError, lambda: engine.zeros(2, dtype="int64").normal_(), "normal_: not implemented for int64"),
        (NotImplementedError, lambda: engine.randn_like(engine.zeros(2, dtype="int32")), "int32"),
        (NotImplementedError, lambda: engine.bernoulli(engine.tensor([0, 1])), "bernoulli: not implemented for int64"),
        (TypeError, lambda: engine.rand(), "sizes are given"),
        (TypeError, lambda: engine.rand(2, size=(2,)), "sizes are given"),
        (TypeError, lambda: engine.randint(10, 3), "with a tuple size"),
        (TypeError, lambda: engine.randint(0, 1.5, (2,)), "integer"),
        (TypeError, lambda: engine.normal(0.0, 1.0), "takes a size"),
        (TypeError, lambda: engine.zeros(2).random_(1, 2, 3), "takes `from`, `to` and `generator`"),
        (TypeError, lambda: engine.zeros(2).uniform_(0, to=1, a=3), "takes `from`, `to` and `generator`"),
        (RuntimeError, lambda: engine.randint(5, 5, (2,)), "less than 'to', but got from=5 >= to=5"),
        (RuntimeError, lambda: engine.randint(0, 300, (2,), dtype="uint8"), "0 to 299 is out of bounds for uint8"),
        (RuntimeError, lambda: engine.randint(-1, 3, (2,), dtype="uint8"), "-1 to 2 is out of bounds for uint8"),
        (RuntimeError, lambda: engine.randint(0, 2**64, (2,)), "out of bounds for int64"),
        (RuntimeError, lambda: engine.randperm(300, dtype="uint8"), "299 does not fit into uint8"),
        (RuntimeError, lambda: engine.randperm(-1), "negative dimension -1"),
        (RuntimeError, lambda: engine.zeros(2).uniform_(1, 0), "found from=1.0 > to=0.0"),
        (RuntimeError, lambda: engine.zeros(2).uniform_(-3e38, 3e38), "too wide for float32"),
        (RuntimeError, lambda: engine.zeros(2).uniform_(0, float("inf")), "too wide for float32"),
        (RuntimeError, lambda: engine.zeros(2).normal_(0, -1), "found std -1"),
        (RuntimeError, lambda: engine.zeros(2).exponential_(0), "found lambda=0"),
        (RuntimeError, lambda: engine.zeros(2).bernoulli_(1.5), "but got p from 1.5"),
        (RuntimeError, lambda: engine.zeros(2).bernoulli_(engine.tensor([0.5, float("nan")])), "expects p to be in"),
        (RuntimeError, lambda: engine.zeros(3).bernoulli_(engine.zeros(2, 3)), "does not broadcast"),
        (RuntimeError, lambda: engine.normal(engine.zeros(2), -engine.ones(2)), "all elements of std >= 0.0"),
        (RuntimeError, lambda: engine.multinomial(engine.tensor([1, 2]), 1), "floating-point dtypes for input, got: int64"),
        (RuntimeError, lambda: engine.multinomial(engine.ones(2, 2, 2), 1), "1 or 2 dim"),
        (RuntimeError, lambda: engine.multinomial(engine.ones(3), 4), "without replacement: 4 > 3"),
        (RuntimeError, lambda: engine.multinomial(engine.ones(3), 0), "n_sample <= 0"),
        (RuntimeError, lambda: engine.multinomial(engine.zeros(3), 1), "sum of probabilities <= 0"),
        (RuntimeError, lambda: engine.multinomial(engine.tensor([-1.0, 2.0]), 1), "element < 0"),
        (RuntimeError, lambda: engine.multinomial(engine.tensor([float("inf"), 2.0]), 1), "element < 0"),
        (RuntimeError, lambda: engine.zeros(2, requires_grad=True).uniform_(), "leaf"),
    ],
)  # fmt: skip
def test_refusals(error, call, text):
    with pytest.raises(error, match=text):
        call()
