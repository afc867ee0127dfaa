"""`python -m benchmarks.cifar --root FOLDER`: training runs on CIFAR-10, ours beside PyTorch's, epoch by epoch in turns.

Both sides train ResNet-9 by the recipe of `python -m engine train cifar10`: batch 128, SGD with Nesterov momentum, a
triangle of learning rates, label smoothing, random crops and mirroring. Images lie in memory as bytes on both sides and
are augmented a whole batch at a time. The engine runs what the command line runs; PyTorch goes on, after the first epoch,
with the faster of contiguous and channels_last memory.
"""

import argparse
import sys
import tempfile

import numpy

from benchmarks import results, versus
from engine.cli.recipes import RECIPES
from engine.vision import datasets
from engine_ext import parallel

RECIPE = RECIPES["cifar10"]
NAMES = {"engine": "engine", "torch contiguous": "PyTorch", "torch channels_last": "PyTorch, channels_last"}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cifar", description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder of the CIFAR-10 files")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--images", type=int, default=50_000, help="of the training set (default %(default)s)")
    parser.add_argument("--threads", type=int, default=parallel.default_num_threads()[0])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments=None):
    """Train both and print minutes and accuracies; the exit code."""
    options = parse(arguments)
    train, test = (datasets.CIFAR10(options.root, train=part) for part in (True, False))
    arrays = {
        "images": train.images().numpy()[: options.images], "labels": numpy.asarray(train.targets)[: options.images],
        "test_images": test.images().numpy(), "test_labels": numpy.asarray(test.targets),
    }  # fmt: skip
    python = versus.torch_python()
    with tempfile.TemporaryDirectory() as folder:
        numpy.savez(f"{folder}/arrays.npz", **arrays)
        sides = [versus.Side("engine", versus.WorkerProcess("benchmarks.cifar_engine"))]
        for layout in ("contiguous", "channels_last") if python else ():
            worker = versus.WorkerProcess("benchmarks.cifar_torch", python)
            sides.append(versus.Side(f"torch {layout}", worker, layout))
        recipe = {
            "epochs": options.epochs, "batch": RECIPE.batch_size, "lr": RECIPE.lr, "weight_decay": RECIPE.weight_decay,
            "label_smoothing": RECIPE.label_smoothing, "seed": options.seed,
        }  # fmt: skip
        for side in sides:
            side.worker.ask(do="prepare", name=side.name, task="cifar10", arrays=f"{folder}/arrays.npz", layout=side.layout,
                            threads=options.threads, isa=None, **recipe)  # fmt: skip
        seconds, accuracies = run(sides, options.epochs, folder)
        for side in sides:
            side.worker.__exit__()
    print(table(sides, seconds, accuracies, options))
    return 0


def run(sides, epochs, folder):
    """Seconds of each epoch and accuracy after it, by side; each epoch of one side beside the same of the others."""
    seconds, accuracies = {s.name: [] for s in sides}, {s.name: [] for s in sides}
    for epoch in range(1, epochs + 1):
        for side in sides:
            seconds[side.name].append(side.worker.ask(do="turn", name=side.name, seconds=0))
            path = f"{folder}/outputs.npz"
            side.worker.ask(do="outputs", name=side.name, path=path)
            with numpy.load(path) as file:
                accuracies[side.name].append(float(file["accuracy"]))
            print(
                f"epoch {epoch}: {NAMES[side.name]} {seconds[side.name][-1]:.1f} s, {accuracies[side.name][-1]:.2%}",
                flush=True,
            )
        others = sorted((s for s in sides if s.name != "engine"), key=lambda s: seconds[s.name][0])
        sides = [s for s in sides if s.name == "engine" or s is others[0]]
    return seconds, accuracies


def table(sides, seconds, accuracies, options):
    """Minutes of training (tests apart) and the last accuracy of each side."""
    title = f"CIFAR-10, ResNet-9, {options.epochs} epochs, {options.threads} threads, seed {options.seed}"
    columns = ("side", "minutes", "times ours", "test accuracy in %")
    rows = []
    ours = sum(seconds["engine"])
    for side in (s for s in sides if len(seconds[s.name]) == options.epochs):
        total = sum(seconds[side.name])
        rows.append([NAMES[side.name], total / 60, total / ours, f"{100 * accuracies[side.name][-1]:.2f}"])
    return results.Table(title, columns, rows)


if __name__ == "__main__":
    sys.exit(main())
