"""Matrix products: GFLOP/s, per cent of the peak measured in turns with them, and beside PyTorch."""

from benchmarks.results import Table, ratio
from benchmarks.sections.draw import draw
from engine_ext import _isa

TOLERANCE = 1e-5


def products(plan):
    """Each size by each number of threads and vector instruction set; PyTorch by the best set, its own choice."""
    arena, isas = plan.arena(), _isa.isas()[:2]
    table = Table("Matrix products", ("m x n x k", "instruction set", "threads", "GFLOP/s", "% of peak", "PyTorch",
                                      "speed / PyTorch's", "quiet rounds"), keys=3)  # fmt: skip
    for p in plan.menu.products:
        arrays = product_arrays(p)
        expected = {"product with a vector": product_by_vector(p, arrays)}
        for isa in isas:
            # layouts differ for images only: one side of PyTorch
            sides = arena.named("engine", *(["kept torch contiguous"] if isa == isas[0] else []))
            for t in plan.thread_counts:
                outcome = arena.contest("product", arrays, threads=t, isa=isa, sides=sides, expected=expected, what=str(p),
                                        tolerance=TOLERANCE, peak=True, seconds=plan.seconds / 2, form=p.form)  # fmt: skip
                ours, theirs = outcome.seconds.get("engine"), outcome.best("torch")[1]
                rate = ratio(p.flops / 1e9, ours)
                table.rows.append((str(p), isa, t, rate, rate and 100 * rate * outcome.seconds["peak"],
                                   ratio(p.flops / 1e9, theirs), ratio(theirs, ours), outcome.quiet))  # fmt: skip
    table.notes.append(
        "Checked by a random vector v in float64: (ab)v against a(bv). NN, NT, TN: which operand lies transposed in memory."
    )
    return table


def product_arrays(p):
    """Random a and b as they lie in memory, and a vector v[n]."""
    a_shape = (p.k, p.m) if p.form[0] == "t" else (p.m, p.k)
    b_shape = (p.n, p.k) if p.form[1] == "t" else (p.k, p.n)
    return draw(2, a=a_shape, b=b_shape, v=(p.n,))


def product_by_vector(p, arrays):
    """a(bv) in float64."""
    a, b, v = (arrays[key].astype("float64") for key in "abv")
    return (a.T if p.form[0] == "t" else a) @ ((b.T if p.form[1] == "t" else b) @ v)
