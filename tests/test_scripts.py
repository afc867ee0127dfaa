"""Scripts written for PyTorch, their imports swapped, on the engine alone: nets as exact as float32 allows, whole programs."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import swap
from conftest import PROJECT
from nets import DRAWING, FACTOR, NETS, UNIT, errors, run, truth

import engine


@pytest.fixture
def noise(monkeypatch):
    """Noise as the float32 that it is, whatever is asked for: PyTorch's and the engine's depend on the dtype."""
    drawn = np.random.default_rng(8).standard_normal((3, 5)).astype("float32")
    monkeypatch.setattr(engine, "randn_like", lambda t: engine.from_numpy(drawn).to(t.dtype))


@pytest.mark.usefixtures("noise")
@pytest.mark.parametrize("net", NETS + DRAWING, ids=lambda net: net.name)
def test_float32_is_float64_rounded(net, isa):
    state, inputs, exact, condition = truth("engine", net)
    off = errors(run("engine", net, state, inputs, "float32"), exact)
    assert {kind: e for kind, e in off.items() if e > FACTOR * UNIT * condition[kind]} == {}


def test_what_is_swapped():
    text = """
import torch
import torch.nn as nn, os
    import torch.utils.data
from torch.optim.lr_scheduler import StepLR
from torch import nn
import torchvision
import torchvision.transforms as transforms
from torchvision import datasets
import torchmetrics
x = torch.zeros(1)  # import torch is above
"""
    assert (
        swap.swapped(text)
        == """
import engine as torch
import engine.nn as nn, os
    import engine.utils.data
from engine.optim.lr_scheduler import StepLR
from engine import nn
import engine.vision as torchvision
import engine.vision.transforms as transforms
from engine.vision import datasets
import torchmetrics
x = torch.zeros(1)  # import torch is above
"""
    )


# ---- initialisation as scripts write it


def test_initialisation_by_the_name_of_the_class():
    engine.manual_seed(0)
    for m in swap.load("dcgan", "engine").painter(w=32):
        if type(m).__name__ == "ConvTranspose2d":
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif type(m).__name__ == "BatchNorm2d":
            assert m.weight.mean().item() == pytest.approx(1, abs=0.01) and m.weight.std().item() > 0.01
            assert not m.bias.any()


def test_initialisation_by_class():
    engine.manual_seed(0)
    script = swap.load("residual", "engine")
    net = script.Residual((16, 32, 64), 3, weights=False)
    assert net.stages.stage1[0].convs[0].weight.std().item() == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.05)
    assert script.sizes(net) == (269722, 20)  # as He et al. count their ResNet-20
    net = swap.load("vgg", "engine").VGG()
    assert net.maps[0].weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
    assert not net.maps[0].bias.any() and net.maps[1].weight.all()


# ---- whole programs


@pytest.fixture
def program(tmp_path):
    """Runs a script, its imports swapped, in a folder of its own; gives what it printed."""
    folder = tmp_path / "project"
    folder.mkdir()

    def start(name, *arguments):
        (folder / f"{name}.py").write_text(swap.swapped((swap.SCRIPTS / f"{name}.py").read_text()))
        path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-W", "error", f"{name}.py", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    start.folder = folder
    return start


def test_mnist_program(program, mnist_root):
    raw = program.folder.parent / "data" / "MNIST" / "raw"  # as torchvision lays it out
    raw.mkdir(parents=True)
    for file in mnist_root.iterdir():
        (raw / file.name).symlink_to(file)
    printed = program("mnist", "--dry-run", "--epochs", 2, "--save-model")
    losses = [float(x) for x in re.findall(r"epoch \d \[0/60000 0%\] loss ([\d.]+)", printed)]
    assert len(losses) == 2 and 2.2 < losses[0] < 2.5  # ln 10: nothing is known yet
    right = [int(x) for x in re.findall(r"test: loss [\d.]+, right (\d+)/10000", printed)]
    assert len(right) == 2 and right[1] > 2000  # after two steps
    net = swap.load("mnist", "engine").Net()
    net.load_state_dict(engine.load(program.folder / "digits.pt"))


def test_cifar_program_stops_and_goes_on(program, cifar10_root):
    options = ["--data", cifar10_root, "--dry-run", "--batch-size", 32, "--clip", 1.0, "--falls", 1, 3]
    printed = program("cifar", *options, "--epochs", 2)
    assert re.findall(r"epoch (\d) lr (\S+)", printed) == [("0", "1.00000e-01"), ("1", "1.00000e-02")]
    assert len(re.findall(r"step 0/1563 [\d.]+ s loss [\d.]+ \([\d.]+\) top1 [\d.]+ top5 [\d.]+", printed)) == 2
    saved = engine.load(program.folder / "checkpoint" / "best.pth")
    assert list(saved) == ["net", "optimizer", "best", "epoch"]
    printed = program("cifar", *options, "--epochs", 1, "--resume")
    assert f"resumed at epoch {saved['epoch'] + 1}, best {saved['best']:.3f}" in printed


def test_style_helpers():
    style = swap.load("style", "engine")
    y = engine.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype("float32"))
    flat = y.numpy().reshape(2, 3, 20)
    np.testing.assert_allclose(style.products(y).numpy(), flat @ flat.transpose(0, 2, 1) / 60, rtol=1e-5, atol=1e-6)
    white = style.whitened(engine.full((1, 3, 1, 1), 255.0))
    np.testing.assert_allclose(white.flatten().numpy(), [0.52 / 0.23, 0.54 / 0.22, 0.59 / 0.225], rtol=1e-6)
