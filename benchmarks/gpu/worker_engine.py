"""The engine on a GPU as a worker: `python -m benchmarks.gpu.worker_engine`."""

import engine
from benchmarks import worker, worker_engine
from benchmarks.gpu.tasks import TASKS
from engine import backends


class Engine(worker_engine.Engine):
    """The engine with everything on 'cuda'. RuntimeError where there is no GPU."""

    def __init__(self):
        self.xp = backends.get("cuda").xp

    def info(self):
        convolutions = "cuDNN" if backends.get("cuda")._cudnn else "im2col and cuBLAS"
        return worker.Framework.info(
            self, gpu=engine.cuda.get_device_name(), cupy=f"{self.xp.__version__}, convolutions by {convolutions}"
        )

    def settle(self, threads, isa):
        """Nothing: the GPU has no threads of ours to be chosen."""

    def tensor(self, array, layout="contiguous"):
        return engine.tensor(array, device="cuda")

    def array(self, value):
        return super().array(value.cpu() if isinstance(value, engine.Tensor) else value)

    def net(self, name, layout):
        return super().net(name, layout).to("cuda")

    def mark(self):
        return self.xp.cuda.get_current_stream().record()

    def between(self, a, b):
        b.synchronize()
        return self.xp.cuda.get_elapsed_time(a, b) / 1e3  # of milliseconds

    def forget(self):
        engine.cuda.empty_cache()


if __name__ == "__main__":
    worker.serve(Engine(), TASKS)
