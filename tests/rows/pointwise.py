"""Rows of the arithmetic of two operands and more."""

import numpy as np
from samples import COMPARED, PAIRS, Mask, Positive, Row, S, away_from_zero, positive

HALVES = [S((3, 5), Positive((3, 5))), S((4,), Positive(())), S((2, 1), Positive((1, 3))), S((0,), Positive((0,)))]
LIMITS = [S((4, 5), (), ()), S((7,), None, ()), S((3,), (), None), S((0, 2), (), None), S((3, 4), (4,), (3, 1)),
          S((2, 3), None, (2, 2, 3))]  # fmt: skip

ROWS = [
    Row("add", PAIRS),
    Row("sub", PAIRS),
    Row("mul", PAIRS),
    Row("div", PAIRS, draw=away_from_zero),
    Row("floor_divide", HALVES),
    Row("div_trunc", HALVES),
    Row("remainder", HALVES),
    Row("fmod", HALVES),
    Row("pow", [*PAIRS, S((4, 3), Positive(()))], draw=positive),
    Row("atan2", COMPARED, draw=away_from_zero),
    Row("maximum", COMPARED),
    Row("minimum", COMPARED),
    Row("fmax", COMPARED),
    Row("fmin", COMPARED),
    Row("clamp", LIMITS),
    Row("choose", [S(Mask((3, 5)), (3, 5), (3, 5)), S(Mask((4,)), (3, 1), ()), S(Mask((0,)), (0,), (0,))]),
    Row("lerp", [S((3, 5), (3, 5), (3, 5)), S((4,), (3, 1), ()), S((0,), (0,), (0,)), S((), (), ())]),
    Row("cast", [S((3, 4), dtype=np.dtype("float64")), S((0,), dtype=np.dtype("float64"))]),
]
