"""PyTorch as a worker: `python -m benchmarks.worker_torch`, under an interpreter that has it. Needs nothing of the engine."""

import os
import platform

import numpy
import torch

from benchmarks import worker
from benchmarks.tasks import TASKS

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Torch:
    """PyTorch, eager, under the names that the tasks use."""

    nn, F, SGD = torch.nn, torch.nn.functional, torch.optim.SGD
    inference = staticmethod(torch.inference_mode)

    def info(self):
        return {
            "name": f"PyTorch {torch.__version__}",
            "versions": f"Python {platform.python_version()}, NumPy {numpy.__version__}",
            "isa": torch.backends.cpu.get_cpu_capability(),
            "allocator": allocator(),
        }

    def settle(self, threads, isa):
        """Threads of what runs next; the instruction set is PyTorch's own choice."""
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    def tensor(self, array, layout="contiguous"):
        tensor = torch.from_numpy(array.copy())
        return tensor.contiguous(memory_format=LAYOUTS[layout]) if tensor.ndim == 4 else tensor

    def array(self, value):
        return value.detach().numpy() if isinstance(value, torch.Tensor) else numpy.asarray(value)

    def place(self, model, layout):
        return model.to(memory_format=LAYOUTS[layout])

    def convolution_dx(self, g, x, w, padding):
        return lambda: _convolution_backward(g, x, w, padding, [True, False, False])[0]

    def convolution_dw(self, g, x, w, padding):
        return lambda: _convolution_backward(g, x, w, padding, [False, True, False])[1]


def _convolution_backward(g, x, w, padding, wanted):
    return torch.ops.aten.convolution_backward(g, x, w, None, [1, 1], [padding] * 2, [1, 1], False, [0, 0], 1, wanted)


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
    worker.serve(Torch(), TASKS)
