"""One matrix product, one convolution: its sizes and its work."""

from dataclasses import dataclass

from engine.geometry import Conv2dGeometry


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
    dilation: int = 1
    groups: int = 1
    first: bool = False  # of its network: nobody asks for the gradient of its input

    def __str__(self):
        details = [f"stride {self.stride}"] * (self.stride > 1) + [f"dilation {self.dilation}"] * (self.dilation > 1)
        details += [f"{self.groups} groups"] * (self.groups > 1)
        shape = f"{self.c}->{self.o} {self.kernel}x{self.kernel} on {self.size}x{self.size}"
        return ", ".join([f"{self.name} {shape}", *details, f"batch {self.n}"])

    @property
    def out(self):
        return (self.size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

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
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def geometry(self):
        return Conv2dGeometry.of(self.x_shape, self.w_shape, **self.how)

    @property
    def winograds(self):
        """Whether it is one of those that a Winograd algorithm is made for: 3x3, stride 1, 32 channels and more."""
        return self.kernel == 3 and self.stride == self.groups == 1 and min(self.c, self.o) >= 32


def same(name, n, c, size, o, kernel=3, dilation=1, **more):
    """A convolution that keeps the size at stride 1."""
    return Convolution(name, n, c, size, o, kernel, dilation * (kernel // 2), dilation=dilation, **more)
