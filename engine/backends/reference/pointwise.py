"""Two operands, element by element. Signals of the arithmetic (overflow, 0/0) give inf and nan silently, as in PyTorch."""

from __future__ import annotations

from functools import wraps

from numpy import errstate


def quiet(f):
    """A kernel without NumPy's warnings, whose result is an array also where NumPy makes a number of it."""

    @wraps(f)
    def kernel(self, *args, **kwargs):
        with errstate(all="ignore"):
            return self.xp.asarray(f(self, *args, **kwargs))

    return kernel


def numpys(name):
    """The kernel that is NumPy's function of that name, of two arrays."""

    def kernel(self, a, b, out=None):
        with errstate(all="ignore"):
            return self.xp.asarray(getattr(self.xp, name)(a, b, out=out))

    kernel.__name__ = name
    return kernel


def unavailable(name, dtype, instead):
    """NotImplementedError, PyTorch's own for an operation that a dtype does not have."""
    return NotImplementedError(f"{name}: not implemented for {dtype}; {instead}")


def _bits(name):
    """The kernel that is NumPy's function of that name, of two arrays of integers or bool."""
    kernel = numpys(name)

    @wraps(kernel)
    def checked(self, a, b):
        if a.dtype.kind == "f":
            raise unavailable(name, a.dtype, "bits are those of integer and bool tensors")
        return kernel(self, a, b)

    return checked


def _check_divisor(name, a, b):
    """What the division of integers refuses: bool, and a divisor of 0."""
    if b.dtype.kind == "b":
        raise unavailable(name, b.dtype, "use x.int() or x.float()")
    if b.dtype.kind != "f" and a.size and not b.all():
        raise RuntimeError(f"{name}: ZeroDivisionError, an integer was divided by 0; use x.float() for inf and nan")


class Pointwise:
    add = numpys("add")
    mul = numpys("multiply")
    div = numpys("true_divide")
    maximum = numpys("maximum")
    minimum = numpys("minimum")
    fmax = numpys("fmax")
    fmin = numpys("fmin")
    atan2 = numpys("arctan2")
    eq = numpys("equal")
    ne = numpys("not_equal")
    lt = numpys("less")
    le = numpys("less_equal")
    gt = numpys("greater")
    ge = numpys("greater_equal")
    logical_and = numpys("logical_and")
    logical_or = numpys("logical_or")
    logical_xor = numpys("logical_xor")
    bitwise_and = _bits("bitwise_and")
    bitwise_or = _bits("bitwise_or")
    bitwise_xor = _bits("bitwise_xor")

    @quiet
    def sub(self, a, b, out=None):
        return self.xp.subtract(a, b, out=out)

    # ---- division and powers
    @quiet
    def floor_divide(self, a, b):
        _check_divisor("floor_divide", a, b)
        return self.xp.floor_divide(a, b)

    @quiet
    def div_trunc(self, a, b):
        """The quotient without its fraction."""
        _check_divisor("div", a, b)
        if a.dtype.kind == "f":
            return self.xp.trunc(a / b)
        quotient = self.xp.floor_divide(a, b)
        return quotient + ((quotient < 0) & (quotient * b != a))

    @quiet
    def remainder(self, a, b):
        """What is left of a, with the sign of b."""
        _check_divisor("remainder", a, b)
        return self.xp.remainder(a, b)

    @quiet
    def fmod(self, a, b):
        """What is left of a, with the sign of a."""
        _check_divisor("fmod", a, b)
        return self.xp.fmod(a, b)

    @quiet
    def pow(self, a, b):
        if b.dtype.kind == "b":
            raise unavailable("pow", b.dtype, "use x.int() or x.float()")
        if not b.ndim and b == 2:
            return self.mul(a, a)
        if b.dtype.kind not in "iu" or not (b < 0).any():
            return self.xp.power(a, b)
        # As in PyTorch: only 1 and -1 have an integer for an inverse.
        inverse = self.xp.where(self.xp.abs(a) == 1, self.xp.power(a, b & 1), a.dtype.type(0))
        return self.xp.where(b < 0, inverse, self.xp.power(a, self.xp.maximum(b, b.dtype.type(0))))

    @quiet
    def pow_da(self, a, b):
        """b * a ** (b - 1), 0 where b is 0."""
        if not b.ndim and b == 2:
            return self.add(a, a)
        return self.xp.where(b == 0, a.dtype.type(0), b * self.xp.power(a, b - 1))

    @quiet
    def pow_db(self, a, b, y):
        """y * log(a), 0 where a is 0 and b is not negative."""
        return self.xp.where((a == 0) & (b >= 0), a.dtype.type(0), y * self.xp.log(a))

    @quiet
    def atan2_dx(self, g, a, b, over):
        """g * over / (a * a + b * b), 0 where a and b are."""
        square = a * a + b * b
        return self.xp.where(square == 0, g.dtype.type(0), g * (over / square))

    # ---- selection
    def where(self, condition, a, b):
        return self.xp.where(condition, a, b)

    @quiet
    def masked(self, g, wanted):
        """g where `wanted`, else 0."""
        return self.xp.where(wanted, g, g.dtype.type(0))

    @quiet
    def shared(self, g, loses, ties):
        """The gradient of an operand of maximum or minimum: none where it loses, half where it ties."""
        return self.xp.where(loses, g.dtype.type(0), self.xp.where(ties, g * g.dtype.type(0.5), g))

    @quiet
    def clamp(self, a, low, high):
        """a limited to low..high, arrays or None; high where low is above it."""
        return self.xp.clip(a, low, high)

    @quiet
    def clamp_dx(self, g, a, low, high):
        """g where a lies within the limits, themselves included."""
        inside = self.xp.asarray(True)
        if low is not None:
            inside = inside & (a >= low)
        if high is not None:
            inside = inside & (a <= high)
        return self.xp.where(inside, g, g.dtype.type(0))

    @quiet
    def clamp_dlow(self, g, a, low, high):
        """g where the lower limit was taken."""
        return self.xp.where((a < low) & (True if high is None else low < high), g, g.dtype.type(0))

    @quiet
    def clamp_dhigh(self, g, a, low, high):
        """g where the upper limit was taken."""
        return self.xp.where((a > high) | (False if low is None else high < low), g, g.dtype.type(0))

    # ---- comparison of numbers that were rounded
    @quiet
    def isclose(self, a, b, rtol, atol, equal_nan):
        """|a - b| <= atol + rtol * |b|; equal infinities are close, and nan is to nan if `equal_nan`."""
        if a.dtype.kind != "f":
            a, b = a.astype("float64"), b.astype("float64")
        error = self.xp.abs(a - b)
        close = (a == b) | (self.xp.isfinite(error) & (error <= atol + rtol * self.xp.abs(b)))
        return close | (self.xp.isnan(a) & self.xp.isnan(b)) if equal_nan else close

    @quiet
    def lerp(self, a, b, weight):
        """a + weight * (b - a), from the nearer end."""
        return self.xp.where(self.xp.abs(weight) < 0.5, a + weight * (b - a), b - (b - a) * (1 - weight))
