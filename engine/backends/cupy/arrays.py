"""Arrays to and from the GPU, and where CuPy's functions differ from NumPy's."""

from __future__ import annotations

from engine.backends.reference import Reference


class Arrays:
    # ---- to and from the host
    def to_numpy(self, a):
        array = self.xp.asnumpy(a)
        self._suspect.check()
        return array

    def from_numpy(self, a):
        return self.xp.asarray(a)

    def owns(self, a):
        return a.flags.c_contiguous and a.base is None

    # ---- where CuPy differs
    def matmul(self, a, b):
        return self.xp.matmul(a, b)

    def diagonal(self, a, offset, axis1, axis2):
        offset = min(max(offset, -a.shape[axis1]), a.shape[axis2])
        return self.xp.diagonal(a, offset, axis1, axis2)

    def counted(self, repeats):
        """CuPy repeats by numbers of the host alone."""
        return self.xp.repeat(self.xp.arange(len(repeats)), repeats.tolist())

    def _running(self, extreme, a, axis):
        """Maxima so far, in as many steps as the length has binary digits."""

        def scan(f, values):
            values, step = self.xp.moveaxis(values, axis, -1).copy(), 1
            while step < values.shape[-1]:
                values[..., step:] = f(values[..., step:], values[..., :-step].copy())
                step *= 2
            return self.xp.moveaxis(values, -1, axis)

        values = scan(extreme, a)
        places = self.xp.arange(a.shape[axis]).reshape([-1 if i == axis else 1 for i in range(a.ndim)])
        return values, scan(self.xp.maximum, self.xp.where((a == values) | (a != a), places, 0))

    def truncated_normal(self, shape, mean, std, low, high, key, dtype):
        """On the host: CuPy lacks the inverse of the logarithm of the normal distribution."""
        return self.from_numpy(Reference().truncated_normal(shape, mean, std, low, high, key, dtype))
