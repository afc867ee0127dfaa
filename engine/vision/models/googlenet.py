"""GoogLeNet (Szegedy et al. 2014): nine inception modules, and two auxiliary heads that help the gradient in training."""

from __future__ import annotations

from collections import namedtuple

from engine import cat, nn
from engine.nn import functional as F
from engine.nn.fusion import conv_bn_relu
from engine.vision.models.common import SMALL, channels, no_download

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])

_MODULES = {  # name -> channels of 1x1; 3x3 (reduced to, then); 5x5 (reduced to, then); behind the pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class BasicConv2d(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return conv_bn_relu(x, self.conv, self.bn, self.relu)


class Inception(nn.Module):
    """Four branches side by side, their channels one behind the other.

    The "5x5" branch has 3x3 filters, as in torchvision and in the weights that it publishes.
    """

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, kernel_size=1), BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, kernel_size=1), BasicConv2d(ch5x5red, ch5x5, kernel_size=3, padding=1)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), BasicConv2d(in_channels, pool_proj, kernel_size=1)
        )

    def forward(self, x):
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    """A classifier on the maps in the middle of the network."""

    def __init__(self, in_channels, num_classes, dropout=0.7, width=1.0):
        super().__init__()
        outputs, hidden = channels(128, width), channels(1024, width)
        self.conv = BasicConv2d(in_channels, outputs, kernel_size=1)
        self.fc1 = nn.Linear(outputs * 4 * 4, hidden)
        self.fc2 = nn.Linear(hidden, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


class GoogLeNet(nn.Module):
    """Images [N, 3, S, S] to logits [N, num_classes] ("Going deeper with convolutions", with batch norm, as in torchvision,
    whose names, shapes and order the parameters have): 6,624,904 without, 13,004,888 with the auxiliary heads.

    With aux_logits a GoogLeNetOutputs comes out in training, whose loss `auxiliary_loss` gives. transform_input: images are
    normalised by ImageNet's mean and deviation, the weights want (x - 0.5) / 0.5, as those published do.
    width multiplies the channels of every layer. For images of image_size < 64 the first convolution is 3x3 with stride 1
    instead of 7x7 with stride 2, and the first pooling falls away: 32x32 ends in maps of 4x4.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = True,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        width: float = 1.0,
        image_size: int = 224,
    ):
        super().__init__()
        small = image_size < SMALL
        self.aux_logits, self.transform_input = aux_logits, transform_input
        first, inputs = channels(64, width), channels(192, width)
        stem = {"kernel_size": 3, "padding": 1} if small else {"kernel_size": 7, "stride": 2, "padding": 3}
        self.conv1 = BasicConv2d(3, first, **stem)
        self.maxpool1 = nn.Identity() if small else nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(first, first, kernel_size=1)
        self.conv3 = BasicConv2d(first, inputs, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        outputs = {}
        for name, counts in _MODULES.items():
            scaled = [channels(n, width) for n in counts]
            setattr(self, f"inception{name}", Inception(inputs, *scaled))
            inputs = outputs[name] = scaled[0] + scaled[2] + scaled[4] + scaled[5]
            if name == "3b":
                self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            elif name == "4e":
                self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.aux1 = InceptionAux(outputs["4a"], num_classes, dropout_aux, width) if aux_logits else None
        self.aux2 = InceptionAux(outputs["4d"], num_classes, dropout_aux, width) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(inputs, num_classes)
        if init_weights is not False:
            for module in self.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    nn.init.trunc_normal_(module.weight, std=0.01, a=-2, b=2)

    def forward(self, x):
        heads = self.training and self.aux_logits
        x = self.maxpool1(self.conv1(self._transformed(x)))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x) if heads else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if heads else None
        x = self.maxpool4(self.inception4e(x))
        x = self.avgpool(self.inception5b(self.inception5a(x)))
        x = self.fc(self.dropout(x.flatten(1)))
        return GoogLeNetOutputs(x, aux2, aux1) if heads else x

    def _transformed(self, x):
        if not self.transform_input:
            return x
        statistics = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
        return cat([x[:, c : c + 1] * (s / 0.5) + (m - 0.5) / 0.5 for c, (m, s) in enumerate(statistics)], 1)


def auxiliary_loss(criterion, outputs, target, weight: float = 0.3):
    """The loss of the logits plus `weight` times that of each auxiliary head (0.3 in the paper); of a Tensor its loss alone."""
    if not isinstance(outputs, GoogLeNetOutputs):
        return criterion(outputs, target)
    loss = criterion(outputs.logits, target)
    return loss + weight * (criterion(outputs.aux_logits1, target) + criterion(outputs.aux_logits2, target))


@no_download
def googlenet(num_classes: int = 1000, width: float = 1.0, image_size: int = 224, **options) -> GoogLeNet:
    """GoogLeNet with auxiliary heads (13,004,888 parameters), or without (aux_logits=False: 6,624,904)."""
    return GoogLeNet(num_classes, width=width, image_size=image_size, **options)
