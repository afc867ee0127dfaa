"""Rows of the activation operations."""

from samples import ALONG, SINGLES, Row, S, away_from_zero

KINKED = [S((3, 5)), S(()), S((1,)), S((0, 4)), S((2, 3, 67))]  # `away_from_zero` reaches from 0.3 to 2, both signs
HALVED = [S((3, 4)), S((2, 6, 5), dim=1), S((4,), dim=0), S((0, 2)), S((2, 0)), S((8, 3), dim=-2)]


def with_params(*params):
    return [*KINKED, *(S((3, 5), **p) for p in params)]


ROWS = [
    Row("relu", SINGLES, draw=away_from_zero),
    Row("hardtanh", with_params({"min_val": -0.5}, {"min_val": -3.0, "max_val": 3.0}), draw=away_from_zero),
    Row("leaky_relu", with_params({"negative_slope": 0.3}, {"negative_slope": -0.3}, {"negative_slope": 0.0}), draw=away_from_zero),
    Row("prelu", [S((3, 5), (5,)), S((3, 5), (1,)), S((2, 3, 4, 5), (3,)), S((7,), (1,)), S((), ()), S((0, 3), (3,))],
        draw=away_from_zero),
    Row("threshold", [S((3, 5), threshold=0.1, value=20.0), S((), threshold=-0.2, value=-1.0)], draw=away_from_zero),
    Row("hardshrink", with_params({"lambd": 0.2}, {"lambd": 1.0}), draw=away_from_zero),
    Row("softshrink", with_params({"lambd": 0.2}, {"lambd": 1.0}, {"lambd": 0.0}), draw=away_from_zero),
    Row("hardsigmoid", KINKED, draw=away_from_zero),
    Row("hardswish", KINKED, draw=away_from_zero),
    Row("elu", with_params({"alpha": 0.5}, {"alpha": -0.5}), draw=away_from_zero),
    Row("celu", with_params({"alpha": 0.5}, {"alpha": 2.0}), draw=away_from_zero),
    Row("selu", KINKED, draw=away_from_zero),
    Row("gelu", [*SINGLES, S((3, 5), approximate="tanh"), S((), approximate="tanh")]),
    Row("silu", SINGLES),
    Row("mish", SINGLES),
    Row("softplus", with_params({"beta": 2.0}, {"beta": 3.0, "threshold": 1.0}), draw=away_from_zero),
    Row("logsigmoid", SINGLES),
    Row("glu", HALVED),
    Row("softmax", ALONG),
    Row("log_softmax", ALONG),
]  # fmt: skip
