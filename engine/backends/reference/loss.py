"""Softmax along an axis and the losses over it."""

from __future__ import annotations

from engine.backends.reference.pointwise import quiet


class Losses:
    @quiet
    def softmax(self, x, axis):
        e = self.xp.exp(x - x.max(axis, keepdims=True)) if x.size else x.copy()
        return e / e.sum(axis, keepdims=True) if x.size else e

    @quiet
    def log_softmax(self, x, axis):
        if not x.size:
            return x.copy()
        shifted = x - x.max(axis, keepdims=True)
        return shifted - self.xp.log(self.xp.exp(shifted).sum(axis, keepdims=True))

    @quiet
    def softmax_dx(self, g, y, axis):
        return y * (g - (g * y).sum(axis, keepdims=True))

    @quiet
    def log_softmax_dx(self, g, y, axis):
        return g - self.xp.exp(y) * g.sum(axis, keepdims=True)

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

    def cross_entropy_total(self, x, labels, mean):
        """(the mean of cross_entropy's losses, or their sum; softmax[M, N])."""
        losses, probabilities = self.cross_entropy(x, labels)
        return (self.mean if mean else self.sum)(losses, (0,), False), probabilities

    def cross_entropy_total_dx(self, g, probabilities, labels, mean):
        rows = max(len(labels), 1) if mean else 1
        return self.cross_entropy_dx(self.broadcast(g / g.dtype.type(rows), labels.shape), probabilities, labels)

    def cross_entropy_dx(self, g, probabilities, labels):
        dx = probabilities * g[:, None]
        dx[self.xp.arange(len(labels)), labels] -= g
        return dx
