"""Making, copying, indexing, reducing and multiplying arrays."""

from __future__ import annotations

import math
import sys
from functools import cached_property

from threadpoolctl import ThreadpoolController


class Arrays:
    # ---- making and copying
    def full(self, shape, value, dtype):
        return self.xp.full(shape, value, dtype)

    def copy(self, a):
        return a.copy(order="C")

    def cast(self, a, dtype):
        return a.astype(dtype, copy=False)

    def assign(self, a, index, value):
        """a[index] = value, in place."""
        a[index] = value

    def to_numpy(self, a):
        return a

    def from_numpy(self, a):
        return a

    def shares_memory(self, a, b):
        return bool(self.xp.may_share_memory(a, b))

    def owns(self, a):
        """Whether `a` is a contiguous array whose memory no other array can reach (the caller vouches for `a` itself)."""
        if not a.flags.c_contiguous or not a.flags.writeable:
            return False
        if a.flags.owndata:
            return True
        # A view: its base object must be held by this view alone (and by getrefcount's argument).
        return sys.getrefcount(a.base) <= 2 and getattr(a.base, "base", None) is None

    def broadcast(self, a, shape):
        return self.xp.broadcast_to(a, shape)

    def cat(self, arrays, axis):
        return self.xp.concatenate(arrays, axis)

    def pad(self, a, widths, value):
        """Constant padding by (before, after) per axis; negative widths crop."""
        a = a[tuple(slice(max(-p, 0), n - max(-q, 0)) for n, (p, q) in zip(a.shape, widths, strict=True))]
        return self.xp.pad(a, [(max(p, 0), max(q, 0)) for p, q in widths], constant_values=value)

    # ---- indexing
    def getitem(self, a, index):
        y = a[index]
        if not isinstance(y, self.xp.ndarray):  # NumPy gives one element as a number; with `...` it is a view
            y = a[(*(index if isinstance(index, tuple) else (index,)), ...)]
        return y

    def getitem_dx(self, g, index, shape):
        dx = self.xp.zeros(shape, g.dtype)
        self.xp.add.at(dx, index, g)
        return dx

    def take_along(self, a, indices, axis):
        return self.xp.take_along_axis(a, indices, axis)

    def put_along(self, values, indices, axis, shape):
        """Zeros of `shape` with `values` at `indices` along `axis`."""
        out = self.xp.zeros(shape, values.dtype)
        self.xp.put_along_axis(out, indices, values, axis)
        return out

    # ---- reductions over the tuple `axes`
    def sum(self, a, axes, keepdims):
        dtype = a.dtype if a.dtype.kind == "f" else "int64"
        return self.xp.asarray(a.sum(axes, dtype=dtype, keepdims=keepdims))

    def sum_to(self, g, shape):
        """g summed over the axes along which an array of `shape` was broadcast."""
        if g.shape == shape:
            return g
        new = g.ndim - len(shape)
        axes = tuple(range(new)) + tuple(i + new for i, n in enumerate(shape) if n == 1 and g.shape[i + new] != 1)
        return self.xp.asarray(g.sum(axes)).reshape(shape)

    def mean(self, a, axes, keepdims):
        items = 1
        for axis in axes:
            items *= a.shape[axis]
        total = self.sum(a, axes, keepdims)
        with self.xp.errstate(divide="ignore", invalid="ignore"):
            return self.xp.asarray(total / total.dtype.type(items))

    def max(self, a, axes, keepdims):
        return self.xp.asarray(a.max(axes, keepdims=keepdims))

    def min(self, a, axes, keepdims):
        return self.xp.asarray(a.min(axes, keepdims=keepdims))

    def argmax(self, a, axis, keepdims):
        return self.xp.asarray(a.argmax(axis, keepdims=keepdims), dtype="int64")

    def argmin(self, a, axis, keepdims):
        return self.xp.asarray(a.argmin(axis, keepdims=keepdims), dtype="int64")

    def logsumexp(self, a, axes, keepdims):
        top = a.max(axes, keepdims=True)
        top = self.xp.where(self.xp.isfinite(top), top, a.dtype.type(0))
        with self.xp.errstate(divide="ignore"):
            y = self.xp.log(self.xp.exp(a - top).sum(axes, keepdims=True)) + top
        return self.xp.asarray(y if keepdims else y.squeeze(axes))

    # ---- products
    @cached_property
    def _blas(self):
        return ThreadpoolController()

    def matmul(self, a, b):
        """a[..., M, K] @ b[..., K, N] with leading axes broadcast."""
        with self._blas.limit(limits=1, user_api="blas"):  # its bits change with the number of threads
            return self.xp.matmul(a, b)

    def linear(self, x, w, b):
        """x[..., K] @ w[O, K].T + b[O]; b may be None."""
        y = self.matmul(x.reshape(math.prod(x.shape[:-1]), w.shape[1]), w.T)
        y = y if b is None else y + b
        return y.reshape(x.shape[:-1] + w.shape[:1])

    def column_sum(self, g):
        """g[M, N] summed over M."""
        return g.sum(0)
