"""Rows of the reduce operations."""

from samples import ALONG, AXES, NO_GRADIENT, Row, S, distinct

ROWS = [
    Row("sum", [*AXES, S((0, 3), dim=0)], tolerance=1e-5),
    Row("mean", AXES, tolerance=1e-5),
    Row("var", [S((3, 5)), S((3, 5), dim=1), S((2, 3, 4), dim=(0, 2), keepdim=True, correction=0), S((0, 3), dim=1)], tolerance=1e-5),
    Row("amax", [*AXES[:5], S((0, 3), dim=1)], draw=distinct),
    Row("amin", [*AXES[:5], S((0, 3), dim=1)], draw=distinct),
    Row("max_along", ALONG, draw=distinct),
    Row("min_along", ALONG, draw=distinct),
    Row("argmax", [S((3, 5)), *ALONG], draw=distinct, gradient=NO_GRADIENT),
    Row("argmin", [S((3, 5)), *ALONG], draw=distinct, gradient=NO_GRADIENT),
    Row("logsumexp", [S((3, 5), dim=1), S((2, 3, 4), dim=(0, 2)), S((4, 1), dim=0, keepdim=True), S((0, 3), dim=1)]),
]  # fmt: skip
