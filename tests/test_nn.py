"""Layers and Module: values against hand computation (and PyTorch, where it is installed), state, initialisation, text."""

import math
from collections import OrderedDict

import numpy as np
import pytest

import engine
import engine.nn.functional as F
from engine import nn


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    with engine.use_backend(request.param):
        yield request.param


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def close(t, expected, tolerance=2e-5):
    np.testing.assert_allclose(t.detach().numpy(), expected, rtol=tolerance, atol=tolerance)


# ---- values, by hand


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op")  # as PyTorch's empty layers warn
def test_linear():
    layer, x = nn.Linear(3, 2), normal(5, 4, 3)
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    close(layer(engine.tensor(x)), x @ w.T + b)
    close(nn.Linear(3, 2, bias=False)(engine.zeros(3)), [0, 0])
    assert nn.Linear(3, 0)(engine.zeros(2, 3)).shape == (2, 0) and nn.Linear(0, 2)(engine.zeros(4, 0)).shape == (4, 2)


@pytest.mark.parametrize(
    "stride, padding, dilation, groups", [(1, 0, 1, 1), ((2, 1), (1, 2), 1, 2), (1, 1, 2, 4), (3, 2, 1, 1)]
)
def test_conv2d(stride, padding, dilation, groups):
    x, w, b = normal(2, 4, 9, 8), normal(8, 4 // groups, 3, 2, seed=1), normal(8, seed=2)
    layer = nn.Conv2d(4, 8, (3, 2), stride, padding, dilation, groups)
    layer.load_state_dict({"weight": engine.tensor(w), "bias": engine.tensor(b)})
    (sh, sw), (ph, pw), (dh, dw) = layer.stride, layer.padding, layer.dilation
    padded = np.pad(x.astype("float64"), [(0, 0), (0, 0), (ph, ph), (pw, pw)])
    y = layer(engine.tensor(x))
    expected = np.zeros(y.shape)
    for o in range(8):
        first = o // (8 // groups) * (4 // groups)
        for r, c in np.ndindex(y.shape[2:]):
            patch = padded[
                :, first : first + 4 // groups, r * sh : r * sh + 2 * dh + 1 : dh, c * sw : c * sw + dw + 1 : dw
            ]
            expected[:, o, r, c] = (patch * w[o]).sum((1, 2, 3)) + b[o]
    close(y, expected)
    close(layer(engine.tensor(x[0])), expected[0])


def test_conv2d_paddings():
    x = engine.tensor(normal(1, 1, 7, 6))
    assert nn.Conv2d(1, 2, 3, padding="same")(x).shape == (1, 2, 7, 6)
    assert nn.Conv2d(1, 2, 3, padding="valid")(x).shape == (1, 2, 5, 4)
    assert nn.Conv2d(1, 2, 4, stride=2, padding="same")(x).shape == (1, 2, 4, 3)
    layer = nn.Conv2d(1, 1, 2, padding=(1, 0, 2, 0), bias=False)
    close(layer(x), F.conv2d(F.pad(x, (2, 0, 1, 0)), layer.weight).detach().numpy())


def test_pooling():
    x = np.arange(16.0, dtype="float32").reshape(1, 1, 4, 4)
    t = engine.tensor(x)
    assert nn.MaxPool2d(2)(t).tolist() == [[[[5, 7], [13, 15]]]] and nn.MaxPool2d(2)(t[0]).tolist() == [
        [[5, 7], [13, 15]]
    ]
    assert nn.AvgPool2d(2)(t).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert nn.MaxPool2d(3, 2, 1)(t).tolist() == [[[[5, 7], [13, 15]]]]
    assert nn.AvgPool2d(2, 2, 1)(t)[0, 0, 0].tolist() == [0, 0.75, 0.75]
    assert nn.AvgPool2d(2, 2, 1, count_include_pad=False)(t)[0, 0, 0].tolist() == [0, 1.5, 3]
    assert nn.AvgPool2d(2, divisor_override=1)(t)[0, 0, 0].tolist() == [10, 18]
    assert nn.MaxPool2d(3, 2, ceil_mode=True)(t).tolist() == [[[[10, 11], [14, 15]]]]
    assert nn.MaxPool2d(2, 1, dilation=2)(t)[0, 0].tolist() == [[10, 11], [14, 15]]


def test_batch_norm():
    x, layer = normal(6, 3, 4, 5) * 2 + 1, nn.BatchNorm2d(3)
    w, b = np.array([1.0, 2, 3], "float32"), np.array([0.5, 0, -1], "float32")
    with engine.no_grad():
        layer.weight.copy_(engine.tensor(w))
        layer.bias.copy_(engine.tensor(b))
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    shaped = lambda a: a.reshape(1, 3, 1, 1)  # noqa: E731
    close(layer(engine.tensor(x)), (x - shaped(mean)) / shaped(np.sqrt(var + 1e-5)) * shaped(w) + shaped(b))
    running_mean, running_var = 0.1 * mean, 0.9 + 0.1 * var * 120 / 119
    close(layer.running_mean, running_mean)
    close(layer.running_var, running_var)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    close(
        layer(engine.tensor(x)),
        (x - shaped(running_mean)) / shaped(np.sqrt(running_var + 1e-5)) * shaped(w) + shaped(b),
    )
    assert layer.num_batches_tracked.item() == 1

    average = nn.BatchNorm2d(3, momentum=None)
    for i in range(3):
        average(engine.tensor(x + i))
    close(average.running_mean, mean + 1)
    plain = nn.BatchNorm2d(3, affine=False, track_running_stats=False).eval()
    assert not list(plain.parameters()) and not plain.state_dict()
    close(plain(engine.tensor(x)), (x - shaped(mean)) / shaped(np.sqrt(var + 1e-5)))


def test_activations_and_losses():
    x, labels = normal(4, 5), np.array([0, 4, 2, 2])
    t, target = engine.tensor(x), engine.tensor(labels)
    softmax = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    close(nn.Softmax(1)(t), softmax)
    close(nn.LogSoftmax(1)(t), np.log(softmax))
    close(nn.ReLU()(t), np.maximum(x, 0))
    close(nn.Sigmoid()(t), 1 / (1 + np.exp(-x)))
    close(nn.Tanh()(t), np.tanh(x))
    losses = -np.log(softmax[np.arange(4), labels])
    close(nn.CrossEntropyLoss()(t, target), losses.mean())
    close(nn.CrossEntropyLoss(reduction="sum")(t, target), losses.sum())
    close(nn.CrossEntropyLoss(reduction="none")(t, target), losses)
    close(nn.NLLLoss()(nn.LogSoftmax(1)(t), target.int()), losses.mean())
    close(nn.MSELoss()(t, engine.zeros(4, 5)), (x**2).mean())
    pixels, per_pixel = normal(2, 5, 3, 2), np.random.default_rng(0).integers(0, 5, (2, 3, 2))
    logs = pixels - np.log(np.exp(pixels).sum(1, keepdims=True))
    expected = -np.take_along_axis(logs, per_pixel[:, None], 1)[:, 0]
    close(F.cross_entropy(engine.tensor(pixels), engine.tensor(per_pixel), reduction="none"), expected)
    close(F.cross_entropy(engine.tensor(x[0]), engine.tensor(4)), -np.log(softmax[0, 4]))
    assert math.isinf(nn.CrossEntropyLoss()(engine.tensor([[0.0, -math.inf]]), engine.tensor([1])).item())
    assert nn.CrossEntropyLoss()(engine.tensor([[1e4, -1e4]]), engine.tensor([1])).item() == 2e4


def test_dropout():
    engine.manual_seed(0)
    layer, x = nn.Dropout(0.25), engine.ones(100, 100, requires_grad=True)
    y = layer(x)
    kept = y.detach().numpy()
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.75)} and abs((kept == 0).mean() - 0.25) < 0.02
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), kept)
    assert layer(x).tolist() != y.tolist() and layer.eval()(x) is x
    assert nn.Dropout(1.0)(x).sum().item() == 0 and nn.Dropout(0.0)(x) is x


