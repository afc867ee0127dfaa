"""The engine as a worker: `python -m benchmarks.worker_engine`."""

import platform

import numpy

import engine
from benchmarks import worker
from benchmarks.tasks import TASKS, Task
from engine import backends, nn, optim
from engine.geometry import Conv2dGeometry
from engine.nn import functional
from engine_ext import _isa, machine, parallel


class Engine:
    """The engine under the names that the tasks use."""

    nn, F, SGD = nn, functional, optim.SGD
    inference = staticmethod(engine.no_grad)

    def info(self):
        return {
            "name": f"engine {engine.__version__}",
            "versions": f"Python {platform.python_version()}, NumPy {numpy.__version__}",
            "isas": _isa.isas(),
            "openmp": parallel.has_openmp,
        }

    def settle(self, threads, isa):
        """Threads and instruction set (None: the best) of what runs next."""
        engine.set_num_threads(threads)
        _isa.use_isa(isa or _isa.isas()[0])

    def tensor(self, array, layout="contiguous"):
        return engine.tensor(array)

    def array(self, value):
        return value.detach().numpy() if isinstance(value, engine.Tensor) else numpy.asarray(value)

    def place(self, model, layout):
        return model

    def convolution_dx(self, g, x, w, padding):
        k, g, w, geom = backends.default(), g._array, w._array, Conv2dGeometry.of(x.shape, w.shape, 1, padding)
        return lambda: k.conv2d_dx(g, w, geom)

    def convolution_dw(self, g, x, w, padding):
        k, g, x, geom = backends.default(), g._array, x._array, Conv2dGeometry.of(x.shape, w.shape, 1, padding)
        return lambda: k.conv2d_dw(g, x, geom)


class Peak(Task):
    """Multiply-adds from registers alone; the seconds of 10^9 of their flops at best."""

    def __init__(self, fw, arrays, layout):
        pass

    def turn(self, seconds):
        return 1 / machine.fma_peak(engine.get_num_threads(), seconds)

    def outputs(self):
        return {}


if __name__ == "__main__":
    worker.serve(Engine(), {**TASKS, "peak": Peak})
