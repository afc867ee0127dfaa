"""VGG (Simonyan and Zisserman 2014): 11 to 19 layers of 3x3 convolutions, with and without batch norm."""

from __future__ import annotations

from engine import nn
from engine.vision.models.common import SMALL, channels, classifier, initialize, no_download

CONVOLUTIONS = {  # configuration -> how many in each of the stages of 64, 128, 256, 512 and 512 channels
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}


class VGG(nn.Module):
    """Images [N, 3, S, S] to logits [N, num_classes] ("Very deep convolutional networks for large-scale image
    recognition"); parameters have torchvision's names, shapes and order.

    features: what `layers` makes; width multiplies the units of the classifier too, which sees the maps in pooled x pooled
    cells: 7 for 224x224. With init_weights (as torchvision starts them at width 1 and pooled 7, else as He et al. have it).
    """

    def __init__(
        self,
        features,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
        width: float = 1.0,
        pooled: int = 7,
    ):
        super().__init__()
        outputs = [m for m in features.modules() if isinstance(m, nn.Conv2d)][-1].out_channels
        hidden = channels(4096, width)
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((pooled, pooled))
        self.classifier = classifier(outputs * pooled * pooled, hidden, num_classes, dropout)
        if init_weights:
            initialize(self, linear=True)
            if width == 1 and pooled == 7:
                for layer in (self.classifier[0], self.classifier[3], self.classifier[6]):
                    nn.init.normal_(layer.weight, std=0.01)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def layers(configuration: str, batch_norm: bool = False, width: float = 1.0) -> nn.Sequential:
    """The convolutions of configuration "A", "B", "D" or "E", each with ReLU (behind batch norm), each stage ended by pooling."""
    made: list[nn.Module] = []
    inputs = 3
    for count, outputs in zip(CONVOLUTIONS[configuration], (64, 128, 256, 512, 512), strict=True):
        outputs = channels(outputs, width)
        for _ in range(count):
            made.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            made += [nn.BatchNorm2d(outputs)] if batch_norm else []
            made.append(nn.ReLU(inplace=True))
            inputs = outputs
        made.append(nn.MaxPool2d(2, stride=2))
    return nn.Sequential(*made)


def _vgg(configuration, batch_norm, num_classes, width, image_size, dropout=0.5, init_weights=True):
    """For images of image_size < 64 the classifier sees the maps as they are: 1x1 for 32x32."""
    pooled = max(1, image_size // 32) if image_size < SMALL else 7
    features = layers(configuration, batch_norm, width)
    return VGG(features, num_classes, init_weights, dropout, width, pooled)


@no_download
def vgg11(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-11 (configuration A): 132,863,336 parameters."""
    return _vgg("A", False, num_classes, width, image_size, **options)


@no_download
def vgg11_bn(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-11 with batch norm: 132,868,840 parameters."""
    return _vgg("A", True, num_classes, width, image_size, **options)


@no_download
def vgg13(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-13 (configuration B): 133,047,848 parameters."""
    return _vgg("B", False, num_classes, width, image_size, **options)


@no_download
def vgg13_bn(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-13 with batch norm: 133,053,736 parameters."""
    return _vgg("B", True, num_classes, width, image_size, **options)


@no_download
def vgg16(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-16 (configuration D): 138,357,544 parameters."""
    return _vgg("D", False, num_classes, width, image_size, **options)


@no_download
def vgg16_bn(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-16 with batch norm: 138,365,992 parameters."""
    return _vgg("D", True, num_classes, width, image_size, **options)


@no_download
def vgg19(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-19 (configuration E): 143,667,240 parameters."""
    return _vgg("E", False, num_classes, width, image_size, **options)


@no_download
def vgg19_bn(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> VGG:
    """VGG-19 with batch norm: 143,678,248 parameters."""
    return _vgg("E", True, num_classes, width, image_size, **options)
