"""Matrix products on every instruction set, checked by a random vector."""

from functools import lru_cache

import numpy
import pytest

from benchmarks import shapes
from benchmarks.sections import products
from engine_ext import gemm


@lru_cache(maxsize=1)
def operands(p):
    """a, b (views of transposed memory where the form says so), v, and a(bv) in float64."""
    arrays = products.product_arrays(p)
    a = arrays["a"].T if p.form[0] == "t" else arrays["a"]
    b = arrays["b"].T if p.form[1] == "t" else arrays["b"]
    return a, b, arrays["v"], products.product_by_vector(p, arrays)


@pytest.mark.parametrize("p", (*shapes.CUBES, *shapes.LINEAR), ids=str)
def test_matmul(p, isa, threads, rate):
    a, b, v, expected = operands(p)
    y = gemm.matmul(a, b)
    difference = numpy.linalg.norm(y.astype("float64") @ v - expected)
    assert difference <= products.TOLERANCE * numpy.linalg.norm(expected)
    rate(p.flops, gemm.matmul, a, b)
