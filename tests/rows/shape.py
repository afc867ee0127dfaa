"""Rows of the shape operations."""

from samples import SINGLES, Row, S

ROWS = [
    Row("reshape", [S((3, 4), shape=(2, 6)), S((3, 4), shape=(-1,)), S((), shape=(1, 1)), S((0, 3), shape=(3, 0))]),
    Row("view", [S((3, 4), shape=(12,)), S((2, 3, 4), shape=(6, -1))]),
    Row("permute", [S((2, 3, 4), dims=(2, 0, 1)), S((2, 3), dims_order=(-1, 0)), S((), dims_order=()), S((0, 3), dims_order=(1, 0))]),
    Row("transpose", [S((2, 3, 4), dim0=0, dim1=2), S((3, 2), dim0=-1, dim1=-2), S((0, 3), dim0=0, dim1=1)]),
    Row("expand", [S((3, 1), shape=(3, 4)), S((1, 3), shape=(2, 5, 3)), S((), shape=(2,)), S((3, 1), shape=(-1, 2))]),
    Row("cat", [S((2, 3), (4, 3)), S((2, 3), (2, 1), (2, 2), dim=1), S((0, 3), (1, 3)), S((5,), dim=-1)], listed=True),
    Row("clone", SINGLES[:5]),
]  # fmt: skip
