"""Rows of the padding operations."""

from samples import Row, S

ROWS = [
    Row("pad", [S((2, 3), pad=(1, 2)), S((2, 3, 4), pad=(1, 0, -1, 2)), S((3,), pad=(-1, -1)), S((2, 2), pad=(0, 1), value=3.5), S((0, 2), pad=(1, 1)),
                S((2, 3), pad=()), S((1, 2, 3, 4), pad=(0, 0, 2, 1, 1, 0))]),
    Row("pad_edges", [S((2, 3, 5), pad=pad, mode=mode) for mode in ("reflect", "replicate", "circular")
                      for pad in ((1, 2), (2, 0), (0, 1, 2, 1), (4, 4), (0, 4), (-1, 2), (2, -1), (-1, -2))]
                     + [S((1, 2, 4, 3), pad=(2, 1, 3, 0), mode=mode) for mode in ("reflect", "replicate", "circular")]
                     + [S((1, 4), pad=(6, 9), mode="replicate"), S((0, 2, 3), pad=(1, 1), mode="reflect"), S((1, 2, 3, 2), pad=(1, 0, 1, 1, 0, 1), mode="reflect")]),
]  # fmt: skip
