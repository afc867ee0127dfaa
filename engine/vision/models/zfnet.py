"""The network of Zeiler and Fergus (2013): AlexNet after a look at what its layers saw."""

from __future__ import annotations

from engine import nn
from engine.vision.models.alexnet import initialize_2012, response_norm
from engine.vision.models.common import SMALL, channels, classifier, initialize


class ZFNet(nn.Module):
    """Images [N, 3, S, S] to logits [N, num_classes] (Zeiler and Fergus 2013, "Visualizing and understanding convolutional
    networks", figure 3): 7x7 filters and stride 2 in the first layer where AlexNet has 11x11 and 4, stride 2 in the
    second, contrast normalised across maps behind the first two poolings. 62,357,608 parameters with 1000 classes.

    width multiplies the channels of every layer. For images of image_size < 64 both strides are 1. Weights start as in
    the paper (normal, 0.01), in a network of other width or size as He et al. have it.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, width: float = 1.0, image_size: int = 224):
        super().__init__()
        small = image_size < SMALL
        a, b, c, d, hidden = (channels(n, width) for n in (96, 256, 384, 256, 4096))
        side = _side(image_size, small)
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 7, padding=3) if small else nn.Conv2d(3, a, 7, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            response_norm(),
            nn.Conv2d(a, b, 5, padding=2) if small else nn.Conv2d(a, b, 5, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            response_norm(),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, c, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, d, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = classifier(d * side * side, hidden, num_classes, dropout)
        if small or width != 1:
            initialize(self, linear=True)
        else:
            initialize_2012(self)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def _side(size: int, small: bool) -> int:
    """The side of the maps that reach the classifier: 6 for 224, 3 for 32."""
    if not small:
        size = (size + 2 - 7) // 2 + 1
    size = (size - 1) // 2 + 1
    if not small:
        size = (size - 5) // 2 + 1
    size = (size - 1) // 2 + 1
    return (size - 3) // 2 + 1


def zfnet(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, dropout: float = 0.5) -> ZFNet:
    """The network of Zeiler and Fergus: 62,357,608 parameters with 1000 classes."""
    return ZFNet(num_classes, dropout, width, image_size)
