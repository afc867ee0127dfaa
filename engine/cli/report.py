"""`python -m engine report`: a page about a run: curves, errors, what the network has learnt and where it looks."""

from __future__ import annotations

import argparse
import csv
import os

import engine
from engine import nn, viz
from engine.cli import recipes, trained
from engine.cli.command import Command, CommandError
from engine.progress import progress
from engine.serialization import atomic_write
from engine.viz import report, sheets

IMAGES, PATCHED, LOOKED_AT = 1000, 256, 8  # test images that errors and patches are sought in; that are drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A run and its data."""
    parser.add_argument("folder", metavar="RUN", help="the folder of a run, such as runs/digits-lenet5")
    recipes.add_root(parser)


def run(options: argparse.Namespace) -> int:
    """Write RUN/report.html."""
    if not os.path.isdir(options.folder):
        raise CommandError(f"there is no folder {options.folder!r}; `python -m engine train digits` makes one")
    model, dataset, _ = trained.load(options.folder)
    test = recipes.load(dataset, options.root, False, options.download)
    print(f"report: {write(options.folder, model, dataset, test)}")
    return 0


def write(folder: str, model, dataset: str, test) -> str:
    """The page of a run, from its curve.csv, log and network; replaced all at once. Its path."""
    recipe = recipes.RECIPES[dataset]
    images, labels = recipes.first(test, min(len(test), IMAGES))
    with open(os.path.join(folder, "log.txt"), encoding="utf-8") as file:
        headline = file.readline().strip()
    with open(os.path.join(folder, "curve.csv"), encoding="utf-8", newline="") as file:
        epochs = list(csv.DictReader(file))
    table = engine.summary(model, images.shape[1:])
    facts: dict[str, object] = {
        "run": folder,
        "training": headline,
        "recipe": recipe.details(),
        "parameters": f"{table.parameters:,}",
        "engine": engine.__version__,
    }
    told = f"the first {len(images):,} test images" if len(test) > len(images) else f"all {len(images):,} test images"
    sections = [*_curves(epochs, facts), *_errors(model, images, labels, recipe.classes, told)]
    sections += [*_layers(model, images), ("Layers", "What they give and cost.", report.layer_table(table))]
    text = report.page(f"{os.path.basename(os.path.abspath(folder))}: a trained network", facts, sections)
    path = os.path.join(folder, "report.html")
    atomic_write(path, text.encode())
    return path


def _curves(epochs, facts):
    if not epochs:
        return
    facts["test accuracy"] = f"{float(epochs[-1]['test_accuracy']):.2%} after {len(epochs)} epochs"
    numbers = [int(e["number"]) for e in epochs]
    loss = report.curve("training loss", numbers, {"training": [float(e["loss"]) for e in epochs]})
    shares = {name: [100 * float(e[f"{name}_accuracy"]) for e in epochs] for name in ("train", "test")}
    both = report.curves(loss, report.curve("accuracy in %", numbers, shares, "{:.1f}"))
    yield "Learning curves", "After each epoch; training figures are means while the weights moved.", both


def _errors(model, images, labels, classes, told):
    shares = viz.probabilities(model, images)
    counts = viz.confusion_matrix(shares, labels)
    text = f"{counts.trace():,} of {told} right. Rows: what they are; columns: what they were taken for."
    yield "Confusion matrix", text, report.confusion_table(counts, classes)
    errors = viz.worst_errors(shares, labels, 2 * LOOKED_AT)
    if len(errors.which):
        names = "; ".join(
            f"{classes[label]} taken for {classes[taken]} ({share:.0%})"
            for label, taken, share in zip(errors.label, errors.taken, errors.share, strict=True)
        )
        drawn = report.picture(sheets.pictures(images[errors.which], LOOKED_AT), names)
        yield "Worst errors", "The wrong answers the network is surest of, in the order of their names below.", drawn


def _layers(model, images):
    """Filters, and of up to three layers with maps what they show; networks without maps have filters alone."""
    filters = viz.filters(model)
    if filters.ndim == 2 and filters.shape[1] == images[0].size:  # templates, rows of the first fully connected layer
        filters = filters[:64].reshape(-1, *images.shape[1:])
    if filters.ndim == 4:
        yield "Filters", "Of the first layer.", report.picture(sheets.filters(filters), "from least to greatest weight")
    layers = _worth_seeing(model, images.shape[1:])
    if not layers:
        return
    first = images[:1]
    maps = [report.picture(sheets.activations(viz.activations(model, x, first)[0][:64]), x) for x in layers]
    yield "Activation maps", "What layers give for the first test image.", "".join(maps)
    best = [
        (x, viz.top_patches(model, x, images[:PATCHED], count=min(9, len(images))))
        for x in progress(layers, "patches", 0)
    ]
    text = (
        f"For each feature map those of the first {len(images[:PATCHED])} test images that excite it most, at the place "
        "where they do, and left of them what the "
        "deconvnet projects back from that one activation (Zeiler and Fergus 2013)."
    )
    yield "What feature maps stand for", text, "".join(report.picture(sheets.patches(p), x) for x, p in best)
    x = images[:LOOKED_AT]
    rows = viz.saliency(model, x), viz.guided_backprop(model, x), viz.grad_cam(model, layers[-1], x)
    drawn = report.picture(sheets.attributions(x, *rows), "images; saliency; guided backpropagation; Grad-CAM")
    yield "Where it looks", "What the best class's score of each image depends on.", drawn


def _worth_seeing(model, input_size) -> list[str]:
    """The first, a middle and the last of the ReLUs that give maps, or of the convolutions where there are none."""
    fields, modules = viz.receptive_fields(model, input_size), dict(model.named_modules())
    for kind in (nn.ReLU, nn.Conv2d):
        names = [name for name in fields if isinstance(modules[name], kind)]
        if names:
            return list(dict.fromkeys((names[0], names[len(names) // 2], names[-1])))
    return []


COMMAND = Command(
    name="report",
    help="write a page about a run: curves, errors, filters, what feature maps stand for, where it looks",
    example="report runs/digits-lenet5",
    add_arguments=add_arguments,
    run=run,
)
