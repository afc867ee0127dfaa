"""Dilated convolutions taken apart into plain ones: shapes that do not divide, any padding, every instruction set."""

import numpy as np
import pytest
from checks import assert_close

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import parallel, phases

REFERENCE = backends.get("reference")
SHAPES = [  # x, outputs, padding, dilation
    ((2, 3, 9, 11), 4, 2, 2), ((1, 17, 14, 14), 33, 2, 2), ((2, 2, 13, 21), 3, (1, 0, 3, 5), (1, 2)), ((1, 2, 12, 30), 2, 0, 3),
    ((2, 4, 12, 10), 5, (4, 9, 0, 7), (3, 1)), ((0, 2, 9, 9), 3, 2, 2), ((1, 1, 5, 5), 1, 2, 2), ((1, 2, 1, 7), 2, 6, (3, 4)),
    ((1, 18, 33, 31), 16, 5, 5), ((2, 2, 3, 3), 2, 8, 4),
]  # fmt: skip


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("x_shape, outputs, padding, dilation", SHAPES)
def test_equals_the_reference(isa, x_shape, outputs, padding, dilation):
    geom = Conv2dGeometry.of(x_shape, (outputs, x_shape[1], 3, 3), 1, padding, dilation)
    assert convolution.dilated_3x3(geom)
    x, w, b, g = normal(geom.x_shape), normal(geom.w_shape, 1), normal(geom.o, 2), normal(geom.y_shape, 3)
    wide = [a.astype("float64") for a in (x, w, b, g)]
    assert_close(phases.conv2d(x, w, b, geom), REFERENCE.conv2d(*wide[:3], geom), 1.5e-5, "forward")
    assert_close(phases.conv2d(x, w, None, geom), REFERENCE.conv2d(*wide[:2], None, geom), 1.5e-5, "without bias")
    assert_close(phases.conv2d_dx(g, w, geom), REFERENCE.conv2d_dx(wide[3], wide[1], geom), 1.5e-5, "dx")
    assert_close(phases.conv2d_dw(g, x, geom), REFERENCE.conv2d_dw(wide[3], wide[0], geom), 5e-5, "dw")


def test_same_bits_for_any_threads(isa_any_threads):
    geom = Conv2dGeometry.of((3, 17, 15, 22), (18, 17, 3, 3), 1, 2, 2)
    x, w, g = normal(geom.x_shape), normal(geom.w_shape, 1), normal(geom.y_shape, 3)
    results = set()
    for threads in (1, 2, 3, 4, 7):
        parallel.set_num_threads(threads)
        results.add(
            b"".join(
                a.tobytes()
                for a in (phases.conv2d(x, w, None, geom), phases.conv2d_dx(g, w, geom), phases.conv2d_dw(g, x, geom))
            )
        )
    assert len(results) == 1


def test_is_taken_where_it_wins():
    for shape in (8, 64, 32, 32), (8, 256, 14, 14):
        geom = Conv2dGeometry.of(shape, (shape[1], shape[1], 3, 3), 1, 2, 2)
        assert {convolution.choose(d, geom).name for d in convolution.TABLES} == {"phases"}


def test_refuses_what_does_not_fit():
    geom = Conv2dGeometry.of((2, 3, 9, 9), (4, 3, 3, 3), 1, 2, 2)
    x, w, g = normal(geom.x_shape), normal(geom.w_shape), normal(geom.y_shape)
    assert phases.conv2d(x.astype(float), w, None, geom) is NotImplemented
    assert phases.conv2d_dx(g[:, :, ::-1], w, geom) is NotImplemented
    assert phases.conv2d_dw(g, x.astype(float), geom) is NotImplemented
    with pytest.raises(ValueError, match="x has shape"):
        phases.conv2d(x[:1], w, None, geom)
    with pytest.raises(ValueError, match="w has shape"):
        phases.conv2d_dx(g, normal((4, 3, 5, 5)), geom)
    with pytest.raises(ValueError, match="b has shape"):
        phases.conv2d(x, w, normal(3), geom)
    with pytest.raises(ValueError, match="g has shape"):
        phases.conv2d_dw(g[:, :2].copy(), x, geom)
    for w_shape, stride, padding, dilation in (
        ((4, 3, 3, 3), 2, 2, 2), ((4, 3, 5, 5), 1, 2, 2), ((4, 3, 3, 3), 1, 1, 5),
    ):  # fmt: skip
        other = Conv2dGeometry.of((2, 3, 9, 9), w_shape, stride, padding, dilation)
        assert not convolution.dilated_3x3(other)
        with pytest.raises(ValueError, match="not a dilated"):
            phases.conv2d(x, normal(w_shape), None, other)
