"""What is trained on what: the defaults for each data set, and how its images reach a network."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

import engine
from engine import nn, optim
from engine.cli.command import CommandError
from engine.progress import progress
from engine.utils.data import DataLoader, Subset
from engine.vision import datasets, transforms
from engine.vision.models import DiscriminativeLoss, MeanPenalty, create

DEFAULT_ROOT = "data"


@dataclass(frozen=True)
class Recipe:
    """The defaults for one data set."""

    data: Any  # the class of the data set
    image_size: int
    model: str
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    schedule: str = "cosine"
    augment: tuple = ()  # transforms of the training images, before they become floats
    label_smoothing: float = 0.0
    weight_decay: float = 0.0

    def details(self) -> str:
        """What else a run depends on, as a sentence."""
        parts = [f"{self.schedule} schedule"]
        parts += [f"weight decay {self.weight_decay:g}"] if self.weight_decay else []
        parts += [f"label smoothing {self.label_smoothing:g}"] if self.label_smoothing else []
        return ", ".join([*parts, *(str(transform) for transform in self.augment)])

    @property
    def channels(self) -> int:
        return len(self.data.mean)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.data.classes)


RECIPES = {
    "digits": Recipe(datasets.Digits, 32, "lenet5", 30, 32, "adam", 0.002, augment=(transforms.RandomCrop(32, padding=2),)),
    "mnist": Recipe(datasets.MNIST, 28, "lenet5", 6, 64, "adam", 0.002),
    "fashion-mnist": Recipe(datasets.FashionMNIST, 28, "mnistnet", 6, 64, "adam", 0.002),
    "kmnist": Recipe(datasets.KMNIST, 28, "mnistnet", 6, 64, "adam", 0.002),
    "cifar10": Recipe(
        datasets.CIFAR10, 32, "resnet9", 5, 128, "sgd", 0.4, "triangle",
        (transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()), 0.1, 5e-4,
    ),
    "cifar100": Recipe(
        datasets.CIFAR100, 32, "resnet20", 30, 128, "sgd", 0.1, "triangle",
        (transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()), 0.1, 5e-4,
    ),
}  # fmt: skip


class _ImageNet:
    """How published networks take pictures of ImageNet; its files are not read here."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    classes = tuple(f"class {number}" for number in range(1000))


TRAINED_ON = {**RECIPES, "imagenet": Recipe(_ImageNet, 224, "vgg16", 90, 256, "sgd", 0.1)}  # what weights may be of
OPTIMIZERS = {  # name -> constructor(parameters, learning rate, weight decay)
    "sgd": lambda ps, lr, decay: optim.SGD(ps, lr=lr, momentum=0.9, nesterov=True, weight_decay=decay),
    "adam": lambda ps, lr, decay: optim.Adam(ps, lr=lr, weight_decay=decay),
    "adamw": lambda ps, lr, decay: optim.AdamW(ps, lr=lr, weight_decay=decay),
}
LOSSES = {  # name -> constructor(label smoothing)
    "cross-entropy": lambda smoothing: nn.CrossEntropyLoss(label_smoothing=smoothing),
    "hinge": lambda smoothing: nn.MultiMarginLoss(),
    "discriminative": lambda smoothing: DiscriminativeLoss(),  # eq. 9 of LeCun et al. 1998
    "mean-penalty": lambda smoothing: MeanPenalty(),  # eq. 8
}
WITHOUT_BATCH_NORM = {"optimizer": "adam", "lr": 0.001}
SCHEDULES = {  # name -> constructor(optimizer, steps): the rate of each batch
    "cosine": lambda o, steps: optim.lr_scheduler.CosineAnnealingLR(o, T_max=steps),
    "triangle": lambda o, steps: optim.lr_scheduler.OneCycleLR(
        o, max_lr=[g["lr"] for g in o.param_groups], total_steps=steps + 1, pct_start=0.2, anneal_strategy="linear",
        cycle_momentum=False, div_factor=100,
    ),
}  # fmt: skip


def build(model: str, recipe: Recipe, width: float = 1.0):
    """The network of that name or pattern for the images and classes of a data set; CommandError when there is none."""
    size = recipe.image_size
    try:
        return create(model, (recipe.channels, size, size), len(recipe.classes), width)
    except ValueError as error:
        raise CommandError(f"argument --model: {error}") from error


def defaults(model: str, recipe: Recipe, width: float = 1.0) -> dict:
    """The options of a run that are not given: the recipe's, but Adam for networks that its SGD would blow up, and for
    LeNet-5 of 1998 the loss it was published with: cross-entropy leaves it 2 % worse on MNIST."""
    with engine.use_backend("shape"):
        net = build(model, recipe, width)
    chosen = {name: getattr(recipe, name) for name in ("epochs", "batch_size", "optimizer", "lr")}
    if recipe.optimizer == "sgd" and not any(isinstance(m, nn.BatchNorm2d) for m in net.modules()):
        chosen.update(WITHOUT_BATCH_NORM)
    chosen["loss"] = "discriminative" if model == "lenet5_1998" else "cross-entropy"
    return chosen


def to_input(recipe: Recipe, augment: bool = False):
    """The transform from bytes to what a network takes."""
    first = recipe.augment if augment else ()
    return transforms.Compose([*first, transforms.ToTensor(), transforms.Normalize(recipe.data.mean, recipe.data.std)])


def load(name: str, root: str | None, train: bool, download: bool = False):
    """The training (augmented) or test set; CommandError when its files are missing or damaged."""
    if name not in RECIPES:
        raise CommandError(f"there are no images of {name} here: name picture files with --image")
    recipe = RECIPES[name]
    transform = to_input(recipe, augment=train)
    if name == "digits":
        if root is not None and train:
            print("note: digits comes with the package; --root is not needed and not read")
        return recipe.data(train=train, transform=transform)
    if root and not download and not os.path.isdir(root):
        raise CommandError(f"--root: there is no folder {root!r}")
    try:
        return recipe.data(root or DEFAULT_ROOT, train=train, transform=transform, download=download)
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(str(error)) from error


def first(data, count: int):
    """The first `count` images [N, C, H, W] of a data set and their labels [N], as arrays."""
    batches = progress(DataLoader(Subset(data, range(count)), batch_size=min(count, 500)), "test images")
    images, labels = zip(*((x.numpy(), y.numpy()) for x, y in batches), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def add_root(parser: argparse.ArgumentParser) -> None:
    """The options that say where data files lie."""
    parser.add_argument(
        "--root", help=f"folder of the data files, flat or as torchvision lays them out (default: {DEFAULT_ROOT})"
    )
    parser.add_argument("--download", action="store_true", help="fetch missing data files from public mirrors")
