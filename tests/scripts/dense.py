"""Layers that see what all earlier ones made, side by side (Huang et al. 2017)."""

from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F


class Grow(nn.Module):
    """A few new channels from a list of all there are."""

    def __init__(self, seen, rate, drop):
        super().__init__()
        squeeze = [
            ("bn", nn.BatchNorm2d(seen)),
            ("act", nn.ReLU(inplace=True)),
            ("conv", nn.Conv2d(seen, 4 * rate, 1, bias=False)),
        ]
        self.squeeze = nn.Sequential(OrderedDict(squeeze))
        self.bn = nn.BatchNorm2d(4 * rate)
        self.conv = nn.Conv2d(4 * rate, rate, 3, padding=1, bias=False)
        self.drop = drop

    def forward(self, seen):
        if isinstance(seen, torch.Tensor):
            seen = [seen]
        new = self.conv(F.relu(self.bn(self.squeeze(torch.cat(seen, 1))), inplace=True))
        return F.dropout(new, p=self.drop, training=self.training) if self.drop else new


class Dense(nn.ModuleDict):
    def __init__(self, count, width, rate, drop):
        super().__init__({f"grow{i}": Grow(width + i * rate, rate, drop) for i in range(count)})

    def forward(self, x):
        seen = [x]
        for layer in self.values():
            seen.append(layer(seen))
        return torch.cat(seen, dim=1)


class Halve(nn.Sequential):
    def __init__(self, width):
        super().__init__()
        for name, module in {
            "bn": nn.BatchNorm2d(width),
            "act": nn.ReLU(),
            "mix": nn.Conv2d(width, width // 2, kernel_size=1, bias=False),
            "pool": nn.AvgPool2d(2),
        }.items():
            self.add_module(name, module)


class DenseNet(nn.Module):
    def __init__(self, counts, rate=12, drop=0.0):
        super().__init__()
        width = 2 * rate
        self.steps = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False))
        for i, count in enumerate(counts):
            if i:
                self.steps.append(Halve(width))
                width //= 2
            self.steps.append(Dense(count, width, rate, drop))
            width += count * rate
        self.steps.append(nn.BatchNorm2d(width))
        self.out = nn.Linear(width, 10)
        with torch.no_grad():
            self.out.bias.zero_()
        for name, parameter in self.named_parameters():
            if "conv.weight" in name:
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu")

    def forward(self, images):
        maps = F.relu(self.steps(images))
        return self.out(F.adaptive_avg_pool2d(maps, (1, 1)).flatten(start_dim=1))
