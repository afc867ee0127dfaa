"""Updates of parameters by the optimisers, in place."""

from __future__ import annotations

import math


class Updates:
    def sgd(self, params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            g = -g if maximize else g
            g = g + weight_decay * p if weight_decay else g
            if momentum:
                buffer = buffers[i]
                buffer[...] = g if first else momentum * buffer + (1 - dampening) * g
                g = g + momentum * buffer if nesterov else buffer
            p -= lr * g

    def adam(self, params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
        correction1, correction2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
        for p, g, mean, square in zip(params, grads, m, v, strict=True):
            g = -g if maximize else g
            if decoupled:
                p *= 1 - lr * weight_decay
            elif weight_decay:
                g = g + weight_decay * p
            mean[...] = mean + (1 - beta1) * (g - mean)
            square[...] = beta2 * square + (1 - beta2) * g * g
            p -= (lr / correction1) * (mean / (self.xp.sqrt(square) / correction2 + eps))
