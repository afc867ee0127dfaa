"""A kernel for each channel, then a mix of channels (Howard et al. 2017); the same between narrow ends (Sandler et al. 2018)."""

import torch.nn as nn
import torch.nn.functional as F


def depthwise(width, stride, size=3):
    return nn.Conv2d(width, width, kernel_size=size, stride=stride, padding=(size - 1) // 2, groups=width, bias=False)


class Separable(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.each, self.norm_each = depthwise(before, stride), nn.BatchNorm2d(before)
        self.mix, self.norm_mix = nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)

    def forward(self, x):
        return F.relu(self.norm_mix(self.mix(F.relu(self.norm_each(self.each(x))))))


class Mobile(nn.Module):
    plan = ((16, 1), (24, 2), (24, 1), (32, 2), (40, 2), (48, 2))  # width, stride

    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=1, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        blocks, before = [], 8
        for width, stride in self.plan:
            blocks += [Separable(before, width, stride)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Linear(before, classes)

    def forward(self, images):
        maps = F.avg_pool2d(self.blocks(self.stem(images)), 2)
        return self.out(maps.view(maps.shape[0], -1))


class Inverted(nn.Module):
    def __init__(self, before, after, stride, times):
        super().__init__()
        wide = int(round(before * times))
        body = (
            [] if times == 1 else [nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)]
        )
        body += [depthwise(wide, stride), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)]
        body += [nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after)]
        self.body = nn.Sequential(*body)
        self.adds = stride == 1 and before == after

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class Inverse(nn.Module):
    def __init__(self, plan=((1, 8, 1), (6, 12, 1), (6, 12, 1), (6, 16, 2), (4, 16, 1), (4, 24, 2)), dropout=0.2):
        super().__init__()
        first, last = plan[0][1], 64
        self.maps = nn.Sequential(nn.Conv2d(3, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU6())
        before = first
        for times, width, stride in plan:
            self.maps.append(Inverted(before, width, stride, times))
            before = width
        self.maps.extend([nn.Conv2d(before, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6()])
        self.out = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(last, 10))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.constant_(module.bias, 0)

    def forward(self, images):
        return self.out(nn.functional.adaptive_avg_pool2d(self.maps(images), 1).reshape(images.shape[0], -1))
