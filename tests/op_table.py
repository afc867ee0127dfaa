"""One row per operation: samples of its inputs. Gradients, backends, instruction sets and layouts are tested from it.

A sample is `S(array, array, ..., param=value)`; an array is a shape (drawn by the row's `draw`), a Labels, a Mask,
a Bytes or a Positive, or None where an optional one is absent. Shapes are chosen to break tiles: 1, primes, one less
and one more than a vector, empty batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labels:
    """int64 below `high`."""

    shape: tuple
    high: int

    def draw(self, rng):
        return rng.integers(0, self.high, self.shape)


@dataclass(frozen=True)
class Mask:
    """bool."""

    shape: tuple

    def draw(self, rng):
        return rng.random(self.shape) < 0.5


@dataclass(frozen=True)
class Bytes:
    """uint8 images."""

    shape: tuple

    def draw(self, rng):
        return rng.integers(0, 256, self.shape).astype("uint8")


@dataclass(frozen=True)
class Positive:
    """Floats in 0.5 to 2, for one input of an operation whose others are drawn otherwise."""

    shape: tuple

    def draw(self, rng):
        return rng.uniform(0.5, 2, self.shape)


class S:
    """One sample: the arrays in order, and the parameters."""

    def __init__(self, *arrays, **params):
        self.arrays, self.params = arrays, params

    def __repr__(self):
        parts = [str(getattr(a, "shape", a)) for a in self.arrays] + [f"{n}={v}" for n, v in self.params.items()]
        return " ".join(parts).replace(" ", "").replace("slice", "")


def normal(rng, shape):
    return np.asarray(rng.standard_normal(shape))


def positive(rng, shape):
    return np.asarray(rng.uniform(0.5, 2, shape))


def away_from_zero(rng, shape):
    """No kink within the reach of a difference, and no division by almost nothing."""
    return np.asarray(rng.uniform(0.3, 2, shape) * rng.choice([-1.0, 1.0], shape))


def distinct(rng, shape):
    """No two alike, at least 0.05 apart: where the largest is unique, its derivative exists."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size / 2) * 0.05


@dataclass(frozen=True)
class Row:
    """`gradient`: why there is none, where there is none. `tolerance`: error over the RMS of the output, float32."""

    name: str
    samples: list
    draw: object = normal
    gradient: str = ""
    tolerance: float = 2e-6
    convolution: bool = False


PAIRS = [S((3, 5), (3, 5)), S((17,), (17,)), S((2, 3, 4), (4,)), S((3, 1), (1, 5)), S((), (3,)), S((4, 33), ()), S((0, 3), (3,)),
         S((1031,), (1031,)), S((2, 31, 7), (31, 1))]  # fmt: skip
SINGLES = [S((3, 5)), S(()), S((1,)), S((0, 4)), S((15,)), S((17,)), S((2, 3, 67)), S((16, 1031))]
ALONG = [S((3, 5), dim=1), S((3, 5), dim=0), S((1, 1), dim=-1), S((7, 17), dim=1), S((4, 10), dim=-1), S((2, 3, 4), dim=1),
         S((33, 1000), dim=1), S((0, 5), dim=1)]  # fmt: skip
AXES = [S((3, 5)), S((3, 5), dim=1), S((3, 5), dim=0, keepdim=True), S((2, 3, 4), dim=(0, 2)), S((2, 3, 4), dim=-2), S(()),
        S((64, 33), dim=0), S((2, 5, 7, 3), dim=(0, 2, 3)), S((10007,))]  # fmt: skip
COMPARED = [S((3, 5), (3, 5)), S((4,), ()), S((2, 1), (1, 3)), S((0,), (0,))]
NO_GRADIENT = "the result is not a number that varies continuously"


