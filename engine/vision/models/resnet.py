"""Residual networks for ImageNet (He et al. 2015, "Deep residual learning for image recognition"): ResNet-18 to -152.

Parameters have torchvision's names, shapes and order, so that its published weights load.
"""

from __future__ import annotations

from engine import nn
from engine.nn.fusion import conv_bn_relu, conv_bn_relus
from engine.vision.models.common import SMALL, channels, initialize, no_download


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
    """Images [N, 3, S, S] (224x224 in the paper, any from 32x32 on) to logits [N, num_classes].

    blocks: how many in each of the four stages, of 64, 128, 256 and 512 channels; width multiplies these. For images of
    image_size < 64 the first convolution is 3x3 with stride 1 instead of 7x7 with stride 2, without pooling behind it:
    32x32 ends in maps of 4x4.
    """

    def __init__(self, block, blocks, num_classes: int = 1000, width: float = 1.0, image_size: int = 224):
        super().__init__()
        small = image_size < SMALL
        a, b, c, d = (channels(n, width) for n in (64, 128, 256, 512))
        self.channels = a
        self.conv1 = conv3x3(3, a) if small else nn.Conv2d(3, a, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(a)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(block, a, blocks[0], 1)
        self.layer2 = self._stage(block, b, blocks[1], 2)
        self.layer3 = self._stage(block, c, blocks[2], 2)
        self.layer4 = self._stage(block, d, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(d * block.expansion, num_classes)
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


@no_download
def resnet18(num_classes: int = 1000, width: float = 1.0, image_size: int = 224) -> ResNet:
    """ResNet-18: 11,689,512 parameters with 1000 classes."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, width, image_size)


@no_download
def resnet34(num_classes: int = 1000, width: float = 1.0, image_size: int = 224) -> ResNet:
    """ResNet-34: 21,797,672 parameters with 1000 classes."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, width, image_size)


@no_download
def resnet50(num_classes: int = 1000, width: float = 1.0, image_size: int = 224) -> ResNet:
    """ResNet-50: 25,557,032 parameters with 1000 classes."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, width, image_size)


@no_download
def resnet101(num_classes: int = 1000, width: float = 1.0, image_size: int = 224) -> ResNet:
    """ResNet-101: 44,549,160 parameters with 1000 classes."""
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes, width, image_size)


@no_download
def resnet152(num_classes: int = 1000, width: float = 1.0, image_size: int = 224) -> ResNet:
    """ResNet-152: 60,192,808 parameters with 1000 classes."""
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes, width, image_size)
