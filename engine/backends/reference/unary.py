"""Functions of one number, element by element: mathematics, rounding, and what kind of number it is."""

from __future__ import annotations

from functools import cached_property

from numpy import errstate

from engine.backends.reference.pointwise import quiet, unavailable
from engine.extras import needed


def numpys(name):
    """The kernel that is NumPy's function of that name, of one array."""

    def kernel(self, a, out=None):
        with errstate(all="ignore"):
            return self.xp.asarray(getattr(self.xp, name)(a, out=out))

    kernel.__name__ = name
    return kernel


def _rounding(name):
    """The kernel that is NumPy's function of that name for floats, and leaves integers as they are."""

    def kernel(self, a):
        if a.dtype.kind == "b":
            raise unavailable(name, a.dtype, "use x.int() or x.float()")
        return self.xp.asarray(getattr(self.xp, name)(a)) if a.dtype.kind == "f" else a.copy()

    kernel.__name__ = name
    return kernel


class Unary:
    exp = numpys("exp")
    exp2 = numpys("exp2")
    expm1 = numpys("expm1")
    log = numpys("log")
    log2 = numpys("log2")
    log10 = numpys("log10")
    log1p = numpys("log1p")
    sqrt = numpys("sqrt")
    sin = numpys("sin")
    cos = numpys("cos")
    tan = numpys("tan")
    asin = numpys("arcsin")
    acos = numpys("arccos")
    atan = numpys("arctan")
    sinh = numpys("sinh")
    cosh = numpys("cosh")
    tanh = numpys("tanh")
    asinh = numpys("arcsinh")
    acosh = numpys("arccosh")
    atanh = numpys("arctanh")
    floor = _rounding("floor")
    ceil = _rounding("ceil")
    trunc = _rounding("trunc")
    _nearest = _rounding("rint")
    isnan = numpys("isnan")
    isinf = numpys("isinf")
    isfinite = numpys("isfinite")
    logical_not = numpys("logical_not")

    @quiet
    def bitwise_not(self, a):
        if a.dtype.kind == "f":
            raise unavailable("bitwise_not", a.dtype, "bits are those of integer and bool tensors")
        return self.xp.bitwise_not(a)

    @quiet
    def abs(self, a):
        if a.dtype.kind == "b":
            raise unavailable("abs", a.dtype, "use x.int() or x.float()")
        return self.xp.absolute(a)

    @quiet
    def neg(self, a, out=None):
        if a.dtype.kind == "b":
            raise RuntimeError("neg: a bool tensor cannot be negated; use ~x or x.logical_not() to invert a mask")
        return self.xp.negative(a, out=out)

    @quiet
    def sign(self, a):
        return a.copy() if a.dtype.kind == "b" else (a > 0).astype(a.dtype) - (a < 0)  # 0 for nan

    @quiet
    def round(self, a, decimals):
        """To the nearest, halves to even; `decimals` digits behind the point are kept, or before it where negative."""
        if not decimals:
            return self._nearest(a)
        if a.dtype.kind != "f":
            raise unavailable("round", a.dtype, "an integer has no decimals; use x.float()")
        power = float(f"1e{max(decimals, -decimals)}")
        return self.xp.rint(a * power) / power if decimals > 0 else self.xp.rint(a / power) * power

    @quiet
    def frac(self, a):
        if a.dtype.kind != "f":
            raise unavailable("frac", a.dtype, "an integer has no fraction")
        return a - self.xp.trunc(a)

    @quiet
    def nan_to_num(self, a, nan, posinf, neginf):
        """a with other numbers for nan and the infinities; None: the largest of the dtype, and the smallest."""
        if a.dtype.kind != "f":
            return a.copy()
        limits = self.xp.finfo(a.dtype)
        high, low = limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
        y = self.xp.where(self.xp.isnan(a), a.dtype.type(nan), a)
        y = self.xp.where(a == self.xp.inf, a.dtype.type(high), y)
        return self.xp.where(a == -self.xp.inf, a.dtype.type(low), y)

    @quiet
    def sqrt_dx(self, g, y):
        return g / (y + y)

    # ---- the error function
    @cached_property
    def _special(self):
        return needed("scipy.special", "the error function")  # on first use: it takes long to import

    @quiet
    def erf(self, a):
        return self._special.erf(a)

    @quiet
    def erfc(self, a):
        return self._special.erfc(a)

    @quiet
    def erfinv(self, a):
        return self._special.erfinv(a)

    # ---- the logistic function and its inverse
    @quiet
    def sigmoid(self, a, out=None):
        return self.xp.true_divide(1, 1 + self.xp.exp(-a), out=out, dtype=a.dtype)

    @quiet
    def sigmoid_dx(self, g, y):
        return g * y * (1 - y)

    @quiet
    def logit(self, a, eps):
        """log(a / (1 - a)), of a limited to eps..1-eps unless eps is None."""
        if eps is not None:
            low = a.dtype.type(eps)
            a = self.xp.where(a < low, low, self.xp.minimum(a, 1 - low))
        return self.xp.log(a / (1 - a))

    @quiet
    def logit_dx(self, g, a, eps):
        """Outside of the limits nan, or 0 where eps gives the limits."""
        low, outside = (0, self.xp.nan) if eps is None else (eps, 0)
        return self.xp.where((a < low) | (a > 1 - low), a.dtype.type(outside), g / (a * (1 - a)))

    @quiet
    def tanh_dx(self, g, y):
        return g * (1 - y * y)
