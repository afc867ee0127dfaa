"""Locally connected layers, forward and backward as one trains them, beside unfold and einsum in PyTorch, which has none."""

import math

from benchmarks.results import Table, ratio
from benchmarks.sections.draw import draw


def local_arrays(c):
    """Random x, b and g (the gradient of the output); w such that the output has about x's size."""
    out = (c.out, c.out)
    arrays = draw(6, x=c.x_shape, w=(*c.w_shape, *out), b=(c.o, *out), g=c.y_shape)
    arrays["w"] /= math.sqrt(math.prod(c.w_shape[1:]))
    return arrays


def local(plan):
    """Time and GFLOP/s of each shape, all directions together."""
    table = Table(f"Locally connected layers, {plan.threads} threads", ("layer", "ms", "GFLOP/s", "% of peak", "PyTorch ms",
                  "its way", "speed / PyTorch's", "quiet rounds"))  # fmt: skip
    arena = plan.arena()
    for c in plan.menu.local:
        how = {"stride": c.stride, "padding": c.padding, "first": c.first}
        outcome = arena.contest("locally connected", local_arrays(c), threads=plan.threads, tolerance=1e-5, what=str(c),
                                peak=True, seconds=plan.seconds / 2, **how)  # fmt: skip
        ours, (way, theirs) = outcome.seconds.get("engine"), outcome.best("torch")
        rate = ratio(len(c.directions) * c.flops / 1e9, ours)
        table.rows.append((str(c), ours and ours * 1e3, rate, rate and 100 * rate * outcome.seconds["peak"],
                           theirs and theirs * 1e3, way and way.replace("torch ", ""), ratio(theirs, ours),
                           outcome.quiet))  # fmt: skip
    table.notes.append(
        "Forward and backward, recorded; first layers without the gradient of their images. PyTorch by unfold and einsum, its "
        "weights laid out as suits it: [positions, outputs, taps]."
    )
    return table
