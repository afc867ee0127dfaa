"""Random arrays."""

import numpy


def draw(seed, **shapes):
    """{name: float32 array of that shape}, normally distributed."""
    generator = numpy.random.default_rng(seed)
    return {key: generator.standard_normal(shape, "float32") for key, shape in shapes.items()}
