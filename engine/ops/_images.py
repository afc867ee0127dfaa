"""Images of one axis or two, with or without a batch, in the shape that kernels want: [N, C, H, W]."""

from __future__ import annotations


def shaped(a, shape):
    """`a` itself, or its elements in another shape."""
    return a if a.shape == shape else a.reshape(shape)


def outside(shape, x_shape, axes):
    """The shape [N, C, H, W] of a result, with the axes that an input of shape `x_shape` and 1 or 2 axes has."""
    return (*x_shape[: -axes - 1], shape[1], *shape[4 - axes :])
