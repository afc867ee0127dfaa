"""What training steps do to a process's memory: growth over the first steps, and silence afterwards."""

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

import numpy

from benchmarks import process
from benchmarks.peers.find import PEERS
from benchmarks.results import Table
from benchmarks.sections.networks import arrays
from benchmarks.versus import KEPT_PAGES, LAYOUTS, WorkerProcess

FIRST = 5  # steps over which growth is looked for
WARM = 20  # steps before a state counts as steady
FEW = 10  # steps over which PyTorch's page faults are counted
CALLS = ("mmap", "munmap", "brk", "madvise", "mremap")  # what asks the system for memory, or gives it back
TRACER = "strace"
TRACED = ("-f", "-qq", "--seccomp-bpf", "-e", "trace=" + ",".join((*CALLS, "access", "faccessat", "faccessat2")), "-o")


@contextlib.contextmanager
def training(plan, name, batch, module, layout="contiguous", **process):
    """A function that runs so many training steps in a worker of its own and says what they did to memory."""
    with tempfile.TemporaryDirectory() as folder, WorkerProcess(module, **process) as worker:
        numpy.savez(f"{folder}/arrays.npz", **arrays(name, batch, count=2))
        worker.ask(do="prepare", name="t", task="training", arrays=f"{folder}/arrays.npz", layout=layout,
                   threads=plan.threads, isa=None, net=name)  # fmt: skip
        yield lambda count: worker.ask(do="steps", name="t", count=count)


def growth(plan):
    """MiB that the first training steps add, at their most, to what was resident before them."""
    table = Table("Growth of memory over training steps, MiB", ("network", "batch", "engine", "PyTorch", "its way",
                  "engine before", "PyTorch before"), keys=2)  # fmt: skip
    python = plan.pythons.get("torch")
    ways = {f"{allocator}{layout}": (layout, pages) for allocator, pages in (("", {}), ("kept ", KEPT_PAGES))
            for layout in LAYOUTS}  # fmt: skip
    for name, batch in plan.menu.usual:
        before, ours = _grown(plan, name, batch, "benchmarks.worker_engine")
        theirs = {}
        for way, (layout, pages) in ways.items() if python else ():
            theirs[way] = _grown(plan, name, batch, PEERS["torch"].worker, layout, python=python, **pages)
        told = {way: found for way, found in theirs.items() if found[1] is not None}
        best = min(told, key=lambda way: told[way][1], default=None)
        their_before, their_growth = told.get(best, (None, None))
        table.rows.append((name, batch, ours, their_growth, best, before, their_before))
    table.notes.append(
        f"The most that was resident during {FIRST} steps less what was resident before the first, when framework, network, "
        "optimiser and data were there. PyTorch at the way that grew least."
    )
    return table


def _grown(plan, name, batch, module, layout="contiguous", **process):
    """MiB before the first steps, and by how much they grew."""
    with training(plan, name, batch, module, layout, **process) as steps:
        seen = steps(FIRST)
    if seen["before"] is None:
        return None, None
    return seen["before"] / 2**20, (seen["peak"] - seen["before"]) / 2**20


def steady(plan):
    """What later steps still ask the system for: page faults, misses of the pool, system calls."""
    table = Table(f"Steady state, {plan.menu.steps} training steps", ("network", "batch", "minor faults", "pool misses",
                  "calls for memory", "PyTorch's minor faults a step"), keys=2)  # fmt: skip
    python, tracer = plan.pythons.get("torch"), shutil.which(TRACER)
    for name, batch in plan.menu.usual:
        seen, calls = _traced(plan, name, batch, tracer)
        theirs = None
        if python:
            with training(plan, name, batch, PEERS["torch"].worker, "channels_last", python=python) as steps:
                steps(FEW)
                theirs = steps(FEW)["faults"] / FEW
        table.rows.append((name, batch, seen["faults"], seen["misses"], calls, theirs))
    table.notes.append(
        f"After {WARM} steps. Calls for memory: {', '.join(CALLS)} of all threads, as {TRACER} saw them"
        + ("" if tracer else f": left out here, there is no {TRACER}")
        + ". PyTorch: channels_last, glibc's malloc as it comes."
    )
    return table


def _traced(plan, name, batch, tracer):
    """What the steps did to memory, and their system calls for it (None without a tracer)."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = (tracer, *TRACED, f"{folder}/trace") if tracer else ()
        with training(plan, name, batch, "benchmarks.worker_engine", prefix=prefix) as steps:
            steps(WARM)
            seen = steps(plan.menu.steps)
        if not tracer:
            return seen, None
        return seen, calls_between_marks(Path(f"{folder}/trace").read_text(errors="replace").splitlines())


def calls_between_marks(lines):
    """Of a trace: the calls between the last pair of marks, "0" or "2 mmap, 1 brk"."""
    first, last = (max((i for i, line in enumerate(lines) if mark in line), default=-1) for mark in process.MARKS)
    if not 0 <= first < last:
        return "no marks in the trace"
    counts = {call: sum(bool(re.search(rf"\b{call}\(", line)) for line in lines[first:last]) for call in CALLS}
    return ", ".join(f"{n} {call}" for call, n in counts.items() if n) or "0"
