"""Ready-made networks. `MODELS` lists those of the command line: name -> what it is built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.vision.models.cifar import (
    CifarResNet,
    CifarVGG,
    ResNet9,
    cifar_vgg,
    resnet9,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from engine.vision.models.lenet import LeNet5, MNISTNet, lenet5, mnistnet
from engine.vision.models.resnet import ResNet, resnet18, resnet34, resnet50


@dataclass(frozen=True)
class Entry:
    """A network: `build(num_classes=...)`, the shape [C, H, W] of its input, and whether `image_size` may differ."""

    build: Any
    input: tuple[int, int, int]
    classes: int = 10
    sized: bool = False  # `build` takes image_size


_GREY, _COLOUR, _PHOTO = (1, 28, 28), (3, 32, 32), (3, 224, 224)
MODELS = {
    "lenet5": Entry(lenet5, _GREY, sized=True),
    "mnistnet": Entry(mnistnet, _GREY, sized=True),
    "cifar_vgg": Entry(cifar_vgg, _COLOUR),
    "resnet9": Entry(resnet9, _COLOUR),
    "resnet20": Entry(resnet20, _COLOUR),
    "resnet32": Entry(resnet32, _COLOUR),
    "resnet44": Entry(resnet44, _COLOUR),
    "resnet56": Entry(resnet56, _COLOUR),
    "resnet110": Entry(resnet110, _COLOUR),
    "resnet18": Entry(resnet18, _PHOTO, 1000),
    "resnet34": Entry(resnet34, _PHOTO, 1000),
    "resnet50": Entry(resnet50, _PHOTO, 1000),
}

__all__ = [
    "MODELS", "CifarResNet", "CifarVGG", "Entry", "LeNet5", "MNISTNet", "ResNet", "ResNet9", "cifar_vgg", "lenet5", "mnistnet",
    "resnet9", "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet50", "resnet56", "resnet110",
]  # fmt: skip
