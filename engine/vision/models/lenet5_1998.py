"""LeNet-5 as published: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition"."""

from __future__ import annotations

import math

import engine
from engine import nn
from engine.nn import functional as F
from engine.vision.models.lenet import check_image_size

C3_INPUTS = (  # table I: which of the six maps of S2 each of the sixteen maps of C3 sees
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip

DIGITS = """
 .#####.    ..###..    .#####.    .#####.    #....#.    #######    ..####.    #######    .#####.    .#####.
 ##...##    .####..    ##...##    ##...##    #....#.    #......    .##....    #.....#    ##...##    ##...##
 #.....#    ##.##..    #.....#    ......#    #....#.    #......    ##.....    ......#    #.....#    #.....#
 #.....#    ...##..    ......#    ......#    #....#.    #......    #......    .....##    #.....#    #.....#
 #.....#    ...##..    .....##    .....##    #....#.    #.####.    #.####.    ....##.    ##...##    #.....#
 #.....#    ...##..    ....##.    ..####.    ##...#.    ##...##    ##...##    ....#..    .#####.    ##...##
 #.....#    ...##..    ...##..    .....##    .######    ......#    #.....#    ..#####    ##...##    .######
 #.....#    ...##..    ..##...    ......#    .....#.    ......#    #.....#    ...#...    #.....#    ......#
 #.....#    ...##..    .##....    ......#    .....#.    ......#    #.....#    ..##...    #.....#    .....##
 ##...##    ...##..    ##.....    ......#    .....#.    #.....#    ##...##    ..#....    ##...##    ...###.
 .#####.    #######    #######    ##...##    .....#.    ##...##    .#####.    .##....    .#####.    .###...
 .......    .......    .......    .#####.    .....#.    .#####.    .......    .#.....    .......    .......
"""  # 7 wide, 12 high: the output layer knows each digit by the 84 pixels of its picture, +1 (#) and -1 (.)


def digit_codes() -> list[list[float]]:
    """The pictures of the ten digits as rows of 84 numbers, +1 and -1."""
    rows = [line.split() for line in DIGITS.split("\n") if line]
    return [[1.0 if c == "#" else -1.0 for row in rows for c in row[digit]] for digit in range(10)]


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3): +1 and -1 at +1 and -1, where its curvature is largest."""

    def forward(self, x):
        return 1.7159 * (x * (2 / 3)).tanh()


class Subsampling(nn.Module):
    """The sum of each 2x2 window times a coefficient, plus a bias; both trained, one of each per map."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(engine.tensor([0.0] * channels))
        self.bias = nn.Parameter(engine.tensor([0.0] * channels))

    def forward(self, x):
        shape = -1, 1, 1
        return F.avg_pool2d(x, 2) * (4 * self.weight).reshape(shape) + self.bias.reshape(shape)


class PartialConv2d(nn.Module):
    """A 5x5 convolution each map of which sees the input maps that `inputs` names: [N, C, H, W] to [N, len(inputs), H-4, W-4].

    The weight holds the filters that there are, [connections, 5, 5], map by map.
    """

    def __init__(self, inputs, in_channels: int):
        super().__init__()
        self.inputs, connections = inputs, sum(map(len, inputs))
        table, next_one = [[connections] * in_channels for _ in inputs], 0  # a row of zeros stands behind the filters
        for row, seen in zip(table, inputs, strict=True):
            for c in seen:
                row[c], next_one = next_one, next_one + 1
        self.weight = nn.Parameter(engine.tensor([[[0.0] * 5] * 5] * connections))
        self.bias = nn.Parameter(engine.tensor([0.0] * len(inputs)))
        self.register_buffer("table", engine.tensor(table), persistent=False)

    def forward(self, x):
        filters = F.pad(self.weight, (0, 0, 0, 0, 0, 1))
        return F.conv2d(x, filters[self.table], self.bias)


class GaussianOutput(nn.Module):
    """Minus the squared distance of x[N, 84] from the code of each class, [N, classes]: logarithms of Gaussian likelihoods.

    (The paper's output is the distance itself, where the smallest wins; with its sign changed the largest does, as in
    every classifier.) The codes are no parameters.
    """

    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codes", engine.tensor(codes))

    def forward(self, x):
        squares = (x * x).sum(1, keepdim=True) + (self.codes * self.codes).sum(1)
        return 2 * F.linear(x, self.codes) - squares


class LeNet5of1998(nn.Module):
    """Images [N, 1, 32, 32], or [N, 1, 28, 28] with image_size=28 (padded by 2), to scores [N, num_classes], the largest
    of which wins: minus the squared distances of the paper. 60,000 trainable parameters.

    C1 6 maps 28x28, S2 6 maps 14x14, C3 16 maps 10x10 (each sees some of S2's), S4 16 maps 5x5, C5 120, F6 84, Gaussian
    output; scaled tanh up to F6. The losses of the paper are MeanPenalty and DiscriminativeLoss; nn.CrossEntropyLoss is the
    latter without its constant. There are codes for ten classes, so num_classes is at most 10.
    """

    def __init__(self, num_classes: int = 10, image_size: int = 32):
        super().__init__()
        check_image_size(image_size)
        if not 1 <= num_classes <= 10:
            raise ValueError(f"LeNet-5 of 1998 has codes for at most 10 classes, got num_classes={num_classes!r}")
        self.c1 = nn.Conv2d(1, 6, 5, padding=(32 - image_size) // 2)
        self.s2 = Subsampling(6)
        self.c3 = PartialConv2d(C3_INPUTS, 6)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = GaussianOutput(digit_codes()[:num_classes])
        self.squash = ScaledTanh()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As in the paper: uniform in +-2.4 / (inputs of the unit that the weight leads to); biases 0."""
        fans = {self.c1: 25, self.s2: 4, self.s4: 4, self.c5: 400, self.f6: 120}
        for layer, fan in fans.items():
            nn.init.uniform_(layer.weight, -2.4 / fan, 2.4 / fan)
            nn.init.zeros_(layer.bias)
        filters = self.c3.weight.detach().split([len(seen) for seen in C3_INPUTS])
        for own, seen in zip(filters, C3_INPUTS, strict=True):
            nn.init.uniform_(own, -2.4 / (25 * len(seen)), 2.4 / (25 * len(seen)))

    def forward(self, x):
        for layer in (self.c1, self.s2, self.c3, self.s4, self.c5):
            x = self.squash(layer(x))
        return self.output(self.squash(self.f6(x.flatten(1))))


class MeanPenalty(nn.Module):
    """Equation 8: the mean squared distance from the code of the right class."""

    def forward(self, scores, target):
        return F.nll_loss(scores, target)


class DiscriminativeLoss(nn.Module):
    """Equation 9: the mean of y_right + log(exp(-j) + sum_i exp(-y_i)), where y are the distances, -scores.

    It pushes wrong classes away as well; the constant j leaves those alone that are far already.
    """

    def __init__(self, j: float = 1.0):
        super().__init__()
        if not 0 < j < math.inf:
            raise ValueError(f"DiscriminativeLoss: j must be above 0, got {j!r}")
        self.j = j

    def forward(self, scores, target):
        return F.cross_entropy(F.pad(scores, (0, 1), value=-self.j), target)


def lenet5_1998(num_classes: int = 10, image_size: int = 28) -> LeNet5of1998:
    """LeNet-5 as published: 60,000 trainable parameters."""
    return LeNet5of1998(num_classes, image_size)
