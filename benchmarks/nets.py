"""The networks, built by either framework from one text: `nn` is engine.nn or torch.nn. Also their weights and batches."""

import math

import numpy

CLASSES = 10
IMAGE = (1, 28, 28)


def lenet5(nn):
    """LeNet-5 with ReLU and max pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, CLASSES),
    )  # fmt: skip


def mnistnet(nn):
    """The network of PyTorch's MNIST example, without dropout: two frameworks cannot draw the same zeros."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(9216, 128), nn.ReLU(),
        nn.Linear(128, CLASSES),
    )  # fmt: skip


BUILDERS = {"lenet5": lenet5, "mnistnet": mnistnet}


def weights(name, nn, seed=0):
    """Random weights as {name of the state dict: float32 array}, drawn by NumPy with the usual bounds."""
    draw = numpy.random.default_rng(seed)
    arrays, fan_in = {}, 1
    for key, value in BUILDERS[name](nn).state_dict().items():
        if key.endswith("weight"):
            fan_in = math.prod(value.shape[1:])
        bound = 1 / math.sqrt(fan_in)
        arrays[key] = draw.uniform(-bound, bound, tuple(value.shape)).astype("float32")
    return arrays


def batches(batch, count=8, seed=1):
    """Images [count, batch, 1, 28, 28] like normalised digits and their labels int64 [count, batch]."""
    draw = numpy.random.default_rng(seed)
    images = draw.standard_normal((count, batch, *IMAGE)).astype("float32")
    return images, draw.integers(0, CLASSES, (count, batch))
