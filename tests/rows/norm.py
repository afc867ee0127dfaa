"""Rows of the normalisation operations."""

from samples import Positive, Row, S

BATCH_NORMS = [(2, 3, 4, 5), (4, 1, 1, 1), (5, 7), (3, 17, 3, 3), (2, 33, 12, 12), (3, 4, 6)]

ROWS = [
    Row("batch_norm_train", [S(x, (x[1],), (x[1],), eps=1e-3) for x in BATCH_NORMS] + [S((3, 4, 2, 2), None, None), S((0, 3, 2, 2), (3,), (3,))],
        tolerance=1e-5),
    Row("batch_norm_eval", constants=(1, 2), samples=[S(x, (x[1],), Positive((x[1],)), (x[1],), (x[1],), eps=1e-3) for x in BATCH_NORMS]
        + [S((3, 4, 2, 2), (4,), Positive((4,)), None, None)], tolerance=1e-5),
]  # fmt: skip
