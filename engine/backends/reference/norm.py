"""Normalisation by statistics: batch normalisation of x[N, C, ...], its gradients and its running averages."""

from __future__ import annotations

from functools import wraps

from numpy import errstate


def _silent(f):
    """A kernel without NumPy's warnings: infinite inputs give nan, as in PyTorch."""

    @wraps(f)
    def kernel(self, *args):
        with errstate(all="ignore"):
            return f(self, *args)

    return kernel


class Normalisation:
    def _channel(self, a, ndim):
        return a.reshape((1, -1) + (1,) * (ndim - 2))

    @_silent
    def batch_norm_stats(self, x):
        """(mean[C], biased variance[C]); nan when the batch is empty."""
        axes = (0, *range(2, x.ndim))
        items = x.dtype.type(x.size // max(x.shape[1], 1))
        mean = x.sum(axes) / items
        centred = x - self._channel(mean, x.ndim)
        return mean, (centred * centred).sum(axes) / items

    @_silent
    def invstd(self, var, eps):
        return self.xp.asarray(1 / self.xp.sqrt(var + var.dtype.type(eps)))

    @_silent
    def batch_norm(self, x, mean, invstd, w, b):
        """(x - mean) * invstd * w + b; w and b may be None."""
        y = (x - self._channel(mean, x.ndim)) * self._channel(invstd, x.ndim)
        y = y if w is None else y * self._channel(w, x.ndim)
        return y if b is None else y + self._channel(b, x.ndim)

    @_silent
    def batch_norm_dx(self, g, x, mean, invstd, w, spare=False):
        """(dx, dw, db) where mean and variance are those of x itself; `spare`: g's memory may hold a result."""
        dx, dw, db = self.batch_norm_eval_dx(g, x, mean, invstd, w)
        items = x.dtype.type(max(x.size // max(x.shape[1], 1), 1))
        normed = (x - self._channel(mean, x.ndim)) * self._channel(invstd, x.ndim)
        scale = invstd if w is None else invstd * w
        shift = self._channel(db / items, x.ndim) + normed * self._channel(dw / items, x.ndim)
        return dx - shift * self._channel(scale, x.ndim), dw, db

    @_silent
    def batch_norm_eval_dx(self, g, x, mean, invstd, w):
        """(dx, dw, db) where mean and variance are constants."""
        axes = (0, *range(2, x.ndim))
        normed = (x - self._channel(mean, x.ndim)) * self._channel(invstd, x.ndim)
        scale = invstd if w is None else invstd * w
        return g * self._channel(scale, x.ndim), (g * normed).sum(axes), g.sum(axes)

    def increment(self, a):
        """One more in a 0-d array, in place."""
        a += 1

    def lerp_into(self, a, b, weight, factor):
        """a += weight * (factor * b - a), in place."""
        number = a.dtype.type
        a += number(weight) * (b * number(factor) - a)
