"""Kernels of several sizes side by side, and a second classifier half way that helps training (Szegedy et al. 2015)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def unit(before, after, size=1, **options):
    return nn.Sequential(
        nn.Conv2d(before, after, size, bias=False, **options), nn.BatchNorm2d(after, eps=1e-3), nn.ReLU(inplace=True)
    )


class Mixed(nn.Module):
    """1x1; 3x3; 7x1 then 1x7; a pool: each after or before a narrowing by 1x1."""

    def __init__(self, before, w):
        super().__init__()
        tall = unit(w, w, (7, 1), padding=(3, 0))
        wide = unit(w, w, (1, 7), padding=(0, 3))
        self.branches = nn.ModuleDict(
            {
                "point": unit(before, 2 * w),
                "square": nn.Sequential(unit(before, w), unit(w, 2 * w, 3, padding=1)),
                "cross": nn.Sequential(unit(before, w), tall, wide),
                "pool": nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), unit(before, w)),
            }
        )

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches.values()], 1)


class Side(nn.Module):
    def __init__(self, before, classes):
        super().__init__()
        self.narrow = unit(before, 8)
        self.hidden = nn.Linear(8 * 3 * 3, 24)
        self.out = nn.Linear(24, classes)

    def forward(self, x):
        x = self.narrow(F.adaptive_avg_pool2d(x, (3, 3)))
        return self.out(F.relu(self.hidden(x.reshape(len(x), -1))))


class Inception(nn.Module):
    def __init__(self, w=4, classes=10):
        super().__init__()
        self.stem = unit(3, 3 * w, 3, padding=1)
        self.early = nn.Sequential(Mixed(3 * w, w), Mixed(6 * w, w))
        self.shrink = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.middle = Mixed(6 * w, 2 * w)
        self.side = Side(12 * w, classes)
        self.late = Mixed(12 * w, 2 * w)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.out = nn.Linear(12 * w, classes)

    def forward(self, images):
        middle = self.middle(self.shrink(self.early(self.stem(images))))
        scores = self.out(torch.squeeze(torch.squeeze(self.pool(self.late(middle)), -1), -1))
        return (scores, self.side(middle)) if self.training else scores
