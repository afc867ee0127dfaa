"""cuDNN's convolutions: a graph for each direction, geometry and dtype, planned when it is first met, and kept.

Plans that round the factors of float32 to fewer bits (TF32) or add in the order in which threads end are left out, so
results are as exact as the CPU's, and the same each time.
"""

from __future__ import annotations

import importlib
import threading

TYPES = {"float32": "FLOAT", "float64": "DOUBLE"}  # dtype -> its name there
_DIRECTIONS = {  # name -> (method of a graph, {its argument: what lies there}, what comes out)
    "forward": ("conv_fprop", {"image": "x", "weight": "w"}, "y"),
    "dx": ("conv_dgrad", {"loss": "y", "filter": "w"}, "x"),
    "dw": ("conv_wgrad", {"image": "x", "loss": "y"}, "w"),
}


def found(xp):
    """CuDNN, or None where nvidia-cudnn-frontend, the library or its driver cannot be had."""
    try:
        return CuDNN(xp, importlib.import_module("cudnn"))
    except (ImportError, OSError, RuntimeError):  # no package, no loading of it, no libcudnn or no use for it
        return None


class CuDNN:
    """`cudnn(direction, geom, {"x", "w" or "y": array})` for two contiguous arrays of the same dtype.

    The third array; None where cuDNN has no plan for it. `geom` neither upsamples nor crops, and nothing in it is 0.
    """

    def __init__(self, xp, cudnn):
        self.xp, self.cudnn = xp, cudnn
        self.handle = self.cudnn.create_handle()
        self.plans, self.lock = {}, threading.Lock()  # a handle serves one thread at a time

    def __call__(self, direction, geom, arrays):
        dtype = next(iter(arrays.values())).dtype
        key = direction, geom, dtype.name
        with self.lock:
            if key not in self.plans:
                self.plans[key] = self._planned(*key)
            if self.plans[key] is None:
                return None
            graph, tensors, out, shape, size = self.plans[key]
            result, workspace = self.xp.empty(shape, dtype), self.xp.empty(size, "uint8")
            pointers = {tensors[name]: a.data.ptr for name, a in arrays.items()}
            self.cudnn.set_stream(self.handle, self.xp.cuda.get_current_stream().ptr)
            graph.execute({**pointers, out: result.data.ptr}, workspace.data.ptr, handle=self.handle)
        return result

    def _planned(self, direction, geom, dtype):
        """(graph, its tensors by name, the one that comes out, its shape, bytes of workspace), or None."""
        try:
            graph, tensors, out, shape = self._described(direction, geom, dtype)
            graph.build_operation_graph()
            graph.create_execution_plans([self.cudnn.heur_mode.A, self.cudnn.heur_mode.FALLBACK])
            graph.deselect_numeric_notes(self._refused(dtype))
            graph.check_support()
            graph.build_plans()
        except (self.cudnn.cudnnGraphNotSupportedError, RuntimeError):  # versions differ in which of them it is
            return None
        return graph, tensors, out, shape, max(graph.get_workspace_size(), 1)

    def _described(self, direction, geom, dtype):
        """The graph as far as no GPU is needed: (graph, tensors by name, the one that comes out, its shape)."""
        real, shapes = (
            getattr(self.cudnn.data_type, TYPES[dtype]),
            {"x": geom.x_shape, "w": geom.w_shape, "y": geom.y_shape},
        )
        method, arguments, result = _DIRECTIONS[direction]
        top, bottom, left, right = geom.padding
        graph = self.cudnn.pygraph(
            io_data_type=real, intermediate_data_type=real, compute_data_type=real, handle=self.handle
        )
        tensors = {
            name: graph.tensor(name=name, dim=list(shapes[name]), stride=_strides(shapes[name]), data_type=real)
            for name in arguments.values()
        }
        out = getattr(graph, method)(
            **{argument: tensors[name] for argument, name in arguments.items()},
            pre_padding=[top, left], post_padding=[bottom, right], stride=list(geom.stride), dilation=list(geom.dilation),
        )  # fmt: skip
        out.set_output(True).set_data_type(real).set_dim(list(shapes[result])).set_stride(_strides(shapes[result]))
        graph.validate()
        return graph, tensors, out, shapes[result]

    def _refused(self, dtype):
        """What plans may not do."""
        note = self.cudnn.numerical_note
        rounding = [note.TENSOR_CORE, note.DOWN_CONVERT_INPUTS] if dtype == "float32" else []
        return [note.NONDETERMINISTIC, *rounding]


def _strides(shape):
    """Elements from one index to the next of a contiguous array [a, b, c, d]."""
    _, b, c, d = shape
    return [b * c * d, c * d, d, 1]
