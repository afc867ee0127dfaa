"""The same scripts on PyTorch and, their imports swapped, on the engine: steps of nets and of training, as close as rounding."""

import argparse
import importlib
import re

import numpy as np
import pytest
import swap
from nets import DELTA, FACTOR, KINDS, NETS, UNIT, VAE, drawn_state, errors, nearby, run, truth

import engine

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")

LIBRARIES = ("engine", "torch")
DOUBLE = 100 * 2.0**-53  # PyTorch's own float64 is off by half of it: its batch norm adds pixels one after the other


@pytest.fixture(autouse=True)
def noise(monkeypatch):
    """The same noise on both sides."""
    rng = np.random.default_rng(8)
    drawn = {}  # shape -> float32

    def randn_like(t):
        a = drawn.setdefault(tuple(t.shape), rng.standard_normal(tuple(t.shape)).astype("float32"))
        return (engine if isinstance(t, engine.Tensor) else torch).from_numpy(a.copy()).to(t.dtype)

    for lib in (engine, torch):
        monkeypatch.setattr(lib, "randn_like", randn_like)


@pytest.mark.parametrize("net", [*NETS, VAE], ids=lambda net: net.name)
def test_state_dicts_have_the_same_keys_order_and_shapes(net):
    ours, theirs = (net.make(swap.load(net.script, library)).state_dict() for library in LIBRARIES)
    assert [(k, tuple(t.shape), t.numpy().dtype) for k, t in ours.items()] == [
        (k, tuple(t.shape), t.numpy().dtype) for k, t in theirs.items()
    ]
    ours, theirs = (repr(net.make(swap.load(net.script, library))) for library in LIBRARIES)
    assert ours == theirs.replace("torch.", "engine.")


@pytest.mark.parametrize("net", [*NETS, VAE], ids=lambda net: net.name)
def test_outputs_gradients_and_buffers(net):
    state, inputs, exact, condition = truth("torch", net)
    double = errors(run("engine", net, state, inputs, "float64"), exact)
    assert {kind: e for kind, e in double.items() if e > DOUBLE * condition[kind]} == {}
    ours, theirs = (errors(run(library, net, state, inputs, "float32"), exact) for library in LIBRARIES)
    for kind in KINDS:
        unit = UNIT * condition[kind]
        assert ours[kind] <= FACTOR * unit, f"{kind}: off by {ours[kind]:.1e}, {ours[kind] / unit:.1f} units"
        assert ours[kind] <= 4 * max(theirs[kind], unit), f"{kind}: {ours[kind]:.1e}, PyTorch's {theirs[kind]:.1e}"


# ---- training: the engine's and PyTorch's float32 beside PyTorch's float64


class Side:
    """A script on one library in one dtype, and what it takes: tensors, batches, modules with given weights."""

    def __init__(self, script, library, dtype):
        self.lib, self.dtype = importlib.import_module(library), dtype
        self.script = swap.load(script, library)

    def tensor(self, a):
        return self.lib.from_numpy(np.array(a, self.dtype if a.dtype.kind == "f" else None))

    def batches(self, images, labels):
        made = Batches((self.tensor(x), self.tensor(t)) for x, t in zip(images, labels, strict=True))
        made.dataset = range(labels.size)
        return made

    def module(self, make, state):
        module = make(self.script).to(getattr(self.lib, self.dtype))
        module.load_state_dict({name: self.tensor(a) for name, a in state.items()})
        return module


class Batches(list):
    """What a script's loop takes for a loader."""


def state_of(module):
    return {name: t.detach().numpy().copy() for name, t in module.state_dict().items()}


def numbers(*found):
    """Tensors and lists of numbers as float64 arrays."""
    return [np.asarray(x if isinstance(x, list) else x.detach().numpy(), "float64") for x in found]


def distance(got, exact):
    """The largest of relative distances."""
    assert [a.shape for a in got] == [a.shape for a in exact]
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(got, exact, strict=True))


