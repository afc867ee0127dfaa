"""LeNet-5 as published in 1998, against the paper's numbers and equations."""

import numpy as np
import pytest

import engine
from engine import nn
from engine.vision import models
from engine.vision.models.lenet5_1998 import C3_INPUTS, ScaledTanh, Subsampling, digit_codes


@pytest.fixture
def net():
    engine.manual_seed(0)
    return models.lenet5_1998(image_size=32)


def test_parameters_of_each_layer(net):
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in net.named_children()}
    assert counts == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 0, "squash": 0}
    assert sum(counts.values()) == 60_000


def test_maps_of_each_layer(net):
    shapes = {layer.path: layer.output[1:] for layer in net.summary((1, 32, 32)).layers}
    assert shapes["c1"] == (6, 28, 28) and shapes["s2"] == (6, 14, 14) and shapes["c3"] == (16, 10, 10)
    assert shapes["s4"] == (16, 5, 5) and shapes["c5"] == (120, 1, 1) and shapes["output"] == (10,)
    padded = models.lenet5_1998().summary((1, 28, 28)).layers
    assert padded[0].output == (1, 6, 28, 28)


def test_scaled_tanh():
    x = np.linspace(-4, 4, 33).astype("float32")
    y = ScaledTanh()(engine.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, 1.7159 * np.tanh(2 / 3 * x), rtol=1e-5)
    assert y[x == 1] == pytest.approx(1, abs=1e-4)


def test_subsampling_adds_scales_and_shifts():
    layer = Subsampling(2)
    layer.load_state_dict({"weight": engine.tensor([0.5, -2.0]), "bias": engine.tensor([1.0, 3.0])})
    x = np.arange(32, dtype="float32").reshape(1, 2, 4, 4)
    sums = x.reshape(1, 2, 2, 2, 2, 2).sum((3, 5))
    expected = sums * np.float32([0.5, -2]).reshape(2, 1, 1) + np.float32([1, 3]).reshape(2, 1, 1)
    np.testing.assert_allclose(layer(engine.from_numpy(x)).detach().numpy(), expected)


def test_table_of_c3():
    """Table I: 6 maps of three neighbours, 6 of four, 3 of two pairs, one of all."""
    assert [len(seen) for seen in C3_INPUTS] == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_INPUTS)) == 16
    assert [sum(c in seen for seen in C3_INPUTS) for c in range(6)] == [10] * 6  # X's in each row of the table


def test_c3_is_the_sum_over_its_connections(net):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 6, 14, 14)).astype("float32")
    filters, bias = net.c3.weight.detach().numpy(), rng.standard_normal(16).astype("float32")
    net.c3.load_state_dict({"weight": net.c3.weight.detach(), "bias": engine.from_numpy(bias)})
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (2, 3))
    expected, first = np.zeros((2, 16, 10, 10)), 0
    for j, seen in enumerate(C3_INPUTS):
        own = filters[first : first + len(seen)]
        first += len(seen)
        expected[:, j] = np.einsum("ncyxab,cab->nyx", windows[:, list(seen)], own) + bias[j]
    y = net.c3(engine.from_numpy(x))
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    y.sum().backward()
    assert (net.c3.weight.grad.numpy() != 0).all() and net.c3.weight.grad.shape == (60, 5, 5)


def test_weights_start_within_the_papers_limits(net):
    for layer, fan in ((net.c1, 25), (net.c5, 400), (net.f6, 120)):
        weights = np.abs(layer.weight.detach().numpy())
        assert 0.95 * 2.4 / fan < weights.max() <= 2.4 / fan
    weights, first = np.abs(net.c3.weight.detach().numpy()), 0
    for seen in C3_INPUTS:
        own, limit = weights[first : first + len(seen)], 2.4 / (25 * len(seen))
        assert 0.8 * limit < own.max() <= limit
        first += len(seen)


def test_codes_are_pictures_that_differ():
    codes = np.array(digit_codes())
    assert codes.shape == (10, 84) and set(np.unique(codes)) == {-1, 1}
    differing = [(codes[i] != codes[j]).sum() for i in range(10) for j in range(i)]
    assert min(differing) >= 4 and np.mean(differing) > 20


def test_scores_are_distances_from_the_codes(net):
    x = np.random.default_rng(0).standard_normal((3, 84)).astype("float32")
    distances = ((x[:, None] - np.array(digit_codes())) ** 2).sum(2)
    np.testing.assert_allclose(net.output(engine.from_numpy(x)).numpy(), -distances, rtol=1e-4, atol=1e-4)
    assert "output.codes" in net.state_dict() and all("codes" not in n for n, _ in net.named_parameters())


def test_losses_are_the_papers_equations():
    rng = np.random.default_rng(0)
    y, target = rng.uniform(0, 9, (5, 10)), np.array([3, 1, 4, 1, 5])
    right = y[np.arange(5), target]
    scores, labels = engine.tensor(-y), engine.tensor(target)
    assert models.MeanPenalty()(scores, labels).item() == pytest.approx(right.mean())
    for j in (0.5, 2.0):
        expected = (right + np.log(np.exp(-j) + np.exp(-y).sum(1))).mean()
        assert models.DiscriminativeLoss(j)(scores, labels).item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="j must be above 0"):
        models.DiscriminativeLoss(0)


@pytest.mark.parametrize("loss", [models.MeanPenalty(), models.DiscriminativeLoss(), nn.CrossEntropyLoss()])
def test_training_steps_make_the_loss_fall(net, loss):
    x, y = engine.randn(8, 1, 32, 32), engine.tensor([0, 1, 2, 3, 4, 5, 6, 7])
    optimizer = engine.optim.SGD(net.parameters(), lr=0.002, momentum=0.9)
    losses = []
    for _ in range(40):
        value = loss(net(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.5 * losses[0], losses


def test_sizes_and_classes():
    assert models.lenet5_1998(4)(engine.zeros(2, 1, 28, 28)).shape == (2, 4)
    with pytest.raises(ValueError, match="codes for at most 10 classes, got num_classes=11"):
        models.lenet5_1998(11)
    with pytest.raises(ValueError, match="image_size must be 28 or 32"):
        models.lenet5_1998(image_size=30)