# ---- Module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
        self.head = nn.Linear(8, 3)
        self.scale = nn.Parameter(engine.ones(1))
        self.register_buffer("steps", engine.zeros(1))
        self.nothing = None

    def forward(self, x):
        return self.head(self.body(x).flatten(1)) * self.scale


NAMES = ["scale", "steps", "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "body.1.running_mean",
         "body.1.running_var", "body.1.num_batches_tracked", "head.weight", "head.bias"]  # fmt: skip


def test_names_and_trees():
    net = Net()
    assert list(net.state_dict()) == NAMES
    assert [n for n, _ in net.named_parameters()] == [n for n in NAMES if n.endswith(("scale", "weight", "bias"))]
    assert [n for n, _ in net.named_modules()] == ["", "body", "body.0", "body.1", "body.2", "head"]
    assert [n for n, _ in net.named_children()] == ["body", "head"] and len(list(net.buffers())) == 4
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Conv2d", "BatchNorm2d", "ReLU", "Sequential", "Linear", "Net"]
    net.tail = net.head
    assert len(list(net.parameters())) == 7, "shared parameters count once"
    assert "tail.weight" in net.state_dict()
    del net.tail
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'tail'"):
        net.tail  # noqa: B018


def test_train_and_eval_reach_everything():
    net = Net()
    assert net.eval() is net and not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_state_dict_round_trip():
    source, target, x = Net(), Net(), engine.tensor(normal(2, 1, 4, 4))
    source(x)
    keys = target.load_state_dict(source.state_dict())
    assert keys.missing_keys == keys.unexpected_keys == []
    for name, t in target.state_dict().items():
        assert t.tolist() == source.state_dict()[name].tolist() and t.dtype == source.state_dict()[name].dtype
        assert not np.shares_memory(t.numpy(), source.state_dict()[name].numpy())
    assert target.eval()(x).tolist() == source.eval()(x).tolist()
    target.state_dict()["scale"].fill_(5)
    assert target.scale.item() == 5, "a state_dict shares memory with its module"


