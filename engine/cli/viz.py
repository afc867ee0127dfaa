"""`python -m engine viz`: pictures of what a trained network has learnt and where it looks."""

from __future__ import annotations

import argparse

import numpy as np

from engine import viz
from engine.cli import recipes, trained
from engine.cli.command import Command, CommandError, count, positive_int
from engine.progress import progress
from engine.viz import sheets

ATTRIBUTIONS = {
    "saliency": lambda model, o, x: viz.saliency(model, x, o.klass),
    "guided": lambda model, o, x: viz.guided_backprop(model, x, o.klass),
    "integrated": lambda model, o, x: np.abs(viz.integrated_gradients(model, x, o.klass)).sum(1),
    "occlusion": lambda model, o, x: -viz.occlusion(model, x, o.klass, size=max(x.shape[2] // 5, 1), stride=1),
    "gradcam": lambda model, o, x: viz.grad_cam(model, o.layer, x, o.klass),
    "deconvnet": lambda model, o, x: viz.deconvnet(model, o.layer, x, o.channel),
}
TAKES = {  # method -> its options, beside --out and those of the data; it needs --layer where that comes with a "!"
    "filters": ("layer",),
    "activations": ("layer!", "image"),
    "patches": ("layer!", "channel", "count"),
    "maximise": ("layer!", "channel"),
    "saliency": ("class", "image", "count"),
    "guided": ("class", "image", "count"),
    "integrated": ("class", "image", "count"),
    "occlusion": ("class", "image", "count"),
    "gradcam": ("layer!", "class", "image", "count"),
    "deconvnet": ("layer!", "channel", "image", "count"),
    "confusion": ("count",),
    "errors": ("count",),
}
OF_A_DATA_SET = ("patches", "confusion", "errors")
MAPS = 9  # that are maximised where no channel is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A trained network, a method and what it needs."""
    parser.add_argument("weights", metavar="RUN_OR_WEIGHTS", help="the folder of a run, or a file of weights")
    parser.add_argument("--method", required=True, choices=TAKES, help="what to draw")
    parser.add_argument("--layer", metavar="PATH", help="such as features.3; `summary` lists them")
    parser.add_argument("--channel", type=count, metavar="N", help="one feature map, for patches, maximise, deconvnet")
    parser.add_argument(
        "--class", dest="klass", type=count, metavar="N", help="whose score is explained (default: the best one's)"
    )
    parser.add_argument("--image", nargs="+", metavar="FILE", help="pictures (default: the first of the test images)")
    parser.add_argument(
        "--count", type=positive_int, metavar="N", help="how many test images (default: 8; of a data set all)"
    )
    parser.add_argument("--out", metavar="FILE", help="the picture (default: <method>.png)")
    trained.add_origin(parser)
    recipes.add_root(parser)


def run(options: argparse.Namespace) -> int:
    """Draw one picture."""
    model, dataset, recipe = trained.load(options.weights, options.model, options.dataset)
    _check(options, model)
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


def _check(options, model):
    """CommandError for an option that the method does not take, and for a layer that it lacks."""
    method, taken = options.method, [name.rstrip("!") for name in TAKES[options.method]]
    given = {"layer": options.layer, "channel": options.channel, "class": options.klass, "image": options.image,
             "count": options.count}  # fmt: skip
    for name, value in given.items():
        if value is not None and name not in taken:
            raise CommandError(f"--method {method}: leave out --{name}; it takes {', '.join(f'--{n}' for n in taken)}")
    if options.image and options.count:
        raise CommandError("--count is of test images: leave it out, or leave out --image")
    if method == "activations" and options.image and len(options.image) > 1:
        raise CommandError(f"--method activations draws the maps of one image, got {len(options.image)}")
    if "layer!" in TAKES[method] and not options.layer:
        names = ", ".join(name for name, _ in model.named_modules() if name)
        raise CommandError(f"--method {method} needs --layer, one of {names}")


def _draw(options, model, dataset, recipe):
    method, layer = options.method, options.layer
    if method == "filters":
        return sheets.filters(viz.filters(model, layer))
    if method == "maximise":
        return _maximised(model, layer, options.channel, (recipe.channels, recipe.image_size, recipe.image_size))
    x, labels = _images(options, dataset, recipe)
    if method == "activations":
        return sheets.activations(viz.activations(model, layer, x[:1])[0])
    if method == "patches":
        return sheets.patches(viz.top_patches(model, layer, x, options.channel, min(9, len(x))))
    if method in ATTRIBUTIONS:
        return sheets.attributions(x, ATTRIBUTIONS[method](model, options, x))
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


def _maximised(model, layer, channel, size):
    """Images made up for a map, or for the first ones of the layer."""
    there = viz.activations(model, layer, np.zeros((1, *size), "float32")).shape[1]
    channels = range(min(there, MAPS)) if channel is None else [channel]
    return sheets.pictures(np.stack([viz.maximise(model, layer, c, size) for c in progress(channels, "feature maps")]))


def _images(options, dataset, recipe):
    """Images [N, C, H, W] as the network takes them, and labels [N] where they are test images."""
    if options.image:
        return trained.read_pictures(options.image, recipe).numpy(), None
    test = recipes.load(dataset, options.root, False, options.download)
    default = len(test) if options.method in OF_A_DATA_SET else 8
    return recipes.first(test, min(options.count or default, len(test)))


COMMAND = Command(
    name="viz",
    help="draw filters, maps, the deconvnet's patches, saliency, errors of a trained network",
    example="viz runs/digits-lenet5 --method patches --layer features.4",
    add_arguments=add_arguments,
    run=run,
)
