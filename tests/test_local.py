"""The locally connected layer: its kernels on every instruction set and any number of threads, what it has in common with
convolutions, its start, its costs and its errors. Gradients are tested from its row of op_table.py."""

import math
import tracemalloc

import numpy as np
import pytest
from checks import on_all_threads, random

import engine
import engine.nn.functional as F
from engine import backends, nn
from engine.geometry import Conv2dGeometry, ShapeError
from engine_ext import local

REFERENCE = backends.get("reference")
GEOMETRIES = {
    "MNIST 5x5": ((5, 1, 28, 28), (16, 1, 5, 5, 24, 24)),
    "3x3 behind it": ((3, 16, 12, 12), (32, 16, 3, 3, 10, 10)),
    "a vector and one position": ((9, 2, 3, 19), (7, 2, 3, 3, 1, 17)),
    "one position": ((6, 3, 4, 5), (8, 3, 4, 5, 1, 1)),
    "one column": ((4, 2, 20, 3), (5, 2, 3, 3, 18, 1)),
    "padded, rows of 4096 bytes": ((2, 3, 32, 32), (13, 3, 3, 3, 32, 32), 1, 1),
    "stride 2": ((4, 3, 15, 17), (6, 3, 3, 3, 8, 9), 2, 1),
    "strides of their own": ((4, 3, 15, 17), (6, 3, 3, 2, 5, 18), (3, 1), (1, 1)),
    "stride wider than the window": ((4, 3, 15, 17), (6, 3, 2, 2, 4, 4), 5, 2),
    "more padding than image": ((3, 2, 2, 3), (4, 2, 2, 2, 9, 10), 1, 4),
    "each side its own padding": ((3, 2, 6, 6), (4, 2, 3, 3, 5, 7), 1, (0, 1, 2, 1)),
    "images in groups": ((35, 60, 5, 6), (3, 60, 5, 5, 1, 2)),
    "many outputs": ((2, 4, 6, 6), (50, 4, 3, 3, 4, 4)),
    "one image": ((1, 4, 9, 9), (10, 4, 3, 3, 7, 7)),
}
CASES = pytest.mark.parametrize("case", GEOMETRIES.values(), ids=GEOMETRIES)


def assert_close(found, expected, terms):
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert np.abs(found - expected).max(initial=0) <= 4e-6 * (terms**0.5 + 1)


@CASES
def test_kernels_equal_the_reference_for_any_number_of_threads(isa_any_threads, case):
    x_shape, w_shape, *numbers = case
    geom = Conv2dGeometry.of_local(x_shape, w_shape, *numbers)
    x, w, b, g = (
        random(*s, seed=i) for i, s in enumerate((x_shape, w_shape, (w_shape[0], *w_shape[4:]), geom.y_shape))
    )
    exact = [a.astype(float) for a in (x, w, b, g)]
    terms = math.prod(w_shape[1:4])
    y = on_all_threads(lambda x, w, b: local.locally_connected2d(x, w, b, geom), x, w, b)
    assert_close(y, REFERENCE.locally_connected2d(*exact[:3], geom), terms)
    y = local.locally_connected2d(x, w, None, geom)
    assert_close(y, REFERENCE.locally_connected2d(*exact[:2], None, geom), terms)
    dx = on_all_threads(lambda g, w: local.locally_connected2d_dx(g, w, geom), g, w)
    assert_close(dx, REFERENCE.locally_connected2d_dx(exact[3], exact[1], geom), geom.o * geom.kh * geom.kw)
    dw = on_all_threads(lambda g, x: local.locally_connected2d_dw(g, x, geom), g, x)
    assert_close(dw, REFERENCE.locally_connected2d_dw(exact[3], exact[0], geom), geom.n)


def test_kernels_touch_nothing_but_their_arrays():
    """What lies outside of a plane may be nan: no lane that is not a pixel is ever multiplied."""
    geom = Conv2dGeometry.of_local((2, 1, 5, 5), (2, 1, 3, 3, 5, 5), 1, 1)
    room = np.full(50 + 64, np.nan, "float32")
    x = room[32:82].reshape(geom.x_shape)
    x[...] = random(*geom.x_shape)
    w = random(2, 1, 3, 3, 5, 5)
    assert np.isfinite(local.locally_connected2d(x, w, None, geom)).all()
    assert np.isfinite(local.locally_connected2d_dw(random(*geom.y_shape), x, geom)).all()


