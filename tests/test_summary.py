"""summary and the backend that computes shapes alone."""

import tracemalloc

import numpy as np
import pytest
from checks import arrays_of
from op_table import ROWS

import engine
from engine import backends, nn
from engine.backends.shape import Extent
from engine.ops._op import OPS

CASES = [pytest.param(row, sample, id=f"{row.name}-{sample!r}") for row in ROWS for sample in row.samples]
LOOK_AT_VALUES = {"bincount", "distinct", "nonzero_positions"}  # their results' shapes depend on values


@pytest.mark.parametrize(("row", "sample"), CASES)
def test_shapes_and_dtypes_are_those_of_the_reference(row, sample):
    arrays = arrays_of(row, sample, "float32")
    truth, _ = OPS[row.name](backends.get("reference"), *arrays, **sample.params)
    if row.name in LOOK_AT_VALUES or any(a is not None and a.dtype.kind in "bi" and i for i, a in enumerate(arrays)):
        return  # indices and masks must have values
    k = backends.get("shape")
    got, _ = OPS[row.name](k, *[None if a is None else k.from_numpy(a) for a in arrays], **sample.params)
    for y, t in zip(got if type(got) is tuple else (got,), truth if type(truth) is tuple else (truth,), strict=True):
        assert (y.shape, y.dtype) == (t.shape, t.dtype)
        assert isinstance(y, Extent) or y.base is not None


def test_a_net_of_a_trillion_parameters_is_counted_without_memory():
    tracemalloc.start()
    with engine.use_backend("shape"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(10**6, 10**6, bias=False))
    s = engine.summary(net, (1, 1000, 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert s.parameters == s.macs == 10**12 and s.parameter_bytes == 4 * 10**12 and peak < 2e6
    assert "parameters 1,000,000,000,000 in 4.0 TB" in str(s)


def test_lenet5_layer_by_layer():
    s = engine.summary(engine.vision.models.lenet5(), (1, 28, 28))
    got = [(x.path, x.kind, x.output, x.parameters, x.macs, x.bytes, x.field) for x in s.layers]
    assert got[0] == ("features.0", "Conv2d", (1, 6, 28, 28), 156, 6 * 28 * 28 * 25, 6 * 28 * 28 * 4, (5, 5))
    assert got[3] == ("features.3", "Conv2d", (1, 16, 10, 10), 2416, 16 * 100 * 150, 6400, (14, 14))
    assert got[-1] == ("classifier.5", "Linear", (1, 10), 850, 840, 40, None)
    assert s.parameters == s.trainable == 61_706 and s.macs == sum(x.macs for x in s.layers) == 416_520
    assert s.activation_bytes == sum(x.bytes for x in s.layers)


def test_strides_and_dilation_widen_the_receptive_field():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 3, dilation=2), nn.AvgPool2d(2), nn.Conv2d(4, 4, (1, 3))
    )
    assert [x.field for x in engine.summary(net, (3, 64, 64)).layers] == [(3, 3), (11, 11), (13, 13), (13, 21)]


def test_subsampling_and_windows_across_channels():
    class Subsample(nn.Module):
        def forward(self, x):
            return x[:, :, ::2, ::3]

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LocalResponseNorm(5), Subsample(), nn.Conv2d(4, 4, 3))
    assert [x.field for x in engine.summary(net, (3, 64, 64)).layers] == [(3, 3), (3, 3), (3, 3), (7, 9)]


def test_functional_layers_are_counted_and_users_modules_run():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)

        def forward(self, x):
            y = self.a(x).relu()
            y = y + self.b(y)
            return engine.cat([y, y], 1).mean((2, 3)) @ engine.ones(16, 2)

    s = engine.summary(Own(), (5, 3, 8, 8))
    assert s.macs == 5 * (8 * 64 * 27 + 8 * 64 * 9 + 16 * 2) and s.layers[1].field == (5, 5)


def test_the_model_is_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(72, 3))
    net[0].weight.requires_grad = False
    net[2].eval()
    before = {n: t.tolist() for n, t in net.state_dict().items()}
    state = engine.default_generator.get_state()
    s = engine.summary(net, (1, 8, 8))
    assert {n: t.tolist() for n, t in net.state_dict().items()} == before and s.parameters - s.trainable == 18
    assert net.training and not net[2].training and net[4].weight.device == "cpu"
    assert engine.default_generator.get_state().tolist() == state.tolist()
    net(engine.ones(2, 1, 8, 8)).sum().backward()
    with pytest.raises(RuntimeError, match="last dimension must match"):
        engine.summary(net, (1, 9, 9))
    assert net[0].weight.device == "cpu" and engine.zeros(1).device == "cpu" and not net[0]._hooks.forward
    assert net.summary((1, 8, 8)).parameters == s.parameters


def test_what_cannot_be_asked():
    for size in ((), (1, -2, 3, 4), "abc", (1.5, 2, 3)):
        with pytest.raises((RuntimeError, TypeError), match="input_size|expected|string"):
            engine.summary(nn.ReLU(), size)
    t = engine.zeros(2, 3, device="meta")
    assert t.device == "meta" and (t + 1).relu().shape == (2, 3)
    with pytest.raises(RuntimeError, match="meta.*no values"):
        t.numpy()
    with pytest.raises(RuntimeError, match="same device"):
        t + engine.ones(2, 3)


def test_html():
    text = engine.summary(nn.Sequential(nn.Linear(2, 3)), (1, 2))._repr_html_()
    assert "<td>Linear</td>" in text and "parameters 9" in text


def test_published_numbers_of_parameters():
    from engine.vision import models

    with engine.use_backend("shape"):
        counts = {n: sum(p.numel() for p in e.build().parameters()) for n, e in models.MODELS.items()}
    assert counts["resnet18"] == 11_689_512 and counts["resnet34"] == 21_797_672 and counts["resnet50"] == 25_557_032
    assert counts["resnet20"] == 269_722 and counts["resnet56"] == 853_018 and counts["resnet110"] == 1_727_962
    assert counts["lenet5"] == 61_706 and counts["cifar_vgg"] == 288_746


def test_every_model_runs_on_its_input():
    from engine.vision import models

    for name, entry in models.MODELS.items():
        with engine.use_backend("shape"):
            net = entry.build()
        assert engine.summary(net, entry.input).layers[-1].output == (1, entry.classes), name
    net = models.resnet20(option="B", num_classes=7)
    assert net(engine.ones(2, 3, 32, 32)).shape == (2, 7) and "shortcut.0.weight" in " ".join(net.state_dict())
    with pytest.raises(ValueError, match="option must be 'A'"):
        models.resnet20(option="C")
    assert np.isfinite(net(engine.zeros(1, 3, 32, 32)).detach().numpy()).all()
