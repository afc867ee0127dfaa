"""What calls are drawn from: seeded random shapes, axes, numbers and tensors, described so that both libraries can build them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FLOATS = ("float32", "float64")
INTEGERS = ("int64", "int32", "uint8", "int16", "int8")
ALL = (*FLOATS, *INTEGERS, "bool")
SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 1e-30, 3e30)
LAYOUTS = ("plain", "plain", "plain", "transposed", "strided", "offset")


@dataclass
class Array:
    """A tensor to be: values in some layout of memory; whether its gradient is asked for."""

    values: np.ndarray
    grad: bool = False
    parameter: bool = False
    layout: str = "plain"

    def laid_out(self):
        """A fresh array of these values in that layout."""
        v = np.asarray(self.values)
        if self.layout == "transposed":
            return np.asarray(v.T.copy(order="C").T)
        if self.layout == "strided" and v.ndim:
            room = np.zeros((*v.shape[:-1], 2 * v.shape[-1]), v.dtype)
            room[..., ::2] = v
            return room[..., ::2]
        if self.layout == "offset" and v.ndim:
            room = np.zeros((v.shape[0] + 1, *v.shape[1:]), v.dtype)
            room[1:] = v
            return room[1:]
        return v.copy()

    def build(self, lib):
        t = lib.from_numpy(self.laid_out())
        return lib.nn.Parameter(t) if self.parameter else t.requires_grad_(True) if self.grad else t

    def __repr__(self):
        text = np.array2string(self.values, separator=",", threshold=12, precision=4).replace("\n", "").replace(" ", "")
        finite = self.values.dtype.kind != "f" or np.isfinite(self.values).all()
        marks = [
            "" if self.layout == "plain" else f" {self.layout}",
            " grad" if self.grad else "",
            "" if finite else " nonfinite",
        ]
        return f"<{self.values.dtype}{list(self.values.shape)}{''.join(marks)} {text}>"


@dataclass
class Made:
    """Something that each library makes itself: a dtype, a class, a generator."""

    text: str
    build: object = field(repr=False)

    def __repr__(self):
        return self.text


def named(path):
    """The object at a dotted path below the library: `named("float32")`."""

    def build(lib):
        for part in path.split("."):
            lib = getattr(lib, part)
        return lib

    return Made(path, build)


class Draw:
    """Random choices from one seed."""

    def __init__(self, *seed):
        self.rng = np.random.default_rng(seed)

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, *options):
        return options[self.rng.integers(len(options))]

    def integer(self, low, high):
        """low..high, both included."""
        return int(self.rng.integers(low, high + 1))

    def number(self, low=-3.0, high=3.0):
        """A Python number to calculate with: a float as a rule, sometimes a whole one."""
        return self.pick(
            float(self.rng.uniform(low, high)),
            round(float(self.rng.uniform(low, high)), 1),
            self.integer(int(low), int(high)),
        )

    # ---- shapes

    def size(self, high=5):
        return 0 if self.chance(0.03) else 1 if self.chance(0.15) else self.integer(1, high)

    def shape(self, least=0, most=4, high=5):
        """From `least` to `most` axes; now and then one of size 1 or 0, and one that is longer than a vector or two."""
        sizes = [self.size(high) for _ in range(self.integer(least, most))]
        if sizes and high == 5 and self.chance(0.08):
            sizes[self.integer(0, len(sizes) - 1)] = self.integer(15, 70)
        return tuple(sizes)

    def broadcastable(self, shape):
        """A shape that fits to `shape`: axes left out in front, or of size 1."""
        start = self.integer(0, len(shape)) if self.chance(0.4) else 0
        return tuple(1 if self.chance(0.2) else n for n in shape[start:])

    def dim(self, ndim):
        """An axis of so many, from either end."""
        ndim = max(ndim, 1)
        return self.integer(-ndim, ndim - 1)

    def dims(self, ndim, least=0):
        """Several different axes."""
        count = self.integer(min(least, ndim), ndim)
        axes = self.rng.permutation(max(ndim, 1))[: max(count, least)]
        return tuple(int(a) - ndim if ndim and self.chance(0.3) else int(a) for a in axes)

    # ---- tensors

    def dtype(self, *among):
        """Mostly float32 where that is among them."""
        among = among or ALL
        if "float32" in among and self.chance(0.45):
            return "float32"
        return self.pick(*among)

    def values(self, shape, dtype, low=None, high=None, special=0.0):
        dtype = np.dtype(dtype)
        if dtype.kind == "b":
            return np.asarray(self.rng.random(shape) < 0.5)
        if dtype.kind in "iu":
            low = (0 if dtype.kind == "u" else -4) if low is None else int(low)
            return np.asarray(
                self.rng.integers(low, (9 if high is None else max(int(high), low)) + 1, shape).astype(dtype)
            )
        v = self.rng.standard_normal(shape) * 1.5 if low is None else self.rng.uniform(low, high, shape)
        v = np.asarray(v)
        if self.chance(0.25):
            v = np.round(v)  # ties, whole numbers
        if special and self.chance(special):
            v = np.where(self.rng.random(shape) < 0.4, self.rng.choice(SPECIAL, shape), v)
        return np.asarray(v.astype(dtype))

    def tensor(self, shape, dtype="float32", low=None, high=None, special=0.0, grad=None):
        """A tensor; floats ask for their gradient as a rule (`grad` decides otherwise)."""
        values = self.values(shape, dtype, low, high, special)
        grad = values.dtype.kind == "f" and (self.chance(0.75) if grad is None else grad)
        return Array(values, grad, layout=self.pick(*LAYOUTS))

    def labels(self, shape, classes, dtype="int64"):
        return Array(self.rng.integers(0, max(classes, 1), shape).astype(dtype), layout=self.pick(*LAYOUTS))
