"""The contests, section by section: each makes a table of figures from an Arena."""

import numpy

from benchmarks import nets
from benchmarks.results import Table
from engine import nn

TOLERANCE = {"product": 1e-5, "convolution": 1e-5, "training": 2e-4, "inference": 1e-5, "add": 0.0}


def _draw(seed, **shapes):
    draw = numpy.random.default_rng(seed)
    return {key: draw.standard_normal(shape).astype("float32") for key, shape in shapes.items()}


def _ratio(a, b):
    return a / b if a and b else None


def products(arena, sizes, threads, isas):
    """GFLOP/s of matrix products, per cent of the peak measured in turns with them, and beside PyTorch."""
    table = Table("Matrix products", ("m x n x k", "instruction set", "threads", "GFLOP/s", "% of peak", "PyTorch",
                                      "speed / PyTorch's", "quiet rounds"))  # fmt: skip
    for p in sizes:
        arrays = product_arrays(p)
        expected = {"product with a vector": product_by_vector(p, arrays)}
        for isa in isas:
            # PyTorch chooses its instruction set itself, and layouts differ for images only: one side, best set only
            sides = [s for s in arena.sides if s.name == "engine" or (isa == isas[0] and s.name == "torch contiguous")]
            for t in threads:
                outcome = arena.contest("product", arrays, threads=t, isa=isa, sides=sides, expected=expected,
                                        tolerance=TOLERANCE["product"], peak=True, form=p.form)  # fmt: skip
                ours, theirs = outcome.seconds["engine"], outcome.seconds.get("torch contiguous")
                peak = 1 / outcome.seconds["peak"]
                rate = p.flops / ours / 1e9
                table.rows.append((p, isa, t, rate, f"{100 * rate / peak:.0f} %", theirs and p.flops / theirs / 1e9,
                                   _ratio(theirs, ours), f"{outcome.kept}/{outcome.rounds}"))  # fmt: skip
    table.notes.append(
        "Checked by a random vector v in float64: (ab)v against a(bv). NN, NT, TN: which operand lies transposed in memory."
    )
    return table


def product_arrays(p):
    """Random a and b as they lie in memory, and a vector v[n]."""
    a_shape = (p.k, p.m) if p.form[0] == "t" else (p.m, p.k)
    b_shape = (p.n, p.k) if p.form[1] == "t" else (p.k, p.n)
    return _draw(2, a=a_shape, b=b_shape, v=(p.n,))


def product_by_vector(p, arrays):
    """a(bv) in float64."""
    a, b, v = (arrays[key].astype("float64") for key in "abv")
    return (a.T if p.form[0] == "t" else a) @ ((b.T if p.form[1] == "t" else b) @ v)


def convolution_arrays(c):
    """Random x, w, b and g (the gradient of the output)."""
    return _draw(3, x=c.x_shape, w=c.w_shape, b=(c.o,), g=c.y_shape)


def convolutions(arena, shapes, threads):
    """GFLOP/s of forward, input gradient and weight gradient beside PyTorch."""
    table = Table(f"Convolutions, {threads} threads", ("convolution", "direction", "us", "GFLOP/s", "% of peak", "PyTorch us",
                  "its layout", "speed / PyTorch's", "quiet rounds"))  # fmt: skip
    sides = [s for s in arena.sides if not s.name.startswith("kept")]
    for c in shapes:
        arrays = convolution_arrays(c)
        for direction in c.directions:
            outcome = arena.contest(f"convolution {direction}", arrays, threads=threads, sides=sides,
                                    tolerance=TOLERANCE["convolution"], peak=True, padding=c.padding)  # fmt: skip
            ours = outcome.seconds["engine"]
            layout, theirs = outcome.best("torch")
            rate = c.flops / ours / 1e9
            table.rows.append((c, direction, ours * 1e6, rate, f"{100 * rate * outcome.seconds['peak']:.0f} %",
                               theirs and theirs * 1e6, layout and layout.split()[-1], _ratio(theirs, ours),
                               f"{outcome.kept}/{outcome.rounds}"))  # fmt: skip
    table.notes.append("GFLOP/s count the flops of the direct convolution, whatever the algorithm.")
    return table


def networks(arena, names, batches, threads):
    """Training step and inference of whole networks beside PyTorch, also with an allocator that keeps its pages."""
    table = Table(f"Networks, {threads} threads", ("network", "batch", "what", "ms", "PyTorch ms", "its layout",
                  "speed / PyTorch's", "with kept pages", "quiet rounds"))  # fmt: skip
    for name in names:
        for batch in batches:
            images, labels = nets.batches(batch)
            arrays = {**nets.weights(name, nn), "images": images, "labels": labels}
            for what in ("training", "inference"):
                outcome = arena.contest(what, arrays, threads=threads, tolerance=TOLERANCE[what], net=name)
                ours = outcome.seconds["engine"]
                layout, theirs = outcome.best("torch")
                _, kept = outcome.best("kept")
                table.rows.append((name, batch, what, ours * 1e3, theirs and theirs * 1e3, layout and layout.split()[-1],
                                   _ratio(theirs, ours), _ratio(kept, ours), f"{outcome.kept}/{outcome.rounds}"))  # fmt: skip
    table.notes.append(
        "Training is one step: zero_grad, forward, cross-entropy, backward, SGD with momentum. Losses, every gradient and the "
        "loss after the step agreed. *With kept pages*: the ratio when glibc's malloc is told to give no memory back, which "
        "spares PyTorch the page faults of its large activations."
    )
    return table


def overhead(arena):
    """What one recorded operation costs, with and without its backward."""
    table = Table("Overhead of the tape, one addition of 8 numbers", ("what", "us", "PyTorch us", "time / PyTorch's",
                  "quiet rounds"))  # fmt: skip
    sides = [s for s in arena.sides if s.name in ("engine", "torch contiguous")]
    for what in ("taped add", "taped add and backward"):
        outcome = arena.contest(what, _draw(4, x=(8,), y=(8,), g=(8,)), sides=sides, tolerance=TOLERANCE["add"])
        ours, theirs = outcome.seconds["engine"], outcome.seconds.get("torch contiguous")
        table.rows.append((what, ours * 1e6, theirs and theirs * 1e6, _ratio(ours, theirs),
                           f"{outcome.kept}/{outcome.rounds}"))  # fmt: skip
    return table
