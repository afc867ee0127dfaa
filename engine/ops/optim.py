"""Optimiser updates: all parameters of a list in one call, in place, without history.

The parameters have gradients, one dtype and one backend. What the lists of state hold, and the formulas, are told by the
kernels of the same names.
"""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.tape import touch


def _arrays(tensors):
    return None if tensors is None else [t._array for t in tensors]


def _gradients(name, arrays, params):
    """The arrays of the gradients, which have the shapes and dtypes of the parameters."""
    gradients = [p.grad._array for p in params]
    for a, g in zip(arrays, gradients, strict=True):
        if g.shape != a.shape:
            raise ShapeError(f"{name}: a parameter of shape {a.shape} has a gradient of shape {g.shape}")
        if g.dtype is not a.dtype and g.dtype != a.dtype:
            raise RuntimeError(
                f"{name}: a parameter of dtype {a.dtype} has a gradient of dtype {g.dtype}; "
                f"assign p.grad = gradient.to(p.dtype)"
            )
    return gradients


def _update(kernel, name, params, states, *options):
    arrays = _arrays(params)
    kernel(arrays, _gradients(name, arrays, params), *map(_arrays, states), *options)
    for p, array in zip(params, arrays, strict=True):
        touch(p._version, array, name)


def count(counter):
    """Add 1 to a counter, a 0-d Tensor, in place; returns its value as an integer."""
    value = int(counter._array) + 1
    counter._array[()] = value
    return value


def scale(counter, factor):
    """Multiply a 0-d Tensor by a number, in place; returns its value."""
    counter._array *= factor
    return counter._array.item()


def sgd(params, buffers, *, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
    """One step of stochastic gradient descent; `buffers` hold the momentum (None: without)."""
    k = params[0]._k
    _update(k.sgd, "sgd", params, (buffers,), lr, momentum, dampening, weight_decay, nesterov, maximize, first)


def adam(params, means, squares, tops, *, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    """One step of Adam, of AdamW when `decoupled`, of AMSGrad when `tops` are given."""
    k = params[0]._k
    options = step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
    if tops is None:
        _update(k.adam, "adam", params, (means, squares), *options)
    else:
        _update(k.amsgrad, "adam", params, (means, squares, tops), *options)


def nadam(params, means, squares, *, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, fresh, kept):
    """One step of NAdam."""
    k = params[0]._k
    options = step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, fresh, kept
    _update(k.nadam, "nadam", params, (means, squares), *options)


def radam(params, means, squares, *, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    """One step of RAdam."""
    k = params[0]._k
    options = step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
    _update(k.radam, "radam", params, (means, squares), *options)


def adamax(params, means, norms, *, step, lr, beta1, beta2, eps, weight_decay, maximize):
    """One step of Adamax."""
    k = params[0]._k
    _update(k.adamax, "adamax", params, (means, norms), step, lr, beta1, beta2, eps, weight_decay, maximize)


def rmsprop(params, squares, means, buffers, *, lr, alpha, eps, weight_decay, momentum, maximize):
    """One step of RMSprop; `means` when centred, `buffers` with momentum, else None."""
    k = params[0]._k
    _update(k.rmsprop, "rmsprop", params, (squares, means, buffers), lr, alpha, eps, weight_decay, momentum, maximize)


def adagrad(params, sums, *, lr, eps, weight_decay, maximize):
    """One step of Adagrad."""
    _update(params[0]._k.adagrad, "adagrad", params, (sums,), lr, eps, weight_decay, maximize)


def adadelta(params, squares, moves, *, lr, rho, eps, weight_decay, maximize):
    """One step of Adadelta."""
    _update(params[0]._k.adadelta, "adadelta", params, (squares, moves), lr, rho, eps, weight_decay, maximize)


def lion(params, means, *, lr, beta1, beta2, weight_decay, maximize):
    """One step of Lion."""
    _update(params[0]._k.lion, "lion", params, (means,), lr, beta1, beta2, weight_decay, maximize)
