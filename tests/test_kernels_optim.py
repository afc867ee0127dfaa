"""The optimisers' kernels against the reference in float64, on every instruction set and number of threads."""

import numpy as np
import pytest
from checks import same_bits

from engine.backends.reference import Reference
from engine_ext import optim, parallel

pytestmark = pytest.mark.usefixtures("isa_any_threads")

SIZES = [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 127, 1009, 16384, 16385, 40001]
EPS = float(np.finfo("float32").eps)
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e15, -1e15, 1e-30], dtype="float32")
_ADAM = [  # step, lr, beta1, beta2, eps, weight_decay
    (1, 0.01, 0.9, 0.999, 1e-8, 0.0), (1000, 0.02, 0.3, 0.99, 1e-3, 0.1), (7, 0.02, 0.0, 0.9, 1e-8, 0.1),
]  # fmt: skip
# name -> (what each list of state holds: "mean", "square" (at least 0) or None, the numbers behind the lists)
CALLS = {
    "sgd": [(("mean",), (0.1, 0.9, 0.3, 0.01, False, maximize, first)) for maximize in (0, 1) for first in (0, 1)]
    + [(("mean",), (0.1, 0.9, 0.0, 0.01, True, False, False)), ((None,), (0.1, 0.0, 0.0, 0.0, False, False, False))],
    "adam": [(("mean", "square"), (*o, d, m)) for o in _ADAM for d in (False, True) for m in (False, True)],
    "amsgrad": [(("mean", "square", "square"), (*o, d, m)) for o in _ADAM for d in (False, True) for m in (False, True)],
    "nadam": [(("mean", "square"), (*o, d, m, 0.004, 0.007)) for o in _ADAM for d in (False, True) for m in (False, True)],
    "radam": [(("mean", "square"), (*o, d, m)) for o in _ADAM for d in (False, True) for m in (False, True)],
    "adamax": [(("mean", "square"), (*o, m)) for o in _ADAM for m in (False, True)],
    "rmsprop": [
        (("square", "mean" if centred else None, "mean" if heavy else None),
         (0.01, alpha, 1e-3, decay, 0.9 if heavy else 0.0, maximize))
        for centred in (False, True) for heavy in (False, True) for alpha, decay, maximize in ((0.99, 0.0, False), (0.6, 0.1, True))
    ],
    "adagrad": [(("square",), (0.1, 1e-10, 0.0, False)), (("square",), (0.1, 1e-3, 0.1, True))],
    "adadelta": [(("square", "square"), (1.0, 0.9, 1e-6, 0.0, False)), (("square", "square"), (0.5, 0.7, 1e-3, 0.1, True))],
    "lion": [(("mean",), (0.01, 0.9, 0.99, 0.0, False)), (("mean",), (0.02, 0.3, 0.4, 0.5, True))],
}  # fmt: skip
CASES = [(name, lists, numbers) for name, calls in CALLS.items() for lists, numbers in calls]
IDS = [f"{name}-{'-'.join(str(v) for v in (*lists, *numbers))}" for name, lists, numbers in CASES]


def drawn(lists, sizes):
    """Parameters, gradients and states; squares are well above the square of any mean, as those of one run are."""
    rng = np.random.default_rng(0)

    def draw(kind, n):
        x = rng.uniform(-1, 1, n).astype("float32")
        return x * x + np.float32(3) if kind == "square" else x

    return [None if kind is None else [draw(kind, n) for n in sizes] for kind in ("mean", "mean", *lists)]


def copied(lists, dtype="float32"):
    return [None if arrays is None else [a.astype(dtype) for a in arrays] for arrays in lists]


@pytest.mark.parametrize("name, lists, numbers", CASES, ids=IDS)
def test_against_the_reference(name, lists, numbers):
    before = drawn(lists, SIZES)
    truth = copied(before, "float64")
    getattr(Reference(), name)(*truth, *numbers)
    results = []
    for threads in (1, 2, 3, 4, 7):
        parallel.set_num_threads(threads)
        after = copied(before)
        assert getattr(optim, name)(*after, *numbers) is None
        results.append(after)
    for got, exact, old in zip(results[0], truth, before, strict=True):
        for a, b, c in zip(got or (), exact or (), old or (), strict=True):
            np.testing.assert_allclose(a, b, rtol=8 * EPS, atol=8 * EPS * max(np.abs(c).max(initial=0), 1))
    assert all(same_bits(a, b) for a, b in zip(results[0][1], before[1], strict=True))  # the gradients
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert all(same_bits(x, y) for x, y in zip(a or (), b or (), strict=True))


@pytest.mark.parametrize("name, lists, numbers", CASES, ids=IDS)
def test_odd_values(name, lists, numbers):
    """What is not finite comes out where the reference has it: nothing is lost in a comparison."""
    n = len(ODD) ** 2
    before = drawn(lists, [n])
    before[0][0][:], before[1][0][:] = np.repeat(ODD, len(ODD)), np.tile(ODD, len(ODD))
    truth, got = copied(before), copied(before)
    with np.errstate(all="ignore"):
        getattr(Reference(), name)(*truth, *numbers)
    getattr(optim, name)(*got, *numbers)
    for a, b in zip(got, truth, strict=True):
        if a is not None:
            finite = np.isfinite(b[0])
            np.testing.assert_array_equal(a[0][~finite], b[0][~finite])
            np.testing.assert_allclose(a[0][finite], b[0][finite], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_lists_that_do_not_fit_are_refused_before_anything_changes(name):
    lists, numbers = next(call for call in CALLS[name] if None not in call[0])
    good = drawn(lists, [5, 70])
    kernel = getattr(optim, name)
    for at in range(len(good)):
        for bad in ([good[at][0]], [good[at][0], np.ones(71, "float32")], [good[at][0], good[at][1].astype("float64")],
                    [good[at][0], np.ones(140, "float32")[::2]], [good[at][0], None], []):  # fmt: skip
            given = copied(good)
            given[at] = bad
            assert kernel(*given, *numbers) is NotImplemented
            kept = [arrays for i, arrays in enumerate(given) if i != at]
            expected = [arrays for i, arrays in enumerate(good) if i != at]
            for a, b in zip(kept, expected, strict=True):
                assert all(same_bits(x, y) for x, y in zip(a, b, strict=True))
        if at != 1:
            given = copied(good)
            given[at][0].flags.writeable = False
            assert kernel(*given, *numbers) is NotImplemented
    assert kernel(*[[] for _ in good], *numbers) is None
    with pytest.raises(TypeError):
        kernel(None, *good[1:], *numbers)


@pytest.mark.parametrize("name", ["adam", "amsgrad", "nadam", "radam", "adamax"])
def test_steps_count_from_1(name):
    lists, numbers = CALLS[name][0]
    with pytest.raises(ValueError, match="step counts from 1, got 0"):
        getattr(optim, name)(*drawn(lists, [5]), 0, *numbers[1:])
