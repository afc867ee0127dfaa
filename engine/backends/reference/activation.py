"""Activations and their derivatives. At a kink the derivative is PyTorch's choice of the two."""

from __future__ import annotations

import math

from engine.backends.reference.pointwise import quiet

_GELU, _CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715  # of the approximation of GELU by tanh


class Activation:
    @quiet
    def relu(self, a, out=None):
        if a.dtype.kind == "b":
            raise RuntimeError("relu: bool inputs are not supported; use x.float()")
        return self.xp.maximum(a, a.dtype.type(0), out=out)

    @quiet
    def relu_dx(self, g, y):
        """g where y > 0, or nan, as PyTorch's threshold_backward."""
        return self.xp.where(y <= 0, g.dtype.type(0), g)

    @quiet
    def leaky_relu(self, a, slope):
        return self.xp.where(a > 0, a, a * slope)

    @quiet
    def leaky_relu_dx(self, g, a, slope):
        """g where a > 0, else g times the slope, a number or an array."""
        return self.xp.where(a > 0, g, g * slope)

    @quiet
    def prelu_dw(self, g, a):
        return self.xp.where(a > 0, g.dtype.type(0), g * a)

    @quiet
    def threshold(self, a, limit, value):
        return self.xp.where(a <= limit, a.dtype.type(value), a)

    @quiet
    def threshold_dx(self, g, a, limit):
        return self.xp.where(a <= limit, g.dtype.type(0), g)

    @quiet
    def hardtanh_dx(self, g, a, low, high):
        """g strictly within the limits."""
        return self.xp.where((a <= low) | (a >= high), g.dtype.type(0), g)

    @quiet
    def hardshrink(self, a, limit):
        return self.xp.where((a >= -limit) & (a <= limit), a.dtype.type(0), a)

    @quiet
    def hardshrink_dx(self, g, a, limit):
        return self.xp.where((a >= -limit) & (a <= limit), g.dtype.type(0), g)

    @quiet
    def softshrink(self, a, limit):
        return self.xp.where(a > limit, a - limit, self.xp.where(a < -limit, a + limit, a * 0))

    @quiet
    def hardsigmoid(self, a):
        return self.xp.clip(a + 3, 0, 6) / 6

    @quiet
    def hardsigmoid_dx(self, g, a):
        return self.xp.where((a > -3) & (a < 3), g / 6, g.dtype.type(0))

    @quiet
    def hardswish(self, a):
        return a * self.xp.clip(a + 3, 0, 6) / 6

    @quiet
    def hardswish_dx(self, g, a):
        return self.xp.where(a <= -3, g.dtype.type(0), self.xp.where(a < 3, g * (a / 3 + 0.5), g))

    # ---- of exponentials
    @quiet
    def elu(self, a, alpha, scale, rate):
        """scale * a above 0, scale * alpha * (exp(rate * a) - 1) below."""
        return self.xp.where(a > 0, a * scale, self.xp.expm1(a * rate) * (alpha * scale))

    @quiet
    def elu_dx(self, g, a, alpha, scale, rate):
        return self.xp.where(a <= 0, g * (self.xp.exp(a * rate) * (rate * alpha * scale)), g * scale)

    @quiet
    def softplus(self, a, beta, threshold):
        """log(1 + exp(beta * a)) / beta; a itself where beta * a is beyond the threshold."""
        scaled = a * beta
        return self.xp.where(scaled > threshold, a, self.xp.log1p(self.xp.exp(scaled)) / beta)

    @quiet
    def softplus_dx(self, g, a, beta, threshold):
        scaled = a * beta
        return self.xp.where(scaled > threshold, g, g * self.sigmoid(scaled))

    @quiet
    def logsigmoid(self, a):
        return self.xp.minimum(a, 0) - self.xp.log1p(self.xp.exp(-self.xp.abs(a)))

    @quiet
    def mish(self, a):
        return a * self._tanh_softplus(a)[0]

    @quiet
    def mish_dx(self, g, a):
        """With t = tanh(softplus(a)): t + a * (1 - t * t) * sigmoid(a)."""
        t, slope, a = self._tanh_softplus(a)
        return g * (t + a * slope)

    def _tanh_softplus(self, a):
        """tanh(softplus(a)) and its derivative without cancellation, and a as far as the derivative is not 0.

        With e = exp(a) and n = e * (e + 2) they are n / (n + 2) and 4 * e * (e + 1) / (n + 2)^2.
        """
        a = self.xp.minimum(a, a.dtype.type(20))
        e = self.xp.exp(a)
        n = e * (e + 2)
        return n / (n + 2), 4 * e * (e + 1) / (n + 2) ** 2, a

    @quiet
    def gelu(self, a):
        """a times the normal distribution function of a; erfc keeps the digits of its lower tail."""
        return a * self._special.erfc(a * -math.sqrt(0.5)) * 0.5

    @quiet
    def gelu_dx(self, g, a):
        below = self._special.erfc(a * -math.sqrt(0.5)) * 0.5
        return g * (below + a * self.xp.exp(a * a * -0.5) / math.sqrt(2 * math.pi))

    @quiet
    def gelu_tanh(self, a):
        """gelu by a * (1 + tanh(u)) / 2, which is a * sigmoid(2 * u), with u = sqrt(2 / pi) * (a + 0.044715 * a**3)."""
        return a * self.sigmoid(_GELU * (a + _CUBIC * a**3))

    @quiet
    def gelu_tanh_dx(self, g, a):
        y = self.sigmoid(_GELU * (a + _CUBIC * a**3))
        near = self.xp.clip(a, -100, 100)  # beyond, y * (1 - y) is 0, and a * a might be inf
        return g * (y + near * y * (1 - y) * (_GELU * (1 + 3 * _CUBIC * near * near)))

    # ---- of a whole axis
    @quiet
    def glu(self, a, axis):
        """The first half along `axis` times the sigmoid of the second."""
        first, second = self.xp.split(a, 2, axis)
        return first * self.sigmoid(second)

    @quiet
    def glu_dx(self, g, a, axis):
        first, second = self.xp.split(a, 2, axis)
        gate = self.sigmoid(second)
        return self.xp.concatenate((g * gate, self.sigmoid_dx(g * first, gate)), axis)
