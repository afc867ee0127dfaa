"""cuDNN's frontend as far as the backend uses it, with its order of calls and its types; convolutions are the reference's.

`sys.modules["cudnn"]` for a test: `Module()`, with `refused` directions, for which no plan is found, and `built` graphs.
"""

from __future__ import annotations

import ctypes
from enum import Enum

import numpy as np

from engine import backends
from engine.geometry import Conv2dGeometry

data_type = Enum("data_type", "NOT_SET FLOAT DOUBLE HALF")
heur_mode = Enum("heur_mode", "A B FALLBACK")
numerical_note = Enum(
    "numerical_note",
    "TENSOR_CORE DOWN_CONVERT_INPUTS REDUCED_PRECISION_REDUCTION FFT NONDETERMINISTIC WINOGRAD STRICT_NAN_PROP",
)
WORKSPACE = 64  # bytes
STEPS = "described validate build_operation_graph create_execution_plans deselect_numeric_notes check_support build_plans".split()


class cudnnGraphNotSupportedError(Exception):
    pass


class Tensor:
    def __init__(self, dim=None, stride=None, data_type=None):
        self.dim, self.stride, self.type, self.is_output = dim, stride, data_type, False

    def set_output(self, value):
        self.is_output = value
        return self

    def set_data_type(self, value):
        assert isinstance(value, data_type)
        self.type = value
        return self

    def set_dim(self, value):
        assert type(value) is list and all(type(n) is int for n in value)
        self.dim = value
        return self

    def set_stride(self, value):
        assert type(value) is list and all(type(n) is int for n in value)
        self.stride = value
        return self

    def _at(self, pointer):
        """The memory there as an array of this tensor."""
        real = {data_type.FLOAT: ctypes.c_float, data_type.DOUBLE: ctypes.c_double}[self.type]
        assert self.stride == [int(np.prod(self.dim[i + 1 :])) for i in range(4)], "not contiguous"
        return np.ctypeslib.as_array((real * int(np.prod(self.dim))).from_address(pointer)).reshape(self.dim)


class Graph:
    def __init__(self, module, io_data_type, intermediate_data_type, compute_data_type, handle):
        assert handle is module.handle
        self.module, self.step, self.refused_notes = module, 0, []

    def tensor(self, *, name, dim, stride, data_type):
        return Tensor().set_dim(dim).set_stride(stride).set_data_type(data_type)

    def conv_fprop(self, *, image, weight, **how):
        return self._node("forward", {"x": image, "w": weight}, "y", how)

    def conv_dgrad(self, *, loss, filter, **how):
        return self._node("dx", {"y": loss, "w": filter}, "x", how)

    def conv_wgrad(self, *, image, loss, **how):
        return self._node("dw", {"y": loss, "x": image}, "w", how)

    def _node(self, direction, tensors, result, how):
        assert set(how) == {"pre_padding", "post_padding", "stride", "dilation"}
        assert all(type(v) is list and len(v) == 2 for v in how.values())
        self.direction, self.result, self.how = direction, result, how
        self.tensors = {**tensors, result: Tensor()}
        return self.tensors[result]

    def _after(self, name):
        assert STEPS[self.step + 1] == name, f"{name} after {STEPS[self.step]}"
        self.step += 1

    def validate(self):
        self._after("validate")
        out = self.tensors[self.result]
        assert out.is_output and all(t.dim and t.stride and t.type for t in self.tensors.values())
        (top, left), (bottom, right) = self.how["pre_padding"], self.how["post_padding"]
        x, w, y = (tuple(self.tensors[name].dim) for name in "xwy")
        self.geom = Conv2dGeometry.of(
            x, w, tuple(self.how["stride"]), (top, bottom, left, right), tuple(self.how["dilation"]), x[1] // w[1]
        )
        assert self.geom.y_shape == y

    def build_operation_graph(self):
        self._after("build_operation_graph")

    def create_execution_plans(self, modes):
        self._after("create_execution_plans")
        assert modes and all(isinstance(mode, heur_mode) for mode in modes)

    def deselect_numeric_notes(self, notes):
        self._after("deselect_numeric_notes")
        assert all(isinstance(note, numerical_note) for note in notes)
        self.module.notes = notes

    def check_support(self):
        self._after("check_support")
        if self.direction in self.module.refused:
            raise cudnnGraphNotSupportedError("no plan")

    def build_plans(self):
        self._after("build_plans")
        self.module.built.append(self)

    def get_workspace_size(self):
        assert STEPS[self.step] == "build_plans"
        return WORKSPACE

    def execute(self, pointers, workspace, handle):
        assert STEPS[self.step] == "build_plans" and handle is self.module.handle and handle.stream is not None
        np.ctypeslib.as_array((ctypes.c_uint8 * WORKSPACE).from_address(workspace))[:] = 1
        assert set(pointers) == set(self.tensors.values()) and all(type(p) is int for p in pointers.values())
        at = {name: tensor._at(pointers[tensor]) for name, tensor in self.tensors.items()}
        k = backends.get("reference")
        if self.direction == "forward":
            at["y"][...] = k.conv2d(at["x"], at["w"], None, self.geom)
        elif self.direction == "dx":
            at["x"][...] = k.conv2d_dx(at["y"], at["w"], self.geom)
        else:
            at["w"][...] = k.conv2d_dw(at["y"], at["x"], self.geom)


class Handle:
    stream = None


class Module:
    """The module. Names that it lacks are AttributeErrors, as they are there."""

    data_type, heur_mode, numerical_note = data_type, heur_mode, numerical_note
    cudnnGraphNotSupportedError = cudnnGraphNotSupportedError

    def __init__(self, refused=()):
        self.refused, self.built, self.handle, self.notes = refused, [], None, None

    def create_handle(self):
        self.handle = Handle()
        return self.handle

    def set_stream(self, handle, stream):
        assert handle is self.handle and type(stream) is int
        handle.stream = stream

    def pygraph(self, **how):
        return Graph(self, **how)
