"""Two frameworks beside each other: each in its own process, the same task in turns, agreement checked first."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy

from benchmarks import timing

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 3  # times the rounds wanted are run at most to get as many undisturbed ones
KEPT_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "68719476736", "MALLOC_TOP_PAD_": "67108864"}


class Disagreement(Exception):
    """Two sides computed different things, so their times say nothing."""


class WorkerProcess:
    """A worker to talk to; a context manager that ends it."""

    def __init__(self, module, python=sys.executable, **environment):
        path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [python, "-m", module], cwd=PROJECT, env={**os.environ, "PYTHONPATH": path, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.info = self.ask(do="info")

    def ask(self, **message):
        """The worker's answer; RuntimeError with its traceback when it failed."""
        try:
            print(json.dumps(message), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)} ended with code {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"{' '.join(self.process.args)}: {reply['error']}")
        return reply["answer"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@dataclass(frozen=True)
class Side:
    """One of those compared: a worker, how its tensors lie in memory, and what to call it."""

    name: str
    worker: WorkerProcess
    layout: str = "contiguous"


@dataclass
class Outcome:
    """Median seconds of each side by name, over the `kept` undisturbed ones of `rounds` rounds."""

    seconds: dict
    kept: int
    rounds: int

    def best(self, prefix):
        """The name and time of the fastest side whose name begins so; (None, None) without one."""
        sides = [name for name in self.seconds if name.startswith(prefix)]
        name = min(sides, key=self.seconds.get, default=None)
        return name, self.seconds.get(name)


class Arena:
    """Where contests take place: sides, undisturbed rounds wanted, seconds of a turn, a folder for the arrays they share."""

    def __init__(self, sides, folder, rounds, seconds):
        self.sides, self.folder, self.rounds, self.seconds = sides, folder, rounds, seconds
        self.disturbed = self.all_rounds = 0

    def contest(
        self, task, arrays, *, threads=2, isa=None, sides=None, expected=None, tolerance=1e-4, extra=(), **params
    ):
        """Every side's time for one task.

        arrays:     {name: array}, the same for all sides
        expected:   {name: array} that outputs must equal; None: those of the first side, which all others must equal
        tolerance:  of the relative L2 difference
        extra:      names of further tasks without arrays that the first side takes turns in ("peak")
        Disagreement when a side computes something else.
        """
        sides = self.sides if sides is None else sides
        file = f"{self.folder}/arrays.npz"
        numpy.savez(file, **arrays)
        for side in sides:
            side.worker.ask(do="forget")
        for side in sides:
            side.worker.ask(do="prepare", name=side.name, task=task, arrays=file, layout=side.layout, threads=threads,
                            isa=isa, **params)  # fmt: skip
            outputs = self._outputs(side)
            expected = expected or outputs
            check(task, side.name, outputs, expected, tolerance)
        for name in extra:
            sides[0].worker.ask(
                do="prepare", name=name, task=name, arrays=file, layout="contiguous", threads=threads, isa=isa
            )
        turns = [(side.name, side.worker) for side in sides] + [(name, sides[0].worker) for name in extra]
        rounds = []
        while len(rounds) < self.rounds or (
            len(rounds) < PATIENCE * self.rounds and len(timing.quiet(rounds)) < self.rounds
        ):
            rounds.append([w.ask(do="turn", name=name, seconds=self.seconds) for name, w in turns])
        seconds, kept = timing.medians(rounds)
        self.disturbed += len(rounds) - kept
        self.all_rounds += len(rounds)
        return Outcome(dict(zip([name for name, _ in turns], seconds, strict=True)), kept, len(rounds))

    def _outputs(self, side):
        path = f"{self.folder}/outputs.npz"
        side.worker.ask(do="outputs", name=side.name, path=path)
        with numpy.load(path) as file:
            return dict(file)


def check(task, side, outputs, expected, tolerance):
    """Disagreement unless `outputs` equal `expected`, array for array, within the tolerance."""
    for key, right in expected.items():
        got = outputs[key]
        difference = numpy.linalg.norm((got - right).ravel().astype("float64"))
        size = numpy.linalg.norm(right.ravel().astype("float64"))
        if got.shape != right.shape or not difference <= tolerance * size:
            raise Disagreement(
                f"{task}, {side}: {key} of shape {got.shape} differs from the expected {right.shape} by {difference:.3g}, "
                f"allowed are {tolerance:g} of {size:.3g}"
            )


def torch_python():
    """The interpreter that has PyTorch: ENGINE_BENCH_TORCH, else this one; None without."""
    named = os.environ.get("ENGINE_BENCH_TORCH")
    return named or (sys.executable if importlib.util.find_spec("torch") else None)


@contextmanager
def arena(python, rounds=9, seconds=0.15):
    """An Arena while its workers live: the engine first, then PyTorch (if `python` is given) in both layouts and allocators."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = [Side("engine", stack.enter_context(WorkerProcess("benchmarks.worker_engine")))]
        for name, environment in {"torch": {}, "kept torch": KEPT_PAGES}.items() if python else ():
            worker = stack.enter_context(WorkerProcess("benchmarks.worker_torch", python, **environment))
            sides += [Side(f"{name} {layout}", worker, layout) for layout in ("contiguous", "channels_last")]
        yield Arena(sides, folder, rounds, seconds)
