"""Rows of the indexing operations."""

import numpy as np
from samples import NO_GRADIENT, Labels, Row, S

REPEATED = (slice(None), np.array([0, 2, 0]))

ROWS = [
    Row("getitem", [S((4, 5), index=1), S((4, 5), index=(slice(1, 3), None, slice(None, None, 2))), S((4, 5), index=(Ellipsis, 0)),
                    S((6,), index=np.array([0, 3, 3, -1])), S((3, 4), index=np.eye(3, 4, dtype=bool)), S((3, 4), index=(2, 3)),
                    S((3, 4), index=(slice(None), [0, 0, 2])), S((2, 3, 4), index=(0, slice(None), [1, 1])), S((3, 4), index=([0, 2], [1, 1])),
                    S((2, 3, 4), index=([0, 1], slice(None), None, [3, 0])), S((3,), index=[]), S((2, 3), index=True), S((), index=()),
                    S((2, 3, 4), index=(Ellipsis, np.eye(3, 4, dtype=bool)))]),
    Row("setitem", [S((4, 5), (5,), index=1), S((4, 5), (), index=(slice(1, 3), slice(None, None, 2))), S((3, 4), (3,), index=(slice(None), 0)),
                    S((2, 3, 4), (3, 2), index=(0, slice(None), [1, 3])), S((3, 4), (1, 4), index=2), S((3, 4), (), index=np.eye(3, 4, dtype=bool))]),
    Row("gather_along", [S((3, 4), Labels((3, 2), 4), dim=1), S((3, 4), Labels((5, 4), 3), dim=0), S((3, 4), Labels((2, 6), 4), dim=-1), S((), Labels((), 1), dim=0),
                         S((2, 3, 4), Labels((1, 7, 2), 3), dim=1), S((3, 4), Labels((0, 4), 3), dim=0), S((0, 4), Labels((0, 2), 4), dim=1)]),
    Row("scatter_along", [S((3, 4), Labels((3, 1), 4), (3, 1), dim=1), S((3, 4), Labels((1, 2), 3), (2, 3), dim=0), S((2, 3, 4), Labels((1, 1, 2), 3), (2, 1, 2), dim=1),
                 S((), Labels((), 1), (), dim=0), S((3, 4), Labels((0, 4), 3), (2, 4), dim=0)]),
    Row("scatter_add_along", [S((3, 4), Labels((3, 9), 4), (3, 9), dim=1), S((3, 4), Labels((6, 2), 3), (7, 3), dim=0), S((), Labels((), 1), (), dim=0),
                              S((0, 4), Labels((0, 3), 4), (0, 3), dim=1)]),
    Row("add_rows", [S((2, 3), (2, 3), index=REPEATED, alpha=1), S((2, 3), (2, 3), index=REPEATED, alpha=-0.5), S((3,), (4,), index=(np.array([2, 2, 2, 0]),), alpha=2)]),
    Row("nonzero_positions", [S(Labels((3, 5), 2)), S(Labels((7,), 3)), S((0, 3)), S((2, 2))], gradient=NO_GRADIENT),
]  # fmt: skip
