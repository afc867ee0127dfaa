"""Convolutions of 'cuda' by cuDNN: over a stand-in that is as strict, and as far as no GPU is needed with the real frontend."""

import importlib
import sys

import numpy as np
import pytest
from checks import arrays_of, assert_close, run
from op_table import ROWS
from stand_in import StandIn
from stand_in.cudnn import Module, numerical_note
from test_cuda import hosted, moved

from engine import backends
from engine.backends.cupy import cudnn
from engine.geometry import Conv2dGeometry

REFERENCE = backends.get("reference")
CASES = [pytest.param(row, s, id=f"{row.name}-{s!r}") for row in ROWS if row.convolution for s in row.samples]
GEOMETRY = Conv2dGeometry.of((2, 4, 7, 6), (6, 2, 3, 3), (2, 1), (1, 0, 1, 2), (1, 2), 2)


@pytest.fixture
def module(monkeypatch):
    module = Module()
    monkeypatch.setitem(sys.modules, "cudnn", module)
    return module


def normal(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def all_directions(k, geom):
    """What the three directions compute, on the host."""
    x, w, g, b = (
        k.from_numpy(normal(s, i)) for i, s in enumerate((geom.x_shape, geom.w_shape, geom.y_shape, (geom.o,)))
    )
    made = k.conv2d(x, w, b, geom), k.conv2d(x, w, None, geom), k.conv2d_dx(g, w, geom), k.conv2d_dw(g, x, geom)
    return [k.to_numpy(a) for a in (*made, k.conv2d_dx(g, w, geom, onto=k.from_numpy(normal(geom.x_shape, 9))))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("row", "sample"), CASES)
def test_every_convolution(row, sample, dtype, module):
    k = StandIn()
    outputs, gradients = run(k, row.name, moved(k, arrays_of(row, sample, dtype)), moved(k, sample.params))
    truth, true_gradients = run(REFERENCE, row.name, arrays_of(row, sample, "float64"), sample.params)
    for y, t in zip(hosted(k, outputs + gradients), truth + true_gradients, strict=True):
        assert (y is None) == (t is None)
        if t is not None:
            assert_close(y, t, 4 * row.tolerance, f"{row.name} {sample}")


def test_a_graph_is_built_once_for_a_direction_and_geometry(module):
    k, expected = StandIn(), all_directions(REFERENCE, GEOMETRY)
    for _ in range(2):
        for y, t in zip(all_directions(k, GEOMETRY), expected, strict=True):
            np.testing.assert_allclose(y, t, rtol=1e-4, atol=1e-4)
        assert [graph.direction for graph in module.built] == ["forward", "dx", "dw"]
    assert module.handle.stream == k.xp.cuda.get_current_stream().ptr


def test_plans_that_round_or_differ_from_call_to_call_are_refused(module):
    k = StandIn()
    for dtype, more in (
        ("float32", {numerical_note.TENSOR_CORE, numerical_note.DOWN_CONVERT_INPUTS}),
        ("float64", set()),
    ):
        x, w = (k.from_numpy(normal(s, 0).astype(dtype)) for s in (GEOMETRY.x_shape, GEOMETRY.w_shape))
        k.conv2d(x, w, None, GEOMETRY)
        assert set(module.notes) == {numerical_note.NONDETERMINISTIC, *more}


@pytest.mark.parametrize("refused", [["forward"], ["dx"], ["dw"], ["forward", "dx", "dw"]])
def test_what_cudnn_has_no_plan_for_is_left_to_products(refused, module):
    module.refused = refused
    k, expected = StandIn(), all_directions(REFERENCE, GEOMETRY)
    for _ in range(2):
        for y, t in zip(all_directions(k, GEOMETRY), expected, strict=True):
            np.testing.assert_allclose(y, t, rtol=1e-4, atol=1e-4)
    assert len(module.built) == 3 - len(refused)


@pytest.mark.parametrize("lack", [ImportError("no cudnn"), OSError("libcudnn.so.9"), RuntimeError("Create failed")])
def test_without_cudnn_there_are_products(lack, module, monkeypatch):
    def create_handle():
        raise lack

    monkeypatch.setattr(module, "create_handle", create_handle)
    k = StandIn()
    assert k._cudnn is None
    for y, t in zip(all_directions(k, GEOMETRY), all_directions(REFERENCE, GEOMETRY), strict=True):
        np.testing.assert_allclose(y, t, rtol=1e-4, atol=1e-4)


def test_nothing_asks_for_cudnn_before_a_convolution(module, monkeypatch):
    asked = []
    monkeypatch.setattr(cudnn, "found", lambda xp: asked.append(1))
    k = StandIn()
    k.relu(k.from_numpy(normal((3,), 0)))
    assert not asked
    all_directions(k, GEOMETRY)
    assert asked == [1]


def test_a_gpu_has_a_plan_for_every_direction_and_the_same_bits_each_time():
    if "cuda" not in backends.available() or backends.get("cuda")._cudnn is None:
        pytest.skip("needs a GPU, CuPy and nvidia-cudnn-frontend")
    k = backends.get("cuda")
    made, again = all_directions(k, GEOMETRY), all_directions(k, GEOMETRY)
    for y, twice, t in zip(made, again, all_directions(REFERENCE, GEOMETRY), strict=True):
        np.testing.assert_allclose(y, t, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(y, twice)
    for direction in cudnn._DIRECTIONS:
        assert k._cudnn.plans[direction, GEOMETRY, "float32"] is not None, direction


@pytest.mark.parametrize("direction", cudnn._DIRECTIONS)
def test_the_real_frontend_takes_the_graphs(direction):
    try:
        real = importlib.import_module("cudnn")
    except (ImportError, OSError) as error:
        pytest.skip(f"nvidia-cudnn-frontend or its library cannot be had: {error}")
    here = cudnn.CuDNN.__new__(cudnn.CuDNN)  # without the handle, which needs a GPU
    here.cudnn, here.handle = real, None
    try:
        _, tensors, out, shape = here._described(direction, GEOMETRY, "float32")
    except RuntimeError as error:
        pytest.skip(f"this version describes no graph without a driver: {error}")
    assert list(out.get_dim()) == list(shape) and len(tensors) == 2
