"""What is measured: sizes of matrix products, convolutions and layers, networks and batches; in full, quickly, in tiny."""

from dataclasses import dataclass, replace

from benchmarks import nets


@dataclass(frozen=True)
class Product:
    """A matrix product of m x k by k x n. `form` says which operand lies transposed in memory: nn, nt or tn."""

    m: int
    n: int
    k: int
    form: str = "nn"

    def __str__(self):
        size = f"{self.m}^3" if self.m == self.n == self.k else f"{self.m}x{self.n}x{self.k}"
        return f"{size} {self.form.upper()}"

    @property
    def flops(self):
        return 2 * self.m * self.n * self.k


@dataclass(frozen=True)
class Convolution:
    """A convolution of x[n, c, size, size] with o square kernels, named after its place in a network."""

    name: str
    n: int
    c: int
    size: int
    o: int
    kernel: int
    padding: int = 0
    stride: int = 1
    groups: int = 1
    first: bool = False  # of its network: nobody asks for the gradient of its input

    def __str__(self):
        details = [f"stride {self.stride}"] * (self.stride > 1) + [f"{self.groups} groups"] * (self.groups > 1)
        shape = f"{self.c}->{self.o} {self.kernel}x{self.kernel} on {self.size}x{self.size}"
        return ", ".join([f"{self.name} {shape}", *details, f"batch {self.n}"])

    @property
    def out(self):
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def x_shape(self):
        return (self.n, self.c, self.size, self.size)

    @property
    def w_shape(self):
        return (self.o, self.c // self.groups, self.kernel, self.kernel)

    @property
    def y_shape(self):
        return (self.n, self.o, self.out, self.out)

    @property
    def flops(self):
        """Of the direct computation, whatever the algorithm."""
        return 2 * self.n * self.o * self.out**2 * self.c // self.groups * self.kernel**2

    @property
    def directions(self):
        return ("forward", "dw") if self.first else ("forward", "dx", "dw")

    @property
    def how(self):
        """The arguments of conv2d beside its arrays."""
        return {"stride": self.stride, "padding": self.padding, "groups": self.groups}

    @property
    def winograds(self):
        """Whether it is one of those that a Winograd algorithm is made for: 3x3, stride 1, 32 channels and more."""
        return self.kernel == 3 and self.stride == self.groups == 1 and min(self.c, self.o) >= 32


def fully_connected(batch, inputs, outputs):
    """The three products of a Linear layer: forward, gradient of its input, gradient of its weights."""
    return (
        Product(batch, outputs, inputs, "nt"),
        Product(batch, inputs, outputs, "nn"),
        Product(outputs, inputs, batch, "tn"),
    )


CUBES = tuple(Product(n, n, n) for n in (512, 768, 1024, 2048))
LINEAR = (*fully_connected(64, 400, 120), *fully_connected(64, 9216, 128), *fully_connected(1, 9216, 128))


def _same(name, n, c, size, o, kernel=3, **more):
    """A convolution that keeps the size at stride 1."""
    return Convolution(name, n, c, size, o, kernel, kernel // 2, **more)


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
    _same("vgg.1", 64, 3, 32, 32, first=True),
    _same("vgg.2", 64, 32, 32, 32),
    _same("vgg.3", 64, 32, 16, 64),
    _same("vgg.4", 64, 64, 16, 64),
    _same("vgg.5", 64, 64, 8, 128),
    _same("vgg.6", 64, 128, 8, 128),
    _same("resnet20.1", 64, 3, 32, 16, first=True),
    _same("resnet20.2", 64, 16, 32, 16),
    _same("resnet20.3", 64, 16, 32, 32, stride=2),
    _same("resnet20.4", 64, 32, 16, 32),
    _same("resnet20.5", 64, 32, 16, 64, stride=2),
    _same("resnet20.6", 64, 64, 8, 64),
    _same("resnet18.1", 8, 3, 224, 64, 7, stride=2, first=True),
    _same("resnet18.2", 8, 64, 56, 64),
    _same("resnet18.3", 8, 64, 56, 128, stride=2),
    _same("resnet18.4", 8, 64, 56, 128, 1, stride=2),
    _same("resnet18.5", 8, 128, 28, 128),
    _same("resnet18.6", 8, 128, 28, 256, stride=2),
    _same("resnet18.7", 8, 256, 14, 256),
    _same("resnet18.8", 8, 256, 14, 512, stride=2),
    _same("resnet18.9", 8, 512, 7, 512),
    _same("mobile.1", 64, 32, 32, 32, groups=32),
    _same("mobile.2", 64, 32, 32, 64, 1),
    _same("mobile.3", 64, 64, 32, 64, stride=2, groups=64),
    _same("mobile.4", 64, 64, 16, 128, 1),
    _same("mobile.5", 64, 128, 16, 128, groups=128),
    _same("mobile.6", 64, 128, 16, 128, 1),
    _same("mobile.7", 64, 256, 8, 256, groups=256),
    _same("mobile.8", 64, 256, 8, 256, 1),
    _same("resnext.1", 64, 64, 16, 128, 1),
    _same("resnext.2", 64, 128, 16, 128, groups=8),
    _same("resnext.3", 64, 128, 16, 64, 1),
    _same("resnext.4", 64, 128, 8, 128, groups=8),
    *_small(1),
)
LOCAL = (  # locally connected: the geometry is a convolution's
    Convolution("digits.1", 64, 1, 8, 16, 3, first=True),
    Convolution("digits.2", 64, 16, 6, 32, 3),
    Convolution("mnist.1", 64, 1, 28, 16, 5, first=True),
    Convolution("mnist.2", 64, 16, 24, 32, 3),
    Convolution("mnist.2 pooled", 64, 16, 12, 32, 3),
    Convolution("cifar.1", 64, 3, 32, 32, 5, first=True),
    _same("cifar.2", 64, 32, 16, 32),
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
        return replace(self, nets={name: batches for name, batches in chosen.items() if batches}, convolutions=layers)

    @property
    def usual(self):
        """(network, its first batch) for each whole network: those that are merely like others are timed, no more."""
        return [(name, batches[0]) for name, batches in self.nets.items() if name not in ALIKE]


ALIKE = ("mobile", "resnext")
FULL = Menu(
    (*CUBES, *LINEAR), CONVOLUTIONS, LAYERS,
    {name: (8, 1) if name == "resnet18" else (64, 1) if name in ALIKE else (64, 128, 1) for name in nets.NETS},
    LOCAL,
)  # fmt: skip
QUICK = replace(
    FULL, products=(CUBES[0], CUBES[2], *LINEAR[:6]), convolutions=CONVOLUTIONS[:16], local=LOCAL[:4],
    nets={name: (64,) for name in ("lenet5", "mnistnet", "vgg", "resnet20")}, steps=20, imports=3,
)  # fmt: skip
TINY = Menu(
    (Product(64, 48, 80), Product(3, 40, 70, "nt")),
    (Convolution("tiny.1", 2, 1, 9, 3, 3, first=True), _same("tiny.2", 2, 4, 8, 4, stride=2, groups=2)),
    {name: shape and (2, 6, 4, 4)[: len(shape)] for name, shape in LAYERS.items()},
    {"lenet5": (3, 1), "resnet20": (2,)}, (_same("tiny.2", 2, 2, 6, 3),), sizes=(1 << 12,), steps=3, imports=1,
)  # fmt: skip
