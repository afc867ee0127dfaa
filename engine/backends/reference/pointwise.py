"""Element by element. Signals of the arithmetic (overflow, 0/0) give inf and nan silently, as in PyTorch."""

from __future__ import annotations


def _unary(name):
    """The kernel that is NumPy's function of that name, of one array."""

    def kernel(self, a, out=None):
        with self.xp.errstate(all="ignore"):
            return self.xp.asarray(getattr(self.xp, name)(a, out=out))

    kernel.__name__ = name
    return kernel


def _binary(name):
    """The kernel that is NumPy's function of that name, of two arrays."""

    def kernel(self, a, b, out=None):
        with self.xp.errstate(all="ignore"):
            return self.xp.asarray(getattr(self.xp, name)(a, b, out=out))

    kernel.__name__ = name
    return kernel


class Pointwise:
    add = _binary("add")
    sub = _binary("subtract")
    mul = _binary("multiply")
    div = _binary("true_divide")
    neg = _unary("negative")
    exp = _unary("exp")
    log = _unary("log")
    sqrt = _unary("sqrt")
    abs = _unary("absolute")
    sign = _unary("sign")
    tanh = _unary("tanh")
    maximum = _binary("maximum")
    minimum = _binary("minimum")
    eq = _binary("equal")
    ne = _binary("not_equal")
    lt = _binary("less")
    le = _binary("less_equal")
    gt = _binary("greater")
    ge = _binary("greater_equal")

    def pow(self, a, b):
        if a.dtype.kind in "iu" and b.dtype.kind in "iu" and (b < 0).any():
            raise RuntimeError("Integers to negative integer powers are not allowed; use x.float()")
        with self.xp.errstate(all="ignore"):
            if b.ndim == 0 and b == 2:
                return self.xp.asarray(a * a)
            return self.xp.asarray(self.xp.power(a, b))

    def pow_da(self, a, b):
        """b * a ** (b - 1), 0 where b is 0."""
        with self.xp.errstate(all="ignore"):
            return self.xp.where(b == 0, a.dtype.type(0), b * self.pow(a, self.xp.asarray(b - b.dtype.type(1))))

    def pow_db(self, a, y):
        """y * log(a), 0 where a is 0."""
        with self.xp.errstate(all="ignore"):
            return self.xp.where(a == 0, a.dtype.type(0), y * self.xp.log(a))

    def share(self, wins, ties, dtype):
        """1 where an operand wins, 1/2 where it ties."""
        return wins.astype(dtype) + ties.astype(dtype) * dtype.type(0.5)

    def sqrt_dx(self, g, y):
        with self.xp.errstate(all="ignore"):
            return self.xp.asarray(g / (y + y))

    def where(self, condition, a, b):
        return self.xp.where(condition, a, b)

    def clamp(self, a, low, high):
        low = None if low is None else a.dtype.type(low)
        high = None if high is None else a.dtype.type(high)
        return self.xp.asarray(self.xp.clip(a, low, high))

    def clamp_dx(self, g, a, low, high):
        inside = self.xp.ones(a.shape, bool)
        if low is not None:
            inside &= a >= low
        if high is not None:
            inside &= a <= high
        return self.xp.asarray(g * inside)

    def relu(self, a, out=None):
        return self.xp.asarray(self.xp.maximum(a, a.dtype.type(0), out=out))

    def relu_dx(self, g, y):
        """g where y > 0, or nan, as PyTorch's threshold_backward."""
        return self.xp.where(y <= 0, g.dtype.type(0), g)

    def sigmoid(self, a, out=None):
        with self.xp.errstate(all="ignore"):
            return self.xp.asarray(self.xp.true_divide(1, 1 + self.xp.exp(-a), out=out, dtype=a.dtype))

    def sigmoid_dx(self, g, y):
        return self.xp.asarray(g * y * (1 - y))

    def tanh_dx(self, g, y):
        return self.xp.asarray(g * (1 - y * y))
