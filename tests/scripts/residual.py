"""Residual networks (He et al. 2016): two and three convolutions to a block, activated after or before them."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def conv(before, after, size, stride=1):
    return nn.Conv2d(before, after, kernel_size=size, stride=stride, padding=size // 2, bias=False)


class Thinned(nn.Module):
    """A way around without weights: every other pixel, among channels of zeros."""

    def __init__(self, more):
        super().__init__()
        self.margins = (0, 0, 0, 0, more // 2, more - more // 2)

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], self.margins, "constant", 0)


def around(before, after, stride, weights):
    if before == after and stride == 1:
        return nn.Sequential()
    if not weights:
        return Thinned(after - before)
    return nn.Sequential(conv(before, after, 1, stride), nn.BatchNorm2d(after))


class Plain(nn.Module):
    """Sizes of kernels decide what it is: (3, 3), or (1, 3, 1) with a narrow middle."""

    def __init__(self, before, after, stride, sizes=(3, 3), weights=True):
        super().__init__()
        inner = after if len(sizes) == 2 else after // 4
        widths = [before, *[inner] * (len(sizes) - 1), after]
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for i, size in enumerate(sizes):
            strides = stride if size == 3 and 3 not in sizes[:i] else 1
            self.convs.append(conv(widths[i], widths[i + 1], size, strides))
            self.norms.append(nn.BatchNorm2d(widths[i + 1]))
        self.around = around(before, after, stride, weights)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = x
        for convolve, norm in zip(self.convs[:-1], self.norms[:-1], strict=True):
            y = self.relu(norm(convolve(y)))
        y = self.norms[-1](self.convs[-1](y))
        y += self.around(x)
        return self.relu(y)


class Early(nn.Module):
    """Normalised and activated before each convolution; there is a way around of its own only where shapes differ."""

    def __init__(self, before, after, stride, **_):
        super().__init__()
        self.norm_a, self.conv_a = nn.BatchNorm2d(before), conv(before, after, 3, stride)
        self.norm_b, self.conv_b = nn.BatchNorm2d(after), conv(after, after, 3)
        if stride > 1:
            self.short = conv(before, after, 1, stride)

    def forward(self, x):
        active = F.relu(self.norm_a(x))
        kept = self.short(active) if hasattr(self, "short") else x
        y = self.conv_b(F.relu(self.norm_b(self.conv_a(active))))
        y += kept
        return y


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight)


class Residual(nn.Module):
    def __init__(self, widths, depth, block=Plain, classes=10, **options):
        super(Residual, self).__init__()  # noqa: UP008
        self.stem = nn.Sequential(conv(3, widths[0], 3), nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.stages = nn.Sequential()
        before = widths[0]
        for i, width in enumerate(widths):
            blocks = []
            for j in range(depth):
                blocks.append(block(before, width, 2 if i and not j else 1, **options))
                before = width
            self.stages.add_module(f"stage{i}", nn.Sequential(*blocks))
        self.classify = nn.Linear(before, classes)
        self.apply(initialise)

    def forward(self, images):
        maps = self.stages(self.stem(images))
        means = F.avg_pool2d(maps, maps.size()[3])
        return self.classify(means.view(means.size(0), -1))


def sizes(net):
    """(parameters that learn, matrices and kernels among them)."""
    learning = list(filter(lambda p: p.requires_grad, net.parameters()))
    return sum(p.numel() for p in learning), len([p for p in learning if len(p.data.size()) > 1])


if __name__ == "__main__":
    made = Residual((16, 32, 64), 3, weights=False)
    print(made(torch.randn(1, 3, 32, 32)).size(), sizes(made))
