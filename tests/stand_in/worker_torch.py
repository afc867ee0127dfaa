"""The worker of `python -m benchmarks gpu` with PyTorch on the CPU, whose clock passes for the GPU's events."""

import time

from benchmarks import worker
from benchmarks.gpu import worker_torch
from benchmarks.gpu.tasks import TASKS


class Torch(worker_torch.Torch):
    def mark(self):
        return time.perf_counter()

    def between(self, a, b):
        return b - a


if __name__ == "__main__":
    worker_torch.DEVICE = "cpu"
    worker.serve(Torch(), TASKS)
