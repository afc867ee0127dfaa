"""Rows of the losses."""

import numpy as np
from samples import Labels, Row, S


class Probabilities:
    """Floats in 0.05 to 0.95."""

    def __init__(self, *shape):
        self.shape = shape

    def draw(self, rng):
        return rng.uniform(0.05, 0.95, self.shape)


def apart(rng, shape):
    """Multiples of 0.7 and a little: differences stay away from 0, 0.5 and 1, where slopes jump."""
    return np.asarray(rng.integers(-3, 4, shape) * 0.7 + 0.17)


PAIRS = [S((3, 5), (3, 5)), S((), ()), S((0, 4), (0, 4)), S((17,), (17,)), S((2, 3, 67), (2, 3, 67))]


class Shifted:
    """Multiples of 0.7 and a little more."""

    def __init__(self, *shape):
        self.shape = shape

    def draw(self, rng):
        return np.asarray(rng.integers(-3, 4, self.shape) * 0.7 + 0.45)


ROWS = [
    Row("cross_entropy_rows", [S((5, 10), Labels((5,), 10)), S((1, 2), Labels((1,), 2)), S((64, 17), Labels((64,), 17)), S((0, 3), Labels((0,), 3))]),
    Row("cross_entropy_total", [S((5, 10), Labels((5,), 10), mean=mean) for mean in (True, False)] + [S((1, 2), Labels((1,), 2)), S((64, 17), Labels((64,), 17))]),
    Row("nll_rows", [S((5, 10), Labels((5,), 10)), S((1, 2), Labels((1,), 2)), S((0, 3), Labels((0,), 3))]),
    Row("squared_error", PAIRS),
    Row("huber_error", [S(shape, Shifted(*shape), delta=delta) for shape in [(3, 5), (), (0, 4), (2, 3, 67)] for delta in (0.5, 1.0)], draw=apart),
    Row("binary_cross_entropy_of", [S(Probabilities(*shape), Probabilities(*shape)) for shape in [(3, 5), (), (0, 4), (1031,)]]),
    Row("kl_pointwise", [S(shape, Probabilities(*shape)) for shape in [(3, 5), (), (0, 4), (1031,)]]),
]  # fmt: skip
