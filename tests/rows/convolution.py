"""Rows of the convolution and pooling operations."""

from samples import Distinct, Row, S, distinct


def conv(n, c, h, w, o, k, bias=True, **params):
    kh, kw = k if isinstance(k, tuple) else (k, k)
    return S((n, c, h, w), (o, c // params.get("groups", 1), kh, kw), (o,) if bias else None, **params)


CONVOLUTIONS = [
    conv(2, 3, 8, 8, 4, 3),
    conv(2, 1, 28, 28, 6, 5, padding=2),  # lenet5
    conv(2, 6, 14, 14, 16, 5),
    conv(2, 17, 6, 9, 16, 5, padding=2),
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

LINES = [
    S((2, 3, 9), (4, 3, 3), (4,)),
    S((3, 17), (5, 3, 2), (5,), stride=2, padding=1),  # no batch
    S((2, 4, 11), (6, 2, 3), None, groups=2, dilation=2, padding=(3, 0)),
    S((1, 2, 10), (3, 2, 4), (3,), padding="same", stride=3),
    S((0, 2, 7), (3, 2, 3), (3,)),
]
TRANSPOSED = [
    S((2, 3, 5, 6), (3, 4, 3, 3), (4,)),
    S((2, 4, 5, 4), (4, 3, 3, 2), (6,), stride=(2, 3), padding=1, output_padding=(1, 2), groups=2),
    S((3, 5, 5), (3, 2, 4, 4), (2,), stride=2, padding=1),  # no batch
    S((1, 16, 7, 7), (16, 17, 3, 3), (17,), stride=2, padding=1, output_padding=1),
    S((1, 3, 4, 4), (3, 1, 3, 3), (3,), groups=3, padding=(2, 1)),
    S((0, 2, 4, 4), (2, 3, 2, 2), (3,), stride=2),
]
TRANSPOSED_LINES = [
    S((2, 3, 5), (3, 4, 3), (4,), stride=2, padding=1, output_padding=1),
    S((3, 6), (3, 2, 4), (2,)),
    S((2, 4, 5), (4, 2, 3), None, groups=2, dilation=3, output_padding=1, stride=2),
]
CROPPED = [  # more output padding than stride
    S((2, 2, 4, 5), (2, 3, 2, 2), None, dilation=3, output_padding=2),
    S((1, 4, 5, 4), (4, 2, 3, 3), (4,), groups=2, stride=(2, 1), padding=(1, 0), dilation=3, output_padding=2),
]


def local(n, c, h, w, o, k, out, bias=True, **params):
    """A locally connected layer whose output is `out` (height, width)."""
    return S((n, c, h, w), (o, c, *k, *out), (o, *out) if bias else None, **params)


LOCAL = [
    local(2, 3, 8, 8, 4, (3, 3), (6, 6)),
    local(5, 1, 12, 11, 6, (5, 5), (8, 7)),
    local(3, 2, 5, 5, 3, (5, 5), (1, 1)),  # one position: a linear layer
    local(1, 1, 1, 1, 1, (1, 1), (1, 1)),
    local(0, 2, 5, 5, 3, (3, 3), (3, 3)),  # empty batch
    local(7, 2, 7, 9, 5, (3, 2), (4, 5), stride=2, padding=1),
    local(2, 4, 11, 10, 7, (3, 3), (5, 4), bias=False, stride=(3, 2), padding=(2, 0)),
    local(2, 2, 6, 6, 3, (3, 3), (5, 6), padding=(0, 1, 2, 0)),  # each side its own
    local(3, 3, 7, 8, 2, (2, 4), (4, 4), padding="same", stride=2),
    local(4, 2, 6, 19, 13, (3, 3), (6, 19), padding="same"),
    local(1, 2, 4, 4, 2, (2, 2), (9, 9), padding=3),  # more padding than kernel
    S((3, 5, 5), (2, 3, 3, 3, 3, 3), (2, 3, 3)),  # no batch
]
PATCHES = [
    S((2, 3, 6, 7), kernel_size=3),
    S((2, 5, 5), kernel_size=(2, 3), padding=1),
    S((1, 2, 9, 8), kernel_size=2, dilation=(2, 3), padding=(1, 2), stride=(3, 2)),
    S((0, 2, 4, 4), kernel_size=2),
]
COLUMNS = [
    S((2, 27, 20), output_size=(6, 7), kernel_size=3),
    S((12, 42), output_size=5, kernel_size=(2, 3), padding=(1, 2)),
    S((1, 8, 25), output_size=(9, 8), kernel_size=2, dilation=(2, 3), padding=(1, 2), stride=(2, 2)),
    S((0, 8, 9), output_size=4, kernel_size=2),
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
    S((3, 5, 7), kernel_size=2, stride=1),  # no batch
    S((1, 1, 40, 20), kernel_size=(20, 17)),  # more than 256 taps
]
POOLED_LINES = [
    S((2, 3, 9), kernel_size=2),
    S((3, 10), kernel_size=3, stride=2, padding=1),
    S((1, 2, 8), kernel_size=(3,), stride=2, ceil_mode=True),
    S((0, 2, 6), kernel_size=2),
]
ADAPTIVE = [
    S((2, 3, 7, 5), sizes=(3, 2)),
    S((3, 5, 6), sizes=(4, 4)),
    S((1, 2, 3, 4), sizes=(5, 7)),  # more outputs than inputs
    S((2, 2, 11), sizes=(4,)),
    S((2, 2, 11), sizes=(2,)),  # few long windows
    S((0, 2, 5, 5), sizes=(3, 3)),
    S((2, 2, 5, 5), sizes=(0, 3)),
]
MAXIMA = [S((1, 2, 8, 9), kernel_size=2, dilation=2), S((1, 1, 9, 9), kernel_size=3, stride=1, padding=1, dilation=2)]
ROWS = [
    Row("conv1d", LINES, tolerance=1e-5, convolution=True),
    Row("conv2d", [*CONVOLUTIONS, S((3, 5, 5), (2, 3, 3, 3), (2,))], tolerance=1e-5, convolution=True),
    Row("conv_transpose1d", TRANSPOSED_LINES, tolerance=1e-5, convolution=True),
    Row("conv_transpose2d", TRANSPOSED, tolerance=1e-5, convolution=True),
    Row("conv_transpose2d", CROPPED, tolerance=1e-5),  # to which explicit im2col does not apply
    Row("locally_connected2d", LOCAL, tolerance=1e-5),
    Row("unfold", PATCHES),
    Row("fold", COLUMNS),
    Row("max_pool1d", POOLED_LINES, draw=distinct),
    Row("max_pool2d", [*POOLS, *MAXIMA], draw=distinct),
    Row("max_pool1d_with_indices", POOLED_LINES, draw=distinct),
    Row("max_pool2d_with_indices", [*POOLS, *MAXIMA], draw=distinct),
    Row("max_unpool", [S((2, 3, 2, 2), Distinct((2, 3, 2, 2), 16), sizes=(4, 4)), S((3, 2, 3), Distinct((3, 2, 3), 30), sizes=(5, 6)),
                       S((2, 1, 3), Distinct((2, 1, 3), 7), sizes=(7,)), S((0, 1, 2, 2), Distinct((0, 1, 2, 2), 9), sizes=(3, 3))]),
    Row("avg_pool1d", POOLED_LINES),
    Row("avg_pool2d", [*POOLS, S((1, 2, 7, 7), kernel_size=3, stride=2, padding=1, count_include_pad=False),
                       S((1, 1, 6, 6), kernel_size=3, stride=2, padding=1, ceil_mode=True), S((1, 1, 4, 4), kernel_size=2, divisor_override=3)]),
    Row("adaptive_avg_pool", ADAPTIVE),
    Row("adaptive_max_pool", ADAPTIVE, draw=distinct),
]  # fmt: skip