def test_loading_lists_every_problem_and_changes_nothing():
    net = Net()
    before = {n: t.tolist() for n, t in net.state_dict().items()}
    wrong = {n: t + 1 for n, t in net.state_dict().items()}
    wrong["head.extra"] = wrong.pop("head.bias")
    wrong["head.weight"] = engine.zeros(3, 7)
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(wrong)
    assert str(error.value) == (
        "Error(s) in loading state_dict for Net:\n"
        "\tMissing key(s) in state_dict: 'head.bias'.\n"
        "\tUnexpected key(s) in state_dict: 'head.extra'.\n"
        "\tsize mismatch for head.weight: got (3, 7), expected (3, 8)"
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(wrong, strict=False)
    assert {n: t.tolist() for n, t in net.state_dict().items()} == before
    with pytest.raises(TypeError, match="entry 'scale' must be a Tensor, got ndarray"):
        net.load_state_dict({"steps": engine.ones(1), "scale": np.ones(1)}, strict=False)
    assert {n: t.tolist() for n, t in net.state_dict().items()} == before
    del wrong["head.weight"]
    keys = net.load_state_dict(wrong, strict=False)
    assert sorted(keys.missing_keys) == ["head.bias", "head.weight"] and keys.unexpected_keys == ["head.extra"]
    assert net.scale.item() == 2


def test_conversion_keeps_parameters_their_identity():
    net = Net()
    parameters = list(net.parameters())
    x = engine.tensor(normal(2, 1, 4, 4)).double()
    net.double()
    assert all(p is q for p, q in zip(parameters, net.parameters(), strict=True))
    assert all(t.dtype == "float64" for n, t in net.state_dict().items() if "tracked" not in n)
    net(x).sum().backward()
    assert net.head.weight.grad.dtype == "float64"
    net.float()
    assert net.head.weight.grad.dtype == "float32"


def test_zero_grad():
    net, x = Net(), engine.tensor(normal(2, 1, 4, 4))
    net(x).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0.0]
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_sequential():
    layers = nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)
    net = nn.Sequential(*layers)
    assert len(net) == 3 and net[0] is layers[0] and net[-1] is layers[2] and list(net) == list(layers)
    part = net[1:]
    assert type(part) is nn.Sequential and list(part) == list(layers[1:])
    assert net.append(nn.ReLU()) is net and len(net) == 4
    with pytest.raises(IndexError, match="index 4 is out of range for a Sequential of 4"):
        net[4]
    named = nn.Sequential(OrderedDict(first=nn.Linear(2, 2), second=nn.ReLU()))
    assert list(named.state_dict()) == ["first.weight", "first.bias"] and named.second is named[1]
    assert nn.Sequential()(5) == 5


