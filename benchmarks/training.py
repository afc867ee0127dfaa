"""`python -m benchmarks training --data FOLDER`: accuracies after whole trainings, ours beside PyTorch's, several seeds a side.

MNIST: LeNet-5, 5 epochs; CIFAR-10: ResNet-20, 10 epochs with random crops and mirroring. A seed draws, by NumPy, the initial
weights, the order of images and their augmentation, so both sides are given the same of each; SGD with Nesterov momentum and
a triangle of learning rates. What then differs is rounding, which training makes large, as it does between seeds.

Every finished run leaves a file in the folder of --runs and is not repeated: a long comparison can be spread over days.
When all are there, the table goes into RESULTS and the curves into TRAINING.png.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy

from benchmarks import machine, nets, results, versus
from benchmarks.peers.find import PEERS, python
from benchmarks.worker_engine import network
from engine.vision import datasets
from engine_ext import parallel

PICTURE = Path(__file__).with_name("TRAINING.png")
SIDES = {"engine": "benchmarks.worker_engine", "torch": PEERS["torch"].worker}


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how; `folder` of the data under --data."""

    net: str
    data: type
    folder: str
    epochs: int
    batch: int
    lr: float
    weight_decay: float
    augment: bool


RECIPES = {
    "mnist": Recipe("lenet5", datasets.MNIST, "mnist", 5, 64, 0.05, 5e-4, False),
    "cifar10": Recipe("resnet20", datasets.CIFAR10, "cifar-10", 10, 128, 0.2, 5e-4, True),
}


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks training", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__
    )
    parser.add_argument("--data", required=True, type=Path, help="folder that holds mnist/ and cifar-10/")
    parser.add_argument("--only", choices=RECIPES, help="one of the two")
    parser.add_argument("--side", choices=SIDES, help="one of the two")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default %(default)s)")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--images", type=int, help="of the training set (default: all)")
    parser.add_argument("--threads", type=int, default=parallel.default_num_threads()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/training"), help="default %(default)s")
    parser.add_argument("--output", type=Path, default=results.RESULTS, help="default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Do the runs that are missing, then table and picture of all; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    options.runs.mkdir(parents=True, exist_ok=True)
    for seed, side, name in itertools.product(range(options.seeds), SIDES, RECIPES):
        if (
            options.side in (None, side)
            and options.only in (None, name)
            and not _file(options, name, side, seed).exists()
        ):
            train(options, name, side, seed)
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(options.runs.glob("*.json"))]
    made = table(runs)
    print(made)
    found = results.Results.read(options.output)
    facts = {"date": time.strftime("%Y-%m-%d"), **machine.facts(), "runs": f"{len(runs)}"}
    found.add([made], results.command_line("training", arguments), facts)
    found.write(options.output)
    if not draw(runs, options.output.with_name(PICTURE.name)):
        print("no picture: pip install 'engine[viz]' draws it")
    return 0


def _file(options, name, side, seed):
    return options.runs / f"{name}-{side}-{seed}.json"


def train(options, name, side, seed):
    """One run, epoch by epoch, into its file."""
    recipe = RECIPES[name]
    interpreter = sys.executable if side == "engine" else python(side)
    if interpreter is None:
        print(f"{name}, {side}: left out, {PEERS[side].variable} names no interpreter that has it")
        return
    curve, how = [], {key: v for key, v in asdict(recipe).items() if key not in ("data", "folder")}
    how["epochs"] = options.epochs or recipe.epochs
    with tempfile.TemporaryDirectory() as folder, versus.WorkerProcess(SIDES[side], interpreter) as worker:
        numpy.savez(f"{folder}/arrays.npz", **arrays(recipe, options.data, seed, options.images))
        worker.ask(do="prepare", name="t", task="learning", arrays=f"{folder}/arrays.npz", layout="channels_last",
                   threads=options.threads, isa=None, seed=seed, **how)  # fmt: skip
        for epoch in range(how["epochs"]):
            seconds = worker.ask(do="turn", name="t", seconds=0)
            worker.ask(do="outputs", name="t", path=f"{folder}/outputs.npz")
            with numpy.load(f"{folder}/outputs.npz") as file:
                curve.append({"seconds": seconds, "loss": float(file["loss"]), "accuracy": float(file["accuracy"])})
            print(f"{name}, {side}, seed {seed}, epoch {epoch + 1}: loss {curve[-1]['loss']:.4f}, "
                  f"{curve[-1]['accuracy']:.2%}, {seconds:.1f} s", flush=True)  # fmt: skip
        info = {key: worker.info[key] for key in ("name", "versions")}
    run = {"data": name, "side": side, "seed": seed, "threads": options.threads, **info, **how, "curve": curve}
    _file(options, name, side, seed).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def arrays(recipe, root, seed, count=None):
    """Images and labels of both sets, and the initial weights of this seed."""
    train, test = (recipe.data(root / recipe.folder, train=part) for part in (True, False))
    return {
        "images": _channels(train.images().numpy()[:count]), "labels": numpy.asarray(train.targets)[:count],
        "test_images": _channels(test.images().numpy()), "test_labels": numpy.asarray(test.targets),
        "mean": numpy.asarray(recipe.data.mean, "float32"), "std": numpy.asarray(recipe.data.std, "float32"),
        **{f"weights/{key}": a for key, a in initial(recipe.net, seed).items()},
    }  # fmt: skip


def _channels(images):
    return images[:, None] if images.ndim == 3 else images


def initial(net, seed):
    """Weights of that seed: He's bounds; batch norm as the identity."""
    weights = nets.weights(network(net).state_dict(), seed)
    for key, a in weights.items():
        if key.rpartition(".")[2] in ("running_mean", "bias"):
            weights[key] = numpy.zeros_like(a)
        elif a.ndim == 1:  # weight and running_var of a batch norm
            weights[key] = numpy.ones_like(a)
    return weights


def table(runs):
    """Mean and range of each side's test accuracies, and whether the means differ by no more than a range."""
    made = results.Table("Training quality, test accuracy in %", (
        "data", "network", "epochs", "seeds", "engine", "its range", "PyTorch", "its range ", "difference of means",
        "within a range"), keys=3)  # fmt: skip
    groups = sorted({(r["data"], r["net"], r["epochs"]) for r in runs})
    for key in groups:
        last = {side: [100 * r["curve"][-1]["accuracy"] for r in runs
                       if (r["data"], r["net"], r["epochs"]) == key and r["side"] == side] for side in SIDES}  # fmt: skip
        ours, theirs = last.values()
        if not (ours and theirs):
            continue
        difference = statistics.mean(ours) - statistics.mean(theirs)
        widest = max(max(a) - min(a) for a in (ours, theirs))
        made.rows.append((*key, f"{len(ours)} and {len(theirs)}", *_figures(ours), *_figures(theirs), f"{difference:+.2f}",
                          "yes" if abs(difference) <= widest else "no"))  # fmt: skip
    made.notes.append(
        "After the last epoch. Both sides were given the same initial weights, order of images and augmentation for each seed."
    )
    return made


def _figures(accuracies):
    return f"{statistics.mean(accuracies):.2f}", f"{min(accuracies):.2f} to {max(accuracies):.2f}"


def draw(runs, path):
    """Both sides' curves of test accuracy and training loss in one picture; False when there is no matplotlib, or no run."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    names = sorted({r["data"] for r in runs})
    if not names:
        return False
    figure = Figure(figsize=(9, 3.2 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 2, squeeze=False)
    for (left, right), name in zip(axes, names, strict=True):
        for run in (r for r in runs if r["data"] == name):
            style = {"color": "#4c78a8" if run["side"] == "engine" else "#e45756", "alpha": 0.8,
                     "linestyle": "-" if run["side"] == "engine" else "--",
                     "label": run["name"].split()[0] if run["seed"] == 0 else None}  # fmt: skip
            epochs = range(1, len(run["curve"]) + 1)
            left.plot(epochs, [100 * e["accuracy"] for e in run["curve"]], **style)
            right.plot(epochs, [e["loss"] for e in run["curve"]], **style)
        left.set_title(f"{name}: test accuracy in %, {len({r['seed'] for r in runs})} seeds a side", fontsize=9)
        right.set_title(f"{name}: training loss", fontsize=9)
        right.legend(fontsize=8)
        for ax in (left, right):
            ax.set_xlabel("epoch", fontsize=8)
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    return True


if __name__ == "__main__":
    sys.exit(main())
