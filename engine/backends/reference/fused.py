"""Layers in a row as one kernel, by the kernels of each: what a backend overrides where one pass can do the work.

Pooling is of 2x2 windows with stride 2; rows and columns left over are dropped. `taps` (uint8) says where each largest
value was: 2*i + j, the first of equals, or NOWHERE where nothing is above 0, which ends the gradient.
"""

from __future__ import annotations

from engine.geometry import Pool2dGeometry

NOWHERE = 4


def halving(shape):
    """The windows of 2x2 side by side on images of a shape."""
    return Pool2dGeometry.of(shape, 2, None, 0, 1, False, axes=2)


class Fused:
    def linear_relu(self, x, w, b):
        """relu(linear)."""
        y = self.linear(x, w, b)
        return self.relu(y, y)

    def conv2d_relu(self, x, w, b, geom):
        """relu(conv2d)."""
        y = self.conv2d(x, w, b, geom)
        return self.relu(y, y)

    def conv2d_relu_pool(self, x, w, b, geom):
        """(max_pool2d(relu(conv2d)), taps)."""
        return self.relu_max_pool2d(self.conv2d(x, w, b, geom))

    def add_relu(self, a, b, out=None):
        """relu(a + b)."""
        y = self.add(a, b, out)
        return self.relu(y, y)

    def conv2d_inference(self, x, w, b, geom, relu, pool, residual, kept):
        """max_pool2d(relu(conv2d + residual)), where `relu`, and then `pool`, say so; a residual (or None) is followed by ReLU
        alone. What is made of w alone may be kept in the dict `kept` for the next call with the same w."""
        if residual is not None:
            y = self.conv2d(x, w, b, geom)
            return self.add_relu(y, residual, y)
        if pool:
            return self.conv2d_relu_pool(x, w, b, geom)[0]
        return self.conv2d_relu(x, w, b, geom) if relu else self.conv2d(x, w, b, geom)

    def relu_max_pool2d(self, x):
        """(max_pool2d(relu(x)), taps)."""
        y, taps = self.max_pool2d(self.relu(x), halving(x.shape))
        return y, self.xp.where(y <= 0, self.xp.uint8(NOWHERE), taps)

    def relu_max_pool2d_dx(self, g, taps, x_shape):
        """Each gradient at its tap of an image of `x_shape`."""
        ended = taps == NOWHERE
        g = self.xp.where(ended, g.dtype.type(0), g)
        return self.max_pool2d_dx(g, self.xp.where(ended, self.xp.uint8(0), taps), halving(x_shape))

    def batch_norm_relu(self, x, mean, invstd, w, b):
        """relu(batch_norm)."""
        y = self.batch_norm(x, mean, invstd, w, b)
        return self.relu(y, y)

    def batch_norm_relu_dx(self, g, x, mean, invstd, w, b, spare=False):
        """(dx, dw, db) where mean and variance are those of x itself; `spare`: g's memory may hold a result."""
        g = self.relu_dx(g, self.batch_norm(x, mean, invstd, w, b))
        return self.batch_norm_dx(g, x, mean, invstd, w)

    def batch_norm_add_relu(self, x, mean, invstd, w, b, residual):
        """relu(batch_norm + residual)."""
        y = self.add(self.batch_norm(x, mean, invstd, w, b), residual)
        return self.relu(y, y)

    def batch_norm_add_relu_dx(self, g, y, x, mean, invstd, w, spare=False):
        """(dx, dw, db, dresidual) of the output y, where mean and variance are those of x itself; `spare`: g's memory
        may hold a result."""
        g = self.relu_dx(g, y)
        return *self.batch_norm_dx(g, x, mean, invstd, w), g

    def batch_norm_relu_pool(self, x, mean, invstd, w, b):
        """(max_pool2d(relu(batch_norm)), taps)."""
        return self.relu_max_pool2d(self.batch_norm(x, mean, invstd, w, b))

    def batch_norm_relu_pool_dx(self, g, taps, x, mean, invstd, w):
        """(dx, dw, db) where mean and variance are those of x itself."""
        return self.batch_norm_dx(self.relu_max_pool2d_dx(g, taps, x.shape), x, mean, invstd, w)
