"""Reducing arrays over axes, and running sums and products along one."""

from __future__ import annotations

import math

from numpy import errstate

from engine.backends.reference.pointwise import quiet


class Reductions:
    """`axes` is a tuple of axes, `axis` a single one that is not negative."""

    @quiet
    def sum(self, a, axes, keepdims):
        dtype = a.dtype if a.dtype.kind == "f" else "int64"
        return self.xp.asarray(a.sum(axes, dtype=dtype, keepdims=keepdims))

    def sum_to(self, g, shape):
        """g summed over the axes along which an array of `shape` was broadcast."""
        if g.shape == shape:
            return g
        new = g.ndim - len(shape)
        axes = tuple(range(new)) + tuple([i + new for i, n in enumerate(shape) if n == 1 and g.shape[i + new] != 1])
        return self.sum(g, axes, False).reshape(shape)

    def mean(self, a, axes, keepdims):
        items = 1
        for axis in axes:
            items *= a.shape[axis]
        with errstate(all="ignore"):
            total = a.sum(axes, keepdims=keepdims)
            return self.xp.asarray(total / total.dtype.type(items))

    def max(self, a, axes, keepdims):
        return self.xp.asarray(a.max(axes, keepdims=keepdims))

    def min(self, a, axes, keepdims):
        return self.xp.asarray(a.min(axes, keepdims=keepdims))

    def argmax(self, a, axis, keepdims):
        return self.xp.asarray(a.argmax(axis, keepdims=keepdims), dtype="int64")

    def argmin(self, a, axis, keepdims):
        return self.xp.asarray(a.argmin(axis, keepdims=keepdims), dtype="int64")

    def argmedian(self, a, axis, keepdims):
        """Where the lower of the middle values lies; where a nan does, if there is one."""
        order = self.xp.argsort(a, axis, kind="stable")
        middle = self.xp.expand_dims(order.take((a.shape[axis] - 1) // 2, axis), axis)
        missing = self.xp.isnan(a)
        index = self.xp.where(missing.any(axis, keepdims=True), missing.argmax(axis, keepdims=True), middle)
        return self.xp.asarray(index if keepdims else index.squeeze(axis), dtype="int64")

    def all(self, a, axes, keepdims):
        return self.xp.asarray(a.all(axes, keepdims=keepdims))

    def any(self, a, axes, keepdims):
        return self.xp.asarray(a.any(axes, keepdims=keepdims))

    def logsumexp(self, a, axes, keepdims):
        with errstate(all="ignore"):
            top = a.max(axes, keepdims=True, initial=-math.inf)
            top = self.xp.where(self.xp.isfinite(top), top, a.dtype.type(0))
            y = self.xp.log(self.xp.exp(a - top).sum(axes, keepdims=True)) + top
        return self.xp.asarray(y if keepdims else y.squeeze(axes))

    def norm(self, a, p, axes, keepdims):
        """(sum of |a| ** p) ** (1 / p) and its limits: the number of nonzeros, the largest, the smallest."""
        size = self.xp.abs(a)
        with errstate(all="ignore"):
            if p == math.inf:
                y = size.max(axes, keepdims=keepdims)
            elif p == -math.inf:
                y = size.min(axes, keepdims=keepdims)
            elif p == 0:
                y = (size != 0).sum(axes, dtype=a.dtype, keepdims=keepdims)
            elif p == 1:
                y = size.sum(axes, keepdims=keepdims)
            elif p == 2:
                y = self.xp.sqrt((a * a).sum(axes, keepdims=keepdims))
            else:
                y = (size ** a.dtype.type(p)).sum(axes, keepdims=keepdims) ** a.dtype.type(1 / p)
        return self.xp.asarray(y)

    def norm_dx(self, g, a, y, p):
        """g and y have the axes of a, those that were reduced of size 1. 0 where the norm has a kink."""
        size, zero = self.xp.abs(a), a.dtype.type(0)
        with errstate(all="ignore"):
            if math.isinf(p):
                hit = self.xp.equal(size, y)
                axes = tuple([i for i, n in enumerate(y.shape) if n != a.shape[i]])
                return self.xp.asarray(self.xp.sign(a) * hit * (g / hit.sum(axes, dtype=a.dtype, keepdims=True)))
            if p == 1:
                return self.xp.asarray(self.xp.sign(a) * g)
            slope = a / y if p == 2 else self.xp.sign(a) * (size / y) ** a.dtype.type(p - 1)
            return self.xp.asarray(self.xp.where(size == 0, zero, slope * g))

    def prod(self, a, axis, keepdims):
        dtype = a.dtype if a.dtype.kind == "f" else "int64"
        with errstate(all="ignore"):
            return self.xp.asarray(a.prod(axis, dtype=dtype, keepdims=keepdims))

    def product_of_others(self, a, axis):
        """For each element the product of all others along `axis`: those before it times those after it."""
        a = self.xp.moveaxis(a, axis, -1)
        before, after = self.xp.ones(a.shape, a.dtype), self.xp.ones(a.shape, a.dtype)
        with errstate(all="ignore"):
            self.xp.cumprod(a[..., :-1], -1, out=before[..., 1:])
            self.xp.cumprod(a[..., :0:-1], -1, out=after[..., -2::-1])
            return self.xp.moveaxis(before * after, -1, axis)

    # ---- running
    def cumsum(self, a, axis):
        return self._accumulated(self.xp.add, a, axis)

    def cumsum_dx(self, g, axis):
        """The running sum from the end."""
        return self.xp.flip(self.cumsum(self.xp.flip(g, axis), axis), axis)

    def cumprod(self, a, axis):
        return self._accumulated(self.xp.multiply, a, axis)

    def _accumulated(self, f, a, axis):
        """Through float64, as PyTorch does: rounding would grow with the length."""
        with errstate(all="ignore"):
            if a.dtype.kind == "f":
                return f.accumulate(a, axis, dtype="float64").astype(a.dtype, copy=False)
            return f.accumulate(a, axis, dtype="int64")

    def cumprod_dx(self, g, a, y, axis):
        """Element j gets the sum over i >= j of g[i] y[i] / a[j]: 0 behind the first zero, and at that zero the
        same sum with a 1 in its place."""
        zero = a == 0
        first = zero & (self.xp.cumsum(zero, axis) == 1)
        one = a.dtype.type(1)
        with errstate(all="ignore"):
            dx = self.cumsum_dx(g * y, axis) / self.xp.where(zero, one, a)
            if not first.any():
                return dx
            at_first = self.cumsum_dx(g * self.cumprod(self.xp.where(first, one, a), axis), axis)
            return self.xp.where(first, at_first, self.xp.where(zero, a.dtype.type(0), dx))

    def cummax(self, a, axis):
        return self._running(self.xp.maximum, a, axis)

    def cummin(self, a, axis):
        return self._running(self.xp.minimum, a, axis)

    def _running(self, extreme, a, axis):
        """The extreme so far and where it was met last."""
        values = extreme.accumulate(a, axis)
        places = self.xp.arange(a.shape[axis]).reshape([-1 if i == axis else 1 for i in range(a.ndim)])
        met = self.xp.where((a == values) | self.xp.isnan(a), places, 0)
        return values, self.xp.maximum.accumulate(met, axis)
