"""Convolution as matrix products over unfolded patches (explicit im2col), with weights that are shared or are not."""

from __future__ import annotations


class Convolution:
    def _extended(self, x, geom):
        """x with the zeros of `upsample` between its rows and those of the padding around it (negative: cropped)."""
        uh, uw = geom.upsample
        n, c, h, w = x.shape
        if (uh, uw) != (1, 1):
            spread = self.xp.zeros((n, c, (h - 1) * uh + 1, (w - 1) * uw + 1), x.dtype)
            spread[:, :, ::uh, ::uw] = x
            x = spread
        top, bottom, left, right = geom.padding
        return self.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)], 0)

    def _windows(self, x, geom):
        """For every tap (i, j) the strided picture of x that it sees: a view [N, C, OH, OW]."""
        (sh, sw), (dh, dw) = geom.stride, geom.dilation
        for i in range(geom.kh):
            for j in range(geom.kw):
                rows = slice(i * dh, i * dh + (geom.oh - 1) * sh + 1, sh)
                columns = slice(j * dw, j * dw + (geom.ow - 1) * sw + 1, sw)
                yield i, j, (slice(None), slice(None), rows, columns)

    def unfold(self, x, geom):
        """Patches of x[N, C, H, W]: [N, C*kh*kw, OH*OW]."""
        extended = self._extended(x, geom)
        cols = self.xp.empty((geom.n, geom.c, geom.kh, geom.kw, geom.oh, geom.ow), x.dtype)
        for i, j, window in self._windows(x, geom):
            cols[:, :, i, j] = extended[window]
        return cols.reshape(geom.n, geom.c * geom.kh * geom.kw, geom.oh * geom.ow)

    def fold(self, cols, geom):
        """The transpose of unfold: patches added up into [N, C, H, W]."""
        top, bottom, left, right = geom.padding
        cols = cols.reshape(geom.n, geom.c, geom.kh, geom.kw, geom.oh, geom.ow)
        x = self.xp.zeros((geom.n, geom.c, geom.h + top + bottom, geom.w + left + right), cols.dtype)
        for i, j, window in self._windows(x, geom):
            x[window] += cols[:, :, i, j]
        return self.pad(x, [(0, 0), (0, 0), (-top, -bottom), (-left, -right)], 0)

    def _grouped(self, geom):
        """(groups, output channels, patch size) of one group."""
        return geom.groups, geom.o // geom.groups, geom.c // geom.groups * geom.kh * geom.kw

    def conv2d(self, x, w, b, geom):
        """y[N, O, OH, OW]; b may be None."""
        groups, o, size = self._grouped(geom)
        cols = self.unfold(x, geom).reshape(geom.n, groups, size, geom.oh * geom.ow)
        y = self.matmul(w.reshape(groups, o, size), cols).reshape(geom.y_shape)
        return y if b is None else y + b.reshape(-1, 1, 1)

    def conv2d_dx(self, g, w, geom, onto=None):
        """Gradient of the input, [N, C, H, W]; added to `onto`, which is written on, where that is given."""
        groups, o, size = self._grouped(geom)
        g = g.reshape(geom.n, groups, o, geom.oh * geom.ow)
        cols = self.matmul(w.reshape(groups, o, size).swapaxes(-1, -2), g)
        dx = self.fold(cols.reshape(geom.n, groups * size, geom.oh * geom.ow), geom)
        return dx if onto is None else self.add(onto, dx, onto)

    def conv2d_dw(self, g, x, geom):
        """Gradient of the weights, [O, C/groups, kh, kw]."""
        groups, o, size = self._grouped(geom)
        g = g.reshape(geom.n, groups, o, geom.oh * geom.ow)
        cols = self.unfold(x, geom).reshape(geom.n, groups, size, geom.oh * geom.ow)
        return self.matmul(g, cols.swapaxes(-1, -2)).sum(0).reshape(geom.w_shape)

    def locally_connected2d(self, x, w, b, geom):
        """y[N, O, OH, OW] of w[O, C, kh, kw, OH, OW], a product of matrices for each position; b[O, OH, OW] may be None."""
        cols = self.unfold(x, geom)
        y = self.matmul(self._by_position(w, geom).transpose(2, 0, 1), cols.transpose(2, 1, 0))
        y = self.copy(y.transpose(2, 1, 0)).reshape(geom.y_shape)
        return y if b is None else y + b

    def locally_connected2d_dx(self, g, w, geom):
        """Gradient of the input, [N, C, H, W]."""
        g = g.reshape(geom.n, geom.o, geom.oh * geom.ow)
        cols = self.matmul(self._by_position(w, geom).transpose(2, 1, 0), g.transpose(2, 1, 0))
        return self.fold(self.copy(cols.transpose(2, 1, 0)), geom)

    def locally_connected2d_dw(self, g, x, geom):
        """Gradient of the weights, [O, C, kh, kw, OH, OW]."""
        g = g.reshape(geom.n, geom.o, geom.oh * geom.ow)
        dw = self.matmul(g.transpose(2, 1, 0), self.unfold(x, geom).transpose(2, 0, 1))
        return self.copy(dw.transpose(1, 2, 0)).reshape(*geom.w_shape, geom.oh, geom.ow)

    def _by_position(self, w, geom):
        """Weights [O, C, kh, kw, OH, OW] as [O, C*kh*kw, OH*OW]."""
        return w.reshape(geom.o, geom.c * geom.kh * geom.kw, geom.oh * geom.ow)

    def channel_sum(self, g, y=None):
        """g[N, C, ...] summed over everything but C; with y, what a ReLU with that result lets through of it."""
        g = g if y is None else self.relu_dx(g, y)
        return g.sum((0, *range(2, g.ndim)))
