"""`python -m engine eval`: how often a trained network is right on the test images."""

from __future__ import annotations

import argparse

from engine.cli import recipes, trained
from engine.cli.command import Command
from engine.cli.fit import accuracy
from engine.utils.data import DataLoader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A trained network and its data."""
    trained.add_weights(parser)
    recipes.add_root(parser)


def run(options: argparse.Namespace) -> int:
    """Print the accuracy."""
    model, dataset, _ = trained.load(options.weights)
    test = recipes.load(dataset, options.root, False, options.download)
    share = accuracy(model, DataLoader(test, batch_size=1000))
    print(f"{options.weights}: {round(share * len(test))} of {len(test)} test images of {dataset} right, {share:.2%}")
    return 0


COMMAND = Command(
    name="eval",
    help="test a trained network on its data set's test images",
    example="eval --weights runs/digits-lenet5/model.safetensors",
    add_arguments=add_arguments,
    run=run,
)
