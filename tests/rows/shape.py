"""Rows of the shape operations."""

from samples import SINGLES, Row, S

ROWS = [
    Row("reshape", [S((3, 4), shape=(2, 6)), S((3, 4), shape=(-1,)), S((), shape=(1, 1)), S((0, 3), shape=(3, 0))]),
    Row("view", [S((3, 4), shape=(12,)), S((2, 3, 4), shape=(6, -1))]),
    Row("permute", [S((2, 3, 4), dims=(2, 0, 1)), S((2, 3), dims=(-1, 0)), S((), dims=()), S((0, 3), dims=(1, 0))]),
    Row("transpose", [S((2, 3, 4), dim0=0, dim1=2), S((3, 2), dim0=-1, dim1=-2), S((0, 3), dim0=0, dim1=1)]),
    Row("expand", [S((3, 1), shape=(3, 4)), S((1, 3), shape=(2, 5, 3)), S((), shape=(2,)), S((3, 1), shape=(-1, 2))]),
    Row("cat", [S((2, 3), (4, 3)), S((2, 3), (2, 1), (2, 2), dim=1), S((0, 3), (1, 3)), S((5,), dim=-1), S((2, 3), (0,), (1, 3)), S((0,), (0,))], listed=True),
    Row("stack", [S((2, 3), (2, 3)), S((2, 3), (2, 3), (2, 3), dim=1), S((2, 3), dim=-1), S((), ()), S((0, 3), (0, 3), dim=2)], listed=True),
    Row("clone", SINGLES[:5]),
    Row("split_at", [S((5, 3), ends=(2, 5), dim=0), S((3, 5), ends=(1, 4, 5), dim=1), S((4,), ends=(4,), dim=0), S((0, 3), ends=(0, 0), dim=0)]),
    Row("windows_along", [S((7,), dim=0, size=3, step=1), S((3, 8), dim=-1, size=3, step=2), S((5, 4), dim=0, size=2, step=5), S((0, 4), dim=1, size=4, step=1)]),
    Row("flip", [S((2, 3, 4), dims=(0, 2)), S((5,), dims=(0,)), S((0, 3), dims=(1,)), S((2, 3), dims=())]),
    Row("roll", [S((3, 4), shifts=2), S((3, 4), shifts=(1, -5), dims=(0, 1)), S((2, 3, 4), shifts=-1, dims=1), S((0, 3), shifts=1, dims=0), S((7,), shifts=0)]),
    *(Row(name, [S((3, 5)), S((5, 3), diagonal=1), S((2, 4, 4), diagonal=-2), S((0, 3))]) for name in ("tril", "triu")),
    Row("diagonal", [S((3, 5)), S((2, 3, 4), offset=1, dim1=1, dim2=2), S((2, 3, 4), offset=-1, dim1=2, dim2=0), S((0, 3)), S((2, 3), offset=5)]),
    Row("diag_matrix", [S((3,), diagonal=0), S((4,), diagonal=-2), S((1,), diagonal=1), S((0,), diagonal=0)]),
]  # fmt: skip
