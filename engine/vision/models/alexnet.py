"""AlexNet: as in torchvision (one column, 2014), and as published in 2012, with local response norm and two groups."""

from __future__ import annotations

from engine import nn
from engine.vision.models.common import SMALL, channels, classifier, initialize, no_download, pooled


class AlexNet(nn.Module):
    """Images [N, 3, S, S] to logits [N, num_classes] (Krizhevsky 2014, "One weird trick for parallelizing convolutional
    neural networks"); parameters have torchvision's names, shapes and order. 61,100,840 of them with 1000 classes.

    width multiplies the channels of every layer. For images of image_size < 64, such as CIFAR's, the first convolution
    is 5x5 with stride 1 instead of 11x11 with stride 4, and the maps reach the classifier in the size they have (3x3 for
    32x32). Weights start as PyTorch's layers do, in a network of other width or size as He et al. have it.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, width: float = 1.0, image_size: int = 224):
        super().__init__()
        small = image_size < SMALL
        a, b, c, d, hidden = (channels(n, width) for n in (64, 192, 384, 256, 4096))
        side = min(6, pooled(image_size, 3)) if small else 6
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 5, padding=2) if small else nn.Conv2d(3, a, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(a, b, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, d, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(d, d, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(d * side * side, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )
        if small or width != 1:
            initialize(self, linear=True)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class AlexNet2012(nn.Module):
    """Images [N, 3, S, S] to logits [N, num_classes] (Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with
    deep convolutional neural networks"): two halves of the channels that meet in the third convolution only (there on
    two GPUs, here groups=2), local response norm behind the first two. 60,965,224 parameters with 1000 classes.

    width multiplies the channels of every layer. For images of image_size < 64 the first convolution is 5x5 with stride
    1 instead of 11x11 with stride 4. Weights start as in the paper (normal, 0.01; biases 1 where it says so), in a
    network of other width or size as He et al. have it.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, width: float = 1.0, image_size: int = 224):
        super().__init__()
        small = image_size < SMALL
        a, b, c, d, hidden = (channels(n, width, 2) for n in (96, 256, 384, 256, 4096))
        side = pooled(image_size if small else (image_size + 4 - 11) // 4 + 1, 3)
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 5, padding=2) if small else nn.Conv2d(3, a, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(a, b, 5, padding=2, groups=2),
            nn.ReLU(inplace=True),
            response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, c, 3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, d, 3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = classifier(d * side * side, hidden, num_classes, dropout)
        if small or width != 1:
            initialize(self, linear=True)
        else:
            initialize_2012(self, ones=("features.4", "features.10", "features.12", "classifier.0", "classifier.3"))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def response_norm():
    """x / (2 + 1e-4 * sum of the squares of 5 neighbouring channels) ** 0.75; PyTorch's alpha is of their mean."""
    return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)


def initialize_2012(model, ones=()) -> None:
    """Weights normal with standard deviation 0.01, biases 0, and 1 in the layers named `ones`."""
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.constant_(module.bias, float(name in ones))


@no_download
def alexnet(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, dropout: float = 0.5) -> AlexNet:
    """torchvision's AlexNet: 61,100,840 parameters with 1000 classes."""
    return AlexNet(num_classes, dropout, width, image_size)


def alexnet2012(
    num_classes: int = 1000, width: float = 1.0, image_size: int = 224, dropout: float = 0.5
) -> AlexNet2012:
    """AlexNet as published in 2012: 60,965,224 parameters with 1000 classes."""
    return AlexNet2012(num_classes, dropout, width, image_size)
