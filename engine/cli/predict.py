"""`python -m engine predict`: what a trained network takes an image for."""

from __future__ import annotations

import argparse

import engine
from engine.cli import trained
from engine.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Images and a trained network."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a picture file; needs Pillow, the extra [vision]")
    trained.add_weights(parser)


def run(options: argparse.Namespace) -> int:
    """Print the three likeliest classes of each image."""
    model, _, recipe = trained.load(options.weights)
    for path in options.images:
        image = trained.read_pictures([path], recipe)
        with engine.no_grad():
            shares = model(image).softmax(1)[0]
        best = shares.topk(min(3, len(recipe.classes)))
        ranked = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        print(f"{path}: " + ", ".join(f"{recipe.classes[i]} {share:.1%}" for share, i in ranked))
    return 0


COMMAND = Command(
    name="predict",
    help="say what a trained network takes images for",
    example="predict digit.png --weights runs/digits-lenet5/model.safetensors",
    add_arguments=add_arguments,
    run=run,
)
