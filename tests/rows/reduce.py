"""Rows of the reductions, extremes and running sums."""

import math

from samples import ALONG, AXES, NO_GRADIENT, Labels, Mask, Row, S, away_from_zero, distinct

SPREADS = [S((3, 5)), S((3, 5), dim=1), S((2, 3, 4), dim=(0, 2), keepdim=True, correction=0), S((0, 3), dim=1),
           S((3, 5), unbiased=False), S((3, 7), dim=0, correction=2.5)]  # fmt: skip
RUNNING = [
    S((3, 5), dim=1),
    S((3, 5), dim=0),
    S((1,), dim=0),
    S((17,), dim=-1),
    S((2, 3, 4), dim=1),
    S((0, 5), dim=1),
    S((), dim=0),
]
NORMS = [S((3, 5), ord=p, dim=dim) for p in (2, 1, 3, 0.5, math.inf, -math.inf, -2) for dim in (None, 1)]

ROWS = [
    Row("sum", [*AXES, S((0, 3), dim=0)], tolerance=1e-5),
    Row("mean", AXES, tolerance=1e-5),
    Row("prod", [S((3, 5)), S((3, 5), dim=1), S((2, 3, 4), dim=-2, keepdim=True), S(()), S((0, 3), dim=0), S((1,)), S((3, 5), keepdim=True)]),
    Row("var", SPREADS, tolerance=1e-5),
    Row("std", SPREADS, tolerance=1e-5),
    *(Row(name, [S(Mask((3, 5))), S(Mask((3, 5)), dim=1), S(Mask((2, 3, 4)), dim=(0, 2), keepdim=True), S(Labels((4, 3), 2), dim=0), S((0, 3), dim=0)],
          gradient=NO_GRADIENT) for name in ("all", "any")),
    Row("count_nonzero", [S(Labels((3, 5), 2)), S((3, 5), dim=1), S(Labels((2, 3, 4), 2), dim=(0, 2)), S((0, 3))], gradient=NO_GRADIENT),
    Row("logsumexp", [S((3, 5), dim=1), S((2, 3, 4), dim=(0, 2)), S((4, 1), dim=0, keepdim=True), S((0, 3), dim=1)]),
    Row("vector_norm", [*NORMS, S((2, 3, 4), dim=(0, 2), keepdim=True), S(()), S((0, 3))], draw=away_from_zero, tolerance=1e-5),
    Row("amax", [*AXES[:5], S((0, 3), dim=1)], draw=distinct),
    Row("amin", [*AXES[:5], S((0, 3), dim=1)], draw=distinct),
    *(Row(name, ALONG, draw=distinct) for name in ("max_along", "min_along", "median_along")),
    Row("median_of_all", [S((3, 5)), S((4,)), S(()), S((2, 3, 7))], draw=distinct),
    Row("argmax", [S((3, 5)), S((3, 5), keepdim=True), S(()), *ALONG], draw=distinct, gradient=NO_GRADIENT),
    Row("argmin", [S((3, 5)), S((3, 5), keepdim=True), S(()), *ALONG], draw=distinct, gradient=NO_GRADIENT),
    Row("cumsum", RUNNING),
    Row("cumprod", RUNNING, draw=away_from_zero),
    Row("running_max", RUNNING, draw=distinct),
    Row("running_min", RUNNING, draw=distinct),
]  # fmt: skip
