"""Networks for CIFAR, 32x32 in colour: the residual networks of He et al. 2015, section 4.2, and a small VGG."""

from __future__ import annotations

from engine import nn
from engine.nn import functional as F
from engine.nn.fusion import conv_bn_relu, conv_bn_relus
from engine.vision.models.common import channels, initialize
from engine.vision.models.resnet import conv3x3


class Subsample(nn.Module):
    """Shortcut option A: every second pixel, missing channels filled with zeros on both sides; no parameters."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        x = x[:, :, ::2, ::2]
        missing = self.channels - x.shape[1]
        return F.pad(x, (0, 0, 0, 0, missing // 2, missing - missing // 2))


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut of option "A" (Subsample) or "B" (a strided 1x1 convolution)."""

    def __init__(self, inputs, outputs, stride, option):
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = (
                Subsample(outputs)
                if option == "A"
                else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            )

    def forward(self, x):
        layers = (self.conv1, self.bn1), (self.conv2, self.bn2)
        return conv_bn_relus(x, layers, self.relu, self.shortcut(x))


class CifarResNet(nn.Module):
    """Images [N, 3, 32, 32] to logits [N, num_classes]: 6 * blocks + 2 layers, 16, 32 and 64 channels times width.

    Parameters are named as in the widely used PyTorch implementation of the paper, so that its weights load.
    """

    def __init__(self, blocks: int, num_classes: int = 10, option: str = "A", width: float = 1.0):
        super().__init__()
        if option not in ("A", "B"):
            raise ValueError(f"option must be 'A' (zero padding) or 'B' (1x1 convolution), got {option!r}")
        inputs = channels(16, width)
        self.conv1 = conv3x3(3, inputs)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU(inplace=True)
        stages = []
        for stage in range(3):
            outputs = channels(16 << stage, width)
            stride = 1 if stage == 0 else 2
            stages.append(
                nn.Sequential(
                    Block(inputs, outputs, stride, option),
                    *(Block(outputs, outputs, 1, option) for _ in range(blocks - 1)),
                )
            )
            inputs = outputs
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        x = conv_bn_relu(x, self.conv1, self.bn1, self.relu)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


def resnet20(num_classes: int = 10, option: str = "A", width: float = 1.0) -> CifarResNet:
    """ResNet-20 for CIFAR: 269,722 parameters with option A."""
    return CifarResNet(3, num_classes, option, width)


def resnet32(num_classes: int = 10, option: str = "A", width: float = 1.0) -> CifarResNet:
    """ResNet-32 for CIFAR: 464,154 parameters with option A."""
    return CifarResNet(5, num_classes, option, width)


def resnet44(num_classes: int = 10, option: str = "A", width: float = 1.0) -> CifarResNet:
    """ResNet-44 for CIFAR: 658,586 parameters with option A."""
    return CifarResNet(7, num_classes, option, width)


def resnet56(num_classes: int = 10, option: str = "A", width: float = 1.0) -> CifarResNet:
    """ResNet-56 for CIFAR: 853,018 parameters with option A."""
    return CifarResNet(9, num_classes, option, width)


def resnet110(num_classes: int = 10, option: str = "A", width: float = 1.0) -> CifarResNet:
    """ResNet-110 for CIFAR: 1,727,962 parameters with option A."""
    return CifarResNet(18, num_classes, option, width)


class CifarVGG(nn.Module):
    """A VGG (Simonyan and Zisserman 2014) for images [N, 3, 32, 32]: stages of 3x3 convolutions with batch norm, each
    ended by 2x2 max pooling, then one fully connected layer on the mean of each channel.

    widths: for each stage the output channels of its convolutions.
    """

    def __init__(self, widths=((32, 32), (64, 64), (128, 128)), num_classes: int = 10):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage in widths:
            for outputs in stage:
                layers += [conv3x3(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(inputs, num_classes)

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


def cifar_vgg(num_classes: int = 10, width: float = 1.0) -> CifarVGG:
    """Six convolutions of 32, 32, 64, 64, 128 and 128 channels: 288,746 parameters."""
    a, b, c = (channels(n, width) for n in (32, 64, 128))
    return CifarVGG(((a, a), (b, b), (c, c)), num_classes)


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, x):
        return x + super().forward(x)


class ResNet9(nn.Module):
    """A residual network made to be trained in minutes (after Page 2018, "How to train your ResNet", DAWNBench).

    Images [N, 3, 32, 32] to logits [N, num_classes]; 16, 32, 64 and 128 channels times width. Pooling comes before batch
    norm, which has a quarter of the work then; the logits are scaled down, so that training starts from an undecided
    network.
    """

    scale = 0.25

    def __init__(self, num_classes: int = 10, width: float = 1.0):
        super().__init__()
        w = channels(16, width)
        self.features = nn.Sequential(
            _layer(3, w),
            _layer(w, 2 * w, pool=True),
            Residual(_layer(2 * w, 2 * w), _layer(2 * w, 2 * w)),
            _layer(2 * w, 4 * w, pool=True),
            _layer(4 * w, 8 * w, pool=True),
            Residual(_layer(8 * w, 8 * w), _layer(8 * w, 8 * w)),
        )
        self.classifier = nn.Linear(8 * w, num_classes, bias=False)
        initialize(self)

    def forward(self, x):
        return self.classifier(F.adaptive_max_pool2d(self.features(x), 1).flatten(1)) * self.scale


def _layer(inputs, outputs, pool=False):
    pooling = [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(conv3x3(inputs, outputs), *pooling, nn.BatchNorm2d(outputs), nn.ReLU())


def resnet9(num_classes: int = 10, width: float = 1.0) -> ResNet9:
    """The network of `train cifar10`: 412,944 parameters."""
    return ResNet9(num_classes, width)
