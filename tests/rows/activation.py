"""Rows of the activation operations."""

from samples import ALONG, SINGLES, Row, away_from_zero

ROWS = [
    Row("relu", SINGLES, draw=away_from_zero),
    Row("sigmoid", SINGLES),
    Row("tanh", SINGLES),
    Row("softmax", ALONG),
    Row("log_softmax", ALONG),
]  # fmt: skip
