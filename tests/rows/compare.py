"""Rows of comparisons, logic and bits."""

from samples import COMPARED, NO_GRADIENT, Labels, Mask, Row, S

INTEGERS = [S(Labels((3, 5), 100), Labels((3, 5), 100)), S(Labels((4,), 9), Labels((), 9)),
            S(Mask((2, 1)), Mask((1, 3))), S(Labels((0,), 2), Labels((0,), 2))]  # fmt: skip

ROWS = [
    *(Row(name, COMPARED, gradient=NO_GRADIENT) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
    *(Row(name, [*COMPARED, *INTEGERS], gradient=NO_GRADIENT) for name in ("logical_and", "logical_or", "logical_xor")),
    *(Row(name, INTEGERS, gradient=NO_GRADIENT) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    Row("isclose", [*COMPARED, S((3, 4), (3, 4), rtol=0.5, atol=0.1)], gradient=NO_GRADIENT),
]
