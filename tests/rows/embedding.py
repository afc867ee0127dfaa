"""Rows of the embedding operations."""

from samples import Labels, Row, S

# The rows asked for only where the gradient is the derivative: not the padding, and none twice where counts divide.
ROWS = [
    Row("embedding_rows", [S(Labels((3, 5), 7), (7, 4)), S(Labels((), 2), (2, 3)), S(Labels((0, 2), 2), (2, 3)), S(Labels((33,), 5), (6, 17), padding_idx=5),
                           S(Labels((1,), 4), (4, 3), by_frequency=True), S(Labels((9,), 4), (4, 0))]),
]  # fmt: skip
