"""The reference is right: every derivative against central differences in float64, along random directions."""

import numpy as np
import pytest
from checks import arrays_of
from op_table import ROWS

import engine
from engine import ops
from engine.autograd import gradcheck
from engine.ops import _op
from engine.ops._op import OPS
from engine.tensor import wrap

CASES = [pytest.param(row, sample, id=f"{row.name}-{sample!r}") for row in ROWS for sample in row.samples]


def operation(name):
    """The operation on Tensors of a row's name."""
    return next(getattr(family, name) for family in (*ops.FAMILIES, _op) if name in OPS and hasattr(family, name))


def tensors_of(row, sample):
    k = engine.backends.get("reference")
    tensors = []
    for i, a in enumerate(arrays_of(row, sample, "float64")):
        wanted = a is not None and a.dtype.kind == "f" and not row.gradient and i not in row.constants
        tensors.append(None if a is None else wrap(a, k).requires_grad_(wanted))
    return tensors


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_gradient(row, sample):
    f, tensors = operation(row.name), tensors_of(row, sample)

    def call(*inputs):
        return f(list(inputs), **sample.params) if row.listed else f(*inputs, **sample.params)

    if row.gradient:
        y = call(*tensors)
        assert all(not t.requires_grad for t in (y if isinstance(y, tuple) else (y,)))
        return
    # The operations with several outputs differentiate the first; statistics and indices beside it are constants.
    first = lambda *inputs: y[0] if isinstance(y := call(*inputs), tuple) else y  # noqa: E731
    for seed in range(3):
        assert gradcheck(first, tuple(tensors), eps=1e-6, atol=1e-6, rtol=1e-5, seed=seed)


def test_every_input_that_requires_a_gradient_gets_one_of_its_shape():
    for row in ROWS:
        if row.gradient:
            continue
        tensors, params = tensors_of(row, row.samples[0]), row.samples[0].params
        y = operation(row.name)(tensors, **params) if row.listed else operation(row.name)(*tensors, **params)
        (y[0] if isinstance(y, tuple) else y).sum().backward()
        for t in tensors:
            if t is not None and t.requires_grad:
                assert t.grad is not None and t.grad.shape == t.shape and t.grad.dtype == np.float64, row.name
