"""PyTorch as a worker: `python -m benchmarks.peers.pytorch`, under an interpreter that has it. Needs nothing of the engine."""

import os
import platform

import numpy
import torch

from benchmarks import nets, worker
from benchmarks.layer_tasks import LAYERS
from benchmarks.learning import Learning
from benchmarks.peers.pytorch_nets import BUILDERS
from benchmarks.tasks import TASKS

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Torch(worker.Framework):
    """PyTorch under the names that the tasks use.

    A layout is a memory format, followed for networks by what else was done: "channels_last compiled" (torch.compile) or
    "contiguous frozen" (torch.jit.optimize_for_inference); eager without a second word.
    """

    name = f"PyTorch {torch.__version__}"
    nn, F, SGD, Adam = torch.nn, torch.nn.functional, torch.optim.SGD, torch.optim.Adam
    inference = staticmethod(torch.inference_mode)

    def info(self):
        return super().info(isa=torch.backends.cpu.get_cpu_capability(), allocator=allocator())

    def settle(self, threads, isa):
        """Threads of what runs next; the instruction set is PyTorch's own choice."""
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    def tensor(self, array, layout="contiguous"):
        tensor = torch.from_numpy(array.copy())
        return tensor.contiguous(memory_format=memory_format(layout)) if tensor.ndim == 4 else tensor

    def array(self, value):
        return value.detach().numpy() if isinstance(value, torch.Tensor) else numpy.asarray(value)

    def locally_connected(self, w, b, size, stride, padding):
        return UnfoldAndEinsum(w, b, stride, padding)

    def net(self, name, layout):
        model = BUILDERS[name]() if name in BUILDERS else nets.BUILDERS[name](torch.nn)
        return model.to(memory_format=memory_format(layout))

    def trainer(self, model, layout):
        return compiled(model) if "compiled" in layout else model

    def predictor(self, model, layout, images):
        if "frozen" in layout:
            return torch.jit.optimize_for_inference(torch.jit.trace(model, images))
        return self.trainer(model, layout)

    def forget(self):
        """Drop what was compiled: the next network of the same class is another."""
        torch._dynamo.reset()

    def convolution_dx(self, g, x, w, **how):
        return lambda: _convolution_backward(g, x, w, [True, False, False], **how)[0]

    def convolution_dw(self, g, x, w, **how):
        return lambda: _convolution_backward(g, x, w, [False, True, False], **how)[1]


class UnfoldAndEinsum(torch.nn.Module):
    """A locally connected layer as it is written in PyTorch: patches, and a product of matrices for every position. Weights
    lie [positions, outputs, taps], which was the fastest of the orders tried."""

    def __init__(self, w, b, stride, padding):
        super().__init__()
        self.shape, self.how = w.shape, {"kernel_size": w.shape[2:4], "stride": stride, "padding": padding}
        lying = w.reshape(w.shape[0], -1, b[0].size).transpose(2, 0, 1).copy()
        self.weight, self.bias = (torch.nn.Parameter(torch.from_numpy(a)) for a in (lying, b.copy()))

    def forward(self, x):
        patches = torch.nn.functional.unfold(x, **self.how)
        return torch.einsum("nkp,pok->nop", patches, self.weight).unflatten(2, self.shape[4:]) + self.bias

    def weight_gradient(self):
        return self.weight.grad.permute(1, 2, 0).reshape(self.shape)


def memory_format(layout):
    return LAYOUTS[layout.split()[0]]


def compiled(model):
    """By inductor, for the sizes that come; compilation itself takes place at the first call, outside the timing."""
    return torch.compile(model, dynamic=False)


def _convolution_backward(g, x, w, wanted, stride, padding, dilation, groups):
    return torch.ops.aten.convolution_backward(
        g, x, w, None, [stride] * 2, [padding] * 2, [dilation] * 2, False, [0, 0], groups, wanted
    )


def allocator():
    """Where this process's memory comes from: a preloaded allocator, or the C library's, with its settings."""
    try:
        with open("/proc/self/maps") as file:
            maps = file.read()
    except OSError:
        return "the system's"
    for name in ("jemalloc", "tcmalloc", "mimalloc"):
        if name in maps:
            return name
    settings = [f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("MALLOC_")]
    return " ".join(["glibc malloc" if platform.libc_ver()[0] == "glibc" else "the C library's malloc", *settings])


if __name__ == "__main__":
    worker.serve(Torch(), {**TASKS, **LAYERS, "learning": Learning})
