"""Layers beside PyTorch's: same weights, then same outputs, gradients, state and text. Skipped where PyTorch is not installed."""

import numpy as np
import pytest

import engine
from engine import nn

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


LAYERS = [  # how to make it (from engine.nn or torch.nn), shape of the input
    (lambda nn: nn.Linear(7, 5), (4, 7)), (lambda nn: nn.Linear(7, 5, bias=False), (2, 3, 7)), (lambda nn: nn.Linear(3, 2), (3,)),
    (lambda nn: nn.Conv2d(3, 8, 3), (2, 3, 9, 8)), (lambda nn: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), bias=False), (2, 4, 9, 8)),
    (lambda nn: nn.Conv2d(4, 8, 3, 2, 1, 2, 4), (3, 4, 11, 12)), (lambda nn: nn.Conv2d(2, 3, 5, padding="same"), (1, 2, 6, 7)),
    (lambda nn: nn.Conv2d(1, 6, 5, padding=2), (2, 1, 28, 28)), (lambda nn: nn.Conv2d(6, 16, 5), (2, 6, 14, 14)),
    (lambda nn: nn.Conv2d(2, 2, 1, stride=3), (2, 2, 8, 8)), (lambda nn: nn.Conv2d(3, 2, 3), (3, 5, 5)),
    (lambda nn: nn.MaxPool2d(2), (2, 3, 7, 8)), (lambda nn: nn.MaxPool2d(3, 2, 1), (2, 3, 8, 7)),
    (lambda nn: nn.MaxPool2d((3, 2), (1, 2), (1, 0), (1, 2), ceil_mode=True), (2, 2, 9, 8)), (lambda nn: nn.MaxPool2d(2), (2, 5, 5)),
    (lambda nn: nn.AvgPool2d(2), (2, 3, 7, 8)), (lambda nn: nn.AvgPool2d(3, 2, 1), (2, 3, 8, 7)),
    (lambda nn: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 3, 8, 8)),
    (lambda nn: nn.AvgPool2d((2, 3), divisor_override=5), (2, 2, 6, 6)), (lambda nn: nn.AvgPool2d(3, 2, 1, True), (1, 1, 6, 6)),
    (lambda nn: nn.BatchNorm2d(3), (4, 3, 5, 6)), (lambda nn: nn.BatchNorm2d(3, eps=1e-2, momentum=0.5, affine=False), (4, 3, 5, 6)),
    (lambda nn: nn.BatchNorm2d(3, momentum=None), (4, 3, 5, 6)), (lambda nn: nn.BatchNorm2d(3).eval(), (4, 3, 5, 6)),
    (lambda nn: nn.BatchNorm2d(3, track_running_stats=False), (1, 3, 2, 2)),
    (lambda nn: nn.ReLU(), (3, 4)), (lambda nn: nn.ReLU(inplace=True), (3, 4)), (lambda nn: nn.Tanh(), (3, 4)),
    (lambda nn: nn.Sigmoid(), (3, 4)), (lambda nn: nn.Softmax(dim=1), (3, 4, 5)), (lambda nn: nn.LogSoftmax(dim=-1), (3, 4, 5)),
    (lambda nn: nn.Flatten(), (2, 3, 4)), (lambda nn: nn.Flatten(0, 1), (2, 3, 4)), (lambda nn: nn.Identity(3, x=1), (2, 3)),
    (lambda nn: nn.Dropout(0.3).eval(), (3, 4)), (lambda nn: nn.Dropout(0.3, True).eval(), (3, 4)),
    (lambda nn: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                              nn.Sequential(nn.Linear(36, 10), nn.Tanh())), (5, 1, 8, 8)),
]  # fmt: skip


def both(make):
    ours, theirs = make(nn), make(torch.nn)
    ours.load_state_dict(
        {name: engine.from_numpy(t.detach().numpy().copy()) for name, t in theirs.state_dict().items()}
    )
    return ours, theirs


def close(ours, theirs, tolerance=2e-5):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make, shape", LAYERS, ids=[repr(make(nn)).replace("\n", "") for make, _ in LAYERS])
def test_outputs_gradients_state_and_text(make, shape):
    ours, theirs = both(make)
    rng = np.random.default_rng(0)
    values = rng.standard_normal(shape).astype("float32")
    x, tx = engine.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, ty = ours(x * 1), theirs(tx * 1)
    assert tuple(y.shape) == tuple(ty.shape)
    close(y, ty)
    g = rng.standard_normal(ty.shape).astype("float32")
    y.backward(engine.tensor(g))
    ty.backward(torch.tensor(g))
    close(x.grad, tx.grad, 1e-4)
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        close(p.grad, q.grad, 1e-4)
    for (name, t), (other, u) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert name == other and str(t.dtype) == str(u.dtype).removeprefix("torch.")
        close(t, u)
    assert repr(ours) == repr(theirs)


LOSSES = [
    (lambda nn, **o: nn.CrossEntropyLoss(**o), (6, 4), (6,)), (lambda nn, **o: nn.CrossEntropyLoss(**o), (3, 4, 2, 5), (3, 2, 5)),
    (lambda nn, **o: nn.NLLLoss(**o), (6, 4), (6,)), (lambda nn, **o: nn.NLLLoss(**o), (3, 4, 5), (3, 5)),
    (lambda nn, **o: nn.MSELoss(**o), (3, 4), None),
]  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("make, shape, labels", LOSSES, ids="ce ce-pixels nll nll-pixels mse".split())
def test_losses(make, shape, labels, reduction):
    rng = np.random.default_rng(0)
    values = rng.standard_normal(shape).astype("float32")
    target = rng.standard_normal(shape).astype("float32") if labels is None else rng.integers(0, 4, labels)
    x, tx = engine.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ours, theirs = make(nn, reduction=reduction), make(torch.nn, reduction=reduction)
    y, ty = ours(x, engine.tensor(target)), theirs(tx, torch.tensor(target))
    close(y, ty)
    y.sum().backward()
    ty.sum().backward()
    close(x.grad, tx.grad)
    assert repr(ours) == repr(theirs)


def test_default_bounds_are_those_of_pytorch():
    for make in (lambda nn: nn.Linear(50, 4000), lambda nn: nn.Conv2d(8, 4000, 5, groups=2)):
        ours, theirs = make(nn), make(torch.nn)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert p.detach().numpy().max() == pytest.approx(q.detach().numpy().max(), rel=0.02)
            assert p.detach().numpy().std() == pytest.approx(q.detach().numpy().std(), rel=0.05)


def test_training_a_small_net_beside_pytorch():
    ours, theirs = both(LAYERS[-1][0])
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((40, 5, 1, 8, 8)).astype("float32"), rng.integers(0, 10, (40, 5))
    optimisers = engine.optim.SGD(ours.parameters(), 0.05, 0.9), torch.optim.SGD(theirs.parameters(), 0.05, 0.9)
    for x, t in zip(images, labels, strict=True):
        pairs = (engine, ours, optimisers[0]), (torch, theirs, optimisers[1])
        losses = []
        for lib, net, optimiser in pairs:
            optimiser.zero_grad()
            loss = lib.nn.functional.cross_entropy(net(lib.tensor(x)), lib.tensor(t))
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=2e-3)
