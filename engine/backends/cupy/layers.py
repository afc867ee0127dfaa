"""Layers by kernels of our own: activations, batch normalisation, pooling, cross-entropy, dropout.

What is not of floats goes to the reference's kernels.
"""

from __future__ import annotations

import numpy

PARTS = 64  # of a channel in a sum: as many blocks, whatever the GPU
_SINGLE = numpy.dtype("float32")  # kernels that have no such numbers take this module's
_ALL, _WHERE_MAPPED, _WHERE_OUTPUT = (numpy.int32(i) for i in range(3))


def _plane(x):
    """Elements of one image and channel of x[N, C, ...]."""
    return x.size // max(x.shape[0] * x.shape[1], 1)


class Layers:
    # ---- activations
    def relu(self, a, out=None):
        if a.dtype.kind != "f" or (out is not None and not out.flags.c_contiguous):
            return super().relu(a, out)
        a = self._dense(a)
        y = self.xp.empty(a.shape, a.dtype) if out is None else out
        self._source(a.dtype)("relu", a.size, a.size, a, y)
        return y

    def relu_dx(self, g, y):
        if g.dtype.kind != "f" or g.dtype != y.dtype or g.shape != y.shape:
            return super().relu_dx(g, y)
        dx = self.xp.empty(g.shape, g.dtype)
        self._source(g.dtype)("relu_dx", g.size, g.size, self._dense(g), self._dense(y), dx)
        return dx

    def add_relu(self, a, b, out=None):
        if a.dtype.kind != "f" or a.dtype != b.dtype or a.shape != b.shape:
            return super().add_relu(a, b, out)
        y = self.xp.empty(a.shape, a.dtype) if out is None else out
        self._source(a.dtype)("add_relu", a.size, a.size, self._dense(a), self._dense(b), y)
        return y

    def dropout(self, x, p, key):
        if x.dtype.kind != "f":
            return super().dropout(x, p, key)
        y = self.xp.empty(x.shape, x.dtype)
        least, scale = min(round(p * 2**32), 2**32 - 1), 0.0 if p == 1 else 1 / (1 - p)
        seed, stream = map(numpy.uint64, key)
        self._source(x.dtype)(
            "dropout", -(-x.size // 4), x.size, seed, stream, numpy.uint32(least), scale, self._dense(x), y
        )
        return y

    def random_words(self, n, key):
        words = self.xp.empty(n, "uint32")
        self._source(_SINGLE)("random_words", -(-n // 4), n, *map(numpy.uint64, key), words)
        return words

    # ---- batch normalisation
    def batch_norm_stats(self, x):
        if x.dtype.kind != "f" or not x.size:
            return super().batch_norm_stats(x)
        x, launch = self._dense(x), self._source(x.dtype)
        (n, channels), plane = x.shape[:2], _plane(x)
        sums = self.xp.empty((channels, PARTS, 2), "float64")
        mean, var = self.xp.empty(channels, x.dtype), self.xp.empty(channels, x.dtype)
        launch("norm_moments", x.size, n, channels, plane, x, sums, blocks=(PARTS, channels))
        launch("norm_statistics", channels, n, channels, plane, PARTS, x, sums, mean, var)
        return mean, var

    def _normed(self, x, mean, invstd, w, b, residual, relu):
        y = self.xp.empty(x.shape, x.dtype)
        self._source(x.dtype)("norm_map", x.size, x.size, x.shape[1], _plane(x), relu, self._dense(x), mean, invstd, w, b,
                              residual, y)  # fmt: skip
        return y

    def batch_norm(self, x, mean, invstd, w, b):
        return self._normed(x, mean, invstd, w, b, None, False)

    def batch_norm_relu(self, x, mean, invstd, w, b):
        return self._normed(x, mean, invstd, w, b, None, True)

    def batch_norm_add_relu(self, x, mean, invstd, w, b, residual):
        return self._normed(x, mean, invstd, w, b, self._dense(residual), True)

    def _norm_gradients(self, mask, g, y, x, mean, invstd, w, b, constant=False, through=False):
        """(dx, dw, db), and what the ReLU let through if `through`."""
        x, g, launch = self._dense(x), self._dense(g), self._source(x.dtype)
        (n, channels), plane = x.shape[:2], _plane(x)
        sums = self.xp.empty((channels, PARTS, 2), "float64")
        dw, db = self.xp.empty(channels, x.dtype), self.xp.empty(channels, x.dtype)
        dx, passed = self.xp.empty(x.shape, x.dtype), self.xp.empty(x.shape, x.dtype) if through else None
        if not x.size:
            dw[...] = db[...] = 0
        launch(
            "norm_sums", x.size, n, channels, plane, mask, g, y, x, mean, invstd, w, b, sums, blocks=(PARTS, channels)
        )
        launch("norm_weights", channels if x.size else 0, channels, PARTS, sums, dw, db)
        launch(
            "norm_dx",
            x.size,
            x.size,
            n,
            channels,
            plane,
            mask,
            constant,
            g,
            y,
            x,
            mean,
            invstd,
            w,
            b,
            dw,
            db,
            dx,
            passed,
        )
        return (dx, dw, db, passed) if through else (dx, dw, db)

    def batch_norm_dx(self, g, x, mean, invstd, w, spare=False):
        return self._norm_gradients(_ALL, g, None, x, mean, invstd, w, None)

    def batch_norm_eval_dx(self, g, x, mean, invstd, w):
        return self._norm_gradients(_ALL, g, None, x, mean, invstd, w, None, constant=True)

    def batch_norm_relu_dx(self, g, x, mean, invstd, w, b, spare=False):
        return self._norm_gradients(_WHERE_MAPPED, g, None, x, mean, invstd, w, b)

    def batch_norm_add_relu_dx(self, g, y, x, mean, invstd, w, spare=False):
        return self._norm_gradients(_WHERE_OUTPUT, g, self._dense(y), x, mean, invstd, w, None, through=True)

    # ---- pooling
    def _as_windows(self, geom):
        """A pooling or convolution as the kernels take it."""
        top, _, left, _ = geom.padding
        return (
            geom.n,
            geom.c,
            geom.h,
            geom.w,
            geom.kh,
            geom.kw,
            geom.oh,
            geom.ow,
            *geom.stride,
            top,
            left,
            *geom.dilation,
        )

    def max_pool2d(self, x, geom):
        if x.dtype.kind != "f":
            return super().max_pool2d(x, geom)
        tap = "uint8" if geom.kh * geom.kw <= 256 else "int32"
        y, taps = self.xp.empty(geom.y_shape, x.dtype), self.xp.empty(geom.y_shape, tap)
        self._source(x.dtype, tap)("max_pool", y.size, *self._as_windows(geom), self._dense(x), y, taps)
        return y, taps

    def max_pool2d_dx(self, g, taps, geom):
        dx = self.xp.empty(geom.x_shape, g.dtype)
        launch = self._source(g.dtype, taps.dtype.name)
        launch("max_pool_dx", dx.size, *self._as_windows(geom), self._dense(g), self._dense(taps), dx)
        return dx

    def interval_sums(self, a, starts, ends, axis):
        if a.dtype.kind != "f":
            return super().interval_sums(a, starts, ends, axis)
        a = self._dense(a)
        outer, inner = 1, 1
        for n in a.shape[:axis]:
            outer *= n
        for n in a.shape[axis + 1 :]:
            inner *= n
        sums = self.xp.empty((*a.shape[:axis], starts.size, *a.shape[axis + 1 :]), a.dtype)
        starts, ends = (self._dense(i.astype("int64", copy=False)) for i in (starts, ends))
        self._source(a.dtype)(
            "interval_sums", sums.size, outer, a.shape[axis], inner, starts.size, starts, ends, a, sums
        )
        return sums

    # ---- losses
    def checked_labels(self, name, labels, classes):
        """int64 labels, with 0 for those out of range, which are told of when a value is read."""
        labels = self._dense(labels.astype("int64", copy=False))
        clean = self.xp.empty(labels.shape, "int64")
        self._source(_SINGLE)(
            "check_labels",
            labels.size,
            labels.size,
            classes,
            self._suspect.of(name),
            labels,
            clean,
            self._suspect.array,
        )
        return clean

    def cross_entropy(self, x, labels):
        rows, classes = x.shape
        losses, softmax = self.xp.empty(rows, x.dtype), self.xp.empty(x.shape, x.dtype)
        labels = self._dense(labels.astype("int64", copy=False))
        self._source(x.dtype)("cross_entropy", rows, rows, classes, self._suspect.of("cross_entropy"), self._dense(x), labels, losses,
                              softmax, self._suspect.array, blocks=(min(rows, 65535),))  # fmt: skip
        return losses, softmax

    def cross_entropy_dx(self, g, probabilities, labels):
        return self._entropy_gradient(g, probabilities, labels, True, 1.0)

    def cross_entropy_total_dx(self, g, probabilities, labels, mean):
        return self._entropy_gradient(g, probabilities, labels, False, 1 / max(len(labels), 1) if mean else 1.0)

    def _entropy_gradient(self, g, probabilities, labels, each, scale):
        dx, labels = (
            self.xp.empty(probabilities.shape, probabilities.dtype),
            self._dense(labels.astype("int64", copy=False)),
        )
        self._source(dx.dtype)(
            "cross_entropy_dx", dx.size, *dx.shape, each, scale, self._dense(g), probabilities, labels, dx
        )
        return dx
