"""Rows of the random operations."""

from samples import Row, S

ROWS = [
    Row("dropout_keyed", [S((4, 5), p=0.5, key=(1, 2)), S((1000,), p=0.1, key=(3, 4)), S((3,), p=1.0, key=(0, 1)), S((0, 3), p=0.5, key=(0, 1))]),
]  # fmt: skip
