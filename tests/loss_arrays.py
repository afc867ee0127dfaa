"""Inputs and targets of losses, the same for the same shape."""

import numpy as np

REDUCTIONS = ["mean", "sum", "none"]


def normal(*shape, dtype="float32"):
    return np.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), dtype)


def probabilities(*shape, dtype="float32"):
    return np.asarray(np.random.default_rng(sum(shape)).uniform(0.02, 0.98, shape), dtype)


def labels(*shape, high=5):
    return np.asarray(np.random.default_rng(sum(shape) + 1).integers(0, high, shape))


def signs(*shape, dtype="float32"):
    return np.asarray(np.random.default_rng(sum(shape) + 2).choice([-1, 1], shape), dtype)


def constant(lib, values, dtype="float32"):
    """A tensor that is no leaf of the comparison."""
    return lib.from_numpy(np.asarray(values, dtype))
