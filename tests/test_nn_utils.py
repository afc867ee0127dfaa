"""Tools of nn.utils: gradients clipped, parameters as a vector, batch norm folded into the layer before it."""

import math

import numpy as np
import pytest

import engine
from engine import nn
from engine.nn import utils


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        engine.manual_seed(0)
        yield request.param


def parameters(*gradients, dtype="float32"):
    made = []
    for g in gradients:
        p = engine.zeros(np.shape(g), dtype=dtype, requires_grad=True)
        p.grad = engine.tensor(g, dtype=dtype)
        made.append(p)
    return made


# ---- clipping


@pytest.mark.parametrize(
    "order, total", [(2, 13.0), (2.0, 13.0), (1, 19.0), (math.inf, 12.0), ("inf", 12.0), (3, 1819 ** (1 / 3))]
)
def test_the_norm_of_all_gradients_is_limited(order, total):
    params = [engine.zeros(2, requires_grad=True), *parameters([3.0, -4.0], [[12.0], [0.0]])]  # one without a gradient
    found = utils.clip_grad_norm_(params, total / 2, order)
    assert isinstance(found, engine.Tensor) and found.shape == () and found.item() == pytest.approx(total)
    assert params[0].grad is None
    half = 0.5 * total / (total + 1e-6)
    np.testing.assert_allclose(params[1].grad.numpy(), np.array([3.0, -4.0]) * half, rtol=1e-6)
    np.testing.assert_allclose(params[2].grad.numpy(), np.array([[12.0], [0.0]]) * half, rtol=1e-6)
    assert utils.get_total_norm([p.grad for p in params[1:]], order).item() == pytest.approx(total / 2, rel=1e-5)


def test_gradients_below_the_limit_keep_their_bits():
    params = parameters([0.3, 0.1], [0.2])
    held = [p.grad for p in params]
    before = [g.tolist() for g in held]
    assert utils.clip_grad_norm_(iter(params), 1.0).item() == pytest.approx(math.sqrt(0.14))
    assert [g.tolist() for g in held] == before and all(p.grad is g for p, g in zip(params, held, strict=True))


def test_one_tensor_none_and_nothing():
    (p,) = parameters([3.0, 4.0])
    assert utils.clip_grad_norm_(p, 1).item() == 5.0
    assert utils.clip_grad_norm_([engine.zeros(2)], 1).item() == 0.0
    assert utils.clip_grad_norm_([], 1).item() == 0.0
    with pytest.warns(UserWarning, match="`parameters` is an empty generator"):
        utils.clip_grad_norm_((q for q in []), 1)
    (p,) = parameters([0.0, 0.0])
    utils.clip_grad_norm_(p, 1.0)
    assert p.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(bad):
    params = parameters([1.0, bad], [2.0])
    with pytest.raises(RuntimeError, match="total norm of order 2.0 for gradients from `parameters` is non-finite"):
        utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert params[1].grad.tolist() == [2.0]
    assert not math.isfinite(utils.clip_grad_norm_(params, 1.0).item())
    assert params[1].grad.item() == 0.0 if bad == math.inf else math.isnan(params[1].grad.item())


def test_values_are_cut_off():
    params = [engine.zeros(2, requires_grad=True), *parameters([3.0, -4.0, 0.5], [[-1.5]])]
    utils.clip_grad_value_(params, 1.5)
    assert [p.grad.tolist() for p in params[1:]] == [[1.5, -1.5, 0.5], [[-1.5]]]
    utils.clip_grad_value_(params[1], 1)
    assert params[1].grad.tolist() == [1, -1, 0.5]


def test_dtypes_side_by_side():
    wide, narrow = parameters([3.0], dtype="float64")[0], parameters([4.0])[0]
    assert utils.clip_grad_norm_([wide, narrow], 1.0).item() == 5.0
    assert wide.grad.dtype == engine.float64 and narrow.grad.dtype == engine.float32
    assert wide.grad.item() == pytest.approx(0.6, rel=1e-6) and narrow.grad.item() == pytest.approx(0.8, rel=1e-6)


def test_the_old_name_is_deprecated():
    params = parameters([3.0, 4.0])
    with pytest.warns(FutureWarning, match="clip_grad_norm` is now deprecated"):
        assert utils.clip_grad_norm(params, 1.0).item() == 5.0


