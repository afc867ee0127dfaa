"""What training needs beside layers of arithmetic: normalisation, softmax and losses, dropout, updates, random draws."""

from __future__ import annotations

import math

import numpy


class Learning:
    # ---- batch normalisation of x[N, C, ...]
    def _channel(self, a, ndim):
        return a.reshape((1, -1) + (1,) * (ndim - 2))

    def batch_norm_stats(self, x):
        """(mean[C], biased variance[C]); nan when the batch is empty."""
        axes = (0, *range(2, x.ndim))
        items = x.dtype.type(x.size // max(x.shape[1], 1))
        with self.xp.errstate(invalid="ignore"):
            mean = x.sum(axes) / items
            centred = x - self._channel(mean, x.ndim)
            return mean, (centred * centred).sum(axes) / items

    def invstd(self, var, eps):
        return self.xp.asarray(1 / self.xp.sqrt(var + var.dtype.type(eps)))

    def batch_norm(self, x, mean, invstd, w, b):
        """(x - mean) * invstd * w + b; w and b may be None."""
        y = (x - self._channel(mean, x.ndim)) * self._channel(invstd, x.ndim)
        y = y if w is None else y * self._channel(w, x.ndim)
        return y if b is None else y + self._channel(b, x.ndim)

    def batch_norm_dx(self, g, x, mean, invstd, w):
        """(dx, dw, db) where mean and variance are those of x itself."""
        dx, dw, db = self.batch_norm_eval_dx(g, x, mean, invstd, w)
        items = x.dtype.type(max(x.size // max(x.shape[1], 1), 1))
        normed = (x - self._channel(mean, x.ndim)) * self._channel(invstd, x.ndim)
        scale = invstd if w is None else invstd * w
        shift = self._channel(db / items, x.ndim) + normed * self._channel(dw / items, x.ndim)
        return dx - shift * self._channel(scale, x.ndim), dw, db

    def batch_norm_eval_dx(self, g, x, mean, invstd, w):
        """(dx, dw, db) where mean and variance are constants."""
        axes = (0, *range(2, x.ndim))
        normed = (x - self._channel(mean, x.ndim)) * self._channel(invstd, x.ndim)
        scale = invstd if w is None else invstd * w
        return g * self._channel(scale, x.ndim), (g * normed).sum(axes), g.sum(axes)

    def lerp_into(self, a, b, weight):
        """a += weight * (b - a), in place."""
        a += a.dtype.type(weight) * (b - a)

    # ---- softmax and losses
    def softmax(self, x, axis):
        e = self.xp.exp(x - x.max(axis, keepdims=True)) if x.size else x.copy()
        return self.xp.asarray(e / e.sum(axis, keepdims=True) if x.size else e)

    def log_softmax(self, x, axis):
        if not x.size:
            return x.copy()
        shifted = x - x.max(axis, keepdims=True)
        return self.xp.asarray(shifted - self.xp.log(self.xp.exp(shifted).sum(axis, keepdims=True)))

    def softmax_dx(self, g, y, axis):
        return self.xp.asarray(y * (g - (g * y).sum(axis, keepdims=True)))

    def log_softmax_dx(self, g, y, axis):
        return self.xp.asarray(g - self.xp.exp(y) * g.sum(axis, keepdims=True))

    def checked_labels(self, name, labels, classes):
        """int64 labels; IndexError names the first one outside 0..classes-1 and its position."""
        bad = self.xp.flatnonzero((labels < 0) | (labels >= classes))
        if len(bad):
            i = int(bad[0])
            raise IndexError(
                f"{name}: label {int(labels.reshape(-1)[i])} at position {i} is out of range for {classes} classes "
                f"(expected 0 to {classes - 1})"
            )
        return labels.astype("int64", copy=False)

    def cross_entropy(self, x, labels):
        """(losses[M], softmax[M, N]) of scores x[M, N]."""
        labels = self.checked_labels("cross_entropy", labels, x.shape[1])
        logs = self.log_softmax(x, 1)
        return -self.take_along(logs, labels[:, None], 1)[:, 0], self.xp.exp(logs)

    def cross_entropy_dx(self, g, probabilities, labels):
        dx = probabilities * g[:, None]
        dx[self.xp.arange(len(labels)), labels] -= g
        return dx

    # ---- updates, in place
    def sgd(self, params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            g = -g if maximize else g
            g = g + weight_decay * p if weight_decay else g
            if momentum:
                buffer = buffers[i]
                buffer[...] = g if first else momentum * buffer + (1 - dampening) * g
                g = g + momentum * buffer if nesterov else buffer
            p -= lr * g

    def adam(self, params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
        correction1, correction2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
        for p, g, mean, square in zip(params, grads, m, v, strict=True):
            g = -g if maximize else g
            if decoupled:
                p *= 1 - lr * weight_decay
            elif weight_decay:
                g = g + weight_decay * p
            mean[...] = mean + (1 - beta1) * (g - mean)
            square[...] = beta2 * square + (1 - beta2) * g * g
            p -= (lr / correction1) * (mean / (self.xp.sqrt(square) / correction2 + eps))

    # ---- random draws; `key` is (seed, number of the draw)
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

    # ---- images
    def normalize(self, images, indices, mean, std):
        """uint8 [N, H, W] or [N, C, H, W], of which `indices`, as float32 [B, C, H, W]: (v / 255 - mean) / std."""
        if images.ndim == 3:
            images = images[:, None]
        if indices is not None:
            bad = self.xp.flatnonzero((indices < 0) | (indices >= len(images)))
            if len(bad):
                i = int(bad[0])
                raise IndexError(
                    f"normalize: index {int(indices[i])} at position {i} is out of range for {len(images)} images"
                )
            images = images[indices]
        scale = self.xp.asarray([1 / (255 * s) for s in std], "float32").reshape(-1, 1, 1)
        shift = self.xp.asarray([-m / s for m, s in zip(mean, std, strict=True)], "float32").reshape(-1, 1, 1)
        return images * scale + shift
