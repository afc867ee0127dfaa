"""`python -m benchmarks [what] [--quick]`: measure, print tables, and for all of it write RESULTS.md."""

import argparse
import itertools
import sys

from benchmarks import costs, machine, results, sections, shapes, versus
from engine_ext import _isa, parallel

WHAT = {
    "versus": "everything below but costs, beside PyTorch; writes RESULTS.md",
    "machine": "peak of multiply-adds, bandwidth of caches and memory",
    "gemm": "matrix products in per cent of the peak, per instruction set and thread count",
    "conv": "convolutions: forward, input gradient, weight gradient",
    "nets": "training step and inference of lenet5 and mnistnet",
    "overhead": "what recording an operation costs",
    "costs": "which kernels a training step spends its time in",
}
TORCH = "PyTorch is sought in the interpreter that ENGINE_BENCH_TORCH names, else in this one; without it, its columns stay empty."


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="\n".join(f"{name:9} {text}" for name, text in WHAT.items()), epilog=TORCH,
    )  # fmt: skip
    parser.add_argument(
        "what", nargs="?", choices=WHAT, default="versus", metavar="what", help="one of the above; default versus"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few short rounds, for a first impression; RESULTS.md stays as it is"
    )
    parser.add_argument("--rounds", type=int, help="rounds of turns per comparison (default 9, quick 3)")
    parser.add_argument("--seconds", type=float, help="length of a turn (default 0.15, quick 0.03)")
    parser.add_argument(
        "--threads",
        type=int,
        default=parallel.default_num_threads()[0],
        help="threads of both sides (default %(default)s)",
    )
    parser.add_argument(
        "--output",
        help=f"write the tables to this file (versus without --quick: {results.RESULTS.name} beside the code)",
    )
    return parser.parse_args(arguments)


def main(arguments=None):
    """Run what was chosen; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    options.rounds = options.rounds or (3 if options.quick else 9)
    options.seconds = options.seconds or (0.03 if options.quick else 0.15)
    facts, tables = machine.facts(), []
    for table in measured(options, facts):
        print("", table, sep="\n", flush=True)
        tables.append(table)
    for name, value in facts.items():
        print(f"- {name}: {value}")
    output = options.output or (results.RESULTS if options.what == "versus" and not options.quick else None)
    if output:
        results.write(output, " ".join(["python -m benchmarks", *arguments]), facts, tables)
        print(f"written: {output}")
    return 0


def measured(options, facts):
    """The tables that were asked for, one after the other; adds to the facts what was learnt of PyTorch and disturbances."""
    both = sorted({1, options.threads})
    if options.what in ("versus", "machine"):
        yield machine.peaks(both, options.seconds)
        yield machine.bandwidths(both, options.seconds)
    if options.what == "costs":
        for name, batch in itertools.product(shapes.NETS, shapes.BATCHES):
            yield costs.training_step(name, batch, options.threads, options.seconds * options.rounds)
    chosen = ("gemm", "conv", "nets", "overhead") if options.what == "versus" else (options.what,)
    if not set(chosen) & {"gemm", "conv", "nets", "overhead"}:
        return
    python = versus.torch_python()
    with versus.arena(python, options.rounds, options.seconds) as arena:
        facts["PyTorch"] = torch_facts(arena) if python else f"not measured: {TORCH}"
        if "gemm" in chosen:
            yield sections.products(arena, (*shapes.CUBES, *shapes.LINEAR), both, _isa.isas())
        if "conv" in chosen:
            yield sections.convolutions(arena, shapes.CONVOLUTIONS, options.threads)
        if "nets" in chosen:
            yield sections.networks(arena, shapes.NETS, shapes.BATCHES, options.threads)
        if "overhead" in chosen:
            yield sections.overhead(arena)
        facts["disturbed"] = f"{arena.disturbed} of {arena.all_rounds} rounds were dropped"


def torch_facts(arena):
    """PyTorch's version, instruction set and allocators, as its workers tell."""
    infos = {side.worker: side.worker.info for side in arena.sides[1:]}
    first, *others = infos.values()
    allocators = f"allocator {first['allocator']}; kept pages: {'; '.join(info['allocator'] for info in others)}"
    return f"{first['name']}, {first['versions']}, {first['isa']}, {allocators}"


if __name__ == "__main__":
    sys.exit(main())
