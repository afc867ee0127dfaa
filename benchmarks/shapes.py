"""What is measured: the sizes of matrix products and convolutions, and the networks they come from."""

from dataclasses import dataclass

NETS = ("lenet5", "mnistnet")
BATCHES = (64, 1)


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
    """A stride-1 convolution of x[n, c, size, size] with o square kernels, named after its place in a network."""

    name: str
    n: int
    c: int
    size: int
    o: int
    kernel: int
    padding: int = 0
    first: bool = False  # of its network: nobody asks for the gradient of its input

    def __str__(self):
        return f"{self.name} {self.c}->{self.o} {self.kernel}x{self.kernel} on {self.size}x{self.size}, batch {self.n}"

    @property
    def out(self):
        return self.size + 2 * self.padding - self.kernel + 1

    @property
    def x_shape(self):
        return (self.n, self.c, self.size, self.size)

    @property
    def w_shape(self):
        return (self.o, self.c, self.kernel, self.kernel)

    @property
    def y_shape(self):
        return (self.n, self.o, self.out, self.out)

    @property
    def flops(self):
        """Of the direct computation, whatever the algorithm."""
        return 2 * self.n * self.o * self.out**2 * self.c * self.kernel**2

    @property
    def directions(self):
        return ("forward", "dw") if self.first else ("forward", "dx", "dw")


def fully_connected(batch, inputs, outputs):
    """The three products of a Linear layer: forward, gradient of its input, gradient of its weights."""
    return (
        Product(batch, outputs, inputs, "nt"),
        Product(batch, inputs, outputs, "nn"),
        Product(outputs, inputs, batch, "tn"),
    )


CUBES = tuple(Product(n, n, n) for n in (512, 768, 1024, 2048))
LINEAR = (*fully_connected(64, 400, 120), *fully_connected(64, 9216, 128), *fully_connected(1, 9216, 128))
CONVOLUTIONS = tuple(
    c
    for batch in BATCHES
    for c in (
        Convolution("lenet5.1", batch, 1, 28, 6, 5, padding=2, first=True),
        Convolution("lenet5.2", batch, 6, 14, 16, 5),
        Convolution("mnistnet.1", batch, 1, 28, 32, 3, first=True),
        Convolution("mnistnet.2", batch, 32, 26, 64, 3),
    )
)

TINY_PRODUCTS = (Product(64, 48, 80), Product(3, 40, 70, "nt"))
TINY_CONVOLUTIONS = (Convolution("tiny.1", 2, 1, 9, 3, 3, first=True), Convolution("tiny.2", 2, 3, 8, 4, 3))
