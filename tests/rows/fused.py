"""Rows of the fused operations: the edges of the pooling windows, of vectors and of tiles."""

from samples import Row, S

from rows.convolution import CONVOLUTIONS, conv

POOLED = [c for c in CONVOLUTIONS if c.arrays[0][2] > 5] + [
    conv(2, 16, 9, 11, 17, 3, padding=1),
    conv(1, 20, 17, 18, 33, 3),
    conv(0, 3, 6, 6, 4, 3),
]
BATCHES = [(2, 3, 4, 5), (3, 17, 3, 3), (2, 33, 12, 12), (4, 5, 2, 9), (2, 3, 16, 34), (2, 16, 7, 7)]
NORMED = [
    S(
        x,
        (o, x[1] // groups, k, k),
        (x[1],),
        (x[1],),
        bias and (o,),
        eps=1e-3,
        padding=k // 2,
        stride=stride,
        groups=groups,
    )
    for x, o, k, stride, groups, bias in [
        ((2, 3, 4, 5), 4, 3, 1, 1, True),
        ((3, 17, 6, 7), 16, 3, 1, 1, None),
        ((2, 16, 12, 12), 33, 1, 1, 1, None),
        ((2, 4, 9, 11), 8, 3, 2, 1, True),
        ((4, 8, 5, 9), 8, 3, 1, 8, None),
    ]
] + [S((3, 4, 5, 5), (2, 4, 3, 3), None, None, None)]

ROWS = [
    Row("conv2d_relu", [*CONVOLUTIONS, conv(2, 16, 9, 11, 17, 3, padding=1)], tolerance=1e-5, convolution=True),
    Row("conv2d_relu_pool", POOLED, tolerance=1e-5, convolution=True),
    Row("linear_relu", [S((3, 5), (4, 5), (4,)), S((64, 120), (84, 120), (84,)), S((1, 33), (17, 33), None), S((0, 3), (2, 3), (2,)),
        S((5, 1), (1, 1), (1,)), S((15, 400), (31, 400), (31,))], tolerance=1e-5),
    Row("batch_norm_relu", [S(x, (x[1],), (x[1],), eps=1e-3) for x in [*BATCHES, (5, 7), (3, 4, 6)]] + [S((3, 4, 2, 2), None, None)],
        tolerance=1e-5),
    Row("batch_norm_relu_conv2d", NORMED, tolerance=1e-5, convolution=True),
    Row("batch_norm_add_relu", [S(x, x, (x[1],), (x[1],), eps=1e-3) for x in BATCHES] + [S((3, 4, 2, 2), (3, 4, 2, 2), None, None)],
        tolerance=1e-5),
    Row("batch_norm_relu_pool", [S(x, (x[1],), (x[1],), eps=1e-3) for x in BATCHES] + [S((3, 4, 2, 2), None, None)], tolerance=1e-5),
]  # fmt: skip
