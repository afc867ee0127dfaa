"""Channels weighed by the means of all of them (Hu et al. 2018), computed by linear layers or by 1x1 convolutions."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Linearly(nn.Module):
    def __init__(self, width, ratio=4):
        super().__init__()
        narrow = width // ratio
        self.means = nn.AdaptiveAvgPool2d(1)
        self.weights = nn.Sequential(
            nn.Linear(width, narrow, bias=False), nn.Tanh(), nn.Linear(narrow, width, bias=False), nn.Sigmoid()
        )

    def forward(self, x):
        n, c = x.size()[:2]
        weights = self.weights(self.means(x).view(n, c))
        return x.mul(weights.view(n, c, 1, 1).expand_as(x))


class ByPixels(nn.Module):
    def __init__(self, width, ratio=4):
        super().__init__()
        self.down = nn.Conv2d(width, width // ratio, kernel_size=1)
        self.up = nn.Conv2d(width // ratio, width, kernel_size=1)

    def forward(self, x):
        means = F.avg_pool2d(x, x.size(2))
        return x * F.sigmoid(self.up(F.relu(self.down(means))))


class Block(nn.Module):
    def __init__(self, before, after, weigh):
        super().__init__()
        stride = 1 if before == after else 2
        self.norms = nn.ModuleList([nn.BatchNorm2d(before), nn.BatchNorm2d(after)])
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                nn.Conv2d(after, after, 3, padding=1, bias=False),
            ]
        )
        self.weigh = weigh(after)
        if stride != 1:
            self.short = nn.Conv2d(before, after, 1, stride=stride, bias=False)

    def forward(self, x):
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.relu(norm(y)))
        y = self.weigh(y)
        y += getattr(self, "short", nn.Identity())(x)
        return y


class Excited(nn.Module):
    def __init__(self, widths=(8, 16, 24), weigh=ByPixels):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], kernel_size=3, padding=1, bias=False)
        pairs = zip([widths[0], *widths[:-1]], widths, strict=True)
        self.blocks = nn.Sequential(*(Block(p, q, weigh) for p, q in pairs))
        self.out = nn.Linear(widths[-1], 10)

    def forward(self, images):
        maps = torch.relu(self.blocks(self.stem(images)))
        return self.out(F.adaptive_avg_pool2d(maps, 1).squeeze(-1).squeeze(-1))
