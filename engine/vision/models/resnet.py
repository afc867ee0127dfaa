"""Residual networks for ImageNet (He et al. 2015, "Deep residual learning for image recognition"): ResNet-18 to -152.

Parameters have torchvision's names, shapes and order, so that its published weights load.
"""

from __future__ import annotations

from engine import nn
from engine.nn.fusion import conv_bn_relu, conv_bn_relus


def conv3x3(inputs, outputs, stride=1):
    """3x3 convolution with padding and without bias: batch norm follows."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inputs, width, stride=1, downsample=None):
        super().__init__()
        self.conv1 = conv3x3(inputs, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return conv_bn_relus(x, ((self.conv1, self.bn1), (self.conv2, self.bn2)), self.relu, shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the stride is at the 3x3, as in torchvision."""

    expansion = 4

    def __init__(self, inputs, width, stride=1, downsample=None):
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        layers = (self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)
        return conv_bn_relus(x, layers, self.relu, shortcut)


class ResNet(nn.Module):
    """Images [N, 3, H, W] (224x224 in the paper, any from 32x32 on) to logits [N, num_classes].

    blocks: how many in each of the four stages; width: channels of the first stage (64 in the paper).
    """

    def __init__(self, block, blocks, num_classes: int = 1000, width: int = 64):
        super().__init__()
        self.channels = width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(block, width, blocks[0], 1)
        self.layer2 = self._stage(block, 2 * width, blocks[1], 2)
        self.layer3 = self._stage(block, 4 * width, blocks[2], 2)
        self.layer4 = self._stage(block, 8 * width, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width * block.expansion, num_classes)
        initialize(self)

    def _stage(self, block, width, count, stride):
        outputs = width * block.expansion
        downsample = None
        if stride != 1 or self.channels != outputs:
            downsample = nn.Sequential(
                nn.Conv2d(self.channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        layers = [block(self.channels, width, stride, downsample)]
        self.channels = outputs
        layers += [block(outputs, width) for _ in range(count - 1)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.maxpool(conv_bn_relu(x, self.conv1, self.bn1, self.relu))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def initialize(model):
    """He's initialisation of every convolution: normal, variance 2 / (outputs of a filter)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _no_weights(arguments):
    """Take torchvision's weights=None, pretrained=False and progress=...; TypeError for others, ValueError for weights."""
    for name, value in arguments.items():
        if name not in ("weights", "pretrained", "progress"):
            raise TypeError(f"unexpected keyword argument {name!r}; there are num_classes and width")
        if value and name != "progress":
            raise ValueError(
                f"{name}={value!r}: no weights are downloaded; make the model without and load the published file: "
                "model.load_state_dict(engine.load('resnet18-f37072fd.pth'))"
            )


def resnet18(num_classes: int = 1000, width: int = 64, **torchvisions) -> ResNet:
    """ResNet-18: 11,689,512 parameters with 1000 classes."""
    _no_weights(torchvisions)
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, width)


def resnet34(num_classes: int = 1000, width: int = 64, **torchvisions) -> ResNet:
    """ResNet-34: 21,797,672 parameters with 1000 classes."""
    _no_weights(torchvisions)
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, width)


def resnet50(num_classes: int = 1000, width: int = 64, **torchvisions) -> ResNet:
    """ResNet-50: 25,557,032 parameters with 1000 classes."""
    _no_weights(torchvisions)
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, width)
