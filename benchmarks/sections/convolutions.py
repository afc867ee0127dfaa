"""Convolutions of the networks: forward, gradient of the input, gradient of the weights, beside PyTorch."""

import math

from benchmarks.results import Table, ratio
from benchmarks.sections.draw import draw
from benchmarks.versus import LAYOUTS

TOLERANCE = {"forward": 1e-5, "dx": 1e-5, "dw": 2e-5}


def convolution_arrays(c):
    """Random x, b and g (the gradient of the output); w such that the output has x's size."""
    arrays = draw(3, x=c.x_shape, w=c.w_shape, b=(c.o,), g=c.y_shape)
    arrays["w"] /= math.sqrt(math.prod(c.w_shape[1:]))
    return arrays


def convolutions(plan):
    """Time, effective GFLOP/s and per cent of the peak of each shape and direction."""
    table = Table(f"Convolutions, {plan.threads} threads", ("convolution", "direction", "us", "GFLOP/s", "% of peak",
                  "PyTorch us", "its layout", "speed / PyTorch's", "kind", "quiet rounds"), keys=2)  # fmt: skip
    arena = plan.arena()
    sides = arena.named("engine", *(f"kept torch {layout}" for layout in LAYOUTS))  # page faults would count else
    for c in plan.menu.convolutions:
        arrays = convolution_arrays(c)
        for direction in c.directions:
            outcome = arena.contest(f"convolution {direction}", arrays, threads=plan.threads, sides=sides, what=str(c),
                                    tolerance=TOLERANCE[direction], peak=True, seconds=plan.seconds / 2, **c.how)  # fmt: skip
            ours = outcome.seconds.get("engine")
            layout, theirs = outcome.best("torch")
            rate = ratio(c.flops / 1e9, ours)
            table.rows.append((str(c), direction, ours and ours * 1e6, rate, rate and 100 * rate * outcome.seconds["peak"],
                               theirs and theirs * 1e6, layout and layout.split()[-1], ratio(theirs, ours),
                               "winograd" if c.winograds else "other", outcome.quiet))  # fmt: skip
    table.notes.append(
        "GFLOP/s count the flops of the direct convolution, whatever the algorithm; so per cent of the peak can exceed 100. "
        "*Kind*: 3x3 of stride 1 with 32 channels or more on both sides, or other."
    )
    return table
