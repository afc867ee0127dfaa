"""Max and average pooling, tap by tap: a tap is one position (i, j) inside the window, numbered i*kw + j."""

from __future__ import annotations


def _along(size, kernel, stride, before, dilation, windows):
    """Along one axis: each tap that meets the input, the outputs whose it is, and the inputs it meets there."""
    furthest = -(-(before - (windows - 1) * stride) // dilation)  # taps before it lie in the padding of every window
    for i in range(max(furthest, 0), min((before + size - 1) // dilation, kernel - 1) + 1):
        offset = i * dilation - before
        first, last = max(0, -(offset // stride)), min(windows - 1, (size - 1 - offset) // stride)
        if first <= last:
            yield i, slice(first, last + 1), slice(first * stride + offset, last * stride + offset + 1, stride)


class Pooling:
    def _taps(self, geom):
        """For each tap: its number, and index pairs (of outputs, of inputs) where the tap lies inside the input."""
        top, _, left, _ = geom.padding
        (sh, sw), (dh, dw) = geom.stride, geom.dilation
        columns = list(_along(geom.w, geom.kw, sw, left, dw, geom.ow))
        for i, out_rows, rows in _along(geom.h, geom.kh, sh, top, dh, geom.oh):
            for j, out_columns, these in columns:
                yield i * geom.kw + j, (..., out_rows, out_columns), (..., rows, these)

    def max_pool2d(self, x, geom):
        """(y, taps): the largest value of each window (nan wins) and the number of the first tap that holds it.

        A window that meets the input nowhere has -inf and tap 0.
        """
        y = self.xp.full(geom.y_shape, -self.xp.inf, x.dtype)
        taps = self.xp.full(geom.y_shape, -1, "int32")
        for tap, out, source in self._taps(geom):
            value, best = x[source], y[out]
            better = (value > best) | ((value != value) & (best == best)) | (taps[out] < 0)
            y[out] = self.xp.where(better, value, best)
            taps[out] = self.xp.where(better, tap, taps[out])
        return y, self.xp.maximum(taps, 0).astype("uint8" if geom.kh * geom.kw <= 256 else "int32")

    def max_pool2d_dx(self, g, taps, geom):
        """Each gradient at the tap that won."""
        dx = self.xp.zeros(geom.x_shape, g.dtype)
        for tap, out, source in self._taps(geom):
            dx[source] += self.xp.where(taps[out] == tap, g[out], g.dtype.type(0))
        return dx

    def _divisors(self, geom, dtype):
        """What the sum of each window is divided by, [OH, OW]."""
        if geom.divisor:
            return self.xp.full((geom.oh, geom.ow), geom.divisor, dtype)
        sides = []
        for size, k, s, before, after, windows in (
            (geom.h, geom.kh, geom.stride[0], geom.padding[0], geom.padding[1], geom.oh),
            (geom.w, geom.kw, geom.stride[1], geom.padding[2], geom.padding[3], geom.ow),
        ):
            start = self.xp.arange(windows) * s - before
            end = self.xp.minimum(start + k, size + after)
            if not geom.count_include_pad:
                start, end = self.xp.maximum(start, 0), self.xp.minimum(end, size)
            sides.append((end - start).astype(dtype))
        return sides[0][:, None] * sides[1]

    def avg_pool2d(self, x, geom):
        y = self.xp.zeros(geom.y_shape, x.dtype)
        for _, out, source in self._taps(geom):
            y[out] += x[source]
        return y / self._divisors(geom, x.dtype)

    def avg_pool2d_dx(self, g, geom):
        share = g / self._divisors(geom, g.dtype)
        dx = self.xp.zeros(geom.x_shape, g.dtype)
        for _, out, source in self._taps(geom):
            dx[source] += share[out]
        return dx
