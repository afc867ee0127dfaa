"""Input gradients of convolutions and slices that are added onto what has arrived for the input already: the sum's values, and never
written over what somebody else can see."""

import numpy as np
import pytest
from checks import on_all_threads, random

import engine
from engine import autograd, nn
from engine.backends import get
from engine.geometry import Conv2dGeometry
from engine.nn import functional as F
from engine_ext import winograd

CASES = {
    "winograd4": ((3, 17, 14, 13), (33, 17, 3, 3), 1), "winograd4 tiles in lanes": ((4, 16, 32, 32), (16, 16, 3, 3), 1),
    "winograd4 short tiles": ((3, 64, 7, 7), (65, 64, 3, 3), 1), "winograd4 wide": ((1, 16, 5, 70), (16, 16, 3, 3), 1),
    "winograd2": ((5, 20, 2, 2), (16, 20, 3, 3), 1), "im2col": ((2, 5, 9, 9), (4, 5, 5, 5), 1),
    "stride 2": ((2, 16, 11, 12), (32, 16, 3, 3), 2), "few images": ((1, 512, 7, 7), (256, 512, 3, 3), 1),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_sum_has_the_bits_of_adding_afterwards(isa_any_threads, case):
    x, w, stride = case
    geom = Conv2dGeometry.of(x, w, stride, w[2] // 2)
    k, g, w, arrived = get("cpu"), random(*geom.y_shape), random(*w, seed=1), random(*x, seed=2)
    dx = k.conv2d_dx(g, w, geom)

    def added(g, w, arrived):
        onto = arrived.copy()
        y = k.conv2d_dx(g, w, geom, onto)
        assert y is onto
        return y

    np.testing.assert_array_equal(on_all_threads(added, g, w, arrived), dx + arrived)


def test_the_kernel_checks_what_it_adds_to():
    geom = Conv2dGeometry.of((2, 16, 8, 8), (16, 16, 3, 3), 1, 1)
    g, w, onto = random(2, 16, 8, 8), random(16, 16, 3, 3), random(2, 16, 8, 8)
    with pytest.raises(ValueError, match="onto"):
        winograd.conv2d4_dx(g, w, geom, random(2, 16, 8, 7))
    assert winograd.conv2d4_dx(g, w, geom, onto.astype(np.float64)) is NotImplemented
    onto.flags.writeable = False
    assert winograd.conv2d4_dx(g, w, geom, onto) is NotImplemented


def shortcut(x, w):
    """A residual block whose shortcut's gradient arrives before the convolution's."""
    y = F.conv2d(x, w, padding=1)
    return y + x


@pytest.fixture
def leaf():
    engine.manual_seed(0)
    return engine.randn(2, 16, 8, 8, requires_grad=True)


@pytest.fixture
def weight():
    return engine.randn(16, 16, 3, 3, requires_grad=True)


def expected(leaf, weight, g):
    k = get("reference")
    geom = Conv2dGeometry.of(leaf.shape, weight.shape, 1, 1)
    return 2 * (k.conv2d_dx(g, weight.detach().numpy(), geom) + g)


def test_a_shortcut(leaf, weight):
    g = engine.randn(2, 16, 8, 8)
    before = g.tolist()
    shortcut(leaf * 2, weight).backward(g)
    np.testing.assert_allclose(leaf.grad.numpy(), expected(leaf, weight, g.numpy()), rtol=1e-4, atol=1e-4)
    assert g.tolist() == before


def test_what_arrives_is_taken_where_nobody_else_sees_it(monkeypatch, leaf, weight):
    k, taken = leaf._k, []
    dx = k.conv2d_dx
    monkeypatch.setitem(
        k.__dict__, "conv2d_dx", lambda g, w, geom, onto=None: taken.append(onto is not None) or dx(g, w, geom, onto)
    )
    x = leaf * 2
    (F.conv2d(x, weight, padding=1) + x * 3).sum().backward()  # x * 3 hands over an array of its own
    shortcut(leaf * 2, weight).sum().backward()  # the sum's gradient goes both ways
    assert taken == [True, False]


@pytest.mark.parametrize("size", [4, 40], ids=["small", "large"])
@pytest.mark.parametrize("index", [
    (slice(None), slice(None), slice(None, None, 2), slice(1, None)), (1,), (..., None, 3), ([0, 1, 1],), (slice(1), slice(1), [2, 0]),
    (np.arange(2) == 1,),
], ids=["slices", "number", "axis", "twice", "mixed", "mask"])  # fmt: skip
def test_a_part(index, size):
    x = engine.randn(2, 3, size, size, requires_grad=True)
    z = x * 2
    part = z[index]
    g = engine.randn(*part.shape)
    other = z * 3  # its gradient arrives first, in an array of its own
    (part * g).sum().backward(retain_graph=True)
    alone = x.grad.numpy().copy()
    x.grad = None
    (other.sum() + (part * g).sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), alone + 6, rtol=1e-6, atol=2e-6)  # 6 is what others lose bits to
    expected = np.zeros(x.shape, "float32")
    np.add.at(expected, index, 2 * g.numpy())
    np.testing.assert_allclose(alone, expected, rtol=1e-6)


def test_hooks_and_kept_gradients_see_what_arrived(leaf, weight):
    seen = []
    x = leaf * 2
    x.retain_grad()
    a = x * 3
    a.register_hook(lambda g: seen.append((g, g.tolist())))
    y = F.conv2d(x, weight, padding=1) + a
    y.register_hook(lambda g: seen.append((g, g.tolist())))
    y.backward(engine.ones(*y.shape))
    assert len(seen) == 2 and all(g.tolist() == values for g, values in seen)
    np.testing.assert_allclose((x.grad * 2).numpy(), leaf.grad.numpy())


def test_a_retained_graph_and_chosen_inputs(leaf, weight):
    g = engine.randn(2, 16, 8, 8)
    x = leaf * 2
    y = F.conv2d(x, weight, padding=1) + x * 1
    first = autograd.grad(y, [x, leaf], g, retain_graph=True)
    again = autograd.grad(y, [leaf, x, weight], g)
    np.testing.assert_array_equal(first[1].numpy(), again[0].numpy())
    np.testing.assert_array_equal(first[0].numpy(), again[1].numpy())
    np.testing.assert_allclose(first[1].numpy(), expected(leaf, weight, g.numpy()), rtol=1e-4, atol=1e-4)


def test_images_without_a_batch_and_layers_with_hooks():
    engine.manual_seed(1)
    conv, x = nn.Conv2d(3, 3, 3, padding=1), engine.randn(3, 6, 6, requires_grad=True)
    for _ in range(2):  # the second time with a hook on the layer
        x.grad = None
        z = x * 2
        (conv(z) + z * 3).sum().backward()
        a = x.grad
        conv.register_full_backward_hook(lambda m, gi, go: None)
        x.grad = None
        z = x * 2
        (conv(z) + z * 3).sum().backward()
        np.testing.assert_allclose(a.numpy(), x.grad.numpy(), rtol=1e-6)


def test_memory_the_gradient_needs_is_still_watched(leaf, weight):
    x = leaf * 2
    y = F.conv2d(x, weight, padding=1)
    with engine.no_grad():
        weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
