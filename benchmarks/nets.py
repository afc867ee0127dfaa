"""The networks, their weights and batches.

Those without a home in engine.vision.models are built by either framework from one text: `nn` is engine.nn or torch.nn.
The others are engine.vision.models here and their usual definitions in peers/pytorch_nets.py there. All have the names of
parameters in common, and peers/graphs.py says them once more for frameworks without modules.
"""

import math
from dataclasses import dataclass

import numpy


@dataclass(frozen=True)
class Net:
    """Its images [C, H, W], its classes, and where its first fully connected layer takes a flattened image [C, H, W]."""

    image: tuple
    classes: int = 10
    flattened: tuple = ()  # (name of the weight, the image that it takes)


NETS = {
    "lenet5": Net((1, 28, 28), flattened=("7.weight", (16, 5, 5))),
    "mnistnet": Net((1, 28, 28), flattened=("6.weight", (64, 12, 12))),
    "vgg": Net((3, 32, 32)),
    "resnet20": Net((3, 32, 32)),
    "resnet18": Net((3, 224, 224), 1000),
    "mobile": Net((3, 32, 32)),
    "resnext": Net((3, 32, 32)),
}
SEPARABLE = (
    (32, 64, 1),
    (64, 128, 2),
    (128, 128, 1),
    (128, 256, 2),
    (256, 256, 1),
)  # of `mobile`: inputs, outputs, stride
WIDE, GROUPS = 128, 8  # of `resnext`: channels inside a block, and in how many groups


def lenet5(nn):
    """LeNet-5 with ReLU and max pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def mnistnet(nn):
    """The network of PyTorch's MNIST example, without dropout: two frameworks cannot draw the same zeros."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(),
        nn.Linear(128, 10),
    )  # fmt: skip


def layer(nn, inputs, outputs, kernel=3, stride=1, groups=1):
    """Convolution that keeps the size (at stride 1), batch norm and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def head(nn, inputs):
    """Logits from the mean of each channel."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10)


def mobile(nn):
    """Like MobileNet, for 32x32: depthwise 3x3 and 1x1 convolutions in turn."""
    layers = [*layer(nn, 3, 32)]
    for inputs, outputs, stride in SEPARABLE:
        layers += layer(nn, inputs, inputs, 3, stride, groups=inputs)
        layers += layer(nn, inputs, outputs, 1)
    return nn.Sequential(*layers, *head(nn, SEPARABLE[-1][1]))


def resnext(nn):
    """Like ResNeXt, for 32x32: four blocks of 1x1, grouped 3x3 and 1x1 convolutions beside a shortcut."""

    class Block(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    def block():
        last = nn.Conv2d(WIDE, 64, 1, bias=False), nn.BatchNorm2d(64)
        return Block(*layer(nn, 64, WIDE, 1), *layer(nn, WIDE, WIDE, groups=GROUPS), *last), nn.ReLU()

    stages = [*layer(nn, 3, 64), *(part for _ in range(2) for part in (nn.MaxPool2d(2), *block(), *block()))]
    return nn.Sequential(*stages, *head(nn, 64))


BUILDERS = {"lenet5": lenet5, "mnistnet": mnistnet, "mobile": mobile, "resnext": resnext}


def weights(state, seed=0):
    """Random weights for a state dict as {name: array}, drawn by NumPy: He's bounds, batch norm near the identity."""
    draw = numpy.random.default_rng(seed)
    arrays, fan_in = {}, 1
    for key, value in state.items():
        shape, part = tuple(value.shape), key.rpartition(".")[2]
        if part == "num_batches_tracked":
            arrays[key] = numpy.zeros(shape, "int64")
            continue
        if len(shape) > 1:
            fan_in = math.prod(shape[1:])
            bounds = (-math.sqrt(6 / fan_in), math.sqrt(6 / fan_in))
        elif part in ("weight", "running_var"):  # of a batch norm
            bounds = (0.5, 1.5)
        else:
            bounds = (-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))
        arrays[key] = draw.uniform(*bounds, shape).astype("float32")
    return arrays


def batches(name, batch, count=8, seed=1):
    """Images [count, batch, C, H, W] like normalised photographs and their labels int64 [count, batch]."""
    draw, net = numpy.random.default_rng(seed), NETS[name]
    images = draw.standard_normal((count, batch, *net.image), "float32")
    return images, draw.integers(0, net.classes, (count, batch))
