"""Swish, weighed channels and branches left out at random (Tan and Le 2019; Huang et al. 2016)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def swish(x):
    return x * torch.sigmoid(x)


def left_out(branch, p):
    """For each sample, the branch or nothing; in place, so that the mean stays."""
    alive = torch.empty((branch.size(0), 1, 1, 1), dtype=branch.dtype, device=branch.device).bernoulli_(1 - p)
    return branch.div_(1 - p).mul_(alive)


class Branch(nn.Module):
    def __init__(self, before, after, size, stride, times, p):
        super().__init__()
        wide = before * times
        self.p = p if stride == 1 and before == after else None
        if times > 1:
            self.widen = nn.Conv2d(before, wide, 1, bias=False)
            self.norm_widen = nn.BatchNorm2d(wide)
        self.each = nn.Conv2d(wide, wide, size, stride=stride, padding=size // 2, groups=wide, bias=False)
        self.norm_each = nn.BatchNorm2d(wide)
        self.ask = nn.Conv2d(wide, before // 4, kernel_size=1)
        self.answer = nn.Conv2d(before // 4, wide, kernel_size=1)
        self.narrow = nn.Conv2d(wide, after, 1, bias=False)
        self.norm_narrow = nn.BatchNorm2d(after)

    def forward(self, x):
        y = swish(self.norm_widen(self.widen(x))) if hasattr(self, "widen") else x
        y = swish(self.norm_each(self.each(y)))
        y = self.answer(swish(self.ask(F.adaptive_avg_pool2d(y, (1, 1))))).sigmoid() * y
        y = self.norm_narrow(self.narrow(y))
        if self.p is None:
            return y
        return x + (left_out(y, self.p) if self.training and self.p > 0 else y)


class Efficient(nn.Module):
    stages = {"times": [1, 3, 3], "width": [8, 16, 24], "count": [1, 2, 2], "size": [3, 3, 5], "stride": [1, 2, 2]}

    def __init__(self, p=0.2):
        super().__init__()
        self.p = p
        self.stem = nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.branches = nn.Sequential()
        total, before = sum(self.stages["count"]), 8
        for times, width, count, size, stride in zip(*self.stages.values(), strict=True):
            for i in range(count):
                share = p * len(self.branches) / total  # the deeper, the more often
                self.branches.append(Branch(before, width, size, 1 if i else stride, times, share))
                before = width
        self.out = nn.Linear(before, 10)

    def forward(self, images):
        maps = self.branches(swish(self.norm(self.stem(images))))
        features = F.adaptive_avg_pool2d(maps, 1).view(maps.size(0), -1)
        if self.training and self.p:
            features = F.dropout(features, p=self.p)
        return self.out(features)
