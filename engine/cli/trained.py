"""A trained network on disk: its weights, the name (or pattern) and width of the network, the data set it was trained on."""

from __future__ import annotations

import argparse
import os

import engine
from engine.cli.command import CommandError
from engine.cli.recipes import RECIPES, TRAINED_ON, Recipe, build, to_input
from engine.serialization import metadata
from engine.vision import transforms
from engine.vision.datasets import read_image
from engine.vision.models import MODELS, is_pattern


def save(model, path: str, name: str, dataset: str, width: float = 1.0) -> None:
    """Replace the file `path`, all at once or not at all."""
    engine.save(model.state_dict(), path, metadata={"model": name, "dataset": dataset, "width": repr(width)})


def load(path: str, model: str | None = None, dataset: str | None = None) -> tuple:
    """(model in evaluation mode, name of its data set, Recipe) of a file that `train` wrote, or of its folder, or of any
    file of weights whose network and data set are told; CommandError otherwise."""
    if os.path.isdir(path):
        path = os.path.join(path, "model.safetensors")
    try:
        state, notes = engine.load(path), metadata(path)
        name, dataset = model or notes.get("model"), dataset or notes.get("dataset")
        width = float(notes.get("width", 1))
        if not name or not (name in MODELS or is_pattern(name)) or dataset not in TRAINED_ON:
            raise CommandError(
                f"{path}: names no network and data set, as files do that `train` saved; where the command takes "
                f"--model and --dataset, say it there: one of {', '.join(MODELS)}; one of {', '.join(TRAINED_ON)}"
            )
        recipe: Recipe = TRAINED_ON[dataset]
        with engine.use_backend("shape"):  # before memory is taken for a network that it is not
            named = build(name, recipe, width).state_dict()
        if {n: t.shape for n, t in named.items()} != {n: t.shape for n, t in state.items()}:
            raise CommandError(f"{path}: these are not the weights of the network that it names, {name}")
        net = build(name, recipe, width)
        net.load_state_dict(state)
    except FileNotFoundError as error:
        raise CommandError(
            f"there is no file {path!r}; `python -m engine train {next(iter(RECIPES))}` makes one"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(str(error) if path in str(error) else f"{path}: {error}") from error
    return net.eval(), dataset, recipe


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


def add_origin(parser: argparse.ArgumentParser) -> None:
    """The options that say what weights are of which `train` wrote no note, such as published ones."""
    parser.add_argument("--model", metavar="NAME", help="the network, or pattern, of weights that `train` did not save")
    parser.add_argument("--dataset", choices=TRAINED_ON, help="what those were trained on")


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The option that names the file of a trained network."""
    parser.add_argument(
        "--weights",
        required=True,
        metavar="FILE",
        help="model.safetensors of a run, or its folder, runs/<dataset>-<model>",
    )
