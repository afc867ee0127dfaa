"""Rows of the resizing operations."""

from samples import Row, S

SIZES = [
    S((2, 3, 4, 5), sizes=(8, 10), steps=(None, None)),
    S((1, 2, 5, 4), sizes=(7, 3), steps=(1 / 1.5, 1 / 0.8)),
    S((2, 2, 6), sizes=(4,), steps=(None,)),
    S((1, 1, 1, 3), sizes=(3, 1), steps=(None, None)),
    S((0, 2, 3, 3), sizes=(5, 2), steps=(None, None)),
    S((1, 1, 7, 9), sizes=(2, 23), steps=(None, None)),
]
ROWS = [
    Row("resize_nearest", [*SIZES, *[S(*s.arrays, centred=True, **s.params) for s in SIZES]]),
    Row("resize_linear", [*SIZES, *[S(*s.arrays, align_corners=True, **s.params) for s in SIZES]]),
]
