"""PyTorch on a GPU as a worker: `python -m benchmarks.gpu.worker_torch`, in full float32 unless ENGINE_BENCH_TF32 is 1."""

import os

import torch

from benchmarks import worker
from benchmarks.gpu.tasks import TASKS
from benchmarks.peers import pytorch

DEVICE = "cuda"


class Torch(pytorch.Torch):
    """PyTorch with everything on the GPU, cuDNN choosing its fastest algorithms."""

    def __init__(self):
        self.tf32 = os.environ.get("ENGINE_BENCH_TF32") == "1"
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32

    def info(self):
        return worker.Framework.info(
            self, cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(), tf32=self.tf32
        )

    def settle(self, threads, isa):
        """Nothing: the GPU has no threads of ours to be chosen."""

    def tensor(self, array, layout="contiguous"):
        return super().tensor(array, layout).to(DEVICE)

    def array(self, value):
        return super().array(value.cpu() if isinstance(value, torch.Tensor) else value)

    def net(self, name, layout):
        return super().net(name, layout).to(DEVICE)

    def mark(self):
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, a, b):
        b.synchronize()
        return a.elapsed_time(b) / 1e3  # of milliseconds

    def forget(self):
        torch.cuda.empty_cache()


if __name__ == "__main__":
    worker.serve(Torch(), TASKS)
