"""Networks beside torchvision's: the same random weights give the same output. Skipped where torchvision is not installed."""

import importlib.util
import sys
import warnings

import numpy as np
import pytest

import engine
from engine.vision import models

torch = pytest.importorskip("torch", reason="the comparison with torchvision needs PyTorch installed")


@pytest.fixture(scope="module")
def torchvision_models():
    """torchvision.models, without the package's own start: its compiled operators, which only detection needs, may be
    of another build than this PyTorch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        pytest.skip("the comparison with torchvision needs it installed")
    sys.modules.setdefault("torchvision", importlib.util.module_from_spec(spec))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("torchvision.models")


NETS = {  # name -> pixels a side that suffice to run every layer
    **dict.fromkeys(("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"), 64),
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "googlenet"), 96),
    "alexnet": 224,
}


def both(theirs, ours, seed=0):
    """Random weights, and statistics of batch norm, in both."""
    torch.manual_seed(seed)
    for name, buffer in theirs.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    assert [(n, tuple(p.shape)) for n, p in theirs.named_parameters()] == [
        (n, p.shape) for n, p in ours.named_parameters()
    ]
    ours.load_state_dict({name: engine.from_numpy(t.numpy()) for name, t in theirs.state_dict().items()})


def check(y, truth):
    y, truth = y.detach().numpy(), truth.detach().numpy()
    assert y.shape == truth.shape and np.abs(y - truth).max() <= 1e-4 * np.ptp(truth)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NETS)
def test_same_weights_same_output(torchvision_models, name):
    options = {"init_weights": True} if name == "googlenet" else {}
    theirs, ours = getattr(torchvision_models, name)(**options).eval(), getattr(models, name)().eval()
    both(theirs, ours)
    x = np.random.default_rng(0).standard_normal((2, 3, NETS[name], NETS[name])).astype("float32")
    with torch.no_grad(), engine.no_grad():
        check(ours(engine.from_numpy(x)), theirs(torch.from_numpy(x)))


def test_googlenet_in_training(torchvision_models):
    options = {"num_classes": 20, "dropout": 0.0, "dropout_aux": 0.0, "transform_input": True, "init_weights": True}
    theirs, ours = torchvision_models.googlenet(**options), models.googlenet(**options)
    both(theirs, ours)
    x = np.random.default_rng(0).standard_normal((4, 3, 96, 96)).astype("float32")
    truth, y = theirs(torch.from_numpy(x)), ours(engine.from_numpy(x))
    assert y._fields == truth._fields
    for a, b in zip(y, truth, strict=True):
        check(a, b)
