"""Ready-made networks. `MODELS` lists those of the command line: name -> what it is built for; `create` builds them."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from engine.vision.models.alexnet import AlexNet, AlexNet2012, alexnet, alexnet2012
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
from engine.vision.models.googlenet import GoogLeNet, GoogLeNetOutputs, auxiliary_loss, googlenet
from engine.vision.models.lenet import LeNet5, MNISTNet, lenet5, mnistnet
from engine.vision.models.lenet5_1998 import DiscriminativeLoss, LeNet5of1998, MeanPenalty, lenet5_1998
from engine.vision.models.linear import LinearClassifier, TwoLayerNet, linear, two_layer
from engine.vision.models.pattern import PatternError, from_pattern
from engine.vision.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from engine.vision.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from engine.vision.models.zfnet import ZFNet, zfnet


@dataclass(frozen=True)
class Entry:
    """A network: `build(num_classes=...)`, the shape [C, H, W] of its input, and its number of classes."""

    build: Any
    input: tuple[int, int, int]
    classes: int = 10

    def takes(self, argument: str) -> bool:
        """Whether `build` has the argument: image_size and in_channels, where they may differ from `input`; width."""
        return argument in inspect.signature(self.build).parameters


_GREY, _COLOUR, _PHOTO = (1, 28, 28), (3, 32, 32), (3, 224, 224)
_SMALL_ONES = {
    _GREY: (lenet5, mnistnet, lenet5_1998),
    _COLOUR: (linear, two_layer, cifar_vgg, resnet9, resnet20, resnet32, resnet44, resnet56, resnet110),
}
_OF_IMAGENET = (
    alexnet, alexnet2012, zfnet, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn, googlenet, resnet18,
    resnet34, resnet50, resnet101, resnet152,
)  # fmt: skip
MODELS = {
    **{build.__name__: Entry(build, size) for size, builds in _SMALL_ONES.items() for build in builds},
    **{build.__name__: Entry(build, _PHOTO, 1000) for build in _OF_IMAGENET},
}


def is_pattern(model: str) -> bool:
    """Whether this describes a network, for `from_pattern`, and is not the name of one."""
    return re.fullmatch("[a-z0-9_]*", model) is None


def create(model: str, in_shape=None, num_classes: int | None = None, width: float = 1.0):
    """The network of that name in MODELS, or of that pattern (see `from_pattern`), for images [C, H, W] of in_shape.

    What is None is what the network was made for. ValueError where there is none of that name, or it does not fit.
    """
    if model not in MODELS and model.lower() in MODELS:
        raise ValueError(f"invalid choice: {model!r} (did you mean {model.lower()!r}?)")
    if is_pattern(model):
        return from_pattern(model, in_shape or _COLOUR, num_classes or 10, width)
    if model not in MODELS:
        raise ValueError(f"invalid choice: {model!r} (choose from {', '.join(MODELS)}, or describe one by a pattern)")
    entry = MODELS[model]
    shape = in_shape or entry.input
    if shape[0] != entry.input[0] and not entry.takes("in_channels"):
        fitting = ", ".join(name for name, e in MODELS.items() if e.input[0] == shape[0] or e.takes("in_channels"))
        raise ValueError(
            f"{model} takes images of {entry.input[0]} channel(s), but these have {shape[0]}; choose one of {fitting}"
        )
    if width != 1 and not entry.takes("width"):
        raise ValueError(f"{model} has no width")
    arguments = {"in_channels": shape[0], "image_size": min(shape[1:]), "width": width}
    taken = {name: value for name, value in arguments.items() if entry.takes(name)}
    return entry.build(num_classes=num_classes or entry.classes, **taken)


__all__ = [
    "MODELS", "VGG", "AlexNet", "AlexNet2012", "CifarResNet", "CifarVGG", "DiscriminativeLoss", "Entry", "GoogLeNet",
    "GoogLeNetOutputs", "LeNet5", "LeNet5of1998", "LinearClassifier", "MNISTNet", "MeanPenalty", "PatternError", "ResNet",
    "ResNet9", "TwoLayerNet", "ZFNet", "alexnet", "alexnet2012", "auxiliary_loss", "cifar_vgg", "create", "from_pattern",
    "googlenet", "is_pattern", "lenet5", "lenet5_1998", "linear", "mnistnet", "resnet101", "resnet110", "resnet152",
    "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet50", "resnet56", "resnet9", "two_layer", "vgg11",
    "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "zfnet",
]  # fmt: skip
