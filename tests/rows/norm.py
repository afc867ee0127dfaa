"""Rows of the normalisation operations."""

from samples import Positive, Row, S

BATCH_NORMS = [(2, 3, 4, 5), (4, 1, 1, 1), (5, 7), (3, 17, 3, 3), (2, 33, 12, 12), (3, 4, 6)]

GROUP_NORMS = [
    ((2, 4, 3, 5), 2),
    ((2, 4, 3, 5), 4),
    ((3, 6, 7), 1),
    ((4, 6), 3),
    ((1, 17, 2, 2), 17),
    ((2, 32, 12, 12), 8),
    ((0, 4, 2, 2), 2),
    ((2, 4, 0), 2),
]
LAYER_NORMS = [
    ((3, 5), (5,)),
    ((2, 3, 4, 5), (4, 5)),
    ((64, 33), (33,)),
    ((7,), (7,)),
    ((0, 4), (4,)),
    ((2, 3, 5), (2, 3, 5)),
    ((1, 1031), (1031,)),
]

ROWS = [
    Row("batch_norm_train", [S(x, (x[1],), (x[1],), eps=1e-3) for x in BATCH_NORMS] + [S((3, 4, 2, 2), None, None), S((0, 3, 2, 2), (3,), (3,))],
        tolerance=1e-5),
    Row("batch_norm_eval", constants=(1, 2), samples=[S(x, (x[1],), Positive((x[1],)), (x[1],), (x[1],), eps=1e-3) for x in BATCH_NORMS]
        + [S((3, 4, 2, 2), (4,), Positive((4,)), None, None)], tolerance=1e-5),
    Row("group_norm", [S(x, (x[1],), (x[1],), groups=groups, eps=1e-3) for x, groups in GROUP_NORMS] + [S((3, 4, 2, 2), None, None, groups=2)],
        tolerance=1e-5),
    Row("layer_norm", [S(x, last, last, dims=len(last), eps=1e-3) for x, last in LAYER_NORMS] + [S((3, 4), (4,), None, dims=1), S((3, 4), None, None, dims=1),
        S((2, 3), None, (3,), dims=1)], tolerance=1e-5),
]  # fmt: skip
