"""The tests of the tests: a derivative or a kernel that is slightly wrong is caught."""

import numpy as np
import pytest
from checks import assert_close, assert_equals_reference, noncontiguous
from op_table import ROWS
from samples import Row, S

from engine import backends, tensor
from engine.autograd import GradcheckError, gradcheck
from engine.backends.reference import Reference
from engine.tensor import record


def scaled_exp(error):
    """exp whose derivative is wrong by a factor of 1 + error."""

    def f(x):
        k = x._k
        y = k.exp(x._array)
        return record("exp", k, y, (lambda g: g * y * (1 + error),), (x,))

    return f


@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (2, 3, 7)])
def test_gradcheck_catches_a_gradient_wrong_by_a_thousandth(shape):
    x = tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    assert gradcheck(scaled_exp(0.0), x)
    with pytest.raises(GradcheckError, match="analytic"):
        gradcheck(scaled_exp(1e-3), x)
    assert not gradcheck(scaled_exp(1e-3), x, raise_exception=False)


def test_assert_close_catches_values_shapes_and_dtypes():
    a = np.linspace(-1, 1, 12).reshape(3, 4)
    assert_close(a.astype("float32"), a, 1e-6, "")
    for wrong in (a * (1 + 1e-4), a.reshape(4, 3), a.astype("int64"), a[0]):
        with pytest.raises(AssertionError):
            assert_close(wrong, a, 1e-6, "")


class Wrong(Reference):
    """A backend that is wrong in one place."""

    def neg(self, a, out=None):
        return -a * a.dtype.type(1 + 1e-4)

    def relu_dx(self, g, y):
        g[y <= 0] = 0
        return g

    def exp(self, a, out=None):
        a += 1
        return np.exp(a - 1)


@pytest.mark.parametrize("name", ["neg", "exp", "relu"])
def test_a_kernel_that_is_wrong_or_writes_into_what_it_is_given_is_caught(name):
    row = next(r for r in ROWS if r.name == name)
    reference = backends.get("reference")
    assert_equals_reference(reference, reference, row, row.samples[0], 2e-6)
    with pytest.raises(AssertionError):
        assert_equals_reference(Wrong(), reference, row, row.samples[0], 2e-6)


def test_noncontiguous_keeps_the_values():
    a = np.arange(24.0).reshape(2, 3, 4)
    b = noncontiguous(a)
    assert not b.flags.c_contiguous and (a == b).all()


def test_samples_are_told_apart():
    assert repr(S((2, 3), dim=1)) != repr(S((2, 3), dim=0))
    assert Row("x", []).gradient == ""
