"""Dropout of whole channels and for selu: what is dropped, what is left, gradients, modes; texts and errors as PyTorch's."""

import math
import warnings

import numpy as np
import pytest

import engine
from engine import nn

F = nn.functional
CHANNELS = {  # name -> (function, shape of the input, shape of the mask)
    "dropout1d": (F.dropout1d, (40, 50, 7), (40, 50, 1)),
    "dropout1d of one": (F.dropout1d, (500, 7), (500, 1)),
    "dropout2d": (F.dropout2d, (40, 50, 3, 2), (40, 50, 1, 1)),
    "feature_alpha_dropout": (F.feature_alpha_dropout, (40, 50, 3, 2), (40, 50, 1, 1)),
}


@pytest.fixture(params=engine.available_backends(), autouse=True)
def backend(request):
    engine.manual_seed(0)
    with engine.use_backend(request.param):
        yield request.param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CHANNELS)
def test_whole_channels_are_dropped(name, dtype):
    f, shape, mask = CHANNELS[name]
    x = engine.ones(shape, dtype=dtype, requires_grad=True)
    y = f(x, 0.25, True)
    values = y.detach().numpy()
    lead = values.reshape(math.prod(mask), -1)
    assert (lead == lead[:, :1]).all() and y.dtype == dtype
    dropped = lead[:, 0] == lead[:, 0].min()
    assert abs(dropped.mean() - 0.25) < 0.06
    y.sum().backward()
    gradient = x.grad.numpy().reshape(lead.shape)
    assert (gradient[dropped] == 0).all() and (gradient[~dropped] > 0.8).all()
    if "alpha" not in name:
        assert (lead[dropped] == 0).all()
        np.testing.assert_allclose(lead[~dropped], 1 / 0.75, rtol=1e-6)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(p):
    x = F.selu(engine.randn(300, 1000))
    x = (x - x.mean()) / x.std()
    y = F.alpha_dropout(x, p, True)
    assert abs(y.mean().item()) < 0.02 and y.std().item() == pytest.approx(1, abs=0.02)
    scale = 1 / math.sqrt((1 - p) * (1 + p * 1.7580993408473766**2))
    lowest = scale * -1.7580993408473766 * (1 - p)
    assert (abs(y - lowest) < 1e-5).float().mean().item() == pytest.approx(p, abs=0.01)


FUNCTIONS = [F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_modes(f):
    x = engine.randn(4, 3, 5) if f is not F.dropout2d else engine.randn(4, 3, 5, 2)
    assert f(x, 0.5, False) is x and f(x, 0.0, True) is x
    assert not f(x, 1.0, True).numpy().any()
    engine.manual_seed(7)
    expected = f(x, 0.5, True)
    engine.manual_seed(7)
    assert f(x, 0.5, True).tolist() == expected.tolist() != f(x, 0.5, True).tolist()
    engine.manual_seed(7)
    leaf = x.clone().requires_grad_(True)
    y = leaf * 1
    assert f(y, 0.5, True, inplace=True) is y and y.tolist() == expected.tolist()
    y.sum().backward()
    assert leaf.grad is not None
    for p in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
            f(x, p)


def test_alpha_dropouts_rest_unless_they_train():
    x = engine.ones(4, 3)
    assert F.alpha_dropout(x) is x and F.feature_alpha_dropout(x) is x and F.dropout1d(x) is not x


def test_shapes():
    for shape in ((3,), (2, 3, 4, 5)):
        with pytest.raises(RuntimeError, match=r"dropout1d expects an input \[N, C, L\] or \[C, L\]"):
            F.dropout1d(engine.ones(shape))
    with pytest.warns(UserWarning, match="it is taken for .N, C, L., which is for dropout1d"):
        y = F.dropout2d(engine.ones(30, 20, 5)).numpy()
    assert (y == y[..., :1]).all()
    with pytest.warns(UserWarning, match="use dropout"):
        F.dropout2d(engine.ones(3, 2))
    for f in (F.dropout2d, F.feature_alpha_dropout):
        with pytest.raises(RuntimeError, match="expects an input"):
            f(engine.ones(3), training=True)


LAYERS = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "FeatureAlphaDropout"]


@pytest.mark.parametrize("kind", LAYERS)
def test_layers(kind):
    layer = getattr(nn, kind)(0.3, inplace=True)
    x = engine.randn(4, 3, 5, 2) if kind == "Dropout2d" else engine.randn(4, 3, 5)
    before = x.tolist()
    assert layer.eval()(x) is x and x.tolist() == before
    layer.train()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert layer(x) is x and x.tolist() != before
    with pytest.raises(ValueError, match="between 0 and 1, but got 2"):
        getattr(nn, kind)(2)


@pytest.mark.parametrize("kind", LAYERS)
def test_texts_are_those_of_pytorch(kind):
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs it installed")
    for arguments in ((), (0.25, True)):
        assert repr(getattr(nn, kind)(*arguments)) == repr(getattr(torch.nn, kind)(*arguments))