def test_sizes_are_checked_where_c_begins():
    geom = Conv2dGeometry.of_local((2, 1, 5, 5), (3, 1, 3, 3, 3, 3))
    x, w, b, g = random(2, 1, 5, 5), random(3, 1, 3, 3, 3, 3), random(3, 3, 3), random(2, 3, 3, 3)
    wrong = {
        "x": lambda: local.locally_connected2d(random(2, 1, 5, 6), w, b, geom),
        "w": lambda: local.locally_connected2d(x, random(3, 1, 3, 3, 3, 4), b, geom),
        "b": lambda: local.locally_connected2d(x, w, random(3), geom),
        "g": lambda: local.locally_connected2d_dx(random(2, 3, 3, 4), w, geom),
        "w of a convolution": lambda: local.locally_connected2d_dx(g, random(3, 1, 3, 3), geom),
        "x of dw": lambda: local.locally_connected2d_dw(g, random(1, 1, 5, 5), geom),
        "groups": lambda: local.locally_connected2d(x, w, b, Conv2dGeometry.of((2, 2, 5, 5), (4, 1, 3, 3), groups=2)),
    }
    for what, call in wrong.items():
        with pytest.raises(ValueError, match="geometry says" if what != "groups" else "neither groups"):
            call()
    assert local.locally_connected2d(x.astype(float), w, b, geom) is NotImplemented
    assert local.locally_connected2d(np.asfortranarray(random(2, 3, 5, 5))[:, :1], w, b, geom) is NotImplemented


# ---- the layer


@pytest.mark.parametrize("how", [{}, {"stride": 2, "padding": 1}, {"padding": (0, 1, 2, 0)}], ids=str)
def test_with_the_same_filter_everywhere_it_is_a_convolution(how):
    conv, x = nn.Conv2d(3, 4, (3, 2), **how), engine.randn(2, 3, 9, 8, requires_grad=True)
    layer = nn.LocallyConnected2d(3, 4, (3, 2), (9, 8), **how)
    with engine.no_grad():
        layer.weight.copy_(conv.weight[..., None, None].expand(*conv.weight.shape, *layer.output_size))
        layer.bias.copy_(conv.bias[:, None, None].expand(4, *layer.output_size))
    y, expected = layer(x), conv(x)
    np.testing.assert_allclose(y.detach(), expected.detach(), atol=1e-5)
    g = engine.randn(*y.shape)
    dx, dw, db = engine.autograd.grad(y, (x, layer.weight, layer.bias), g)
    true_dx, true_dw, true_db = engine.autograd.grad(expected, (x, conv.weight, conv.bias), g)
    np.testing.assert_allclose(dx, true_dx, atol=1e-5)
    np.testing.assert_allclose(dw.sum((4, 5)), true_dw, atol=1e-4)  # shared weights get the sum over positions
    np.testing.assert_allclose(db.sum((1, 2)), true_db, atol=1e-4)


def test_every_position_has_its_own_filter():
    layer = nn.LocallyConnected2d(2, 3, 3, (5, 6), bias=False)
    x = engine.randn(4, 2, 5, 6)
    y = layer(x)
    for row in range(3):
        for column in range(4):
            alone = F.conv2d(x[:, :, row : row + 3, column : column + 3], layer.weight[..., row, column])
            np.testing.assert_allclose(y[:, :, row, column].detach(), alone[:, :, 0, 0].detach(), atol=1e-5)


def test_it_starts_as_a_convolution_does():
    """Uniform in +-1/sqrt(C*kh*kw): the fan counts one position's inputs, not those of all."""
    engine.manual_seed(0)
    layer = nn.LocallyConnected2d(4, 8, 5, 12)
    bound = 1 / math.sqrt(4 * 25)
    for p in (layer.weight, layer.bias):
        a = p.detach().numpy()
        assert abs(a).max() <= bound and abs(a).max() > 0.98 * bound and abs(a.mean()) < 0.1 * bound
        assert abs(a.std() - bound / math.sqrt(3)) < 0.03 * bound


