"""Rows of the random, data operations."""

from samples import Bytes, Labels, Row, S

ROWS = [
    Row("dropout_keyed", [S((4, 5), p=0.5, key=(1, 2)), S((1000,), p=0.1, key=(3, 4)), S((3,), p=1.0, key=(0, 1)), S((0, 3), p=0.5, key=(0, 1))]),
    Row("normalize_images", [S(Bytes((5, 7, 6)), None, mean=(0.5,), std=(0.25,)), S(Bytes((0, 4, 4)), None, mean=(0.5,), std=(0.25,)), S(Bytes((5, 3, 4, 4)), Labels((3,), 5), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.1))],
        gradient="images are bytes"),
]  # fmt: skip
