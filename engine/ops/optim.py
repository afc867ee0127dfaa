"""Optimiser updates: all parameters of a group in one call, in place, without history."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.tape import touch


def _arrays(tensors):
    return None if tensors is None else [t._array for t in tensors]


def _gradients(name, params):
    for p in params:
        if p.grad.shape != p.shape:
            raise ShapeError(f"{name}: a parameter of shape {p.shape} has a gradient of shape {p.grad.shape}")
    return [p.grad._array for p in params]


def _touched(params, name):
    for p in params:
        touch(p._version, p._array, name)


def sgd(params, buffers, *, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
    """One step of stochastic gradient descent on `params` (with gradients); `buffers` hold the momentum (or None)."""
    k = params[0]._k
    k.sgd(
        _arrays(params),
        _gradients("sgd", params),
        _arrays(buffers),
        lr,
        momentum,
        dampening,
        weight_decay,
        nesterov,
        maximize,
        first,
    )
    _touched(params, "sgd")


def adam(params, means, squares, *, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    """One step of Adam (Kingma and Ba 2014), or of AdamW (Loshchilov and Hutter 2017) when `decoupled`."""
    k = params[0]._k
    k.adam(_arrays(params), _gradients("adam", params), _arrays(means), _arrays(squares), step, lr, beta1, beta2, eps, weight_decay,
           decoupled, maximize)  # fmt: skip
    _touched(params, "adam")
