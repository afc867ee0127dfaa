"""Updates of parameters by the optimisers, in place.

The operations stand in PyTorch's order, so that results differ by roundings alone. Scalars are Python numbers: they
take the dtype of the arrays. `maximize` goes up the gradient; every kernel but Lion's adds `weight_decay` times the
parameter to the gradient, or, where the decay is `decoupled`, shrinks the parameter by lr * weight_decay first.
"""

from __future__ import annotations

import math

import numpy


def _gradient(p, g, weight_decay, maximize):
    g = -g if maximize else g
    return g + weight_decay * p if weight_decay else g


def _decayed(p, g, lr, weight_decay, decoupled, maximize):
    """The gradient to use; p is shrunk where the decay is decoupled."""
    if decoupled:
        p *= 1 - lr * weight_decay
    return _gradient(p, g, 0 if decoupled else weight_decay, maximize)


def _approach(mean, g, share):
    """mean += share * (g - mean), from the nearer of the two ends."""
    mean[...] = mean + share * (g - mean) if share < 0.5 else g - (g - mean) * (1 - share)


def _follow_square(square, g, keep):
    """The running mean of squares."""
    square[...] = keep * square + (1 - keep) * g * g


class Updates:
    @numpy.errstate(all="ignore")
    def sgd(self, params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
        """Stochastic gradient descent. `buffers` is None without momentum; in the `first` step they become the gradient."""
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            g = _gradient(p, g, weight_decay, maximize)
            if buffers is not None:
                buffer = buffers[i]
                buffer[...] = g if first else momentum * buffer + (1 - dampening) * g
                g = g + momentum * buffer if nesterov else buffer
            p -= lr * g

    def adam(self, params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
        """Adam (Kingma and Ba 2014). `m`, `v`: running means of gradients and squares; `step` counts from 1."""
        self.amsgrad(params, grads, m, v, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)

    @numpy.errstate(all="ignore")
    def amsgrad(self, params, grads, m, v, tops, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
        """Adam divided by the largest mean of squares so far, `tops` (Reddi et al. 2018)."""
        size, correction = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
        for p, g, mean, square, top in zip(params, grads, m, v, tops, strict=True):
            g = _decayed(p, g, lr, weight_decay, decoupled, maximize)
            _approach(mean, g, 1 - beta1)
            _follow_square(square, g, beta2)
            self.xp.maximum(top, square, out=top)
            p -= size * mean / (self.xp.sqrt(top) / correction + eps)

    @numpy.errstate(all="ignore")
    def nadam(self, params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, fresh, kept):
        """Adam with Nesterov momentum (Dozat 2016): `fresh` and `kept` are the sizes of steps along g and along m."""
        correction = 1 - beta2**step
        for p, g, mean, square in zip(params, grads, m, v, strict=True):
            g = _decayed(p, g, lr, weight_decay, decoupled, maximize)
            _approach(mean, g, 1 - beta1)
            _follow_square(square, g, beta2)
            scale = self.xp.sqrt(square / correction) + eps
            p -= fresh * g / scale
            p -= kept * mean / scale

    @numpy.errstate(all="ignore")
    def radam(self, params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
        """Adam that does not divide while the variance of its scale is unknown (Liu et al. 2019)."""
        correction1, correction2 = 1 - beta1**step, 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction2  # of the average that estimates the scale
        rectify = None
        if length > 5:
            rectify = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        for p, g, mean, square in zip(params, grads, m, v, strict=True):
            g = _decayed(p, g, lr, weight_decay, decoupled, maximize)
            _approach(mean, g, 1 - beta1)
            _follow_square(square, g, beta2)
            move = mean / correction1 * lr
            if rectify is not None:
                move = move * (math.sqrt(correction2) / (self.xp.sqrt(square) + eps)) * rectify
            p -= move

    @numpy.errstate(all="ignore")
    def adamax(self, params, grads, m, norms, step, lr, beta1, beta2, eps, weight_decay, maximize):
        """Adam scaled by the infinity norm of past gradients, `norms` (Kingma and Ba 2014, section 7)."""
        size = lr / (1 - beta1**step)
        for p, g, mean, norm in zip(params, grads, m, norms, strict=True):
            g = _gradient(p, g, weight_decay, maximize)
            _approach(mean, g, 1 - beta1)
            norm *= beta2
            self.xp.maximum(norm, self.xp.abs(g) + eps, out=norm)
            p -= size * mean / norm

    @numpy.errstate(all="ignore")
    def rmsprop(self, params, grads, squares, means, buffers, lr, alpha, eps, weight_decay, momentum, maximize):
        """RMSprop (Hinton 2012); divided by the standard deviation where `means` are given (Graves 2013).

        `means` and `buffers`, of the momentum, may be None.
        """
        for i, (p, g, square) in enumerate(zip(params, grads, squares, strict=True)):
            g = _gradient(p, g, weight_decay, maximize)
            _follow_square(square, g, alpha)
            spread = square
            if means is not None:
                _approach(means[i], g, 1 - alpha)
                spread = square - means[i] * means[i]
            scale = self.xp.sqrt(spread) + eps
            if buffers is None:
                p -= lr * g / scale
            else:
                buffers[i][...] = momentum * buffers[i] + g / scale
                p -= lr * buffers[i]

    @numpy.errstate(all="ignore")
    def adagrad(self, params, grads, sums, lr, eps, weight_decay, maximize):
        """Adagrad (Duchi et al. 2011). `sums`: of the squares of all gradients."""
        for p, g, total in zip(params, grads, sums, strict=True):
            g = _gradient(p, g, weight_decay, maximize)
            total += g * g
            p -= lr * g / (self.xp.sqrt(total) + eps)

    @numpy.errstate(all="ignore")
    def adadelta(self, params, grads, squares, moves, lr, rho, eps, weight_decay, maximize):
        """Adadelta (Zeiler 2012). `squares` and `moves`: running means of squares of gradients and of moves."""
        for p, g, square, moved in zip(params, grads, squares, moves, strict=True):
            g = _gradient(p, g, weight_decay, maximize)
            _follow_square(square, g, rho)
            move = self.xp.sqrt(moved + eps) / self.xp.sqrt(square + eps) * g
            _follow_square(moved, move, rho)
            p -= lr * move

    @numpy.errstate(all="ignore")
    def lion(self, params, grads, m, lr, beta1, beta2, weight_decay, maximize):
        """Lion (Chen et al. 2023, algorithm 2): steps of one length, by sign; the decay is decoupled."""
        for p, g, mean in zip(params, grads, m, strict=True):
            g = _decayed(p, g, lr, weight_decay, True, maximize)
            p -= lr * self.xp.sign(beta1 * mean + (1 - beta1) * g)
            _approach(mean, g, 1 - beta2)