def test_clipping_in_training():
    net = nn.Linear(3, 2)
    optimiser = engine.optim.SGD(net.parameters(), lr=1.0)
    before = net.weight.detach().clone()
    (net(engine.ones(4, 3)) * 100).sum().backward()
    nn.utils.clip_grad_norm_(net.parameters(), max_norm=0.5)
    optimiser.step()
    moved = net.weight.detach() - before
    assert 0 < (moved * moved).sum().item() < 0.25


# ---- vectors


def test_parameters_to_a_vector_and_back():
    net = nn.Sequential(nn.Linear(2, 3), nn.Conv2d(1, 2, 2))
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.shape == (6 + 3 + 8 + 2,) and vector.requires_grad
    assert vector[6:9].tolist() == net[0].bias.tolist() and vector[9:17].tolist() == net[1].weight.reshape(-1).tolist()
    vector.sum().backward()
    assert all((p.grad.numpy() == 1).all() for p in net.parameters())
    new = engine.arange(19.0)
    utils.vector_to_parameters(new, net.parameters())
    assert net[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]] and net[1].weight.shape == (2, 1, 2, 2)
    assert utils.parameters_to_vector(net.parameters()).tolist() == new.tolist()
    assert isinstance(net[0].weight, nn.Parameter) and net[0].weight.requires_grad
    new[0] = 7
    assert net[0].weight[0, 0].item() == 7  # the memory is shared
    net[0](engine.ones(1, 2)).sum().backward()
    engine.optim.SGD(net.parameters(), lr=1.0).step()
    assert new[0].item() == net[0].weight[0, 0].item() != 7


def test_what_is_no_vector_of_these_parameters():
    net = nn.Linear(2, 3)
    before = net.weight.tolist()
    with pytest.raises(TypeError, match="expected a Tensor, but got list"):
        utils.vector_to_parameters([0.0] * 9, net.parameters())
    with pytest.raises(RuntimeError, match="the vector has 8 elements, the parameters 9"):
        utils.vector_to_parameters(engine.zeros(8), net.parameters())
    assert net.weight.tolist() == before


# ---- fusion


def trained_norm(norm):
    """Batch norm with statistics, weights and biases of its own."""
    for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        if t is not None:
            t.data = engine.rand(norm.num_features) + 0.5
    return norm.eval()


@pytest.mark.parametrize("conv", [
    lambda: nn.Conv2d(3, 4, 3), lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False, stride=2), lambda: nn.Conv2d(2, 5, 1, padding=1),
])  # fmt: skip
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_folded_into_a_convolution(conv, affine):
    conv = conv().eval()
    norm = trained_norm(nn.BatchNorm2d(conv.out_channels, affine=affine))
    x = engine.randn(2, conv.in_channels, 7, 7)
    fused = utils.fuse_conv_bn_eval(conv, norm)
    weights = conv.weight.tolist()
    np.testing.assert_allclose(fused(x).detach().numpy(), norm(conv(x)).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert conv.weight.tolist() == weights and fused is not conv and type(fused) is type(conv)
    assert set(fused.state_dict()) == {"weight", "bias"}


def test_batch_norm_folded_into_a_linear_layer():
    for bias in (True, False):
        linear, norm = nn.Linear(5, 4, bias=bias).eval(), trained_norm(nn.BatchNorm2d(4))
        x = engine.randn(3, 5)
        fused = utils.fuse_linear_bn_eval(linear, norm)
        np.testing.assert_allclose(
            fused(x).detach().numpy(),
            norm(linear(x).reshape(3, 4, 1, 1)).reshape(3, 4).detach().numpy(),
            rtol=1e-4,
            atol=1e-5,
        )


def test_what_cannot_be_folded():
    conv, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    with pytest.raises(AssertionError, match="Fusion only for eval"):
        utils.fuse_conv_bn_eval(conv.eval(), norm)
    with pytest.raises(AssertionError, match="running_mean and bn.running_var must not be None"):
        utils.fuse_conv_bn_eval(conv, nn.BatchNorm2d(2, track_running_stats=False).eval())
    with pytest.raises(AssertionError, match="linear.out_features == bn.num_features"):
        utils.fuse_linear_bn_eval(nn.Linear(2, 3).eval(), nn.BatchNorm2d(2).eval())
