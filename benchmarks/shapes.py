"""What is measured: matrix products, convolutions and layers, networks and batches; in full, quickly, in tiny."""

from dataclasses import dataclass, replace

from benchmarks import nets
from benchmarks.sizes import Convolution, Product, same
from benchmarks.thresholds import THRESHOLDS


def fully_connected(batch, inputs, outputs):
    """The three products of a Linear layer: forward, gradient of its input, gradient of its weights."""
    return (
        Product(batch, outputs, inputs, "nt"),
        Product(batch, inputs, outputs, "nn"),
        Product(outputs, inputs, batch, "tn"),
    )


CUBES = tuple(Product(n, n, n) for n in (512, 768, 1024, 2048))
LINEAR = (*fully_connected(64, 400, 120), *fully_connected(64, 9216, 128), *fully_connected(1, 9216, 128))


def _small(n):
    """Those of lenet5 and mnistnet."""
    return (
        Convolution("lenet5.1", n, 1, 28, 6, 5, padding=2, first=True),
        Convolution("lenet5.2", n, 6, 14, 16, 5),
        Convolution("mnistnet.1", n, 1, 28, 32, 3, first=True),
        Convolution("mnistnet.2", n, 32, 26, 64, 3),
    )


CONVOLUTIONS = (
    *_small(64),
    same("vgg.1", 64, 3, 32, 32, first=True),
    same("vgg.2", 64, 32, 32, 32),
    same("vgg.3", 64, 32, 16, 64),
    same("vgg.4", 64, 64, 16, 64),
    same("vgg.5", 64, 64, 8, 128),
    same("vgg.6", 64, 128, 8, 128),
    same("resnet20.1", 64, 3, 32, 16, first=True),
    same("resnet20.2", 64, 16, 32, 16),
    same("resnet20.3", 64, 16, 32, 32, stride=2),
    same("resnet20.4", 64, 32, 16, 32),
    same("resnet20.5", 64, 32, 16, 64, stride=2),
    same("resnet20.6", 64, 64, 8, 64),
    same("resnet18.1", 8, 3, 224, 64, 7, stride=2, first=True),
    same("resnet18.2", 8, 64, 56, 64),
    same("resnet18.3", 8, 64, 56, 128, stride=2),
    same("resnet18.4", 8, 64, 56, 128, 1, stride=2),
    same("resnet18.5", 8, 128, 28, 128),
    same("resnet18.6", 8, 128, 28, 256, stride=2),
    same("resnet18.7", 8, 256, 14, 256),
    same("resnet18.8", 8, 256, 14, 512, stride=2),
    same("resnet18.9", 8, 512, 7, 512),
    same("mobile.1", 64, 32, 32, 32, groups=32),
    same("mobile.2", 64, 32, 32, 64, 1),
    same("mobile.3", 64, 64, 32, 64, stride=2, groups=64),
    same("mobile.4", 64, 64, 16, 128, 1),
    same("mobile.5", 64, 128, 16, 128, groups=128),
    same("mobile.6", 64, 128, 16, 128, 1),
    same("mobile.7", 64, 256, 8, 256, groups=256),
    same("mobile.8", 64, 256, 8, 256, 1),
    same("resnext.1", 64, 64, 16, 128, 1),
    same("resnext.2", 64, 128, 16, 128, groups=8),
    same("resnext.3", 64, 128, 16, 64, 1),
    same("resnext.4", 64, 128, 8, 128, groups=8),
    *_small(1),
)
LOCAL = (  # locally connected: the geometry is a convolution's
    Convolution("digits.1", 64, 1, 8, 16, 3, first=True),
    Convolution("digits.2", 64, 16, 6, 32, 3),
    Convolution("mnist.1", 64, 1, 28, 16, 5, first=True),
    Convolution("mnist.2", 64, 16, 24, 32, 3),
    Convolution("mnist.2 pooled", 64, 16, 12, 32, 3),
    Convolution("cifar.1", 64, 3, 32, 32, 5, first=True),
    same("cifar.2", 64, 32, 16, 32),
    Convolution("cifar.3", 64, 32, 16, 64, 3, 1, stride=2),
)
LAYERS = {  # task -> shape of its input; None: parameters of ResNet-18's last stage
    "relu": (64, 32, 32, 32),
    "batch norm": (64, 32, 32, 32),
    "max pooling": (64, 64, 24, 24),
    "average pooling": (64, 64, 16, 16),
    "global pooling": (64, 64, 8, 8),
    "dropout": (64, 64, 12, 12),
    "cross-entropy": (64, 1000),
    "SGD with momentum": None,
    "Adam": None,
}


@dataclass(frozen=True)
class Menu:
    """What one run measures. nets: {name: batches}."""

    products: tuple
    convolutions: tuple
    layers: dict
    nets: dict
    local: tuple
    algorithms: tuple = ()
    sizes: tuple = (512 << 10, 8 << 20, 512 << 20)  # bytes of arrays in L2, L3 and memory
    steps: int = 100  # of a steady state
    imports: int = 5

    def only(self, nets=None, batch=None):
        """Of the networks and their layers only these, and only this batch."""
        chosen = {
            n: tuple(b for b in bs if batch in (None, b)) for n, bs in self.nets.items() if nets is None or n in nets
        }
        layers = tuple(
            c for c in self.convolutions
            if (nets is None or c.name.split(".")[0] in nets) and batch in (None, c.n)
        )  # fmt: skip
        return replace(
            self, nets={name: batches for name, batches in chosen.items() if batches}, convolutions=layers,
            algorithms=tuple(c for c in self.algorithms if batch in (None, c.n)),
        )  # fmt: skip

    @property
    def usual(self):
        """(network, its first batch) for each whole network: those that are merely like others are timed, no more."""
        return [(name, batches[0]) for name, batches in self.nets.items() if name not in ALIKE]


ALIKE = ("mobile", "resnext")
FULL = Menu(
    (*CUBES, *LINEAR), CONVOLUTIONS, LAYERS,
    {name: (8, 1) if name == "resnet18" else (64, 1) if name in ALIKE else (64, 128, 1) for name in nets.NETS},
    LOCAL, THRESHOLDS,
)  # fmt: skip
QUICK = replace(
    FULL, products=(CUBES[0], CUBES[2], *LINEAR[:6]), convolutions=CONVOLUTIONS[:16], local=LOCAL[:4],
    nets={name: (64,) for name in ("lenet5", "mnistnet", "vgg", "resnet20")}, algorithms=THRESHOLDS[::9],
    steps=20, imports=3,
)  # fmt: skip
TINY = Menu(
    (Product(64, 48, 80), Product(3, 40, 70, "nt")),
    (Convolution("tiny.1", 2, 1, 9, 3, 3, first=True), same("tiny.2", 2, 4, 8, 4, stride=2, groups=2)),
    {name: shape and (2, 6, 4, 4)[: len(shape)] for name, shape in LAYERS.items()},
    {"lenet5": (3, 1), "resnet20": (2,)}, (same("tiny.2", 2, 2, 6, 3),),
    (same("tiny.3", 2, 16, 3, 16), same("tiny.4", 1, 4, 5, 4, dilation=2, groups=4)),
    sizes=(1 << 12,), steps=3, imports=1,
)  # fmt: skip
