"""The evidence for the tables of engine/backends/convolution.py: what they take beside the best of what they leave.

In this process. Kernels are called by themselves: `convolution.forced` takes as long as the smallest of them.
"""

from functools import partial
from itertools import product

import engine
from benchmarks import timing
from benchmarks.results import Table, ratio
from benchmarks.sections.convolutions import convolution_arrays
from benchmarks.versus import check, show
from engine.backends import convolution
from engine_ext import _isa, machine

ARGUMENTS = {"forward": "xwb", "dx": "gw", "dw": "gx"}  # of each direction's kernels, before the geometry
CLOSE = 0.95  # of the fastest's speed is chosen well: figures differ by as much from run to run


def algorithms(plan):
    """Each shape, direction and vector instruction set: the algorithm taken, the best other, their times."""
    table = Table(f"Algorithms of convolution, {plan.threads} threads", ("convolution", "direction", "instruction set",
                  "taken", "us", "best other", "its us", "other / taken", "quiet rounds"), keys=3)  # fmt: skip
    peaks, threads, before = {}, engine.get_num_threads(), _isa.isa()
    engine.set_num_threads(plan.threads)
    try:
        for c, direction, isa in product(plan.menu.algorithms, convolution.TABLES, _isa.isas()[:2]):
            show(f"algorithms {c}, {direction}, {isa}")
            _isa.use_isa(isa)
            seconds, quiet = times(plan, agreeing(c, direction), peaks)
            taken = convolution.choose(direction, c.geometry).name
            table.rows.append((str(c), direction, isa, *compared(taken, seconds), quiet))
    finally:
        engine.set_num_threads(threads)
        _isa.use_isa(before)
        show("")
    table.notes.append(
        "*Taken*: the first row of its table in engine/backends/convolution.py that applies and wins. *Best other*: "
        "the fastest of all others that apply. Below 1 the table chose badly. A convolution is named after the "
        "threshold on one side of which it stands. All calls read the same arrays, so small ones lie in caches; "
        "weights are transformed at every call, as in training."
    )
    table.notes += summary(table.records())
    return table


def arguments(c, direction):
    """Random arrays for kernels of this direction."""
    arrays = convolution_arrays(c)
    return [arrays[name] for name in ARGUMENTS[direction]]


def agreeing(c, direction):
    """{name: a call} of each algorithm that applies; Disagreement when one computes something else than im2col."""
    rows = [a for a in convolution.TABLES[direction] if a.applies(c.geometry)]
    given = arguments(c, direction)
    runs = {a.name: partial(a.kernel, *given, c.geometry) for a in rows}
    expected = {direction: runs["im2col"]()}
    for a in rows:
        check("algorithms", a.name, {direction: runs[a.name]()}, expected, a.relative)
    return runs


def times(plan, runs, peaks):
    """{name: median seconds} of calls in turns, and how many rounds were quiet.

    The peak of multiply-adds takes turns, too; `peaks` keeps the best time it took on each instruction set.
    """
    isa, turn, rounds = _isa.isa(), plan.seconds / 8, []
    for _ in range(plan.rounds):
        peak = 1 / machine.fma_peak(plan.threads, turn)
        peaks[isa] = min(peak, peaks.get(isa, peak))
        rounds.append([*(timing.turn(run, turn) for run in runs.values()), peak])
    medians, kept = timing.medians(rounds, [peaks[isa]])
    return dict(zip(runs, medians[:-1], strict=True)), f"{kept}/{len(rounds)}"


def compared(taken, seconds):
    """From "taken" to "other / taken" of a row, from {name: seconds} of all algorithms."""
    other = min(seconds.keys() - {taken}, key=seconds.get)
    return taken, seconds[taken] * 1e6, other, seconds[other] * 1e6, ratio(seconds[other], seconds[taken])


def summary(records):
    """For each direction and instruction set a line: how many choices were good, and the worst."""
    groups = {}
    for record in records:
        groups.setdefault((record["direction"], record["instruction set"]), []).append(record)
    for names, choices in groups.items():
        good = sum(r["other / taken"] >= CLOSE for r in choices)
        worst = min(choices, key=lambda r: r["other / taken"])
        yield (
            f"{', '.join(names)}: {good} of {len(choices)} choices were the fastest or within 5 % of it; the worst "
            f"{worst['other / taken']:.2f}, {worst['taken']} beside {worst['best other']}: {worst['convolution']}."
        )
