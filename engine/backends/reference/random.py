"""Random draws. A `key` is (seed, number of the draw); whoever holds it can draw the same values again."""

from __future__ import annotations

import numpy


class Draws:
    def _draws(self, key):
        return numpy.random.Generator(numpy.random.Philox(key=key[0], counter=[0, 0, 0, key[1]]))

    def uniform(self, shape, low, high, key, dtype):
        draws = self._draws(key).random(shape, "float32" if dtype == "float32" else "float64")
        return self.from_numpy(numpy.asarray(draws * (high - low) + low, dtype))

    def normal(self, shape, mean, std, key, dtype):
        draws = self._draws(key).standard_normal(shape, "float32" if dtype == "float32" else "float64")
        return self.from_numpy(numpy.asarray(draws * std + mean, dtype))

    def integers(self, shape, low, high, key):
        return self.from_numpy(numpy.asarray(self._draws(key).integers(low, high, shape)))

    def permutation(self, n, key):
        return self.from_numpy(self._draws(key).permutation(n).astype("int64"))

    def dropout_mask(self, shape, p, key, dtype):
        """0 with probability p, else 1 / (1 - p)."""
        keep = self.uniform(shape, 0.0, 1.0, key, numpy.dtype("float32")) >= p
        return numpy.asarray(keep.astype(dtype) * dtype.type(0 if p == 1 else 1 / (1 - p)))
