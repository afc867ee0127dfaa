"""What a row of the table of operations is made of: how its inputs are drawn, and what it is held to.

A sample is `S(array, array, ..., param=value)`; an array is a shape (drawn by the row's `draw`), a Labels, an Integers,
a Mask, a Bytes or a Positive, or None where an optional one is absent. Shapes are chosen to break tiles: 1, primes, one less
and one more than a vector, empty batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labels:
    """int64 below `high`."""

    shape: tuple
    high: int

    def draw(self, rng):
        return rng.integers(0, self.high, self.shape)


@dataclass(frozen=True)
class Integers:
    """int64 from low to high - 1."""

    shape: tuple
    low: int
    high: int

    def draw(self, rng):
        return rng.integers(self.low, self.high, self.shape)


@dataclass(frozen=True)
class Distinct:
    """int64 below `high`, no two alike in one item of the batch."""

    shape: tuple
    high: int

    def draw(self, rng):
        n, *shape = self.shape
        items = [rng.permutation(self.high)[: int(np.prod(shape))].reshape(shape) for _ in range(n)]
        return np.array(items, "int64").reshape(self.shape)


@dataclass(frozen=True)
class Mask:
    """bool."""

    shape: tuple

    def draw(self, rng):
        return rng.random(self.shape) < 0.5


@dataclass(frozen=True)
class Bytes:
    """uint8 images."""

    shape: tuple

    def draw(self, rng):
        return rng.integers(0, 256, self.shape).astype("uint8")


@dataclass(frozen=True)
class Positive:
    """Floats in 0.5 to 2, for one input of an operation whose others are drawn otherwise."""

    shape: tuple

    def draw(self, rng):
        return rng.uniform(0.5, 2, self.shape)


class S:
    """One sample: the arrays in order, and the parameters."""

    def __init__(self, *arrays, **params):
        self.arrays, self.params = arrays, params

    def __repr__(self):
        parts = [str(getattr(a, "shape", a)) for a in self.arrays] + [f"{n}={v}" for n, v in self.params.items()]
        return " ".join(parts).replace(" ", "").replace("slice", "")


def normal(rng, shape):
    return np.asarray(rng.standard_normal(shape))


def positive(rng, shape):
    return np.asarray(rng.uniform(0.5, 2, shape))


def away_from_zero(rng, shape):
    """No kink within the reach of a difference, and no division by almost nothing."""
    return np.asarray(rng.uniform(0.3, 2, shape) * rng.choice([-1.0, 1.0], shape))


def distinct(rng, shape):
    """No two alike, at least 0.05 apart: where the largest is unique, its derivative exists."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size / 2) * 0.05


@dataclass(frozen=True)
class Row:
    """One operation and its samples. Shapes are chosen to break tiles: 1, primes, one less and one more than a vector,
    empty batches.

    gradient   why there is none, where there is none
    tolerance  error over the RMS of the output, float32 against the float64 reference
    constants  positions of float inputs that have no gradient by definition
    listed     the operation takes its arrays as one list
    """

    name: str
    samples: list
    draw: object = normal
    gradient: str = ""
    tolerance: float = 2e-6
    convolution: bool = False
    constants: tuple = ()
    listed: bool = False


PAIRS = [S((3, 5), (3, 5)), S((17,), (17,)), S((2, 3, 4), (4,)), S((3, 1), (1, 5)), S((), (3,)), S((4, 33), ()), S((0, 3), (3,)),
         S((1031,), (1031,)), S((2, 31, 7), (31, 1))]  # fmt: skip
SINGLES = [S((3, 5)), S(()), S((1,)), S((0, 4)), S((15,)), S((17,)), S((2, 3, 67)), S((16, 1031))]
ALONG = [S((3, 5), dim=1), S((3, 5), dim=0), S((1, 1), dim=-1), S((7, 17), dim=1), S((4, 10), dim=-1), S((2, 3, 4), dim=1),
         S((33, 1000), dim=1), S((0, 5), dim=1)]  # fmt: skip
AXES = [S((3, 5)), S((3, 5), dim=1), S((3, 5), dim=0, keepdim=True), S((2, 3, 4), dim=(0, 2)), S((2, 3, 4), dim=-2), S(()),
        S((64, 33), dim=0), S((2, 5, 7, 3), dim=(0, 2, 3)), S((10007,))]  # fmt: skip
COMPARED = [S((3, 5), (3, 5)), S((4,), ()), S((2, 1), (1, 3)), S((0,), (0,))]
NO_GRADIENT = "the result is not a number that varies continuously"
