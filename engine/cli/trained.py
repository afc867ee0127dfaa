"""A trained network on disk: its weights, and the names of the network and of the data set it was trained on."""

from __future__ import annotations

import argparse

import engine
from engine.cli.command import CommandError
from engine.cli.recipes import RECIPES, Recipe, build
from engine.serialization import metadata
from engine.vision.models import MODELS


def save(model, path: str, name: str, dataset: str) -> None:
    """Replace the file `path`, all at once or not at all."""
    engine.save(model.state_dict(), path, metadata={"model": name, "dataset": dataset})


def load(path: str) -> tuple:
    """(model in evaluation mode, name of its data set, Recipe) of a file that `train` wrote; CommandError otherwise."""
    try:
        state, notes = engine.load(path), metadata(path)
        name, dataset = notes.get("model"), notes.get("dataset")
        if name not in MODELS or dataset not in RECIPES:
            raise CommandError(f"{path}: not a file that `train` saved: it names no network and data set")
        recipe: Recipe = RECIPES[dataset]
        model = build(name, recipe)
        model.load_state_dict(state)
    except FileNotFoundError as error:
        raise CommandError(
            f"there is no file {path!r}; `python -m engine train {next(iter(RECIPES))}` makes one"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(str(error) if path in str(error) else f"{path}: {error}") from error
    return model.eval(), dataset, recipe


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The option that names the file of a trained network."""
    parser.add_argument(
        "--weights", required=True, metavar="FILE", help="model.safetensors of a run, runs/<dataset>-<model>/"
    )
