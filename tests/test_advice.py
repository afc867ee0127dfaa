"""Mistakes of the first day: each error says what was got and what to write instead."""

import re

import pytest

import engine
from engine import nn
from engine.nn import functional as F
from engine.vision import models

LINEAR = nn.Linear(3, 2)


@pytest.mark.parametrize("make, kind, message", [
    (lambda: nn.Sequential(LINEAR, F.relu), TypeError, "function is not a Module subclass: got relu, use the layer for it"),
    (lambda: nn.Sequential(nn.ReLU), TypeError, "ReLU is a class, expected a Module: write ReLU(...)"),
    (lambda: nn.ModuleList([3]), TypeError, "int is not a Module subclass"),
    (lambda: engine.optim.SGD(LINEAR, lr=0.1), TypeError,
     "SGD: params should be an iterable of Tensors or dicts, got Linear; use its .parameters()"),
    (lambda: engine.optim.Adam(3), TypeError, "Adam: params should be an iterable of Tensors or dicts, got int"),
    (lambda: LINEAR.load_state_dict({"module." + name: t for name, t in LINEAR.state_dict().items()}), RuntimeError,
     "Fix: DataParallel put 'module.' before the names; take it off: {k[7:]: v for k, v in state_dict.items()}"),
    (lambda: models.resnet18(pretrained=True), ValueError, "pretrained=True: no weights are downloaded"),
    (lambda: models.resnet18(weights="DEFAULT"), ValueError, "weights='DEFAULT': no weights are downloaded"),
    (lambda: models.resnet18(classes=3), TypeError, "unexpected keyword argument 'classes'"),
    (lambda: nn.Unflatten("C", (2, 2)), TypeError, "Unflatten: dim must be an int"),
    (lambda: nn.Unflatten(1, 4), TypeError, "unflattened_size must be a tuple of ints, got 4"),
])  # fmt: skip
def test_what_to_write_instead(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Linear(1, 1), nn.LazyLinear(2), nn.Flatten()]
)
def test_a_forward_that_returned_nothing(layer):
    with pytest.raises((TypeError, AttributeError), match="Fix: pass a Tensor: the layer got None; does the forward"):
        nn.Sequential(nn.ReLU(), layer)[1](None)


def test_a_lazy_layer_names_itself_and_stays_lazy():
    model = nn.Sequential(nn.LazyConv2d(2, 1), nn.ReLU())
    with pytest.raises(
        ValueError, match=r"in model.0 \(LazyConv2d.*\n  expected an input of at least 3 dim.* \(4, 4\)"
    ):
        model(engine.ones(4, 4))
    assert model(engine.ones(3, 4, 4)).shape == (2, 4, 4)


def test_other_unexpected_names_get_no_advice_about_prefixes():
    with pytest.raises(RuntimeError) as error:
        LINEAR.load_state_dict({"module.weights": engine.ones(1)})
    assert "DataParallel" not in str(error.value)


def test_torchvisions_arguments_that_ask_for_nothing_are_taken():
    with engine.use_backend("shape"):
        assert models.resnet18(weights=None, progress=False, num_classes=3).fc.out_features == 3
        assert models.resnet50(pretrained=False).fc.in_features == 2048


def test_unflatten():
    layer = nn.Unflatten(1, (2, -1))
    x = engine.arange(12).reshape(2, 6)
    assert repr(layer) == "Unflatten(dim=1, unflattened_size=(2, -1))"
    assert layer(x).shape == (2, 2, 3) and engine.equal(layer(x).flatten(1), x)


def test_dtypes_are_of_the_type_dtype():
    assert isinstance(engine.ones(1).dtype, engine.dtype) and isinstance(engine.uint8, engine.dtype)
