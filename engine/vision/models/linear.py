"""Where a lecture on networks begins: the linear score function f = W x + b, and two layers of it with max(0, .) between."""

from __future__ import annotations

from engine import nn
from engine.vision.models.common import channels


class LinearClassifier(nn.Module):
    """Scores W x + b of images [N, C, S, S], taken as vectors: [N, num_classes].

    A row of `fc.weight`, as an image [C, S, S], is the template of its class. Train it with nn.CrossEntropyLoss (softmax)
    or nn.MultiMarginLoss (multi-class hinge). 7,850 parameters for MNIST, 30,730 for CIFAR-10.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3, image_size: int = 32):
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(in_channels * image_size * image_size, num_classes)

    def forward(self, x):
        return self.fc(self.flatten(x))


class TwoLayerNet(nn.Module):
    """Scores W2 max(0, W1 x + b1) + b2 of images [N, C, S, S]: [N, num_classes].

    A row of `fc1.weight`, as an image, is what a hidden unit looks for. With 100 hidden units 79,510 parameters for MNIST,
    308,310 for CIFAR-10.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, hidden: int = 100):
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(in_channels * image_size * image_size, hidden)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(self.flatten(x))))


def linear(num_classes: int = 10, in_channels: int = 3, image_size: int = 32) -> LinearClassifier:
    """A new LinearClassifier."""
    return LinearClassifier(num_classes, in_channels, image_size)


def two_layer(num_classes: int = 10, in_channels: int = 3, image_size: int = 32, width: float = 1.0) -> TwoLayerNet:
    """A TwoLayerNet of 100 hidden units times width."""
    return TwoLayerNet(num_classes, in_channels, image_size, channels(100, width))
