"""Rows of the operations on one operand."""

import numpy as np
from samples import NO_GRADIENT, SINGLES, Labels, Mask, Row, S, away_from_zero, positive

FEW = SINGLES[:-1]  # of many draws, one is so near to a step that a difference crosses it
INTEGERS = [S(Labels((3, 5), 100)), S(Labels((), 9)), S(Mask((4,))), S(Labels((0, 2), 3))]


def inside(rng, shape):
    """Within -0.8 to 0.8: not too near the ends of a domain from -1 to 1."""
    return np.asarray(rng.uniform(-0.8, 0.8, shape))


def shares(rng, shape):
    """Within 0.1 to 0.9."""
    return np.asarray(rng.uniform(0.1, 0.9, shape))


def above_one(rng, shape):
    return np.asarray(rng.uniform(1.3, 3, shape))


ROWS = [
    Row("neg", SINGLES),
    Row("abs", SINGLES, draw=away_from_zero),
    Row("sign", SINGLES, draw=away_from_zero),
    Row("sqrt", SINGLES, draw=positive),
    Row("rsqrt", SINGLES, draw=positive),
    Row("reciprocal", SINGLES, draw=away_from_zero),
    *(Row(name, SINGLES) for name in ("exp", "exp2", "expm1", "sin", "cos", "atan", "sinh", "cosh", "tanh", "asinh")),
    *(Row(name, SINGLES, draw=positive) for name in ("log", "log2", "log10", "log1p")),
    *(Row(name, SINGLES, draw=inside) for name in ("tan", "asin", "acos", "atanh", "erfinv")),
    Row("acosh", SINGLES, draw=above_one),
    Row("erf", SINGLES),
    Row("erfc", SINGLES),
    Row("sigmoid", SINGLES),
    Row("logit", [*SINGLES, S((3, 5), eps=0.01), S((3, 5), eps=0.3)], draw=shares),
    Row("floor", FEW),
    Row("ceil", FEW),
    Row("trunc", FEW),
    Row("round", [*FEW, S((3, 5), decimals=2), S((3, 5), decimals=-1)]),
    Row("frac", FEW, draw=away_from_zero),
    Row("nan_to_num", [*SINGLES, S((4,), nan=1.0, posinf=2.0, neginf=3.0)]),
    *(Row(name, SINGLES, gradient=NO_GRADIENT) for name in ("isnan", "isinf", "isfinite")),
    Row("logical_not", [*SINGLES, *INTEGERS], gradient=NO_GRADIENT),
    Row("bitwise_not", INTEGERS, gradient=NO_GRADIENT),
]
