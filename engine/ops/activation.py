"""Activations. Their derivatives are written in terms of the output where that saves keeping the input."""

from __future__ import annotations

from engine.ops._op import check_floats, dims, op

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]
METHODS = "log_softmax relu sigmoid softmax tanh".split()
IN_PLACE = "relu sigmoid tanh".split()


@op
def relu(k, x):
    """max(x, 0)."""
    y = k.relu(x)
    return y, (lambda g: k.relu_dx(g, y),)


@op(floats=True)
def sigmoid(k, x):
    """1 / (1 + exp(-x))."""
    y = k.sigmoid(x)
    return y, (lambda g: k.sigmoid_dx(g, y),)


@op(floats=True)
def tanh(k, x):
    """Hyperbolic tangent."""
    y = k.tanh(x)
    return y, (lambda g: k.tanh_dx(g, y),)


@op
def softmax(k, x, *, dim):
    """exp(x) / sum of exp(x) along `dim`."""
    check_floats("softmax", input=x)
    (axis,) = dims("softmax", dim, x.ndim) or (0,)
    y = k.softmax(x, axis)
    return y, (lambda g: k.softmax_dx(g, y, axis),)


@op
def log_softmax(k, x, *, dim):
    """log(softmax(x)) along `dim`, without overflow."""
    check_floats("log_softmax", input=x)
    (axis,) = dims("log_softmax", dim, x.ndim) or (0,)
    y = k.log_softmax(x, axis)
    return y, (lambda g: k.log_softmax_dx(g, y, axis),)
