"""`python -m engine viz`: pictures of what a trained network has learnt and where it looks."""

from __future__ import annotations

import argparse

import numpy as np

import engine
from engine import viz
from engine.cli import recipes, trained
from engine.cli.command import Command, CommandError, count, positive_int
from engine.progress import progress
from engine.viz import sheets

ATTRIBUTIONS = {
    "saliency": lambda model, layer, x: viz.saliency(model, x),
    "guided": lambda model, layer, x: viz.guided_backprop(model, x),
    "integrated": lambda model, layer, x: np.abs(viz.integrated_gradients(model, x)).sum(1),
    "occlusion": lambda model, layer, x: -viz.occlusion(model, x, size=max(x.shape[2] // 5, 1), stride=1),
    "gradcam": lambda model, layer, x: viz.grad_cam(model, layer, x),
    "deconvnet": lambda model, layer, x: viz.deconvnet(model, layer, x),
}
ON_LAYERS = ("activations", "gradcam", "deconvnet", "patches", "maximise")
METHODS = ("filters", "activations", "patches", "maximise", *ATTRIBUTIONS, "confusion", "errors")
OF_A_DATA_SET = ("patches", "confusion", "errors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A trained network, a method and what it needs."""
    parser.add_argument("weights", metavar="RUN", help="the folder of a run, or its model.safetensors")
    parser.add_argument("--method", required=True, choices=METHODS, help="what to draw")
    parser.add_argument("--layer", metavar="PATH", help="such as features.3; `summary` lists them")
    parser.add_argument("--channel", type=count, metavar="N", help="one feature map, for patches and maximise")
    parser.add_argument("--image", nargs="+", metavar="FILE", help="pictures (default: the first of the test images)")
    parser.add_argument(
        "--count", type=positive_int, metavar="N", help="how many test images (default: 8; of a data set all)"
    )
    parser.add_argument("--out", metavar="FILE", help="the picture (default: <method>.png)")
    recipes.add_root(parser)


def run(options: argparse.Namespace) -> int:
    """Draw one picture."""
    model, dataset, recipe = trained.load(options.weights)
    if options.method in ON_LAYERS and not options.layer:
        names = ", ".join(name for name, _ in model.named_modules() if name)
        raise CommandError(f"--method {options.method} needs --layer, one of {names}")
    if options.method in OF_A_DATA_SET and options.image:
        raise CommandError(f"--method {options.method} is about the test images: leave out --image")
    try:
        picture = _draw(options, model, dataset, recipe)
    except ValueError as error:
        raise CommandError(str(error)) from error
    path = options.out or f"{options.method}.png"
    try:
        viz.save(path, picture)
    except (OSError, ValueError) as error:
        raise CommandError(f"--out: cannot write {path!r}: {error}") from error
    print(f"{options.method} of {options.weights}{f' at {options.layer}' if options.layer else ''}: {path}")
    return 0


def _draw(options, model, dataset, recipe):
    method, layer, channel = options.method, options.layer, options.channel
    if method == "filters":
        return sheets.filters(viz.filters(model, layer))
    if method == "maximise":
        channels = range(9) if channel is None else [channel]
        size = (recipe.channels, recipe.image_size, recipe.image_size)
        return sheets.pictures(
            np.stack([viz.maximise(model, layer, c, size) for c in progress(channels, "feature maps")])
        )
    x, labels = _images(options, dataset, recipe)
    if method == "activations":
        return sheets.activations(viz.activations(model, layer, x[:1])[0])
    if method == "patches":
        return sheets.patches(viz.top_patches(model, layer, x, channel, min(9, len(x))))
    if method in ATTRIBUTIONS:
        return sheets.attributions(x, ATTRIBUTIONS[method](model, layer, x))
    shares = viz.probabilities(model, x)
    if method == "confusion":
        counts = viz.confusion_matrix(shares, labels)
        print("\n".join(f"{name}: {' '.join(map(str, row))}" for name, row in zip(recipe.classes, counts, strict=True)))
        return sheets.confusion(counts)
    errors = viz.worst_errors(shares, labels)
    if not len(errors.which):
        raise CommandError("there are no errors to draw: every image is right", code=1)
    for i, taken, label, share in zip(errors.which, errors.taken, errors.label, errors.share, strict=True):
        print(f"image {i}: {recipe.classes[label]}, taken for {recipe.classes[taken]} with {share:.1%}")
    return sheets.pictures(x[errors.which])


def _images(options, dataset, recipe):
    """Images [N, C, H, W] as the network takes them, and labels [N] where they are test images."""
    if options.image:
        return trained.read_pictures(options.image, recipe).numpy(), None
    test = recipes.load(dataset, options.root, False, options.download)
    default = len(test) if options.method in OF_A_DATA_SET else 8
    chosen = [test[i] for i in range(min(options.count or default, len(test)))]
    return engine.stack([x for x, _ in chosen]).numpy(), np.array([int(y) for _, y in chosen])


COMMAND = Command(
    name="viz",
    help="draw filters, maps, the deconvnet's patches, saliency, errors of a trained network",
    example="viz runs/digits-lenet5 --method patches --layer features.4",
    add_arguments=add_arguments,
    run=run,
)
