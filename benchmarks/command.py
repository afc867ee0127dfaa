"""`python -m benchmarks versus`: sections measured, printed, and put into RESULTS.json, .md and .png."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks import bars, machine, picture, results, shapes
from benchmarks.nets import NETS
from benchmarks.peers.find import PEERS, pythons
from benchmarks.plan import Plan
from benchmarks.sections import SECTIONS
from engine_ext import parallel

MOST_DISTURBED = 0.2  # of all rounds; beyond that the results stay as they were


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks versus", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Sections:\n" + "\n".join(f"  {name:13} {text}" for name, (text, _) in SECTIONS.items()),
        epilog="Peers are sought in the interpreters that " + ", ".join(p.variable for p in PEERS.values())
        + " name, else in this one; without one its columns stay empty.",
    )  # fmt: skip
    known = f"of {', '.join(SECTIONS)}"
    parser.add_argument("--only", type=_list(SECTIONS), default=list(SECTIONS), metavar="SECTIONS", help=known)
    parser.add_argument("--net", type=_list(NETS), metavar="NETS", help=f"of {', '.join(NETS)}; convolutions too")
    parser.add_argument("--batch", type=int, help="only this one")
    parser.add_argument("--without", type=_list([*PEERS, "compile"]), default=[], metavar="PEERS",
                        help=f"leave out {', '.join(PEERS)}, or compile: torch.compile")  # fmt: skip
    parser.add_argument("--quick", action="store_true",
                        help="fewer shapes, few short rounds, no torch.compile; results stay as they are")  # fmt: skip
    parser.add_argument("--rounds", type=int, help="rounds of turns per comparison (default 7, quick 3)")
    parser.add_argument("--seconds", type=float, help="length of a turn (default 0.1, quick 0.03)")
    parser.add_argument("--threads", type=int, default=parallel.default_num_threads()[0], help="default %(default)s")
    parser.add_argument("--output", type=Path, help=f"default without --quick: {results.RESULTS.name} beside the code")
    return parser.parse_args(arguments)


def _list(known):
    def split(text):
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(known)}")
        return names

    return split


def main(arguments, menu=None):
    """Measure what was chosen; the exit code: 1 when a side failed, disagreed, or the machine was not quiet."""
    options = parse(arguments)
    menu = (menu or (shapes.QUICK if options.quick else shapes.FULL)).only(options.net, options.batch)
    start, tables = time.monotonic(), []
    facts = {"date": time.strftime("%Y-%m-%d"), **machine.facts()}
    plan = Plan(
        pythons(options.without), menu, options.threads, options.rounds or (3 if options.quick else 7),
        options.seconds or (0.03 if options.quick else 0.1), not options.quick and "compile" not in options.without,
    )  # fmt: skip
    with plan:
        for section in (make for name in options.only for make in SECTIONS[name][1]):
            tables.append(section(plan))
            print(tables[-1], end="\n\n", flush=True)
        aims = bars.table({table.title: table for table in tables})
        print(aims if aims.rows else "", flush=True)
        facts.update(peers(plan, options.without))
        arenas = list(plan.arenas.values())
        facts["rounds"] = f"{plan.rounds} of {plan.seconds:g} s a turn; {disturbances(arenas)}"
    facts["took"] = f"{(time.monotonic() - start) / 60:.1f} minutes"
    failures = [line for arena in arenas for line in arena.failures]
    facts.update({f"left out {i}": first_and_last(line) for i, line in enumerate(failures, 1)})
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    disturbed = sum(a.disturbed for a in arenas) > MOST_DISTURBED * sum(a.all_rounds for a in arenas)
    write(options, arguments, tables, facts, disturbed)
    return int(disturbed or bool(failures))


def write(options, arguments, tables, facts, disturbed):
    """Into the file named, in any case; into RESULTS after an undisturbed run."""
    path = options.output or (None if options.quick else results.RESULTS)
    if path is None:
        return
    if disturbed and not options.output:
        print(f"too many rounds were disturbed: {path.name} stays as it was (--output writes in any case)")
        return
    all_ = results.Results.read(path)
    all_.add(tables, results.command_line("versus", arguments), facts)
    all_.write(path)
    if not picture.draw(all_.tables, path.with_suffix(".png")):
        print("no picture: pip install 'engine[viz]' draws it")


def peers(plan, left_out):
    """{name: text} of each peer's version and settings, as its workers tell; those left out, and why."""
    facts = {}
    sides = [side for arena in plan.arenas.values() for side in arena.sides]
    for name, peer in PEERS.items():
        infos = {id(s.worker): s.worker.info for s in sides if name in s.name.split()}
        if infos:
            first, *_ = infos.values()
            allocators = "; ".join(dict.fromkeys(i["allocator"] for i in infos.values() if "allocator" in i))
            sets = "; ".join(dict.fromkeys(i["isa"] for i in infos.values() if "isa" in i))
            facts[peer.title] = ", ".join(filter(None, (first["name"], first["versions"], sets, allocators)))
        elif name in left_out:
            facts[peer.title] = "left out by --without"
        elif name not in plan.pythons:
            facts[peer.title] = (
                f"not measured: {peer.variable} names no interpreter that has it, and this one has it not"
            )
    if "torch" in plan.pythons and not plan.compiled:
        facts["torch.compile"] = "left out"
    return facts


def disturbances(arenas):
    """What went wrong with the rounds, in words."""
    text = f"{sum(a.disturbed for a in arenas)} of {sum(a.all_rounds for a in arenas)} were dropped"
    cores = [arena.others.cores() for arena in arenas]
    if not cores or None in cores:
        return text
    return f"{text}; other processes kept {max(cores):.2f} cores busy meanwhile"


def first_and_last(text):
    """The ends of a traceback."""
    lines = text.strip().splitlines()
    return lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1].strip()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
