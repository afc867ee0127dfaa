"""`python -m benchmarks costs [--net NAME]`: where a training step's time goes, every kernel timed from outside."""

import argparse
import statistics
import sys
import time
from collections import defaultdict
from contextlib import contextmanager

import engine
from benchmarks import nets, shapes, timing
from benchmarks.results import Table
from benchmarks.worker_engine import network
from engine import backends, optim
from engine.nn.functional import cross_entropy
from engine_ext import parallel

NAMED = 0.01  # of a step: kernels that take less are summed up


@contextmanager
def timed_kernels(k):
    """Within, each public kernel of the backend object `k` appends its seconds to {label: [...]}, which is yielded.

    A kernel that calls another is charged only its own part.
    """
    costs = defaultdict(list)
    inner = [0.0]  # seconds spent in kernels called by the one that runs
    before = dict(vars(k))

    def timed(name, kernel):
        def wrapper(*args, **kwargs):
            inner.append(0.0)
            start = time.perf_counter()
            try:
                return kernel(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - start
                costs[label(name, args)].append(seconds - inner.pop())
                inner[-1] += seconds

        return wrapper

    kernels = {name: getattr(k, name) for name in dir(type(k)) if not name.startswith("_")}
    vars(k).update({name: timed(name, f) for name, f in kernels.items() if callable(f)})
    try:
        yield costs
    finally:
        vars(k).clear()
        vars(k).update(before)


def label(name, args):
    """A kernel and the shapes of its array arguments."""
    shapes = ["x".join(map(str, a.shape)) for a in args if getattr(a, "ndim", 0)]
    return f"{name} {', '.join(shapes)}".strip()


def training_step(name, batch, threads, seconds):
    """Table of the kernels of a training step, dearest first, and what Python takes around them. Times are medians."""
    engine.set_num_threads(threads)
    model = network(name)
    model.load_state_dict({key: engine.tensor(a) for key, a in nets.weights(model.state_dict()).items()})
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = (engine.tensor(a[0]) for a in nets.batches(name, batch, count=1))

    def step():
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()

    timing.turn(step, seconds / 5)
    total = statistics.median(timing.calls(step, seconds, at_least=1))
    with timed_kernels(backends.default()) as costs:
        step()
        costs.clear()
        steps = len(timing.calls(step, seconds, at_least=1))
    spent = {kernel: statistics.median(times) * len(times) / steps for kernel, times in costs.items()}
    table = Table(
        f"Training step of {name}, batch {batch}, {threads} threads", ("kernel", "calls a step", "us a step", "%")
    )
    for kernel in sorted(spent, key=spent.get, reverse=True):
        if spent[kernel] >= NAMED * total:
            calls = len(costs[kernel]) / steps
            table.rows.append((kernel, calls, spent[kernel] * 1e6, 100 * spent[kernel] / total))
    small = [kernel for kernel in spent if spent[kernel] < NAMED * total]
    rest = {f"{len(small)} smaller ones": sum(spent[kernel] for kernel in small),
            "Python: modules, tape, optimiser": total - sum(spent.values())}  # fmt: skip
    table.rows += [(what, None, s * 1e6, 100 * s / total) for what, s in rest.items()]
    table.notes.append(
        f"A step takes {total * 1e6:.0f} us, measured without timing kernels; Python is what they leave of it."
    )
    return table


def main(arguments=None):
    """Print a table for each network and batch; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks costs", description=__doc__)
    parser.add_argument("--net", choices=nets.NETS)
    parser.add_argument("--batch", type=int, help="only this one")
    parser.add_argument("--threads", type=int, default=parallel.default_num_threads()[0], help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=0.7, help="for each of two measurements (default %(default)s)")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    for name, batches in shapes.FULL.only(options.net and [options.net], options.batch).nets.items():
        for batch in batches:
            print(training_step(name, batch, options.threads, options.seconds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
