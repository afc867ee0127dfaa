"""Max and average pooling, tap by tap: a tap is one position (i, j) inside the window, numbered i*kw + j.

Adaptive pooling has windows of different sizes: output i of `out` sees the inputs from floor(i*n/out) to ceil((i+1)*n/out).
"""

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

        A window that meets the input nowhere has -inf (of integers: the lowest) and tap 0.
        """
        y = self.xp.full(geom.y_shape, self._lowest(x.dtype), x.dtype)
        taps = self.xp.full(geom.y_shape, -1, "int32")
        for tap, out, source in self._taps(geom):
            value, best = x[source], y[out]
            better = (value > best) | ((value != value) & (best == best)) | (taps[out] < 0)
            y[out] = self.xp.where(better, value, best)
            taps[out] = self.xp.where(better, tap, taps[out])
        return y, self.xp.maximum(taps, 0).astype("uint8" if geom.kh * geom.kw <= 256 else "int32")

    def _lowest(self, dtype):
        return -self.xp.inf if dtype.kind == "f" else self.xp.iinfo(dtype).min

    def max_pool2d_indices(self, taps, geom):
        """Where in its plane of the input, row after row, each winning tap lies: int64."""
        rows = self.xp.arange(geom.oh)[:, None] * geom.stride[0] - geom.padding[0] + taps // geom.kw * geom.dilation[0]
        columns = self.xp.arange(geom.ow) * geom.stride[1] - geom.padding[2] + taps % geom.kw * geom.dilation[1]
        # Only the tap of a window that meets the input nowhere lies outside.
        return rows.clip(0, geom.h - 1) * geom.w + columns.clip(0, geom.w - 1)

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

    # ---- adaptive
    def _intervals(self, n, out):
        """Start and end of the interval that each of `out` outputs along an axis of n sees."""
        i = self.xp.arange(out)
        return i * n // out, -(-(i + 1) * n // out)

    def adaptive_avg_pool2d(self, x, oh, ow):
        """Means over the windows of an adaptive pooling."""
        for axis, out in ((2, oh), (3, ow)):
            starts, ends = self._intervals(x.shape[axis], out)
            shares = (ends - starts).astype(x.dtype).reshape((-1,) + (1,) * (3 - axis))
            x = self.interval_sums(x, starts, ends, axis) / shares
        return x

    def adaptive_avg_pool2d_dx(self, g, h, w):
        for axis, n in ((2, h), (3, w)):
            starts, ends = self._intervals(n, g.shape[axis])
            g = g / (ends - starts).astype(g.dtype).reshape((-1,) + (1,) * (3 - axis))
            # The windows that see an input are neighbours: from the first that ends behind it to the last that starts before.
            i = self.xp.arange(n)
            seen = self.xp.searchsorted(ends, i, "right"), self.xp.searchsorted(starts, i, "right")
            g = self.interval_sums(g, *seen, axis)
        return g

    def adaptive_max_pool2d(self, x, oh, ow):
        """(y, indices): the largest of each window (nan wins), and where in its plane the first that holds it lies, int64.

        Of each row the first of its largest, then the first row that has the largest of those.
        """
        n, c, h, w = x.shape
        columns = self.interval_argmax(x, *self._intervals(w, ow), 3)
        largest = self.xp.take_along_axis(x, columns, 3)
        rows = self.interval_argmax(largest, *self._intervals(h, oh), 2)
        indices = rows * w + self.xp.take_along_axis(columns, rows, 2)
        return self.xp.take_along_axis(largest, rows, 2), indices

    def add_at_indices(self, g, indices, h, w):
        """Planes [N, C, h, w] of zeros, to which each of g[N, C, ...] is added at its index in the plane."""
        n, c = g.shape[:2]
        dx = self.xp.zeros(n * c * h * w, g.dtype)
        planes = self.xp.arange(n * c).reshape((n, c) + (1,) * (g.ndim - 2)) * (h * w)
        self.xp.add.at(dx, (planes + indices).ravel(), g.ravel())
        return dx.reshape(n, c, h, w)