def compare(script, train, state, candidates):
    """train(side, state, data) -> numbers is as exact on the engine as on PyTorch, for the first data without a kink near
    by: those would lead training elsewhere."""

    def calm(data, exact):
        rng = np.random.default_rng(2)
        for _ in range(3):
            for moved in nearby(list(state.values()), rng):
                moved = train(Side(script, "torch", "float64"), dict(zip(state, moved, strict=True)), data)
                if distance(moved, exact) > 1000 * DELTA:
                    return False
        return True

    for data in candidates:
        exact = train(Side(script, "torch", "float64"), state, data)
        if calm(data, exact):
            break
    else:
        raise AssertionError("no data without a kink near by")
    ours, theirs = (distance(train(Side(script, library, "float32"), state, data), exact) for library in LIBRARIES)
    assert ours <= 4 * max(theirs, 2 * UNIT), f"off by {ours:.1e}, PyTorch by {theirs:.1e}"
    assert distance(train(Side(script, "engine", "float64"), state, data), exact) <= 1e-13  # 15 times what it is
    return exact


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_mnist_training(mnist_root, capsys):
    data = engine.vision.datasets.MNIST(mnist_root)
    images = ((data.data[:480].numpy() / 255 - 0.1307) / 0.3081).astype("float32").reshape(20, 6, 4, 1, 28, 28)
    net = next(net for net in NETS if net.name == "mnist")  # without dropout

    def train(side, state, data):
        model = side.module(net.make, state)
        optimizer = side.lib.optim.Adadelta(model.parameters(), lr=1.0)
        batches, device = side.batches(*data), side.lib.device("cpu")
        capsys.readouterr()
        side.script.learn(model, batches, optimizer, device, argparse.Namespace(every=1, dry_run=False), 1)
        losses = [float(x) for x in re.findall(r"loss ([\d.]+)", capsys.readouterr().out)]
        return numbers(losses, list(side.script.check(model, batches, device)), *model.parameters())

    state = state_of(net.make(swap.load("mnist", "torch")))
    exact = compare("mnist", train, state, zip(images, data.targets[:480].numpy().reshape(20, 6, 4), strict=True))
    assert exact[0].shape == (6,)


@pytest.mark.parametrize("falls", [[], [1, 2]], ids=["cosine", "steps"])
def test_cifar_training(falls, capsys):
    """Epochs of the script's own loop: SGD with momentum and decay, clipping, a schedule, batch norm, accuracies."""

    def train(side, state, data):
        net = side.module(lambda m: m.Net(), state)
        options = argparse.Namespace(clip=2.0, dry_run=False, falls=falls, epochs=3)
        optimizer = side.lib.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        scheduler = side.script.scheduled(optimizer, options, 0)
        criterion, batches = side.lib.nn.CrossEntropyLoss(), side.batches(*data)
        losses, rates = [], []
        capsys.readouterr()
        for _ in range(3):
            losses.append(side.script.learn(net, batches, criterion, optimizer, "cpu", options))
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        tested = side.script.check(net, batches, "cpu", options)
        printed = [[float(x) for x in found] for found in re.findall(r"top1 (\S+) top5 (\S+)", capsys.readouterr().out)]
        return numbers(losses, rates, [tested], printed, *net.parameters(), *net.buffers())

    state = state_of(swap.load("cifar", "torch").Net())
    labels = np.random.default_rng(5).integers(0, 10, (5, 8))
    exact = compare("cifar", train, state, ((drawn(seed, 5, 8, 3, 8, 8), labels) for seed in range(20)))
    assert exact[3].shape == (15, 2)


def test_adversarial_training():
    """Rounds of a painter and its critic, each with an Adam of its own."""

    def train(side, state, data):
        nets = []
        for name, make in ("P", lambda m: m.painter()), ("C", lambda m: m.Critic()):
            nets.append(side.module(make, {key[1:]: a for key, a in state.items() if key[0] == name}))
        optimizers = [side.lib.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in nets]
        pairs = [(side.tensor(x), side.tensor(z)) for x, z in zip(*data, strict=True)]
        losses = list(side.script.rounds(*nets, optimizers, pairs))
        return numbers(losses, *nets[0].parameters(), *nets[1].parameters())

    script = swap.load("dcgan", "torch")
    made = {"P": script.painter(), "C": script.Critic()}
    state = {name + key: a for name, net in made.items() for key, a in state_of(net).items()}
    data = ((np.tanh(drawn(seed, 3, 4, 3, 32, 32)), drawn(seed + 50, 3, 4, 16, 1, 1)) for seed in range(20))
    exact = compare("dcgan", train, state, data)
    assert exact[0].shape == (3, 2)


def test_autoencoder_training():
    def train(side, state, images):
        model = side.module(VAE.make, state)
        optimizer = side.lib.optim.Adam(model.parameters(), lr=1e-3)
        losses = []
        for x in map(side.tensor, images):
            optimizer.zero_grad()
            loss = side.script.objective(x, *model(x))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return numbers(losses, *model.parameters())

    images = (np.random.default_rng(seed).random((5, 8, 1, 6, 6)).astype("float32") for seed in range(20))
    compare("vae", train, drawn_state(VAE), images)


def test_style_loss():
    """Products of the channels of whitened pictures, with the gradient for the picture."""

    def step(side, state, picture):
        x = side.tensor(picture).requires_grad_(True)
        gram = side.script.products(side.script.whitened(x * 1))
        side.lib.nn.functional.mse_loss(gram, side.lib.zeros_like(gram)).backward()
        return numbers(gram, x.grad)

    compare("style", step, {}, [127 + 50 * drawn(0, 2, 3, 10, 12)])
