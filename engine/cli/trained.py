"""A trained network on disk: its weights, the name (or pattern) and width of the network, the data set it was trained on."""

from __future__ import annotations

import argparse
import os

import engine
from engine.cli.command import CommandError
from engine.cli.recipes import RECIPES, Recipe, build, to_input
from engine.serialization import metadata
from engine.vision import transforms
from engine.vision.datasets import read_image
from engine.vision.models import MODELS, is_pattern


def save(model, path: str, name: str, dataset: str, width: float = 1.0) -> None:
    """Replace the file `path`, all at once or not at all."""
    engine.save(model.state_dict(), path, metadata={"model": name, "dataset": dataset, "width": repr(width)})


def load(path: str) -> tuple:
    """(model in evaluation mode, name of its data set, Recipe) of a file that `train` wrote, or of its folder;
    CommandError otherwise."""
    if os.path.isdir(path):
        path = os.path.join(path, "model.safetensors")
    try:
        state, notes = engine.load(path), metadata(path)
        name, dataset, width = notes.get("model"), notes.get("dataset"), float(notes.get("width", 1))
        if not name or not (name in MODELS or is_pattern(name)) or dataset not in RECIPES:
            raise CommandError(f"{path}: not a file that `train` saved: it names no network and data set")
        recipe: Recipe = RECIPES[dataset]
        with engine.use_backend("shape"):  # before memory is taken for a network that it is not
            named = build(name, recipe, width).state_dict()
        if {n: t.shape for n, t in named.items()} != {n: t.shape for n, t in state.items()}:
            raise CommandError(f"{path}: these are not the weights of the network that it names, {name}")
        model = build(name, recipe, width)
        model.load_state_dict(state)
    except FileNotFoundError as error:
        raise CommandError(
            f"there is no file {path!r}; `python -m engine train {next(iter(RECIPES))}` makes one"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(str(error) if path in str(error) else f"{path}: {error}") from error
    return model.eval(), dataset, recipe


def read_pictures(paths: list[str], recipe: Recipe):
    """Picture files as a network for that data set takes them, [N, C, H, W]. Needs Pillow."""
    size = transforms.Resize((recipe.image_size, recipe.image_size))
    grey = [transforms.Grayscale()] if recipe.channels == 1 else []
    prepare = transforms.Compose([size, *grey, to_input(recipe)])
    images = []
    for path in paths:
        try:
            images.append(prepare(read_image(path)))
        except (OSError, ValueError, ImportError) as error:
            raise CommandError(f"{path}: {error}") from error
    return engine.stack(images)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The option that names the file of a trained network."""
    parser.add_argument(
        "--weights",
        required=True,
        metavar="FILE",
        help="model.safetensors of a run, or its folder, runs/<dataset>-<model>",
    )
