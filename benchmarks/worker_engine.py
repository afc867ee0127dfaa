"""The engine as a worker: `python -m benchmarks.worker_engine`."""

import numpy

import engine
from benchmarks import nets, timing, worker
from benchmarks.layer_tasks import LAYERS
from benchmarks.learning import Learning
from benchmarks.tasks import TASKS, Task
from engine import backends, nn, optim
from engine.geometry import Conv2dGeometry
from engine.nn import functional
from engine.vision import models
from engine_ext import _isa, machine, memory, parallel

MODELS = {"vgg": models.cifar_vgg, "resnet20": models.resnet20, "resnet18": models.resnet18}


def network(name):
    """The network of that name: the ready-made one where there is one, as its users get it."""
    return MODELS[name]() if name in MODELS else nets.BUILDERS[name](nn)


class Engine(worker.Framework):
    """The engine under the names that the tasks use."""

    name = f"engine {engine.__version__}"
    nn, F, SGD, Adam = nn, functional, optim.SGD, optim.Adam
    inference = staticmethod(engine.inference_mode)

    def info(self):
        return super().info(isas=_isa.isas(), openmp=parallel.has_openmp)

    def settle(self, threads, isa):
        """Threads and instruction set (None: the best) of what runs next."""
        engine.set_num_threads(threads)
        _isa.use_isa(isa or _isa.isas()[0])

    def tensor(self, array, layout="contiguous"):
        return engine.tensor(array)

    def array(self, value):
        return value.detach().numpy() if isinstance(value, engine.Tensor) else numpy.asarray(value)

    def locally_connected(self, w, b, size, stride, padding):
        return Local(w, b, size, stride, padding)

    def net(self, name, layout):
        return network(name)

    def trainer(self, model, layout):
        return model

    def predictor(self, model, layout, images):
        return model

    def misses(self):
        return memory.pool_stats()["system_calls"]

    def convolution_dx(self, g, x, w, **how):
        geom = Conv2dGeometry.of(x.shape, w.shape, **how)
        k, g, w = backends.default(), g._array, w._array
        return lambda: k.conv2d_dx(g, w, geom)

    def convolution_dw(self, g, x, w, **how):
        geom = Conv2dGeometry.of(x.shape, w.shape, **how)
        k, g, x = backends.default(), g._array, x._array
        return lambda: k.conv2d_dw(g, x, geom)


class Local(nn.LocallyConnected2d):
    """With given weights, and their gradient as both frameworks show it."""

    def __init__(self, w, b, size, stride, padding):
        super().__init__(w.shape[1], w.shape[0], w.shape[2:4], size, stride, padding)
        self.load_state_dict({"weight": engine.tensor(w), "bias": engine.tensor(b)})

    def weight_gradient(self):
        return self.weight.grad


class Peak(Task):
    """Multiply-adds from registers alone; the seconds of 10^9 of their flops at best."""

    def __init__(self, fw, arrays, layout):
        pass

    def turn(self, seconds):
        return 1 / machine.fma_peak(engine.get_num_threads(), seconds)

    def outputs(self):
        return {}


class Join(Task):
    """The seconds of a region of threads that do nothing. Long ones betray CPUs that share no cache: a virtual machine's
    are moved so from one moment to the next, and then whatever two threads do together takes up to twice as long."""

    def __init__(self, fw, arrays, layout):
        pass

    def run(self):
        for _ in range(100):
            parallel.team_size()

    def turn(self, seconds):
        return timing.turn(self.run, seconds / 4)

    def outputs(self):
        return {}


if __name__ == "__main__":
    worker.serve(Engine(), {**TASKS, **LAYERS, "learning": Learning, "peak": Peak, "join": Join})
