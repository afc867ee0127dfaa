"""First values of parameters that take more than one draw of numbers."""

from __future__ import annotations

import math

from numpy import errstate


class Initial:
    def truncated_normal(self, shape, mean, std, low, high, key, dtype):
        """mean + std * z for normal numbers z, of those results that lie in low..high; computed in float64.

        The quantile of a uniform number between the probabilities of the limits. These are taken as logarithms and
        from the side where they are small, so that limits far out on either side are served as well.
        """
        xp, special = self.xp, self._special
        a, b = (low - mean) / std, (high - mean) / std
        side = -1 if a + b > 0 else 1
        if side < 0:
            a, b = -b, -a
        log_a, log_b = (float(special.log_ndtr(z)) for z in (a, b))
        u = self.uniform(shape, 0.0, 1.0, key, xp.dtype("float64"))
        with errstate(divide="ignore"):  # the log of 0 is the lowest limit's
            z = special.ndtri_exp(log_b + xp.log(u + (1 - u) * math.exp(log_a - log_b)))
        number = xp.dtype(dtype).type
        return xp.clip((mean + side * std * z).astype(dtype), number(low), number(high))

    def orthonormal(self, a):
        """The orthonormal columns that come of those of a[M, N], M >= N, by Gram and Schmidt's rule (a QR product).

        The diagonal of R is positive: of normal numbers the result is uniform among all such (Mezzadri 2007).
        """
        with self._blas.limit(limits=1, user_api="blas"):  # its bits change with the number of threads
            q, r = self.xp.linalg.qr(a)
        return q * self.xp.sign(self.xp.diagonal(r))
