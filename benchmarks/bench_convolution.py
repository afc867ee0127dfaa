"""Convolutions of lenet5 and mnistnet in all directions, by every algorithm that applies, on every instruction set."""

from functools import lru_cache

import numpy
import pytest

from benchmarks import shapes
from benchmarks.sections.convolutions import convolution_arrays
from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry


def geometry(c):
    return Conv2dGeometry.of(c.x_shape, c.w_shape, c.stride, c.padding, 1, c.groups)


CASES = [
    pytest.param(c, direction, algorithm.name, id=f"{c}, {direction}, {algorithm.name}")
    for c in shapes.CONVOLUTIONS
    if c.name.startswith(("lenet5", "mnistnet"))
    for direction in c.directions
    for algorithm in convolution.TABLES[direction]
    if algorithm.applies(geometry(c))
]


@lru_cache(maxsize=1)
def problem(c, direction):
    """The arguments of the direction's kernel, and the reference's answer in float64."""
    geom = geometry(c)
    a = convolution_arrays(c)
    kernel, names = {
        "forward": ("conv2d", "xwb"),
        "dx": ("conv2d_dx", "gw"),
        "dw": ("conv2d_dw", "gx"),
    }[direction]
    exact = getattr(backends.get("reference"), kernel)
    return (*(a[n] for n in names), geom), exact(*(a[n].astype("float64") for n in names), geom)


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