def test_summary_counts_a_hundred_million_parameters_without_memory():
    """The lecture's number: an image of 1000x1000, a million hidden units, each with a filter of 10x10."""
    tracemalloc.start()
    with engine.use_backend("shape"):
        net = nn.Sequential(nn.LocallyConnected2d(1, 1, 10, (1000, 1000), padding="same", bias=False))
    s = engine.summary(net, (1, 1000, 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert s.parameters == s.macs == 10**8 and peak < 2e6
    assert s.layers[0].output == (1, 1, 1000, 1000) and s.layers[0].field == (10, 10)


def test_it_learns_what_a_convolution_cannot():
    """To copy one pixel at one position and its negative at another."""
    engine.manual_seed(0)
    layer, x = nn.LocallyConnected2d(1, 1, 1, (1, 2)), engine.randn(64, 1, 1, 2)
    target = x * engine.tensor([1.0, -1.0])
    optimizer = engine.optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.mse_loss(layer(x), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-6
    np.testing.assert_allclose(layer.weight.detach().flatten(), [1, -1], atol=1e-3)


def test_its_text_and_its_state():
    layer = nn.LocallyConnected2d(1, 16, 5, 28, stride=2, padding=2, bias=False)
    assert repr(layer) == ("LocallyConnected2d(1, 16, kernel_size=(5, 5), input_size=(28, 28), stride=(2, 2), padding=2, bias=False)")  # fmt: skip
    assert layer.output_size == (14, 14) and layer.weight.shape == (16, 1, 5, 5, 14, 14) and layer.bias is None
    other = nn.LocallyConnected2d(1, 16, 5, 28, stride=2, padding=2, bias=False)
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other.weight.detach(), layer.weight.detach())
    assert layer(engine.zeros(1, 28, 28)).shape == (16, 14, 14)  # without a batch


WRONG = {
    "image size": (lambda: nn.Sequential(nn.LocallyConnected2d(1, 6, 5, (28, 28)))(engine.zeros(2, 1, 32, 32)),
        "in model.0 (LocallyConnected2d(1, 6, kernel_size=(5, 5), input_size=(28, 28), stride=(1, 1))):\n"
        "  got images of 32x32 (shape (2, 1, 32, 32)), but there are filters for every position of images of 28x28\n"
        "  Fix: LocallyConnected2d(1, 6, ..., input_size=(32, 32))"),
    "channels": (lambda: nn.LocallyConnected2d(3, 6, 5, 9)(engine.zeros(2, 1, 9, 9)),
        "in LocallyConnected2d(3, 6, kernel_size=(5, 5), input_size=(9, 9), stride=(1, 1)):\n"
        "  locally_connected2d got an input with 1 channels (shape (2, 1, 9, 9)), expected 3 (weights of shape (6, 3, 5, 5), groups=1)\n"
        "  Fix: LocallyConnected2d(1, 6, ..., input_size=(9, 9))"),
    "filters that do not fit": (lambda: nn.LocallyConnected2d(1, 6, 5, (4, 9)),
        "kernel does not fit: kernel 5 with dilation 1 spans 5 along the height, but the input has 4 there (4 with padding)\n"
        "  Fix: a smaller kernel, more padding or a larger input"),
    "channels of none": (lambda: nn.LocallyConnected2d(0, 6, 5, 9), "LocallyConnected2d: in_channels must be a positive integer, got 0"),
    "positions": (lambda: F.locally_connected2d(engine.zeros(1, 1, 9, 9), engine.zeros(2, 1, 3, 3, 5, 5)),
        "locally_connected2d has weights for 5x5 positions, but images of 9x9 have 7x7"),
    "weights of a convolution": (lambda: F.locally_connected2d(engine.zeros(1, 1, 9, 9), engine.zeros(2, 1, 3, 3)),
        "locally_connected2d expects weights of 6 dimensions [O, C, kh, kw, OH, OW], got shape (2, 1, 3, 3)"),
    "bias of a convolution": (
        lambda: F.locally_connected2d(engine.zeros(1, 1, 4, 4), engine.zeros(2, 1, 3, 3, 2, 2), engine.zeros(2)),
        "locally_connected2d got a bias of shape (2,), expected (2, 2, 2)"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_errors_say_what_is_wrong_and_what_to_do(what):
    call, message = WRONG[what]
    with pytest.raises(ShapeError) as error:
        call()
    assert str(error.value) == message