def test_misuse_is_named():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"Forgetful: call super\(\).__init__\(\) before assigning 'layer'"):
        Forgetful()
    net = Net()
    with pytest.raises(TypeError, match="cannot assign Tensor as parameter 'scale'"):
        net.scale = engine.ones(1)
    with pytest.raises(TypeError, match="cannot assign int as buffer 'steps'"):
        net.steps = 1
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(1)
    with pytest.raises(NotImplementedError, match=r"Module \[Module\] is missing"):
        nn.Module()(1)
    with pytest.raises(TypeError, match="Parameter expects a Tensor, got list"):
        nn.Parameter([1.0])


# ---- initialisation


def test_default_initialisation():
    engine.manual_seed(0)
    for layer, bound in ((nn.Linear(300, 200), 300**-0.5), (nn.Conv2d(16, 64, 5, groups=2), (8 * 25) ** -0.5)):
        for p, items in ((layer.weight, 12_800), (layer.bias, 64)):
            v = p.detach().numpy().ravel() / bound
            assert len(v) >= items and np.abs(v).max() <= 1
            assert np.abs(v).max() > 0.9 and abs(v.mean()) < 2 / math.sqrt(len(v))
        # The largest distance between the distribution found and the uniform one (Kolmogorov and Smirnov).
        v = np.sort(layer.weight.detach().numpy().ravel() / bound)
        assert np.abs((v + 1) / 2 - np.arange(len(v)) / len(v)).max() < 1.7 / math.sqrt(len(v))
    norm = nn.BatchNorm2d(3)
    assert (
        norm.weight.tolist() == [1, 1, 1] and norm.bias.tolist() == [0, 0, 0] and norm.running_var.tolist() == [1, 1, 1]
    )
    engine.manual_seed(0)
    again = nn.Linear(300, 200).weight.tolist()
    engine.manual_seed(0)
    assert nn.Linear(300, 200).weight.tolist() == again


def test_initialisers():
    engine.manual_seed(0)
    w = engine.empty(60, 40, 3, 3)
    for fill, std in ((nn.init.kaiming_normal_, math.sqrt(2 / 360)), (nn.init.kaiming_uniform_, math.sqrt(2 / 360)),
                      (nn.init.xavier_normal_, math.sqrt(2 / 900)), (nn.init.xavier_uniform_, math.sqrt(2 / 900)),
                      (lambda t: nn.init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 540)),
                      (lambda t: nn.init.normal_(t, 0, 3), 3), (lambda t: nn.init.uniform_(t, -3, 3), math.sqrt(3))):  # fmt: skip
        assert fill(w) is w
        assert w.numpy().std() == pytest.approx(std, rel=0.02) and abs(w.mean().item()) < 0.02 * std
    assert set(nn.init.constant_(w, 2.5).numpy().ravel()) == {2.5}
    assert not nn.init.zeros_(w).numpy().any() and nn.init.ones_(w).numpy().all()
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        nn.init.xavier_uniform_(engine.ones(3))
    with pytest.raises(ValueError, match="Mode 'fan' not supported"):
        nn.init.kaiming_normal_(w, mode="fan")
