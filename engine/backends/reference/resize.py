"""Resizing along one axis after the other: nearest and linear interpolation.

The inputs that the outputs of an axis read never decrease, so the outputs that read one input are neighbours, and its
gradient is a sum over an interval, in a fixed order.
"""

from __future__ import annotations

from numpy import errstate


class Resize:
    def _take_dx(self, g, indices, n, axis):
        """The gradient of a.take(indices, axis), n long there; `indices` never decrease."""
        inputs = self.xp.arange(n)
        starts, ends = self.xp.searchsorted(indices, inputs, "left"), self.xp.searchsorted(indices, inputs, "right")
        return self.interval_sums(g, starts, ends, axis)

    def _output_points(self, n, out, step, dtype):
        """Where the centres of the outputs of an axis lie among the centres of its inputs, computed as PyTorch does: the
        step in `dtype`, product and difference rounded once."""
        step = self.xp.float64(dtype.type(n / out if step is None else step))
        return ((self.xp.arange(out) + 0.5) * step - 0.5).astype(dtype)

    def _nearest_inputs(self, n, out, step, centred, dtype):
        """For each output the index of the input it equals. What is rounded decides at borders: it is what PyTorch rounds."""
        if centred:
            points = self._output_points(n, out, step, dtype) + dtype.type(0.5)
        else:
            points = self.xp.arange(out).astype(dtype) * dtype.type(n / out if step is None else step)
        return self.xp.minimum(self.xp.floor(points.astype("float32")).astype("int64"), n - 1)

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

    def _linear_inputs(self, n, out, step, align_corners, like, axis):
        """For each output along `axis` its two inputs, and the shares of each, in the shape that multiplies `like`."""
        dtype = like.dtype
        if align_corners:
            points = self.xp.arange(out).astype(dtype) * dtype.type((n - 1) / (out - 1) if out > 1 else 0)
        else:
            points = self.xp.maximum(self._output_points(n, out, step, dtype), dtype.type(0))
        lower = self.xp.minimum(points.astype("int64"), n - 1)
        far = self.xp.clip(points - lower.astype(dtype), 0, 1).reshape((-1,) + (1,) * (like.ndim - axis - 1))
        return (lower, dtype.type(1) - far), (self.xp.minimum(lower + 1, n - 1), far)

    def resize_linear(self, x, sizes, steps, align_corners):
        """x[N, C, ...] with each output between its neighbours along each axis."""
        for axis, (out, step) in reversed(list(enumerate(zip(sizes, steps, strict=True), 2))):
            (lower, near), (upper, far) = self._linear_inputs(x.shape[axis], out, step, align_corners, x, axis)
            with errstate(all="ignore"):
                x = x.take(lower, axis) * near + x.take(upper, axis) * far
        return x

    def resize_linear_dx(self, g, in_sizes, steps, align_corners):
        for axis, (n, step) in enumerate(zip(in_sizes, steps, strict=True), 2):
            inputs = self._linear_inputs(n, g.shape[axis], step, align_corners, g, axis)
            with errstate(all="ignore"):
                lower, upper = (self._take_dx(g * share, indices, n, axis) for indices, share in inputs)
                g = lower + upper
        return g
