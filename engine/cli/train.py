"""`python -m engine train`: a network, a data set, and a folder with what came out."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import Any

import engine
from engine import nn, optim
from engine.cli.command import Command, CommandError, positive_float, positive_int
from engine.cli.fit import Diverged, fit
from engine.cli.run_folder import RunFolder
from engine.utils.data import DataLoader
from engine.vision import datasets
from engine.vision.models import MODELS
from engine.vision.transforms import RandomCrop


@dataclass(frozen=True)
class Recipe:
    """The defaults for one data set, and the arguments its network is built with."""

    image_size: int
    model: str
    epochs: int
    batch_size: int
    optimizer: str
    shift: int = 0  # training images move by up to so many pixels, a new draw for each batch


RECIPES = {
    "digits": Recipe(image_size=32, model="lenet5", epochs=30, batch_size=32, optimizer="adam", shift=2),
    "mnist": Recipe(image_size=28, model="lenet5", epochs=6, batch_size=64, optimizer="adam"),
    "fashion-mnist": Recipe(image_size=28, model="mnistnet", epochs=6, batch_size=64, optimizer="adam"),
}
DATASETS: dict[str, Any] = {
    "digits": datasets.Digits,
    "mnist": datasets.MNIST,
    "fashion-mnist": datasets.FashionMNIST,
}

OPTIMIZERS = {  # name -> (default learning rate, constructor)
    "sgd": (0.05, lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9, weight_decay=5e-4)),
    "adam": (0.002, lambda parameters, lr: optim.Adam(parameters, lr=lr)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`; what is not given comes from the data set's recipe."""
    add = parser.add_argument
    add("dataset", choices=RECIPES, help="digits comes with the package, the others are read from --root")
    add("--root", help="folder of the data files, flat or as torchvision lays them out (default: data)")
    add("--model", choices=MODELS, help=_default("model"))
    add("--epochs", type=positive_int, metavar="N", help=_default("epochs"))
    add("--batch-size", type=positive_int, metavar="N", help=_default("batch_size"))
    rates = ", ".join(f"{rate} for {name}" for name, (rate, _) in OPTIMIZERS.items())
    add("--lr", type=positive_float, metavar="X", help=f"first rate, then a cosine to 0 (default: {rates})")
    add("--optimizer", choices=OPTIMIZERS, help=_default("optimizer"))
    add("--seed", type=int, default=0, metavar="N", help="for weights, shuffling and dropout (default: 0)")
    add("--threads", type=positive_int, metavar="N", help="(default: the CPUs this process may use)")
    add("--device", default="cpu", metavar="NAME", help="where to compute (default: cpu)")
    add("--out", metavar="DIR", help="folder for model, curve and log (default: runs/<dataset>-<model>)")


def _default(field: str) -> str:
    values = {name: getattr(recipe, field) for name, recipe in RECIPES.items()}
    if len(set(values.values())) == 1:
        return f"(default: {values['digits']})"
    return "(default: " + ", ".join(f"{value} for {name}" for name, value in values.items()) + ")"


def run(options: argparse.Namespace) -> int:
    """Train, save, and say where everything lies."""
    recipe = RECIPES[options.dataset]
    options.model = options.model or recipe.model
    options.epochs = options.epochs or recipe.epochs
    options.batch_size = options.batch_size or recipe.batch_size
    options.optimizer = options.optimizer or recipe.optimizer
    rate, make_optimizer = OPTIMIZERS[options.optimizer]
    options.lr = options.lr or rate

    _set_threads(options.threads)
    engine.manual_seed(options.seed)
    model = _place(MODELS[options.model](image_size=recipe.image_size), options.device)
    train_set, test_set = _load(options)
    loader = DataLoader(
        train_set,
        batch_size=options.batch_size,
        shuffle=True,
        generator=engine.Generator().manual_seed(options.seed),
    )
    test_loader = DataLoader(test_set, batch_size=1000)
    optimizer = make_optimizer(model.parameters(), options.lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.epochs * len(loader))

    folder = RunFolder.claim(options.out or os.path.join("runs", f"{options.dataset}-{options.model}"))
    with folder:
        folder.say(_headline(options, train_set, test_set))
        return _train(folder, model, loader, test_loader, optimizer, schedule, options)


def _train(folder, model, loader, test_loader, optimizer, schedule, options) -> int:
    """Fit epoch by epoch, saving after each; the exit code."""
    code = 0
    try:
        steps = fit(model, loader, test_loader, nn.CrossEntropyLoss(), optimizer, schedule, options)
        for epoch in steps:
            folder.say(epoch.line(options.epochs))
            folder.add_epoch(epoch)
            folder.save_model(model)
    except KeyboardInterrupt:
        folder.say("interrupted; what was learned so far is kept")
        folder.save_model(model)
        code = 130
    except Diverged as error:
        raise CommandError(f"{error}; try a smaller --lr than {options.lr:g}", code=1) from error
    folder.draw_curve()
    folder.say(folder.summary(_next_step(options)))
    return code


def _set_threads(threads: int | None) -> None:
    try:
        if threads is not None:
            engine.set_num_threads(threads)
    except ValueError as error:
        raise CommandError(f"--threads: {error}") from error


def _place(model, device: str):
    try:
        return model.to(engine.device(device))
    except RuntimeError as error:
        raise CommandError(f"--device: {error}") from error


def _load(options: argparse.Namespace):
    """(training, test) set; the training images are augmented as the recipe says."""
    recipe, kind = RECIPES[options.dataset], DATASETS[options.dataset]
    background = -kind.mean[0] / kind.std[0]
    augment = RandomCrop(recipe.image_size, padding=recipe.shift, fill=background) if recipe.shift else None
    if options.dataset == "digits":
        if options.root is not None:
            print("note: digits comes with the package; --root is not needed and not read")
        return datasets.Digits(train=True, batch_transform=augment), datasets.Digits(train=False)
    root = options.root or "data"
    if options.root and not os.path.isdir(root):
        raise CommandError(f"--root: there is no folder {root!r}")
    try:
        return kind(root, train=True, batch_transform=augment), kind(root, train=False)
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error


def _headline(options: argparse.Namespace, train_set, test_set) -> str:
    return (
        f"{options.model} on {options.dataset}: {len(train_set)} training and {len(test_set)} test images; "
        f"{options.epochs} epochs, batch size {options.batch_size}, {options.optimizer} lr {options.lr:g}, "
        f"seed {options.seed}, threads {engine.get_num_threads()}, device {options.device}"
    )


def _next_step(options: argparse.Namespace) -> str:
    if options.dataset == "digits":
        return "python -m engine train mnist --root <folder with the MNIST files>"
    other = "mnistnet" if options.model == "lenet5" else "lenet5"
    root = f" --root {options.root}" if options.root else ""
    return f"python -m engine train {options.dataset}{root} --model {other}"


COMMAND = Command(
    name="train",
    help="train a network on digits, MNIST or Fashion-MNIST",
    example="train digits",
    add_arguments=add_arguments,
    run=run,
)
