"""Convolution's kernels where their ways part: strides, phases of input gradients, small maps, few channels, ReLU behind;
against the reference in float64, on every instruction set, and to the bit for any number of threads."""

import numpy as np
import pytest

from engine import backends
from engine.backends import convolution
from engine.geometry import Conv2dGeometry
from engine_ext import conv, parallel

REFERENCE = backends.get("reference")
pytestmark = pytest.mark.usefixtures("every_thread")
RNG = np.random.default_rng(0)

GEOMETRIES = {
    "stride 2": Conv2dGeometry.of((3, 16, 32, 32), (32, 16, 3, 3), 2, 1),
    "stride 2, odd sizes": Conv2dGeometry.of((2, 5, 23, 37), (19, 5, 3, 3), 2, 1),
    "stride 2, rows that no window reaches": Conv2dGeometry.of((2, 5, 24, 38), (19, 5, 3, 3), 2, 0),
    "stride of one axis": Conv2dGeometry.of((2, 5, 24, 38), (19, 5, 3, 3), (1, 3), 1),
    "stride of the other": Conv2dGeometry.of((2, 5, 24, 38), (19, 5, 3, 3), (2, 1), 1),
    "stride wider than the window": Conv2dGeometry.of((2, 3, 17, 50), (4, 3, 2, 2), 5, 1),
    "stride wider than the image": Conv2dGeometry.of((2, 3, 3, 3), (4, 3, 2, 2), 7, 0),
    "stride and dilation": Conv2dGeometry.of((2, 3, 30, 41), (9, 3, 3, 3), (2, 3), 2, (2, 3)),
    "7x7, stride 2": Conv2dGeometry.of((2, 3, 45, 64), (20, 3, 7, 7), 2, 3),
    "1x1": Conv2dGeometry.of((2, 33, 9, 11), (40, 33, 1, 1)),
    "1x1, tiny maps": Conv2dGeometry.of((5, 70, 2, 2), (65, 70, 1, 1)),
    "1x1, stride 2": Conv2dGeometry.of((3, 16, 32, 32), (32, 16, 1, 1), 2),
    "1x1, stride 2, odd sizes": Conv2dGeometry.of((2, 16, 31, 7), (32, 16, 1, 1), 2),
    "1x1, padded": Conv2dGeometry.of((2, 4, 6, 7), (5, 4, 1, 1), 2, 1),
    "small maps, many channels": Conv2dGeometry.of((3, 64, 14, 14), (130, 64, 3, 3), 2, 1),
    "one image, many channels": Conv2dGeometry.of((1, 64, 14, 14), (130, 64, 3, 3), 2, 1),
    "a sum of many terms": Conv2dGeometry.of((1, 100, 6, 40), (6, 100, 3, 3), 1, 1),
    "few channels": Conv2dGeometry.of((2, 3, 32, 32), (32, 3, 3, 3), 1, 1),
    "one channel": Conv2dGeometry.of((3, 1, 28, 28), (32, 1, 3, 3)),
    "8 channels": Conv2dGeometry.of((2, 8, 18, 18), (8, 8, 3, 3), 1, 1),
    "groups": Conv2dGeometry.of((2, 12, 18, 20), (24, 4, 3, 3), 2, 1, 1, 3),
    "5x5": Conv2dGeometry.of((2, 6, 14, 14), (16, 6, 5, 5)),
    "5x5, padded": Conv2dGeometry.of((2, 32, 16, 16), (64, 32, 5, 5), 1, 2),
    "dilated": Conv2dGeometry.of((2, 32, 16, 16), (32, 32, 3, 3), 1, 2, 2),
    "more padding than image": Conv2dGeometry.of((1, 2, 3, 2), (3, 2, 3, 3), 2, 7),
    "each side its own": Conv2dGeometry.of((1, 3, 9, 20), (3, 3, 4, 3), 2, (0, 3, 2, 1)),
    "transposed": Conv2dGeometry.of_transposed((2, 6, 9, 20), (6, 5, 3, 3), 2, 1, 1),
    "transposed, window smaller than stride": Conv2dGeometry.of_transposed((2, 6, 9, 8), (6, 5, 2, 2), 3, 0, 2),
    "transposed, cropped": Conv2dGeometry.of_transposed((2, 2, 4, 5), (2, 3, 2, 2), 1, 0, 2, 1, 3),
    "transposed, stride 2, cropped": Conv2dGeometry.of_transposed((1, 2, 5, 4), (2, 3, 3, 3), 2, 0, 3, 1, 4),
    "transposed 4x4": Conv2dGeometry.of_transposed((1, 24, 8, 8), (24, 16, 4, 4), 2, 1),
    "no images": Conv2dGeometry.of((0, 3, 9, 9), (4, 3, 3, 3), 2, 1),
}  # fmt: skip
CASES = pytest.mark.parametrize("geom", GEOMETRIES.values(), ids=GEOMETRIES)


def arrays(geom):
    shapes = geom.x_shape, geom.w_shape, (geom.o,), geom.y_shape
    return [RNG.standard_normal(s).astype("float32") for s in shapes]


def assert_close(found, expected, terms):
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert np.abs(found - expected).max(initial=0) <= 4e-6 * (terms**0.5 + 1)


