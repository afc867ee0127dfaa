"""What the families of networks share: widths, classifiers, small images, torchvision's arguments about weights, how weights start."""

from __future__ import annotations

import functools

from engine import nn

SMALL = 64  # pixels a side: below, the strides and poolings of a network for ImageNet would leave nothing


def channels(count: int, width: float, multiple: int = 1) -> int:
    """`count` channels times `width`: at least one, and a multiple of `multiple` (the groups of a convolution)."""
    if not 0 < width < float("inf"):
        raise ValueError(f"width multiplies the channels and must be above 0, got {width!r}")
    return multiple * max(1, round(count * width / multiple))


def no_download(build):
    """A decorator: `build` takes torchvision's weights=None, pretrained=False and progress=... as well; ValueError for weights."""

    @functools.wraps(build)
    def taking(*args, weights=None, pretrained=False, progress=True, **options):
        for name, value in (("weights", weights), ("pretrained", pretrained)):
            if value:
                raise ValueError(
                    f"{name}={value!r}: no weights are downloaded; make the model without and load the published file: "
                    "model.load_state_dict(engine.load('resnet18-f37072fd.pth'))"
                )
        return build(*args, **options)

    return taking


def initialize(model, linear: bool = False) -> None:
    """He's initialisation of every convolution: normal, variance 2 / (outputs of a filter).

    linear: of every fully connected layer too, by its inputs, with biases of 0, so that signals keep their size on the
    way through a network without batch norm, whatever its width.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif linear and isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if linear and isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)


def classifier(inputs: int, hidden: int, num_classes: int, dropout: float) -> nn.Sequential:
    """Three fully connected layers; dropout is of the outputs of the first two."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, num_classes),
    )


def pooled(size: int, times: int) -> int:
    """The side of an image after 3x3 poolings with stride 2, one behind the other."""
    for _ in range(times):
        size = (size - 3) // 2 + 1
    return size
