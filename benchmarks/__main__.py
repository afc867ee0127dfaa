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
CONTESTS = ("gemm", "conv", "nets", "overhead")
MOST_DISTURBED = 0.2  # of all rounds; beyond that RESULTS.md is not replaced
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
    parser.add_argument("--rounds", type=int, help="rounds of turns per comparison (default 7, quick 3)")
    parser.add_argument("--seconds", type=float, help="length of a turn (default 0.1, quick 0.03)")
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
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.03 if options.quick else 0.1)
    facts, tables, quiet = machine.facts(), [], True
    for table in alone(options):
        print("", table, sep="\n", flush=True)
        tables.append(table)
    if options.what in ("versus", *CONTESTS):
        python = versus.torch_python()
        with versus.arena(python, options.rounds, options.seconds) as arena:
            facts["PyTorch"] = torch_facts(arena) if python else f"not measured: {TORCH}"
            for table in beside(arena, options):
                print("", table, sep="\n", flush=True)
                tables.append(table)
            facts["disturbed"] = disturbances(arena)
            quiet = arena.disturbed <= MOST_DISTURBED * arena.all_rounds
    for name, value in facts.items():
        print(f"- {name}: {value}")
    command = " ".join(["python -m benchmarks", *arguments])
    if options.output:
        results.write(options.output, command, facts, tables)
    elif options.what == "versus" and not options.quick:
        if not quiet:
            print(
                f"too many rounds were disturbed: {results.RESULTS.name} stays as it was (--output writes in any case)"
            )
            return 1
        results.write(results.RESULTS, command, facts, tables)
    return 0


def alone(options):
    """The tables for which nobody else is needed."""
    if options.what in ("versus", "machine"):
        yield machine.peaks(sorted({1, options.threads}), options.seconds)
        yield machine.bandwidths(sorted({1, options.threads}), options.seconds)
    if options.what == "costs":
        for name, batch in itertools.product(shapes.NETS, shapes.BATCHES):
            yield costs.training_step(name, batch, options.threads, options.seconds * options.rounds)


def beside(arena, options):
    """The tables of contests that were asked for, one after the other."""
    chosen = CONTESTS if options.what == "versus" else (options.what,)
    if "gemm" in chosen:
        sizes = (*shapes.CUBES, *shapes.LINEAR)
        yield sections.products(arena, sizes, sorted({1, options.threads}), _isa.isas())
    if "conv" in chosen:
        yield sections.convolutions(arena, shapes.CONVOLUTIONS, options.threads)
    if "nets" in chosen:
        yield sections.networks(arena, shapes.NETS, shapes.BATCHES, options.threads)
    if "overhead" in chosen:
        yield sections.overhead(arena)


def disturbances(arena):
    """What went wrong with the rounds, in words."""
    text = f"{arena.disturbed} of {arena.all_rounds} rounds were dropped"
    cores = arena.others.cores()
    return text if cores is None else f"{text}; other processes kept {cores:.2f} cores busy meanwhile"


def torch_facts(arena):
    """PyTorch's version, instruction set and allocators, as its workers tell."""
    infos = {side.worker: side.worker.info for side in arena.sides[1:]}
    first, *others = infos.values()
    allocators = f"allocator {first['allocator']}; kept pages: {'; '.join(info['allocator'] for info in others)}"
    return f"{first['name']}, {first['versions']}, {first['isa']}, {allocators}"


if __name__ == "__main__":
    sys.exit(main())
