"""Residual blocks of grouped convolutions (Xie et al. 2017), with or without weighed channels (Radosavovic et al. 2020)."""

import torch
from torch import nn


class Weigh(nn.Module):
    def __init__(self, width, narrow):
        super().__init__()
        self.down, self.up = nn.Conv2d(width, narrow, 1), nn.Conv2d(narrow, width, 1)

    def forward(self, x):
        means = nn.functional.adaptive_avg_pool2d(x, (1, 1))
        return x * self.up(torch.relu(self.down(means))).sigmoid()


class Group(nn.Module):
    def __init__(self, before, after, stride, groups, weigh):
        super().__init__()
        inner = after // 2
        self.reduce = nn.Conv2d(before, inner, 1, bias=False)
        self.grouped = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.expand = nn.Conv2d(inner, after, 1, bias=False)
        for name, width in ("a", inner), ("b", inner), ("c", after):
            setattr(self, f"norm_{name}", nn.BatchNorm2d(width))
        self.weigh = Weigh(inner, inner // 2) if weigh else None
        self.fit = nn.Identity()
        if (before, stride) != (after, 1):
            self.fit = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        y = torch.relu(self.norm_a(self.reduce(x)))
        y = torch.relu(self.norm_b(self.grouped(y)))
        if self.weigh is not None:
            y = self.weigh(y)
        return torch.relu_(self.norm_c(self.expand(y)).add_(self.fit(x)))


class GroupNet(nn.Module):
    def __init__(self, widths=(16, 32), count=2, groups=4, weigh=False):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        ends = [widths[0], *widths]
        self.stages = nn.ModuleList()
        for i, width in enumerate(widths):
            stage = [Group(width if j else ends[i], width, 1 if j or not i else 2, groups, weigh) for j in range(count)]
            self.stages.append(nn.Sequential(*stage))
        self.out = nn.Linear(widths[-1], 10)

    def forward(self, images):
        maps = self.norm(self.stem(images)).relu()
        for stage in self.stages:
            maps = stage(maps)
        return self.out(maps.mean([2, 3]))
