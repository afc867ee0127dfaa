"""Order, and counts of equal values. nan is larger than everything, as in PyTorch."""

from __future__ import annotations


class Sorting:
    def argsort(self, a, axis, descending):
        """int64 positions of the values in order; equal ones stay in the order they had."""
        if not descending:
            return self.xp.argsort(a, axis, kind="stable")
        last = self.xp.argsort(self.xp.flip(a, axis), axis, kind="stable")
        return a.shape[axis] - 1 - self.xp.flip(last, axis)

    def unique(self, a):
        """The distinct values in order, for each element of `a` which it is, and how many are each; nan is never equal."""
        values, inverse, counts = self.xp.unique(a, return_inverse=True, return_counts=True, equal_nan=False)
        return values, inverse.reshape(a.shape), counts

    def bincount(self, a, weights, minlength):
        counts = self.xp.bincount(a, weights, minlength)
        return counts if weights is None or weights.dtype.kind != "f" else counts.astype(weights.dtype)
