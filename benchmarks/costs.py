"""Where a training step's time goes: every kernel that the backend runs, timed from outside."""

import time
from collections import defaultdict
from contextlib import contextmanager

import engine
from benchmarks import nets
from benchmarks.results import Table
from engine import backends, nn, optim
from engine.nn.functional import cross_entropy


@contextmanager
def timed_kernels(k):
    """Within, each public kernel of the backend object `k` adds to {label: [calls, seconds]}, which is yielded.

    A kernel that calls another is charged only its own part. The timer itself adds about 0.3 us a call.
    """
    costs = defaultdict(lambda: [0, 0.0])
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
                entry = costs[label(name, args)]
                entry[0] += 1
                entry[1] += seconds - inner.pop()
                inner[-1] += seconds

        return wrapper

    names = [
        n
        for n in dir(type(k))
        if not n.startswith("_") and callable(getattr(k, n)) and not isinstance(getattr(k, n), type)
    ]
    vars(k).update({name: timed(name, getattr(k, name)) for name in names})
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
    """Table of the kernels of a training step, dearest first, and what Python takes around them."""
    engine.set_num_threads(threads)
    model = nets.BUILDERS[name](nn)
    model.load_state_dict({key: engine.tensor(a) for key, a in nets.weights(name, nn).items()})
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = (engine.tensor(a[0]) for a in nets.batches(batch, count=1))

    def step():
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()

    plain, _ = _repeat(step, seconds)
    with timed_kernels(backends.default()) as costs:
        total, steps = _repeat(step, seconds, costs.clear)
    table = Table(
        f"Training step of {name}, batch {batch}, {threads} threads", ("kernel", "calls a step", "us a step", "%")
    )
    in_kernels = 0.0
    for kernel, (calls, spent) in sorted(costs.items(), key=lambda item: -item[1][1]):
        in_kernels += spent / steps
        table.rows.append((kernel, calls / steps, spent / steps * 1e6, 100 * spent / steps / total))
    table.rows.append(
        ("Python: modules, tape, optimiser", None, (total - in_kernels) * 1e6, 100 * (1 - in_kernels / total))
    )
    table.notes.append(f"{total * 1e6:.0f} us a step while every kernel is timed, {plain * 1e6:.0f} us without.")
    return table


def _repeat(step, seconds, start=lambda: None):
    """Mean seconds of a step, and how many there were, after a fifth of the time to warm up."""
    end = time.perf_counter() + seconds / 5
    while time.perf_counter() < end:
        step()
    start()
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + seconds or not steps:
        step()
        steps += 1
    return (time.perf_counter() - begin) / steps, steps
