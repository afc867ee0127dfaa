"""All parameters as one vector, and back."""

from __future__ import annotations

from engine.ops.shape import cat, reshape
from engine.tensor import Tensor


def parameters_to_vector(parameters):
    """One vector of all parameters, in order, each in row-major order; gradients pass through."""
    return cat([reshape(p, shape=(-1,)) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Let the parameters, in order, be pieces of the vector: they share its memory from then on.

    RuntimeError when it has too few elements; what is left over is not used.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters(): expected a Tensor, but got {type(vec).__name__}")
    start, parameters = 0, list(parameters)
    needed = sum(p.numel() for p in parameters)
    if vec.numel() < needed:
        raise RuntimeError(f"vector_to_parameters(): the vector has {vec.numel()} elements, the parameters {needed}")
    for p in parameters:
        p.data = reshape(vec.detach()[start : start + p.numel()], shape=p.shape)
        start += p.numel()
