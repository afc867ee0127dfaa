"""gradcheck: accepts right derivatives, catches one that is wrong by a tenth of a per cent."""

from functools import partial

import numpy as np
import pytest

import engine
from engine.autograd import GradcheckError, gradcheck
from engine.tensor import record


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def normal(*shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return engine.tensor(values, dtype="float64", requires_grad=True)


def _wrong(x, factor):
    """sin-like: x**3, whose derivative is wrong by `factor`."""
    a = x._array
    return record("wrong", x._k, a**3, (lambda g: g * 3 * a**2 * factor,), (x,))


def test_gradcheck_accepts_right_derivatives():
    assert gradcheck(lambda x: _wrong(x, 1.0), normal(3, 4))
    assert gradcheck(lambda x, y: (x @ y).exp().sum(), (normal(3, 4), normal(4, 2, seed=1)))
    assert gradcheck(lambda x: (x.max(1)[0], x.max(1)[1]), normal(5, 3)), "integer outputs are left out"
    assert gradcheck(lambda x, n: x * n, (normal(3), 4)), "arguments need not be Tensors"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4, 5)])
def test_gradcheck_catches_a_gradient_wrong_by_a_tenth_of_a_per_cent(shape, seed):
    x = normal(*shape, seed=seed)
    assert gradcheck(lambda x: _wrong(x, 1.0), x, seed=seed)
    for factor in (1.001, 0.999):
        wrong = partial(_wrong, factor=factor)
        assert not gradcheck(wrong, x, seed=seed, raise_exception=False)
        with pytest.raises(GradcheckError, match="disagrees with a central difference: analytic"):
            gradcheck(wrong, x, seed=seed)


def test_gradcheck_refuses_what_it_cannot_judge():
    with pytest.raises(ValueError, match="float64"):
        gradcheck(lambda x: x * 2, engine.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(lambda x: x * 2, engine.ones(2, dtype="float64"))