@CASES
def test_forward(isa, geom):
    x, w, b, _ = arrays(geom)
    expected, terms = REFERENCE.conv2d(*(a.astype(float) for a in (x, w, b)), geom), w[0].size
    assert_close(conv.conv2d(x, w, b, geom), expected, terms)
    assert_close(conv.conv2d(x, w, None, geom), expected - b[:, None, None], terms)
    y = conv.conv2d(x, w, b, geom, True)
    assert_close(y, np.maximum(expected, 0), terms)
    np.testing.assert_array_equal(y, np.maximum(conv.conv2d(x, w, b, geom), 0))
    residual = np.random.default_rng(1).standard_normal(geom.y_shape, "float32")
    y = conv.conv2d(x, w, b, geom, False, residual)
    np.testing.assert_array_equal(y, np.maximum(conv.conv2d(x, w, b, geom) + residual, 0))


@CASES
def test_relu_and_pooling_behind(isa, geom):
    x, w, b, _ = arrays(geom)
    if min(geom.oh, geom.ow) < 2:
        with pytest.raises(ValueError, match="smaller than the window"):
            conv.conv2d_relu_pool(x, w, b, geom)
        return
    terms = w[0].size
    for bias in (b - 1, None):
        plain = REFERENCE.conv2d(*(a if a is None else a.astype(float) for a in (x, w, bias)), geom)
        y, taps = conv.conv2d_relu_pool(x, w, bias, geom)
        assert_close(y, REFERENCE.relu_max_pool2d(plain)[0], terms)
        windows = plain[:, :, : geom.oh // 2 * 2, : geom.ow // 2 * 2].reshape(*y.shape[:3], 2, y.shape[3], 2)
        at_tap = np.zeros(y.shape)  # what the tap points at, 0 for tap 4
        for tap in range(4):
            at_tap += (taps == tap) * windows[:, :, :, tap // 2, :, tap % 2]
        assert_close(y, at_tap, terms)
        assert taps.dtype == np.uint8 and ((taps == 4) == (y == 0)).all()


@CASES
def test_input_gradient(isa, geom):
    _, w, _, g = arrays(geom)
    expected = REFERENCE.conv2d_dx(g.astype(float), w.astype(float), geom)
    assert_close(conv.conv2d_dx(g, w, geom), expected, geom.o // geom.groups * geom.kh * geom.kw)


@CASES
def test_weight_gradient(isa, geom):
    x, _, _, g = arrays(geom)
    expected = REFERENCE.conv2d_dw(g.astype(float), x.astype(float), geom)
    assert_close(conv.conv2d_dw(g, x, geom), expected, geom.n * geom.oh * geom.ow)


@CASES
def test_bits_for_any_number_of_threads(isa, geom):
    x, w, b, g = arrays(geom)
    found = set()
    for threads in (1, 2, 3, 4, 7):
        parallel.set_num_threads(threads)
        ys = [conv.conv2d(x, w, b, geom), conv.conv2d_dx(g, w, geom), conv.conv2d_dw(g, x, geom)]
        if min(geom.oh, geom.ow) > 1:
            ys += conv.conv2d_relu_pool(x, w, b, geom)
        found.add(b"".join(y.tobytes() for y in ys))
    assert len(found) == 1


def test_relu_keeps_nan_and_padding_stays_zero():
    geom = Conv2dGeometry.of((1, 1, 4, 40), (1, 1, 3, 3), 1, 1)
    x = np.full(geom.x_shape, -1, "float32")
    x[0, 0, 2, 3] = np.nan
    y = conv.conv2d(x, np.ones(geom.w_shape, "float32"), None, geom, True)
    assert np.isnan(y[0, 0, 1:, 2:5]).all() and np.isnan(y).sum() == 9
    assert not np.nan_to_num(y).any()


def test_a_stride_of_an_upsampled_image_is_refused():
    class Both:
        ints = (1, 1, 3, 3, 1, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3)

    x, w = np.zeros((1, 1, 3, 3), "float32"), np.zeros((1, 1, 1, 1), "float32")
    with pytest.raises(ValueError, match="not both"):
        conv.conv2d(x, w, None, Both())


@pytest.mark.parametrize("groups, channels", [(1, 4), (1, 32), (32, 32)], ids=["few channels", "Winograd", "depthwise"])
def test_arrays_in_another_order_are_copied(groups, channels):
    """float32 as channels lie last, gradients as sums broadcast them: never left to the reference, which is slow."""
    geom = Conv2dGeometry.of((2, channels, 12, 12), (channels, channels // groups, 3, 3), 1, 1, 1, groups)
    x, w, b, g = arrays(geom)
    last = [np.asfortranarray(a) for a in (x, w)]
    flat = np.broadcast_to(np.float32(0.5), g.shape)
    found = {
        "forward": (convolution.forward(*last, b, geom), convolution.forward(x, w, b, geom)),
        "relu": (convolution.forward_relu(*last, b, geom), convolution.forward_relu(x, w, b, geom)),
        "inference": (
            convolution.inference(*last, b, geom, True, False, None, {}),
            convolution.inference(x, w, b, geom, True, False, None, {}),
        ),
        "dx": (convolution.input_gradient(flat, last[1], geom), convolution.input_gradient(flat.copy(), w, geom)),
        "dw": (convolution.weight_gradient(flat, last[0], geom), convolution.weight_gradient(flat.copy(), x, geom)),
    }
    for direction, (copied, dense) in found.items():
        np.testing.assert_array_equal(copied, dense, direction)
    assert convolution.forward(x.astype(float), w, b, geom) is NotImplemented
