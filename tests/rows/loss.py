"""Rows of the losses operations."""

from samples import Labels, Row, S

ROWS = [
    Row("cross_entropy_rows", [S((5, 10), Labels((5,), 10)), S((1, 2), Labels((1,), 2)), S((64, 17), Labels((64,), 17)), S((0, 3), Labels((0,), 3))]),
    Row("nll_rows", [S((5, 10), Labels((5,), 10)), S((1, 2), Labels((1,), 2)), S((0, 3), Labels((0,), 3))]),
]  # fmt: skip
