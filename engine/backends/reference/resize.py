"""Resizing along one axis after the other: nearest and linear interpolation, means of intervals.

Output i of an axis lies at step * i (or, by its centre, at step * (i + 0.5)) of the input. Its indices never decrease, so
the outputs that read one input are neighbours, and a gradient is a sum over an interval, in a fixed order.
"""

from __future__ import annotations


class Resize:
    def interval_sums(self, a, starts, ends, axis):
        """Along `axis`, the sum of a[starts[i]:ends[i]] for each i; neither starts nor ends decrease."""
        zero = self.xp.zeros((*a.shape[:axis], 1, *a.shape[axis + 1 :]), a.dtype)
        bounds = self.xp.stack([starts, ends], 1).ravel()
        if not bounds.size:
            return zero[(slice(None),) * axis + (slice(0, 0),)]
        with self.xp.errstate(all="ignore"):
            sums = self.xp.add.reduceat(self.xp.concatenate([a, zero], axis), bounds, axis)
        # Every second one; those between are sums from an end to the next start.
        sums = self.copy(sums[(slice(None),) * axis + (slice(None, None, 2),)])
        sums[(slice(None),) * axis + (starts >= ends,)] = 0
        return sums

    def _take_dx(self, g, indices, n, axis):
        """The gradient of a.take(indices, axis), n long there; `indices` never decrease."""
        inputs = self.xp.arange(n)
        starts, ends = self.xp.searchsorted(indices, inputs, "left"), self.xp.searchsorted(indices, inputs, "right")
        return self.interval_sums(g, starts, ends, axis)

    def _output_points(self, n, out, step, centred, dtype):
        """Where the outputs of an axis lie in the input."""
        step = dtype.type(n / out if step is None else step)
        points = self.xp.arange(out).astype(dtype)
        return (points + dtype.type(0.5)) * step if centred else points * step

    def _nearest_inputs(self, n, out, step, centred, dtype):
        """For each output the index of the input it equals. Computed in float32, as PyTorch does, for the same choice."""
        points = self._output_points(n, out, step, centred, dtype).astype("float32")
        return self.xp.minimum(self.xp.floor(points).astype("int64"), n - 1)

    def resize_nearest(self, x, sizes, steps, centred):
        """x[N, C, ...] with each output the nearest input. A step of None: the ratio of the sizes."""
        dtype = x.dtype if x.dtype.kind == "f" else self.xp.dtype("float32")
        for axis, (out, step) in enumerate(zip(sizes, steps, strict=True), 2):
            x = x.take(self._nearest_inputs(x.shape[axis], out, step, centred, dtype), axis)
        return x

    def resize_nearest_dx(self, g, in_sizes, steps, centred):
        for axis, (n, step) in enumerate(zip(in_sizes, steps, strict=True), 2):
            g = self._take_dx(g, self._nearest_inputs(n, g.shape[axis], step, centred, g.dtype), n, axis)
        return g

    def _linear_inputs(self, n, out, step, align_corners, dtype):
        """For each output its two inputs and their shares: (lower, its share, upper, its share)."""
        if align_corners:
            points = self._output_points(n, out, (n - 1) / (out - 1) if out > 1 else 0.0, False, dtype)
        else:
            points = self.xp.maximum(self._output_points(n, out, step, True, dtype) - dtype.type(0.5), dtype.type(0))
        lower = self.xp.minimum(points.astype("int64"), n - 1)
        share = self.xp.clip(points - lower.astype(dtype), dtype.type(0), dtype.type(1))
        return lower, dtype.type(1) - share, self.xp.minimum(lower + 1, n - 1), share

    def resize_linear(self, x, sizes, steps, align_corners):
        """x[N, C, ...] with each output between its neighbours along each axis."""
        for axis, (out, step) in reversed(list(enumerate(zip(sizes, steps, strict=True), 2))):
            lower, near, upper, far = self._linear_inputs(x.shape[axis], out, step, align_corners, x.dtype)
            along = (-1,) + (1,) * (x.ndim - axis - 1)
            x = x.take(lower, axis) * near.reshape(along) + x.take(upper, axis) * far.reshape(along)
        return x

    def resize_linear_dx(self, g, in_sizes, steps, align_corners):
        for axis, (n, step) in enumerate(zip(in_sizes, steps, strict=True), 2):
            lower, near, upper, far = self._linear_inputs(n, g.shape[axis], step, align_corners, g.dtype)
            along = (-1,) + (1,) * (g.ndim - axis - 1)
            g = self._take_dx(g * near.reshape(along), lower, n, axis) + self._take_dx(
                g * far.reshape(along), upper, n, axis
            )
        return g
