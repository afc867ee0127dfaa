"""The worker of `python -m benchmarks gpu` with the engine over the stand-in for CuPy."""

from benchmarks import worker
from benchmarks.gpu.tasks import TASKS
from benchmarks.gpu.worker_engine import Engine
from engine import backends
from stand_in import StandIn

if __name__ == "__main__":
    k, real = StandIn(), backends.get
    backends.get = lambda name: k if name == "cuda" else real(name)
    worker.serve(Engine(), TASKS)
