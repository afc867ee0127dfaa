"""SGD and Adam over all parameters of a group in one launch; the other optimisers are the reference's."""

from __future__ import annotations

import math

import numpy

PIECE = 1 << 14  # elements of a block


class Updates:
    def _pieces(self, arrays):
        """[pieces, 5] for the kernels: addresses of parameters, gradients and two kinds of state, and how many elements."""
        table = []
        for each in zip(*(a for a in arrays if a), strict=True):
            size, step = each[0].size, each[0].itemsize
            places = iter([a.data.ptr for a in each])
            at = [next(places) if a else 0 for a in arrays]
            for first in range(0, size, PIECE):
                table.append([p and p + first * step for p in at] + [min(PIECE, size - first)])
        return self.xp.asarray(numpy.array(table, "int64"))

    def _served(self, *lists):
        """Whether the kernels can take these arrays."""
        arrays = [a for each in lists if each for a in each]
        return all(a.flags.c_contiguous and a.dtype == arrays[0].dtype and a.dtype.kind == "f" for a in arrays) and any(
            a.size for a in arrays
        )

    def sgd(self, params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
        if not self._served(params, grads, buffers):
            return super().sgd(params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first)
        pieces = self._pieces((params, grads, buffers, None))
        self._source(params[0].dtype)("sgd", 1, pieces, float(lr), float(momentum), float(dampening), float(weight_decay), nesterov,
                                      maximize, first, blocks=(len(pieces),))  # fmt: skip

    def adam(self, params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
        if not self._served(params, grads, m, v):
            return super().adam(params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
        pieces = self._pieces((params, grads, m, v))
        size, correction = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
        self._source(params[0].dtype)("adam", 1, pieces, size, correction, float(lr), float(beta1), float(beta2), float(eps),
                                      float(weight_decay), decoupled, maximize, blocks=(len(pieces),))  # fmt: skip
