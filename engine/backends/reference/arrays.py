"""Making, copying, rearranging and multiplying arrays."""

from __future__ import annotations

import math
import sys
from functools import cached_property

from numpy import errstate

from engine.extras import needed


class Arrays:
    # ---- making and copying
    def full(self, shape, value, dtype):
        return self.xp.full(shape, value, dtype)

    def copy(self, a):
        return a.copy(order="C")

    def cast(self, a, dtype):
        if a.dtype == dtype:
            return a
        with errstate(all="ignore"):  # too large for float32, nan as an integer: as in PyTorch
            return a.astype(dtype, copy=False)

    def to_numpy(self, a):
        return a

    def from_numpy(self, a):
        return a

    def shares_memory(self, a, b):
        return a.base is b or bool(self.xp.may_share_memory(a, b))

    def owns(self, a):
        """Whether `a` is a contiguous array whose memory no other array can reach (the caller vouches for `a` itself)."""
        if not a.flags.c_contiguous or not a.flags.writeable:
            return False
        if a.flags.owndata:
            return True
        # A view: its base object must be held by this view alone (and by getrefcount's argument).
        return sys.getrefcount(a.base) <= 2 and getattr(a.base, "base", None) is None

    def broadcast(self, a, shape):
        """A view; of zero strides, and read-only, where elements repeat."""
        return a.reshape(shape) if a.size == math.prod(shape) else self.xp.broadcast_to(a, shape)

    def cat(self, arrays, axis):
        return self.xp.concatenate(arrays, axis)

    # ---- rearranging
    def roll(self, a, shifts, axes):
        return self.xp.roll(a, shifts, axes)

    def tril(self, a, diagonal):
        return self.xp.tril(a, diagonal)

    def triu(self, a, diagonal):
        return self.xp.triu(a, diagonal)

    def diagonal(self, a, offset, axis1, axis2):
        """A view, the diagonal as its last axis."""
        offset = min(max(offset, -a.shape[axis1]), a.shape[axis2])  # from further away NumPy reads outside of the array
        view = self.xp.diagonal(a, offset, axis1, axis2)
        view.flags.writeable = a.flags.writeable
        return view

    def windows(self, a, axis, size):
        """A view of the `size` elements from each one on, as a new last axis."""
        return self.xp.lib.stride_tricks.sliding_window_view(a, size, axis)

    # ---- products
    @cached_property
    def _blas(self):
        return needed("threadpoolctl", "a product of matrices on the reference").ThreadpoolController()

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
