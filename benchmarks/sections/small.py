"""Layers bound by memory, and what recording an operation costs."""

import numpy

from benchmarks.layer_tasks import LAYERS
from benchmarks.results import Table, ratio
from benchmarks.sections.draw import draw

PARAMETERS = {"w": (512, 256, 3, 3), "b": (512,), "v": (512, 512), "c": (1000,)}  # of an optimiser's step


def layer_arrays(name, shape):
    """What the task of that name takes."""
    if shape is None:
        return draw(5, **PARAMETERS)
    if name == "cross-entropy":
        return {**draw(5, x=shape), "labels": numpy.random.default_rng(5).integers(0, shape[1], shape[0])}
    n, c, h, w = shape
    output = {
        "max pooling": (n, c, h // 2, w // 2),
        "average pooling": (n, c, h // 2, w // 2),
        "global pooling": (n, c, 1, 1),
    }
    return draw(5, x=shape, g=output.get(name, shape))


def layers(plan):
    """Forward and backward of each memory-bound layer, and optimiser steps, beside PyTorch."""
    table = Table(f"Layers bound by memory, {plan.threads} threads", ("layer", "size", "us", "GB/s", "PyTorch us",
                  "its way", "speed / PyTorch's", "quiet rounds"), keys=2)  # fmt: skip
    arena = plan.arena()
    for name, shape in plan.menu.layers.items():
        given = layer_arrays(name, shape)
        size = sum(a.size for key, a in given.items() if shape is None or key == "x")
        outcome = arena.contest(name, given, threads=plan.threads, tolerance=1e-5, what=str(shape or size),
                                peak=True, seconds=plan.seconds / 2)  # fmt: skip
        ours, (way, theirs) = outcome.seconds.get("engine"), outcome.best("torch")
        rate = ratio(LAYERS[name].passes * size * 4 / 1e9, ours)
        table.rows.append((name, "x".join(map(str, shape)) if shape else f"{size} parameters", ours and ours * 1e6, rate,
                           theirs and theirs * 1e6, way and way.replace("torch ", ""), ratio(theirs, ours),
                           outcome.quiet))  # fmt: skip
    table.notes.append(
        "Layers: forward and backward, recorded. GB/s count what the least possible work reads and writes. The better of "
        "PyTorch's layouts and allocators."
    )
    return table


def overhead(plan):
    """What one recorded operation costs, with and without its backward, and a step of the smallest network."""
    table = Table("Overhead per operation", ("what", "us", "PyTorch us", "speed / PyTorch's", "quiet rounds"), keys=1)
    arena = plan.arena()
    sides = arena.named("engine", "torch contiguous")
    eight = draw(4, x=(8,), y=(8,), g=(8,))
    tasks = {"taped add": eight, "taped add and backward": eight,
             "step of Linear(4, 4)": draw(4, x=(8, 4), y=(8, 4), w=(4, 4), b=(4,))}  # fmt: skip
    for what, given in tasks.items():
        tolerance = 1e-6 if what.startswith("step") else 0.0
        outcome = arena.contest(what, given, threads=plan.threads, sides=sides, tolerance=tolerance)
        ours, theirs = outcome.seconds.get("engine"), outcome.seconds.get("torch contiguous")
        table.rows.append((what, ours and ours * 1e6, theirs and theirs * 1e6, ratio(theirs, ours), outcome.quiet))
    table.notes.append(
        "Additions are of 8 numbers; the step is zero_grad, forward, loss, backward and SGD with momentum."
    )
    return table
