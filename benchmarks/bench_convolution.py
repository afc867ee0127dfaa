"""Convolutions of lenet5 and mnistnet in all directions, by every algorithm that applies, on every instruction set."""

from functools import lru_cache

import numpy
import pytest

from benchmarks import shapes
from benchmarks.sections.algorithms import arguments
from engine import backends
from engine.backends import convolution

CASES = [
    pytest.param(c, direction, algorithm.name, id=f"{c}, {direction}, {algorithm.name}")
    for c in shapes.CONVOLUTIONS
    if c.name.startswith(("lenet5", "mnistnet"))
    for direction in c.directions
    for algorithm in convolution.TABLES[direction]
    if algorithm.applies(c.geometry)
]


@lru_cache(maxsize=1)
def problem(c, direction):
    """The arguments of the direction's kernel, and the reference's answer in float64."""
    given = arguments(c, direction)
    exact = getattr(backends.get("reference"), "conv2d" if direction == "forward" else f"conv2d_{direction}")
    return (*given, c.geometry), exact(*(a.astype("float64") for a in given), c.geometry)


@pytest.mark.parametrize("c, direction, name", CASES)
def test_convolution(c, direction, name, isa, rate):
    arguments, expected = problem(c, direction)
    with convolution.forced(name):
        algorithm = convolution.choose(direction, arguments[-1])
    y = algorithm.kernel(*arguments)
    assert y is not NotImplemented
    worst = numpy.abs(y - expected).max()
    assert worst <= algorithm.relative * numpy.sqrt(numpy.square(expected).mean())
    rate(c.flops, algorithm.kernel, *arguments)
