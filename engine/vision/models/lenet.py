"""Two small networks for grey images of 28x28 or 32x32: LeNet-5 and PyTorch's MNIST example."""

from __future__ import annotations

from engine import nn


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al., 1998) with ReLU and max pooling; about 61,700 parameters.

    Takes [N, 1, S, S] with S = 32, as in the paper, or 28 (padded by 2); returns logits [N, num_classes].
    """

    def __init__(self, num_classes: int = 10, image_size: int = 28):
        super().__init__()
        check_image_size(image_size)
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=(32 - image_size) // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


class MNISTNet(nn.Module):
    """The network of PyTorch's MNIST example; about 1.2 million parameters for 28x28.

    Takes [N, 1, S, S] with S = 28 or 32; returns logits [N, num_classes].
    """

    def __init__(self, num_classes: int = 10, image_size: int = 28):
        super().__init__()
        check_image_size(image_size)
        pooled = (image_size - 4) // 2
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * pooled * pooled, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def check_image_size(size: int) -> None:
    """ValueError unless the network is defined for images of this size."""
    if size not in (28, 32):
        raise ValueError(f"image_size must be 28 or 32, got {size!r}")


def lenet5(num_classes: int = 10, image_size: int = 28) -> LeNet5:
    """A new LeNet5."""
    return LeNet5(num_classes, image_size)


def mnistnet(num_classes: int = 10, image_size: int = 28) -> MNISTNet:
    """A new MNISTNet."""
    return MNISTNet(num_classes, image_size)
