"""Groups of channels that meet by being shuffled (Zhang et al. 2018), and halves of which one passes (Ma et al. 2018)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Shuffle(nn.Module):
    """Channel a of group b becomes channel b of group a."""

    def __init__(self, groups, permute=True):
        super().__init__()
        self.groups, self.permute = groups, permute

    def forward(self, x):
        n, c, h, w = x.size()
        apart = x.view(n, self.groups, c // self.groups, h, w)
        if self.permute:
            return apart.permute(0, 2, 1, 3, 4).reshape(n, c, h, w)
        return torch.transpose(apart, 1, 2).contiguous().view(n, -1, h, w)


def steps(*modules):
    """Each convolution with its norm behind it; "relu" and others as they are."""
    made = []
    for module in modules:
        made.append(module)
        if isinstance(module, nn.Conv2d):
            made.append(nn.BatchNorm2d(module.out_channels))
    return nn.Sequential(*made)


def point(before, after, groups=1):
    return nn.Conv2d(before, after, 1, groups=groups, bias=False)


def each(width, stride):
    return nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False)


class Grouped(nn.Module):
    def __init__(self, before, after, stride, groups=2):
        super().__init__()
        made = after - before if stride == 2 else after
        inner = after // 4
        self.body = steps(
            point(before, inner, groups), nn.ReLU(), Shuffle(groups), each(inner, stride), point(inner, made, groups)
        )
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None

    def forward(self, x):
        y = self.body(x)
        return F.relu(y + x if self.pool is None else torch.cat((y, self.pool(x)), 1))


class Halves(nn.Module):
    def __init__(self, width):
        super().__init__()
        half = width // 2
        self.body = steps(point(half, half), nn.ReLU(True), each(half, 1), point(half, half), nn.ReLU(True))
        self.shuffle = Shuffle(2, permute=False)

    def forward(self, x):
        kept, worked = x.chunk(2, dim=1)
        return self.shuffle(torch.cat([kept, self.body(worked)], 1))


class Down(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        half = after // 2
        self.left = steps(each(before, 2), point(before, half), nn.ReLU(True))
        self.right = steps(point(before, half), nn.ReLU(True), each(half, 2), point(half, half), nn.ReLU(True))
        self.shuffle = Shuffle(2, permute=False)

    def forward(self, x):
        return self.shuffle(torch.cat([self.left(x), self.right(x)], dim=-3))


class ShuffleNet(nn.Module):
    def __init__(self, halves=False, widths=(24, 48, 96)):
        super().__init__()
        self.stem = steps(nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.ReLU())
        units = []
        for before, after in zip(widths, widths[1:], strict=False):
            units += (
                [Down(before, after), Halves(after)]
                if halves
                else [Grouped(before, after, 2), Grouped(after, after, 1)]
            )
        self.units = nn.Sequential(*units)
        self.out = nn.Linear(widths[-1], 10)

    def forward(self, images):
        return self.out(self.units(self.stem(images)).mean(dim=(-1, -2)))
