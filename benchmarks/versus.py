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
        self.peaks = {}  # (threads, isa) -> the least seconds that the task "peak" took: slower ones betray a lost core
        self.others = timing.Others([worker.process.pid for worker in {side.worker for side in sides}])

    def contest(
        self, task, arrays, *, threads=2, isa=None, sides=None, expected=None, tolerance=1e-4, peak=False, **params
    ):
        """Every side's time for one task.

        arrays:     {name: array}, the same for all sides
        expected:   {name: array} that outputs must equal; None: those of the first side, which all others must equal
        tolerance:  of the relative L2 difference
        peak:       the first side also takes turns in "peak", which then shows when the machine is not all ours
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
        turns = [(side.name, side.worker) for side in sides]
        if peak:
            sides[0].worker.ask(
                do="prepare", name="peak", task="peak", arrays=file, layout="contiguous", threads=threads, isa=isa
            )
            turns.append(("peak", sides[0].worker))
        return self._rounds(turns, (threads, isa) if peak else None)

    def _rounds(self, turns, peak):
        """Rounds of turns until enough were undisturbed; `peak` is the key of the last side's best time, if it is one."""
        rounds, kept = [], []
        while len(rounds) < self.rounds or (len(rounds) < PATIENCE * self.rounds and len(kept) < self.rounds):
            rounds.append([worker.ask(do="turn", name=name, seconds=self.seconds) for name, worker in turns])
            if peak:
                self.peaks[peak] = min(rounds[-1][-1], self.peaks.get(peak, rounds[-1][-1]))
            kept = timing.quiet(rounds, self.peaks.get(peak))
        seconds, _ = timing.medians(rounds, self.peaks.get(peak))
        self.disturbed += len(rounds) - len(kept)
        self.all_rounds += len(rounds)
        return Outcome(dict(zip([name for name, _ in turns], seconds, strict=True)), len(kept), len(rounds))

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
def arena(python, rounds=7, seconds=0.1):
    """An Arena while its workers live: the engine first, then PyTorch (if `python` is given) in both layouts and allocators."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = [Side("engine", stack.enter_context(WorkerProcess("benchmarks.worker_engine")))]
        for name, environment in {"torch": {}, "kept torch": KEPT_PAGES}.items() if python else ():
            worker = stack.enter_context(WorkerProcess("benchmarks.worker_torch", python, **environment))
            sides += [Side(f"{name} {layout}", worker, layout) for layout in ("contiguous", "channels_last")]
        yield Arena(sides, folder, rounds, seconds)
