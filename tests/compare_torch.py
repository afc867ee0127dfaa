"""Every public function of the engine beside PyTorch's of the same name: values, gradients, dtypes, errors.

    python tests/compare_torch.py [--seed N] [--cases N] [--only TEXT] [--backend NAME] [--markdown FILE]

For each name it draws calls from a seed (shapes, layouts, dtypes, keywords, special values; every fourth call has one bad
argument), makes them of both libraries and compares what comes back. What differs is either in the table of
comparison/known.py, with a reason, or a defect. Names without a generator, and names of PyTorch's that the engine should
have and lacks, are listed too. The exit status is 1 if there is any of these.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import zlib
from collections import Counter
from dataclasses import dataclass, field

from comparison import excluded, families, known, outcome, wanted
from comparison.call import spoil
from comparison.draw import Draw
from comparison.registry import generator_of
from comparison.surfaces import NotATensor, home, targets

import engine

assert families  # imported for what it registers
SPOILED = 0.25  # share of the calls with a bad argument


@dataclass
class Report:
    """What was compared and what came of it."""

    counts: dict = field(default_factory=dict)  # label -> Counter of "equal", "raised by both", "known", "unexplained"
    explained: Counter = field(default_factory=Counter)  # (reason) -> number of calls
    explained_of: dict = field(default_factory=dict)  # reason -> set of labels
    unexplained: list = field(default_factory=list)
    excluded: dict = field(default_factory=dict)  # label -> reason
    uncovered: list = field(default_factory=list)
    missing: list = field(default_factory=list)

    @property
    def clean(self):
        return not (self.unexplained or self.uncovered or self.missing)


def compare(seed=0, cases=100, only="", backend="cpu"):
    """The Report on every public name whose label contains `only`, computed on one of the engine's backends."""
    with engine.use_backend(backend):
        return _compared(seed, cases, only)


def _compared(seed, cases, only):
    import torch

    torch.set_num_threads(1)
    report = Report(missing=[] if only else wanted.missing(lambda surface: dir(home(engine, surface))))
    for target in targets(engine):
        if only and only not in target.label:
            continue
        if reason := excluded.reason(target):
            report.excluded[target.label] = reason
        elif (generate := generator_of(target.surface, target.name)) is None or target.found(torch) is None:
            report.uncovered.append(target.label)
        else:
            _compare(torch, target, generate, seed, cases, report)
    return report


def _compare(torch, target, generate, seed, cases, report):
    counts = report.counts[target.label] = Counter()
    for i in range(cases):
        draw = Draw(seed, zlib.crc32(target.label.encode()), i)
        call = generate(draw, target.name)
        if draw.chance(SPOILED):
            call = spoil(draw, call)
        try:
            result = one(torch, target, call, draw)
        except NotATensor:
            counts["not applicable"] += 1
            continue
        counts[record(report, target, call, result)] += 1


def one(torch, target, call, draw):
    """(outcome of the engine, of PyTorch) for one call."""
    positional, keywords = call.given(draw, least=int(target.method))
    through = call.through

    def invoke(lib, arguments, named, leaves):
        if through is not None:
            return through(lib, target.found(lib), arguments, named, leaves)
        return target.call(lib, arguments, named)

    over_copy = target.in_place or bool({**call.named, **call.only}.get("inplace"))
    sides = [outcome.run(lib, invoke, call, positional, keywords, over_copy) for lib in (engine, torch)]
    for side in sides:
        if isinstance(side.error, NotATensor):
            raise side.error
    return sides


def record(report, target, call, result):
    """Notes the differences of one call; under what it counts."""
    ours, theirs = result
    found = [outcome.Difference(target.label, repr(call), aspect, str(a), str(b), call.spoiled)
             for aspect, a, b in outcome.differences(ours, theirs, call)]  # fmt: skip
    if not found:
        return "raised by both" if theirs.error else "equal"
    reasons = [known.reason(d) for d in found]
    if None in reasons:
        report.unexplained += [d for d, reason in zip(found, reasons, strict=True) if reason is None]
        return "unexplained"
    for reason in set(reasons):
        report.explained[reason] += 1
        report.explained_of.setdefault(reason, set()).add(target.label)
    return "known"


# ---- the report


def markdown(report, seed, cases):
    """The report as text."""
    total = sum(report.counts.values(), Counter())
    lines = [
        f"# Beside PyTorch (seed {seed}, {cases} calls of each function)",
        "",
        f"{len(report.counts)} functions, methods and classes; {total.total() - total['not applicable']} calls: "
        f"{total['equal']} with equal results, {total['raised by both']} refused by both with errors of one type, "
        f"{total['known']} with differences that are known, {total['unexplained']} with others.",
        "",
        "| known difference | calls | functions |",
        "| --- | ---: | --- |",
    ]
    for reason, n in report.explained.most_common():
        names = sorted(report.explained_of[reason])
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        lines.append(f"| {reason} | {n} | {shown} |")
    lines += ["", f"{len(report.excluded)} names are not compared here:", ""]
    by_reason = {}
    for label, reason in report.excluded.items():
        by_reason.setdefault(reason, []).append(label)
    lines += [f"- {reason}: {', '.join(labels)}" for reason, labels in by_reason.items()]
    for title, items in (("Not covered", report.uncovered), ("Missing", report.missing)):
        lines += ["", f"{title}: {', '.join(items) or 'nothing'}."]
    lines += ["", f"Differences that nothing explains: {len(report.unexplained)}.", ""]
    return "\n".join(lines + [f"    {d}" for d in report.unexplained])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=100, help="calls of each function (default 100)")
    parser.add_argument("--only", default="", help="names that contain this, such as Tensor.add or nn.Conv2d")
    parser.add_argument("--backend", default="cpu", choices=engine.available_backends())
    parser.add_argument("--markdown", help="write the report to this file too")
    args = parser.parse_args(argv)
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed beside the engine: pip install torch", file=sys.stderr)
        return 2
    report = compare(args.seed, args.cases, args.only, args.backend)
    text = markdown(report, args.seed, args.cases)
    print(text)
    if args.markdown:
        with open(args.markdown, "w") as f:
            f.write(text + "\n")
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