def conv(n, c, h, w, o, k, bias=True, **params):
    kh, kw = k if isinstance(k, tuple) else (k, k)
    return S((n, c, h, w), (o, c // params.get("groups", 1), kh, kw), (o,) if bias else None, **params)


CONVOLUTIONS = [
    conv(2, 3, 8, 8, 4, 3),
    conv(2, 1, 28, 28, 6, 5, padding=2),  # lenet5
    conv(2, 6, 14, 14, 16, 5),
    conv(1, 1, 28, 28, 32, 3),  # mnistnet
    conv(1, 32, 12, 12, 64, 3),
    conv(1, 1, 1, 1, 1, 1),
    conv(0, 2, 5, 5, 3, 3),  # empty batch
    conv(3, 2, 5, 5, 3, 5),  # kernel as large as the input
    conv(2, 3, 7, 9, 5, (3, 2), stride=2, padding=1),
    conv(1, 4, 11, 10, 7, 3, stride=(3, 2), padding=(2, 0), bias=False),
    conv(2, 4, 9, 9, 6, 3, dilation=2, padding=2),
    conv(2, 5, 12, 7, 3, 3, stride=2, dilation=(1, 2), padding=(1, 2)),  # rows that no window reaches
    conv(2, 6, 6, 6, 4, 3, groups=2, padding=1),
    conv(2, 17, 6, 6, 17, 3, groups=17, padding=1),  # depthwise
    conv(1, 16, 7, 7, 33, 1),  # 1x1
    conv(2, 8, 9, 9, 15, 1, stride=2, bias=False),
    conv(1, 2, 6, 6, 3, 3, padding=(0, 1, 2, 0)),  # each side its own
    conv(1, 3, 7, 8, 2, (2, 4), padding="same", stride=2),
    conv(1, 3, 31, 33, 13, 3, padding="same"),
    conv(1, 2, 4, 4, 2, 2, padding=3),  # more padding than kernel
]

POOLS = [
    S((2, 3, 8, 8), kernel_size=2),
    S((1, 1, 7, 5), kernel_size=3, stride=2),
    S((1, 2, 24, 33), kernel_size=2),
    S((2, 2, 9, 9), kernel_size=3, stride=2, padding=1),
    S((1, 3, 7, 7), kernel_size=(3, 2), stride=(1, 2), padding=(1, 0)),
    S((1, 1, 6, 6), kernel_size=3, stride=2, ceil_mode=True),
    S((1, 2, 5, 5), kernel_size=1),
    S((0, 2, 6, 6), kernel_size=2),
    S((1, 1, 40, 20), kernel_size=(20, 17)),  # more than 256 taps
]

BATCH_NORMS = [(2, 3, 4, 5), (4, 1, 1, 1), (5, 7), (3, 17, 3, 3), (2, 33, 12, 12), (3, 4, 6)]

ROWS = [
    # pointwise
    Row("add", PAIRS),
    Row("sub", PAIRS),
    Row("mul", PAIRS),
    Row("div", PAIRS, draw=away_from_zero),
    Row("pow", [*PAIRS, S((4, 3), Positive(()))], draw=positive),
    Row("maximum", COMPARED),
    Row("minimum", COMPARED),
    Row("neg", SINGLES),
    Row("exp", SINGLES),
    Row("log", SINGLES, draw=positive),
    Row("sqrt", SINGLES, draw=positive),
    Row("abs", SINGLES, draw=away_from_zero),
    Row("clamp", [S((4, 5), min=-0.12, max=0.33), S((7,), max=0.01), S((3,), min=-1), S((0, 2), min=0)], draw=distinct),
    Row("choose", [S(Mask((3, 5)), (3, 5), (3, 5)), S(Mask((4,)), (3, 1), ()), S(Mask((0,)), (0,), (0,))]),
    *(Row(name, COMPARED, gradient=NO_GRADIENT) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
    Row("cast", [S((3, 4), dtype=np.dtype("float64")), S((0,), dtype=np.dtype("float64"))]),
    # activation
    Row("relu", SINGLES, draw=away_from_zero),
    Row("sigmoid", SINGLES),
    Row("tanh", SINGLES),
    Row("softmax", ALONG),
    Row("log_softmax", ALONG),
    # reduce
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
    # shape
    Row("reshape", [S((3, 4), shape=(2, 6)), S((3, 4), shape=(-1,)), S((), shape=(1, 1)), S((0, 3), shape=(3, 0))]),
    Row("view", [S((3, 4), shape=(12,)), S((2, 3, 4), shape=(6, -1))]),
    Row("permute", [S((2, 3, 4), dims_order=(2, 0, 1)), S((2, 3), dims_order=(-1, 0)), S((), dims_order=()), S((0, 3), dims_order=(1, 0))]),
    Row("transpose", [S((2, 3, 4), dim0=0, dim1=2), S((3, 2), dim0=-1, dim1=-2), S((0, 3), dim0=0, dim1=1)]),
    Row("expand", [S((3, 1), shape=(3, 4)), S((1, 3), shape=(2, 5, 3)), S((), shape=(2,)), S((3, 1), shape=(-1, 2))]),
    Row("cat", [S((2, 3), (4, 3)), S((2, 3), (2, 1), (2, 2), dim=1), S((0, 3), (1, 3)), S((5,), dim=-1)]),
    Row("pad", [S((2, 3), pad=(1, 2)), S((2, 3, 4), pad=(1, 0, -1, 2)), S((3,), pad=(-1, -1)), S((2, 2), pad=(0, 1), value=3.5), S((0, 2), pad=(1, 1))]),
    Row("clone", SINGLES[:5]),
    # indexing
    Row("getitem", [S((4, 5), index=1), S((4, 5), index=(slice(1, 3), None, slice(None, None, 2))), S((4, 5), index=(Ellipsis, 0)),
                    S((6,), index=np.array([0, 3, 3, -1])), S((3, 4), index=np.eye(3, 4, dtype=bool)), S((3, 4), index=(2, 3)),
                    S((3, 4), index=(slice(None), [0, 0, 2]))]),
    Row("setitem", [S((4, 5), (5,), index=1), S((4, 5), (), index=(slice(1, 3), slice(None, None, 2))), S((3, 4), (3,), index=(slice(None), 0))]),
    # linear
    Row("linear", [S((3, 5), (4, 5), (4,)), S((64, 400), (120, 400), (120,)), S((1, 84), (10, 84), (10,)), S((5,), (3, 5), None),
                   S((2, 3, 7), (17, 7), (17,)), S((0, 5), (4, 5), (4,)), S((3, 1), (1, 1), (1,)), S((15, 33), (31, 33), None),
                   S((4, 0), (3, 0), (3,))], tolerance=1e-5),
    Row("bmm_broadcast", [S((3, 5), (5, 4)), S((1, 1), (1, 1)), S((13, 31), (31, 33)), S((15, 7), (7, 15)), S((2, 3, 4), (2, 4, 5)),
                          S((2, 1, 3, 4), (5, 4, 2)), S((0, 3), (3, 2)), S((3, 0), (0, 2)), S((65, 330), (330, 67)), S((1, 100), (100, 1))],
        tolerance=1e-5),
    # convolution and pooling
    Row("conv2d", CONVOLUTIONS, tolerance=1e-5, convolution=True),
    Row("max_pool2d", [*POOLS, S((1, 2, 8, 9), kernel_size=2, dilation=2), S((1, 1, 9, 9), kernel_size=3, stride=1, padding=1, dilation=2)],
        draw=distinct),
    Row("avg_pool2d", [*POOLS, S((1, 2, 7, 7), kernel_size=3, stride=2, padding=1, count_include_pad=False),
                       S((1, 1, 6, 6), kernel_size=3, stride=2, padding=1, ceil_mode=True), S((1, 1, 4, 4), kernel_size=2, divisor_override=3)]),
    # normalisation
    Row("batch_norm_train", [S(x, (x[1],), (x[1],), eps=1e-3) for x in BATCH_NORMS] + [S((3, 4, 2, 2), None, None), S((0, 3, 2, 2), (3,), (3,))],
        tolerance=1e-5),
    Row("batch_norm_eval", [S(x, (x[1],), Positive((x[1],)), (x[1],), (x[1],), eps=1e-3) for x in BATCH_NORMS]
        + [S((3, 4, 2, 2), (4,), Positive((4,)), None, None)], tolerance=1e-5),
    # losses
    Row("cross_entropy_rows", [S((5, 10), Labels((5,), 10)), S((1, 2), Labels((1,), 2)), S((64, 17), Labels((64,), 17)), S((0, 3), Labels((0,), 3))]),
    Row("nll_rows", [S((5, 10), Labels((5,), 10)), S((1, 2), Labels((1,), 2)), S((0, 3), Labels((0,), 3))]),
    # random, data
    Row("dropout_keyed", [S((4, 5), p=0.5, key=(1, 2)), S((1000,), p=0.1, key=(3, 4)), S((3,), p=1.0, key=(0, 1)), S((0, 3), p=0.5, key=(0, 1))]),
    Row("normalize_images", [S(Bytes((5, 7, 6)), None, mean=(0.5,), std=(0.25,)), S(Bytes((0, 4, 4)), None, mean=(0.5,), std=(0.25,)), S(Bytes((5, 3, 4, 4)), Labels((3,), 5), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.1))],
        gradient="images are bytes"),
]  # fmt: skip
