"""Rows of sorting and counting."""

from samples import NO_GRADIENT, Labels, Positive, Row, S, distinct

ROWS = [
    Row("first_along", [S((3, 5), dim=1), S((3, 5), dim=0, descending=True), S((2, 17, 3), dim=1, count=4), S((1,), dim=0), S((), dim=-1),
                        S((7,), dim=0, descending=True, count=1), S((0, 3), dim=0), S((3, 4), dim=1, count=0)], draw=distinct),
    Row("distinct", [S(Labels((3, 5), 4)), S(Labels((), 3)), S((7,)), S((0,))], gradient=NO_GRADIENT),
    Row("bincount", [S(Labels((9,), 4), None), S(Labels((9,), 4), None, minlength=7), S(Labels((5,), 3), Positive((5,))), S(Labels((0,), 3), None, minlength=2)],
        gradient=NO_GRADIENT),
]  # fmt: skip
