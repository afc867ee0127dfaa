"""Two frameworks beside each other: each in its own process, the same task in turns, agreement checked first."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy

from benchmarks import timing
from benchmarks.peers.find import PEERS

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 3  # times the rounds wanted are run at most to get as many undisturbed ones
FEWEST = 3  # undisturbed rounds, with which a contest that has become too long may end
WATCHES = ("join", "peak")  # tasks that take the same time whenever two CPUs that share a cache are all ours
KEPT_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "68719476736", "MALLOC_TOP_PAD_": "67108864"}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
LAYOUTS = ("contiguous", "channels_last")


class Disagreement(Exception):
    """Two sides computed different things, so their times say nothing."""


class WorkerProcess:
    """A worker to talk to; a context manager that ends it. `prefix`: the words of a command that runs it, a tracer say."""

    def __init__(self, module, python=sys.executable, prefix=(), **environment):
        path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        self.module = module
        self.process = subprocess.Popen(
            [*prefix, python, "-m", module], cwd=PROJECT, env={**os.environ, "PYTHONPATH": path, **environment},
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
            raise RuntimeError(f"{self.module} ended with code {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"{self.module}: {reply['error']}")
        return reply["answer"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already
        self.process.wait(timeout=60)
        self.process.stdout.close()


@dataclass(frozen=True)
class Side:
    """One of those compared: a worker, how its tensors lie in memory (and what else it does), and what to call it."""

    name: str
    worker: WorkerProcess
    layout: str = "contiguous"


@dataclass
class Outcome:
    """Median seconds of each side by name, over the `kept` undisturbed ones of `rounds` rounds."""

    seconds: dict
    kept: int
    rounds: int

    def best(self, *words, without=()):
        """The name and time of the fastest side whose name has all these words; (None, None) without one."""
        sides = [n for n in self.seconds if set(words) <= set(n.split()) and not set(without) & set(n.split())]
        name = min(sides, key=self.seconds.get, default=None)
        return name, self.seconds.get(name)

    @property
    def quiet(self):
        return f"{self.kept}/{self.rounds}"


class Arena:
    """Where contests take place: sides, undisturbed rounds wanted, seconds of a turn, a folder for the arrays they share.

    failures:  one line for each side that was left out of a contest because it failed or disagreed
    limit:     seconds after which a contest ends with FEWEST undisturbed rounds
    """

    def __init__(self, sides, folder, rounds, seconds, limit=12.0):
        self.sides, self.folder, self.rounds, self.seconds, self.limit = sides, folder, rounds, seconds, limit
        self.disturbed = self.all_rounds = 0
        self.failures = []
        self.best = {}  # (threads, isa) -> the least seconds that each of WATCHES took: longer ones betray a lost core
        self.others = timing.Others()

    def named(self, *names):
        """The sides of these names, as far as there are any."""
        return [side for side in self.sides if side.name in names]

    def eager(self):
        """The engine and PyTorch as it is without torch.compile and torch.jit: those that know every task."""
        return [side for side in self.sides if side.name == "engine" or side.layout in LAYOUTS and "torch" in side.name]

    def contest(self, task, arrays, *, threads=2, isa=None, sides=None, expected=None, tolerance=1e-4, peak=False, what="",
                seconds=None, **params):  # fmt: skip
        """Every side's time for one task.

        arrays:     {name: array}, the same for all sides
        sides:      None: eager()
        expected:   {name: array} that outputs must equal; None: those of the first side, which all others must equal
        tolerance:  of the relative L2 difference; {beginning of names: tolerance} where outputs differ in that
        peak:       the first side also takes turns in WATCHES, which then show when the machine is not all ours
        what:       words for `failures` that tell this contest from others of its task
        A side that fails or computes something else is left out; all are when it is the first.
        """
        show(f"{task} {what}")
        sides = self.eager() if sides is None else sides
        file = f"{self.folder}/arrays.npz"
        numpy.savez(file, **arrays)
        turns, settings = [], {"arrays": file, "threads": threads, "isa": isa}
        for side in sides:
            try:
                side.worker.ask(do="forget")
            except RuntimeError:
                pass  # it has died; the next question says so
        for side in sides:
            try:
                side.worker.ask(do="prepare", name=side.name, task=task, layout=side.layout, **settings, **params)
                outputs = self._outputs(side)
                expected = expected or outputs
                check(task, side.name, outputs, expected, tolerance)
                turns.append((side.name, side.worker))
            except (Disagreement, RuntimeError) as error:
                self.failures.append(f"{' '.join(filter(None, (task, what)))}, {side.name}: {error}".strip())
                show("")
                print(f"left out: {self.failures[-1]}", file=sys.stderr, flush=True)
                if side is sides[0]:
                    return Outcome({}, 0, 0)
        if peak:
            for watch in WATCHES:
                sides[0].worker.ask(do="prepare", name=watch, task=watch, layout="contiguous", **settings)
                turns.append((watch, sides[0].worker))
        outcome = self._rounds(turns, (threads, isa) if peak else None, seconds or self.seconds)
        show("")
        return outcome

    def _rounds(self, turns, peak, seconds):
        """Rounds of turns until enough were undisturbed; `peak`: the key of the best times of WATCHES, if these come last."""
        rounds, kept, end = [], [], time.monotonic() + self.limit
        while len(rounds) < self.rounds or (len(rounds) < PATIENCE * self.rounds and len(kept) < self.rounds):
            rounds.append([worker.ask(do="turn", name=name, seconds=seconds) for name, worker in turns])
            if peak:
                last = rounds[-1][-len(WATCHES) :]
                self.best[peak] = [min(pair) for pair in zip(last, self.best.get(peak, last), strict=True)]
            kept = timing.quiet(rounds, self.best.get(peak, ()))
            if len(kept) >= FEWEST and time.monotonic() > end:
                break
        medians, _ = timing.medians(rounds, self.best.get(peak, ()))
        self.disturbed += len(rounds) - len(kept)
        self.all_rounds += len(rounds)
        return Outcome(dict(zip([name for name, _ in turns], medians, strict=True)), len(kept), len(rounds))

    def _outputs(self, side):
        path = f"{self.folder}/outputs.npz"
        side.worker.ask(do="outputs", name=side.name, path=path)
        with numpy.load(path) as file:
            return dict(file)


def show(text):
    """On a terminal, what is being done, in place of what was."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def check(task, side, outputs, expected, tolerance):
    """Disagreement unless `outputs` equal `expected`, array for array, within the tolerance."""
    limits = tolerance if isinstance(tolerance, dict) else {"": tolerance}
    for key, right in expected.items():
        got, limit = outputs[key], next(limit for beginning, limit in limits.items() if key.startswith(beginning))
        if got.shape != right.shape:
            raise Disagreement(f"{task}, {side}: {key} of shape {got.shape} where {right.shape} is expected")
        difference = numpy.linalg.norm((got - right).ravel().astype("float64"))
        size = numpy.linalg.norm(right.ravel().astype("float64"))
        if not difference <= limit * size:
            raise Disagreement(
                f"{task}, {side}: {key} of shape {got.shape} differs from the expected by {difference:.3g}, "
                f"allowed are {limit:g} of {size:.3g}"
            )


@contextmanager
def arena(pythons, rounds=7, seconds=0.1, threads=2, compiled=True, **environment):
    """An Arena while its workers live: the engine first, then the peers of `pythons`, {name: interpreter}.

    PyTorch is there with both layouts and allocators; with the allocator that keeps its pages also frozen and, unless
    that is to be left out, compiled (in one layout: a network takes a minute to compile). Peers that cannot change their threads later get them now.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())

        def worker(*args, **variables):
            return stack.enter_context(WorkerProcess(*args, **environment, **variables))

        sides = [Side("engine", worker("benchmarks.worker_engine"))]
        for name, python in pythons.items():
            if name == "torch":
                plain, kept = (worker(PEERS[name].worker, python, **e) for e in ({}, KEPT_PAGES))
                sides += [Side(f"torch {layout}", plain, layout) for layout in LAYOUTS]
                ways = [*LAYOUTS, *["channels_last compiled"] * compiled, *(f"{layout} frozen" for layout in LAYOUTS)]
                sides += [Side(f"kept torch {way}", kept, way) for way in ways]
            else:
                sides.append(Side(name, worker(PEERS[name].worker, python, ENGINE_BENCH_THREADS=str(threads))))
        yield Arena(sides, folder, rounds, seconds)
