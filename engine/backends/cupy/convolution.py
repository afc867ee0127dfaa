"""Convolution by cuDNN where that is at hand, else as products of matrices over patches, of as many images at a time as fit
into a bounded scratch.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from engine.backends.cupy import cudnn

SCRATCH = 1 << 28  # bytes of patches at a time


class Convolutions:
    @cached_property
    def _cudnn(self):
        return cudnn.found(self.xp)

    def _by_cudnn(self, direction, geom, **arrays):
        """What cuDNN makes of two of x, w and y (or its gradient); None where it cannot."""
        served = all(a.size and a.dtype.name in cudnn.TYPES for a in arrays.values())
        if not served or not _forward(geom) or self._cudnn is None:
            return None
        return self._cudnn(direction, geom, {name: self._dense(a) for name, a in arrays.items()})

    def unfold(self, x, geom):
        if not _forward(geom) or x.dtype.kind != "f":
            return super().unfold(x, geom)
        cols = self.xp.empty((geom.n, geom.c * geom.kh * geom.kw, geom.oh * geom.ow), x.dtype)
        self._source(x.dtype)("unfold", cols.size, *self._as_windows(geom), self._dense(x), cols)
        return cols

    def fold(self, cols, geom):
        if not _forward(geom) or cols.dtype.kind != "f":
            return super().fold(cols, geom)
        x = self.xp.empty(geom.x_shape, cols.dtype)
        self._source(x.dtype)("fold", x.size, *self._as_windows(geom), self._dense(cols), x)
        return x

    def _in_parts(self, geom, itemsize):
        """Slices of the images whose patches fit into SCRATCH, and the geometry of each."""
        image = geom.c * geom.kh * geom.kw * geom.oh * geom.ow * itemsize
        many = max(SCRATCH // max(image, 1), 1)
        for first in range(0, geom.n, many):
            count = min(many, geom.n - first)
            yield slice(first, first + count), geom if count == geom.n else replace(geom, n=count)

    def _patches(self, x, geom):
        """x[N, C, H, W] as [N, groups, patch, pixels]: itself where a patch is a pixel."""
        groups, _, size = self._grouped(geom)
        cols = x if _pointwise(geom) else self.unfold(x, geom)
        return cols.reshape(geom.n, groups, size, geom.oh * geom.ow)

    def conv2d(self, x, w, b, geom):
        if (y := self._by_cudnn("forward", geom, x=x, w=w)) is not None:
            return y if b is None else self.add(y, b.reshape(-1, 1, 1), y)
        groups, o, size = self._grouped(geom)
        y, weights = self.xp.empty(geom.y_shape, x.dtype), w.reshape(groups, o, size)
        for part, some in self._in_parts(geom, x.itemsize):
            product = self.matmul(weights, self._patches(x[part], some)).reshape(some.y_shape)
            y[part] = product if b is None else product + b.reshape(-1, 1, 1)
        return y

    def conv2d_dx(self, g, w, geom, onto=None):
        if (dx := self._by_cudnn("dx", geom, y=g, w=w)) is not None:
            return dx if onto is None else self.add(onto, dx, onto)
        groups, o, size = self._grouped(geom)
        dx, weights = self.xp.empty(geom.x_shape, g.dtype), w.reshape(groups, o, size).swapaxes(-1, -2)
        for part, some in self._in_parts(geom, g.itemsize):
            cols = self.matmul(weights, self._dense(g[part]).reshape(some.n, groups, o, some.oh * some.ow))
            dx[part] = (
                cols.reshape(some.x_shape)
                if _pointwise(geom)
                else self.fold(cols.reshape(some.n, groups * size, some.oh * some.ow), some)
            )
        return dx if onto is None else self.add(onto, dx, onto)

    def conv2d_dw(self, g, x, geom):
        if (dw := self._by_cudnn("dw", geom, y=g, x=x)) is not None:
            return dw
        groups, o, size = self._grouped(geom)
        dw = self.xp.zeros((groups, o, size), g.dtype)
        for part, some in self._in_parts(geom, g.itemsize):
            outputs = self._dense(g[part]).reshape(some.n, groups, o, some.oh * some.ow)
            dw += self.matmul(outputs, self._patches(x[part], some).swapaxes(-1, -2)).sum(0)
        return dw.reshape(geom.w_shape)


def _forward(geom):
    """Whether images are neither upsampled nor cropped."""
    return geom.upsample == (1, 1) and min(geom.padding) >= 0


def _pointwise(geom):
    """Whether a patch is a pixel of its image."""
    return geom.kh == geom.kw == 1 and geom.stride == (1, 1) and not any(geom.padding) and geom.upsample == (1, 1)
