"""Rows of the indexing operations."""

import numpy as np
from samples import Row, S

ROWS = [
    Row("getitem", [S((4, 5), index=1), S((4, 5), index=(slice(1, 3), None, slice(None, None, 2))), S((4, 5), index=(Ellipsis, 0)),
                    S((6,), index=np.array([0, 3, 3, -1])), S((3, 4), index=np.eye(3, 4, dtype=bool)), S((3, 4), index=(2, 3)),
                    S((3, 4), index=(slice(None), [0, 0, 2]))]),
    Row("setitem", [S((4, 5), (5,), index=1), S((4, 5), (), index=(slice(1, 3), slice(None, None, 2))), S((3, 4), (3,), index=(slice(None), 0))]),
]  # fmt: skip
