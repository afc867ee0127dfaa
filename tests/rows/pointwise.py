"""Rows of the pointwise operations."""

import numpy as np
from samples import COMPARED, NO_GRADIENT, PAIRS, SINGLES, Mask, Positive, Row, S, away_from_zero, distinct, positive

ROWS = [
    Row("add", PAIRS),
    Row("sub", PAIRS),
    Row("mul", PAIRS),
    Row("div", PAIRS, draw=away_from_zero),
    Row("pow", [*PAIRS, S((4, 3), Positive(()))], draw=positive),
    Row("maximum", COMPARED),
    Row("minimum", COMPARED),
    Row("neg", SINGLES),
    Row("exp", SINGLES),
    Row("log", SINGLES, draw=positive),
    Row("sqrt", SINGLES, draw=positive),
    Row("abs", SINGLES, draw=away_from_zero),
    Row("clamp", [S((4, 5), min=-0.12, max=0.33), S((7,), max=0.01), S((3,), min=-1), S((0, 2), min=0)], draw=distinct),
    Row("choose", [S(Mask((3, 5)), (3, 5), (3, 5)), S(Mask((4,)), (3, 1), ()), S(Mask((0,)), (0,), (0,))]),
    *(Row(name, COMPARED, gradient=NO_GRADIENT) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
    Row("cast", [S((3, 4), dtype=np.dtype("float64")), S((0,), dtype=np.dtype("float64"))]),
]  # fmt: skip
