"""What was aimed at, beside what was measured: a table made from the other tables."""

import statistics

from benchmarks.results import Table

CONTEST = ("lenet5", "mnistnet", "vgg", "resnet20")
RATIO = "speed / PyTorch's"


def table(tables):
    """Every bar for which there are figures. tables: {title: Table}."""
    made = Table("Bars", ("bar", "geometric mean", "at least", "least", "at least ", "met"))
    found = {title.split(",")[0]: t.records() for title, t in tables.items()}
    for rows in (_networks, _convolutions, _local, _products, _others, _on_a_gpu):
        made.rows += [row for row in rows(found) if row]
    made.notes.append(
        "PyTorch at its best of all ways. A bar is met when the geometric mean and the least figure reach what stands beside them."
    )
    return made


def _row(name, values, mean=None, least=None):
    """A row from ratios; None when there are none. `least`: one number, or one for each value."""
    values = list(values)
    pairs = [(v, least[i] if isinstance(least, list) else least) for i, v in enumerate(values) if v]
    if not pairs:
        return None
    measured = statistics.geometric_mean(v for v, _ in pairs)
    met = (mean is None or measured >= mean) and all(wanted is None or v >= wanted for v, wanted in pairs)
    if len(pairs) < len(values):
        name += f" ({len(pairs)} of {len(values)} measured)"
    wanted = " or ".join(sorted({f"{w:g}" for _, w in pairs if w})) or None
    return name, measured, mean, min(v for v, _ in pairs), wanted, verdict(met, len(pairs) == len(values))


def verdict(met, complete):
    """Whether a bar is met; None while some of what it is about was not measured and the rest does not break it."""
    if not met:
        return "no"
    return "yes" if complete else None


def _networks(found):
    cells = {(r["network"], r["batch"], r["what"]): r for r in found.get("Networks", [])}

    def ratios(keys, column=RATIO):
        return [cells.get(key, {}).get(column) for key in keys]

    if cells:
        yield _row("training, batch 64, and ResNet-18 at 8", ratios(
            [(n, 64, "training") for n in CONTEST] + [("resnet18", 8, "training")]), 2.5, [2.0] * 4 + [1.5])  # fmt: skip
        yield _row("training, batch 128; lenet5, ResNet-20 at 1", ratios(
            [(n, 128, "training") for n in CONTEST] + [(n, 1, "training") for n in ("lenet5", "resnet20")]), 2.5, 1.8)  # fmt: skip
        sixty_four = [(n, 64, "inference") for n in CONTEST] + [("resnet18", 8, "inference")]
        yield _row("inference, batch 64 (ResNet-18: 8)", ratios(sixty_four), 2.0, 1.0)
        yield _row("the same over ONNX Runtime", ratios(sixty_four, "ONNX Runtime"), 1.5, 1.0)
        yield _row("inference, batch 1", ratios((n, 1, "inference") for n in (*CONTEST, "resnet18")), 2.0)
    held = {r["network"]: r[RATIO] for r in found.get("Training steps held to AVX2", [])}
    if held:
        yield _row("training held to AVX2", (held.get(n) for n in (*CONTEST, "resnet18")), 1.8)


def _convolutions(found):
    rows = found.get("Convolutions", [])
    for direction in ("forward", "dx", "dw"):
        yield _row(f"3x3 convolutions of 32 channels and more, {direction}", (
            r[RATIO] for r in rows if r["kind"] == "winograd" and r["direction"] == direction), None, 2.0)  # fmt: skip
    for direction in ("forward", "dx", "dw"):
        yield _row(f"other convolutions, {direction}", (
            r[RATIO] for r in rows if r["kind"] == "other" and r["direction"] == direction), 1.3, 1.0)  # fmt: skip


def _local(found):
    rows = found.get("Locally connected layers", [])
    yield _row("locally connected layers, forward and backward", (r[RATIO] for r in rows), None, 3.0)


def _products(found):
    rows = [r for r in found.get("Matrix products", []) if r[RATIO] and r["threads"] > 1]
    cubes = [r for r in rows if "^3" in r["m x n x k"]]
    for name, chosen, share in (
        ("512^3 to 1024^3", [r for r in cubes if not r["m x n x k"].startswith("2048")], 80),
        ("2048^3", [r for r in cubes if r["m x n x k"].startswith("2048")], 75),
    ):
        yield _row(f"matrix products {name}, % of peak", (r["% of peak"] for r in chosen), None, share)
    yield _row("matrix products of fully connected layers", (r[RATIO] for r in rows if r not in cubes), None, 1.6)


def _others(found):
    for title, rows in found.items():
        if title.startswith("Training steps on 1 and "):
            usual = [r for r in rows if r["network"] in CONTEST]
            yield _row("training on 2 threads against 1", (r["gain"] for r in usual), None, 1.8)
        if title == "Growth of memory over training steps":
            pairs = [(r["engine"], r["PyTorch"]) for r in rows if r["engine"] is not None and r["PyTorch"] is not None]
            yield _row("growth of memory, PyTorch's / ours", (max(b, 0.1) / max(a, 0.1) for a, b in pairs), None, 1.0)
        if title == "Steady state" and rows:
            loud = [r for r in rows if r["minor faults"] or r["pool misses"] or (r["calls for memory"] or "0") != "0"]
            met = verdict(not loud, all(r["calls for memory"] for r in rows))
            yield "steady state: silent networks", None, None, len(rows) - len(loud), str(len(rows)), met


def _on_a_gpu(found):
    for title, rows in found.items():
        if title.startswith("Networks on one "):
            for batch, least in ((512, 0.667), (64, 0.5)):
                values = (r[RATIO] for r in rows if r["batch"] == batch)
                yield _row(f"{title.removeprefix('Networks on one ')}, batch {batch}", values, None, least)
