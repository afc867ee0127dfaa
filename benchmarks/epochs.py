"""`python -m benchmarks epochs mnist|cifar10 --root FOLDER`: training with data loading, beside PyTorch, epoch by epoch.

Both sides train what `python -m engine train` trains by its recipe (CIFAR-10: ResNet-9, batch 128, SGD with Nesterov
momentum, a triangle of learning rates, label smoothing, random crops and mirroring; MNIST: LeNet-5, batch 64, Adam, a cosine
of learning rates). Images lie in memory as bytes on both sides and become batches as a whole. The engine runs what the command
line runs; PyTorch goes on, after the first epoch, with the faster of contiguous and channels_last memory.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy

from benchmarks import machine, results, versus
from benchmarks.peers.find import python
from engine.cli.recipes import RECIPES
from engine_ext import parallel

DATA = ("mnist", "cifar10")
NAMES = {"engine": "engine", "torch contiguous": "PyTorch", "torch channels_last": "PyTorch, channels_last"}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmarks epochs", description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=DATA)
    parser.add_argument("--root", required=True, help="folder of the data files")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--images", type=int, help="of the training set (default: all)")
    parser.add_argument("--threads", type=int, default=parallel.default_num_threads()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=results.RESULTS, help="default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Train both and print seconds and accuracies; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    recipe = RECIPES[options.data]
    options.epochs = options.epochs or recipe.epochs
    train, test = (recipe.data(options.root, train=part) for part in (True, False))
    arrays = {
        "images": train.images().numpy()[: options.images], "labels": numpy.asarray(train.targets)[: options.images],
        "test_images": test.images().numpy(), "test_labels": numpy.asarray(test.targets),
    }  # fmt: skip
    interpreter = python("torch")
    with tempfile.TemporaryDirectory() as folder:
        numpy.savez(f"{folder}/arrays.npz", **arrays)
        sides = [versus.Side("engine", versus.WorkerProcess("benchmarks.epochs_engine"))]
        for layout in versus.LAYOUTS if interpreter else ():
            worker = versus.WorkerProcess("benchmarks.epochs_torch", interpreter)
            sides.append(versus.Side(f"torch {layout}", worker, layout))
        for side in sides:
            side.worker.ask(do="prepare", name=side.name, task="epochs", arrays=f"{folder}/arrays.npz", layout=side.layout,
                            threads=options.threads, isa=None, data=options.data, epochs=options.epochs,
                            seed=options.seed)  # fmt: skip
        seconds, accuracies = run(sides, options.epochs, folder)
        for side in sides:
            side.worker.__exit__()
    made = table(sides, seconds, accuracies, options, recipe)
    print(made)
    found = results.Results.read(options.output)
    facts = {"date": time.strftime("%Y-%m-%d"), **machine.facts()}
    if interpreter:
        facts["PyTorch"] = ", ".join(sides[1].worker.info[key] for key in ("name", "versions", "allocator"))
    found.add([made], results.command_line("epochs", arguments), facts)
    found.write(options.output)
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
        sides = [s for s in sides if s.name == "engine" or s in others[:1]]
    return seconds, accuracies


def table(sides, seconds, accuracies, options, recipe):
    """Seconds of an epoch (tests apart) and the last accuracy of each side."""
    title = f"Epochs of {options.data} ({recipe.model}) with data loading, {options.threads} threads"
    made = results.Table(title, ("side", "epochs", "seconds an epoch", "times ours", "test accuracy in %"))
    ours = numpy.median(seconds["engine"])
    for side in (s for s in sides if len(seconds[s.name]) == options.epochs):
        usual = float(numpy.median(seconds[side.name]))
        made.rows.append([NAMES[side.name], options.epochs, usual, float(usual / ours),
                          f"{100 * accuracies[side.name][-1]:.2f}"])  # fmt: skip
    made.notes.append("Medians; epochs of both sides in turns. PyTorch at its better layout.")
    return made


if __name__ == "__main__":
    sys.exit(main())
