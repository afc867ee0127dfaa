"""Channels cut in two: dual paths (Chen et al. 2017); cells of unlike branches (Liu et al. 2018); trees (Yu et al. 2018)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def unit(before, after, size=1, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(after)
    )


class Dual(nn.Module):
    """The first `added` channels of body and way around are summed, `grown` of each stand side by side."""

    def __init__(self, before, inner, added, grown, stride, first):
        super().__init__()
        self.added = added
        self.body = nn.Sequential(
            unit(before, inner),
            nn.ReLU(),
            unit(inner, inner, 3, stride, groups=4),
            nn.ReLU(),
            unit(inner, added + grown),
        )
        self.around = unit(before, added + grown, 1, stride) if first else nn.Sequential()

    def forward(self, x):
        body, around, k = self.body(x), self.around(x), self.added
        total = body[:, :k] + around[:, :k, ...]
        return F.relu(torch.cat((total, around[:, k:, :, :], body.narrow(1, k, body.size(1) - k)), 1))


class DualNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, blocks, width = unit(3, 16, 3), [], 16
        for stride, inner, added, grown in (1, 16, 24, 4), (2, 32, 48, 8):
            for first in (True, False):
                blocks.append(Dual(width, inner, added, grown, stride if first else 1, first))
                width = added + (2 if first else 3) * grown
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Linear(width, 10)

    def forward(self, images):
        maps = self.blocks(self.stem(images).relu())
        return self.out(F.avg_pool2d(maps, maps.shape[-1]).flatten(1))


class Cell(nn.Module):
    """The larger of two branches beside the sum of two others, mixed."""

    def __init__(self, before, after, stride=1):
        super().__init__()
        self.stride = stride
        self.branches = nn.ModuleList([unit(before, after, size, stride, groups=before) for size in (7, 5, 3)])
        self.fit, self.mix = nn.Conv2d(before, after, kernel_size=1), unit(2 * after, after)

    def forward(self, x):
        a, b, c = (branch(x) for branch in self.branches)
        d = self.fit(F.max_pool2d(x, kernel_size=3, stride=self.stride, padding=1))
        return F.relu(self.mix(torch.cat([F.relu(torch.max(a, b)), F.relu(c + d)], dim=1)))


class CellNet(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.cells = nn.Sequential(
            unit(3, width, 3), nn.ReLU(), Cell(width, width), Cell(width, 2 * width, 2), Cell(2 * width, 2 * width)
        )
        self.out = nn.Linear(2 * width, 10)

    def forward(self, images):
        maps = F.avg_pool2d(self.cells(images), 8)
        return self.out(maps.view(maps.size(0), -1))


class Tree(nn.Module):
    """Two subtrees, one after the other, and a root over both and what came in."""

    def __init__(self, before, after, height, stride=1):
        super().__init__()
        if height == 0:
            self.leaf = nn.Sequential(
                unit(before, before, 3, stride, groups=before), nn.ReLU(), nn.Conv2d(before, after, 1, bias=False)
            )
        else:
            self.pool = nn.MaxPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
            setattr(self, "left", Tree(before, after, height - 1, stride))  # noqa: B010
            setattr(self, "right", Tree(after, after, height - 1))  # noqa: B010
            self.root = unit(2 * after + before, after)
        self.height = height

    def forward(self, x):
        if self.height == 0:
            return self.leaf(x)
        left = self.__getattr__("left")(x)
        return F.relu(self.root(torch.cat([left, self.right(left), self.pool(x)], 1)))


class TreeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = unit(3, 12, 3)
        self.trees = nn.Sequential(Tree(12, 16, 1), Tree(16, 24, 2, stride=2))
        self.out = nn.Linear(24, 10)

    def forward(self, images):
        return self.out(self.trees(F.relu(self.stem(images))).mean(3).mean(2))
