"""`python -m benchmarks gpu`: training step and inference of networks on a GPU, beside PyTorch with and without TF32."""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import engine
from benchmarks import bars, machine, results, versus
from benchmarks.command import disturbances, first_and_last
from benchmarks.nets import NETS
from benchmarks.peers import find
from benchmarks.results import Table, ratio
from benchmarks.sections.networks import arrays, tolerance
from engine import backends

CHOSEN, BATCHES = ("mnistnet", "resnet20", "resnet18"), (64, 512)
COUNT = 2  # batches in memory: 512 images of 224x224 are 308 MB
# TF32 rounds products to 11 bits: a thousand times float32's rounding, which turns about 30 times as many signs behind batch norm
TF32 = {"gradient": 0.5, "": 2e-2}
OURS, THEIRS = "benchmarks.gpu.worker_engine", "benchmarks.gpu.worker_torch"


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks gpu", description=f"Networks: {', '.join(NETS)}. PyTorch is sought in the interpreter that "
        f"{find.PEERS['torch'].variable} names, else in this one; without it its columns stay empty.")  # fmt: skip
    parser.add_argument("--net", nargs="+", choices=NETS, default=CHOSEN, metavar="NET", help="default: %(default)s")
    parser.add_argument("--batch", nargs="+", type=int, default=BATCHES, metavar="N", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of turns per comparison (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a turn (default %(default)s)")
    parser.add_argument("--output", type=Path, default=results.RESULTS, help="a .json file (default: RESULTS.json)")
    return parser.parse_args(arguments)


def main(arguments):
    """Measure, print, write. The exit code: 2 without a GPU, 1 when a side failed or disagreed."""
    options = parse(arguments)
    try:
        backends.get("cuda")
    except RuntimeError as error:
        print(f"python -m benchmarks gpu: {error}", file=sys.stderr)
        return 2
    start = time.monotonic()
    with opened(options.rounds, options.seconds) as arena:
        table = networks(arena, options.net, options.batch)
        print(table, end="\n\n")
        aims = bars.table({table.title: table})
        print(aims if aims.rows else "", flush=True)
        facts = {"date": time.strftime("%Y-%m-%d"), **told(arena), **machine.facts()}
        facts["rounds"] = f"{arena.rounds} of {arena.seconds:g} s a turn; {disturbances([arena])}"
        facts["took"] = f"{(time.monotonic() - start) / 60:.1f} minutes"
        facts.update({f"left out {i}": first_and_last(line) for i, line in enumerate(arena.failures, 1)})
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    found = results.Results.read(options.output)
    found.add([table], results.command_line("gpu", arguments), facts)
    found.write(options.output)
    return int(bool(arena.failures))


@contextmanager
def opened(rounds, seconds):
    """An Arena of the engine and, where it can be had, PyTorch in both layouts, in float32 and with TF32."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = [versus.Side("engine", stack.enter_context(versus.WorkerProcess(OURS)))]
        if python := find.python("torch"):
            for name, switch in (("float32", "0"), ("TF32", "1")):
                worker = stack.enter_context(versus.WorkerProcess(THEIRS, python, ENGINE_BENCH_TF32=switch))
                sides += [versus.Side(f"{name} {layout}", worker, layout) for layout in versus.LAYOUTS]
        yield versus.Arena(sides, folder, rounds, seconds)


def networks(arena, nets, batches):
    """Each network, batch and task; a dash where memory ran out or sides disagreed, which the run's facts tell of."""
    columns = ("network", "batch", "what", "ms", "PyTorch ms", "its way", "speed / PyTorch's", "with TF32 ms", "its way ",
               "speed / TF32's", "quiet rounds")  # fmt: skip
    table = Table(f"Networks on one {engine.cuda.get_device_name()}", columns, keys=3)
    ours, float32, tf32 = arena.sides[:1], arena.sides[1:3], arena.sides[3:]
    for net in nets:
        for batch in batches:
            given = arrays(net, batch, COUNT)
            for what in ("training", "inference"):
                outcomes = [
                    arena.contest(what, given, sides=ours + sides, tolerance=allowed, what=f"{net} at batch {batch}", net=net)
                    for sides, allowed in ((float32, tolerance(what, given)), (tf32, TF32))
                    if sides or sides is float32
                ]  # fmt: skip
                table.rows.append((net, batch, what, *_cells(outcomes), ", ".join(o.quiet for o in outcomes)))
    table.notes.append(
        "Eager, cuDNN choosing its fastest algorithms (cudnn.benchmark). Losses, gradients and outputs agreed, with TF32 as "
        "far as it goes: 2 % of losses and outputs, half of gradients behind batch norm. Times are medians between events of "
        "the GPU; each speed is from turns with that side."
    )
    return table


def _cells(outcomes):
    """From "ms" to the speed beside TF32."""
    ours = outcomes[0].seconds.get("engine")
    cells = [ours and ours * 1e3]
    for name, outcome in zip(("float32", "TF32"), (*outcomes, versus.Outcome({}, 0, 0)), strict=False):
        way, theirs = outcome.best(name)
        cells += [theirs and theirs * 1e3, way and way.split()[-1], ratio(theirs, outcome.seconds.get("engine"))]
    return cells


def told(arena):
    """{name: text}: the GPU and the versions of both sides."""
    ours, *theirs = (side.worker.info for side in arena.sides)
    facts = {"GPU": ours["gpu"], "CuPy": ours["cupy"]}
    if theirs:
        facts["PyTorch on it"] = f"{theirs[0]['name']}, CUDA {theirs[0]['cuda']}, cuDNN {theirs[0]['cudnn']}"
    return facts
