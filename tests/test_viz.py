"""engine.viz: gradients and the deconvnet against their definitions, patches, occlusion, errors of classifiers, messages."""

import warnings

import numpy as np
import pytest

import engine
from engine import nn, viz
from engine.nn import functional as F
from engine.vision import datasets, models
from engine.viz import gradients, watching
from engine.viz.layers import field_of

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape).astype("float32")


@pytest.fixture(scope="module")
def net():
    """Convolutions, pooling and ReLUs in a Sequential, where they would be computed as one."""
    engine.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 4 * 4, 3))


class Functional(nn.Module):
    """The same network, written with functions."""

    def __init__(self, net):
        super().__init__()
        self.first, self.second, self.last = net[0], net[3], net[6]

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        return self.last(F.relu(self.second(x)).flatten(1))


def test_deconvnet_is_unpooling_rectifying_and_transposed_filters(net):
    x = draw(3, 2, 12, 12)
    with engine.no_grad():
        a = F.relu(net[0](engine.from_numpy(x)))
        pooled, switches = F.max_pool2d(a, 2, return_indices=True)
        top = F.relu(net[3](pooled))
        back = F.conv_transpose2d(F.relu(top), net[3].weight)
        back = F.relu(F.max_unpool2d(back, switches, 2))
        want = F.conv_transpose2d(back, net[0].weight, padding=1).numpy()
    np.testing.assert_allclose(viz.deconvnet(net, "4", x), want, rtol=1e-4, atol=1e-5)
    one = viz.deconvnet(net, "4", x, channel=2)
    others = sum(viz.deconvnet(net, "4", x, channel=c) for c in range(6))
    assert np.abs(one).max() > 0 and np.abs(others - want).max() > 1e-3  # rectifying between layers is not linear


def test_guided_is_the_gradient_of_what_both_rules_pass(net):
    x = draw(2, 2, 12, 12)
    x0 = engine.from_numpy(x)
    with engine.no_grad():
        a = net[0](x0)
        pooled, switches = F.max_pool2d(F.relu(a), 2, return_indices=True)
        b = net[3](pooled)
        best = net(x0).argmax(1).numpy()
        g = net[6].weight.detach().numpy()[best].reshape(2, 6, 4, 4)
        g = np.maximum(g, 0) * (b.numpy() > 0)
        g = F.max_unpool2d(F.conv_transpose2d(engine.from_numpy(g), net[3].weight), switches, 2).numpy()
        g = np.maximum(g, 0) * (a.numpy() > 0)
        want = F.conv_transpose2d(engine.from_numpy(g), net[0].weight, padding=1).numpy()
    np.testing.assert_allclose(viz.guided_backprop(net, x), want, rtol=1e-4, atol=1e-5)


def test_saliency_is_the_plain_gradient(net):
    x = engine.from_numpy(draw(2, 2, 12, 12)).requires_grad_()
    net(x)[:, 1].sum().backward()
    np.testing.assert_allclose(viz.saliency(net, x, 1), np.abs(x.grad.numpy()).max(1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [viz.saliency, viz.guided_backprop])
def test_networks_of_functions_give_the_same(net, method):
    x = draw(2, 2, 12, 12)
    np.testing.assert_allclose(method(Functional(net), x, [0, 2]), method(net, x, [0, 2]), rtol=1e-5, atol=1e-6)


def test_integrated_gradients_sum_to_the_difference_of_scores(net):
    x, start = draw(2, 2, 12, 12), draw(2, 12, 12)
    shares = viz.integrated_gradients(net, x, 1, start, steps=256)
    with engine.no_grad():
        y, y0 = (net(engine.from_numpy(v)).numpy()[:, 1] for v in (x, start[None]))
    np.testing.assert_allclose(shares.sum((1, 2, 3)), y - y0, rtol=2e-2, atol=2e-3)


def test_grad_cam_by_its_formula(net):
    x = draw(2, 2, 12, 12)
    maps = viz.activations(net, "4", x)
    weights = net[6].weight.detach().numpy()[1].reshape(6, 4, 4).mean((1, 2))
    cam = np.maximum(np.tensordot(maps, weights, ([1], [0])), 0)
    want = F.interpolate(engine.from_numpy(cam[:, None]), (12, 12), mode="bilinear").numpy()[:, 0]
    np.testing.assert_allclose(viz.grad_cam(net, "4", x, 1), want, rtol=1e-4, atol=1e-6)


def test_activations_are_those_before_a_relu_in_place(net):
    x = draw(2, 2, 12, 12)
    with engine.no_grad():
        before = net[3](net[2](net[1](net[0](engine.from_numpy(x))))).numpy()
    np.testing.assert_allclose(viz.activations(net, "3", x), before, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(viz.activations(net, "4", x), np.maximum(before, 0), rtol=1e-5, atol=1e-6)


def test_batches_and_no_grad_change_nothing(net, monkeypatch):
    x = draw(5, 2, 12, 12)
    calls = {
        "saliency": lambda: viz.saliency(net, x, [0, 1, 2, 1, 0]),
        "deconvnet": lambda: viz.deconvnet(net, "4", x, 3),
        "integrated": lambda: viz.integrated_gradients(net, x, steps=3),
        "grad_cam": lambda: viz.grad_cam(net, "4", x),
        "activations": lambda: viz.activations(net, "4", x),
        "probabilities": lambda: viz.probabilities(net, x),
    }
    whole = {name: call() for name, call in calls.items()}
    monkeypatch.setattr(watching, "PIXELS", 2 * 144)  # three batches, the last of one image
    for name, call in calls.items():
        with engine.no_grad():
            np.testing.assert_allclose(call(), whole[name], rtol=1e-4, atol=1e-5, err_msg=name)
        assert whole[name].shape[0] == 5
    with pytest.raises(ValueError, match="one for each of 5"):
        viz.saliency(net, x, [0, 1])


def test_models_are_left_as_they_were(net):
    net.train().zero_grad()
    net[1].eval()
    weights = [p.detach().numpy().copy() for p in net.parameters()]
    viz.guided_backprop(net, draw(1, 2, 12, 12))
    with pytest.raises(ValueError):
        viz.deconvnet(net, "1", draw(1, 3, 12, 12))
    assert net.training and not net[1].training and net[3].training
    assert all(not m._hooks for m in net.modules()) and all(p.grad is None for p in net.parameters())
    assert all((p.detach().numpy() == w).all() for p, w in zip(net.parameters(), weights, strict=True))
    x = engine.from_numpy(draw(1, 2, 12, 12)).requires_grad_()
    net(x).sum().backward()
    plain = x.grad.numpy().copy()
    viz.deconvnet(net, "4", x)
    x.grad = None
    net(x).sum().backward()
    assert (x.grad.numpy() == plain).all()


def test_fields_are_what_a_unit_depends_on():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 5, stride=2, padding=1), nn.MaxPool2d(3, 2), nn.Conv2d(2, 1, 3, padding=2, dilation=2)
    )
    fields = viz.receptive_fields(net, (1, 40, 36))
    assert [f.size for f in fields.values()] == [(5, 5), (9, 9), (25, 25)]
    assert [f.stride for f in fields.values()] == [(2, 2), (4, 4), (4, 4)]
    for name, f in fields.items():
        for unit in ((0, 0), (3, 4), (f.output[1] - 1, f.output[2] - 1)):
            seen = np.zeros((40, 36), bool)
            for _ in range(12):  # which taps a pooling passes depends on the image
                x = engine.from_numpy(draw(1, 1, 40, 36)).requires_grad_()
                net[: int(name) + 1](x)[0, :, unit[0], unit[1]].sum().backward()
                seen |= x.grad.numpy()[0, 0] != 0
            rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
            top, left, bottom, right = f.patch(*unit, 40, 36)
            assert top <= rows[0] and rows[-1] < bottom and left <= columns[0] and columns[-1] < right
            if name == "0":
                assert (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1) == (top, left, bottom, right)


def test_top_patches_find_the_strongest_units(net, monkeypatch):
    x = draw(20, 2, 12, 12)
    monkeypatch.setattr(watching, "PIXELS", 7 * 144)  # three batches
    best = viz.top_patches(net, "1", x, channels=[3, 0], count=5)
    assert best.channels.tolist() == [3, 0]
    maps = viz.activations(net, "1", x)
    for row, channel in enumerate((3, 0)):
        peaks = maps[:, channel].reshape(20, -1).max(1)
        assert (best.values[row] == np.sort(peaks)[::-1][:5]).all()
        for value, image, (r, c), patch in zip(
            best.values[row], best.which[row], best.unit[row], best.images[row], strict=True
        ):
            assert maps[image, channel, r, c] == value
            if 0 < r < 11 and 0 < c < 11:
                assert (patch == x[image, :, r - 1 : r + 2, c - 1 : c + 2]).all()
                alone = F.conv2d(engine.from_numpy(patch[None]), net[0].weight, net[0].bias)[0, channel, 0, 0].item()
                assert alone == pytest.approx(value, rel=1e-4)
    assert best.projections.shape == (2, 5, 2, 3, 3) and np.abs(best.projections).max() > 0


def test_evolution_is_the_top_patch_of_each_snapshot():
    engine.manual_seed(3)
    net, other = (nn.Sequential(nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU()) for _ in range(2))
    x = draw(6, 1, 9, 9)
    own = {name: t.clone() for name, t in net.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        formed = viz.evolution(net, "2", x, [other.state_dict(), own], channels=[4, 11])
    assert all((t == own[name]).all().item() for name, t in net.state_dict().items())
    for row, model in enumerate((other, net)):
        with pytest.warns(UserWarning, match="never trained"):
            best = viz.top_patches(model, "2", x, [4, 11], count=1)
        for name in ("values", "which", "images", "projections"):
            assert (getattr(formed, name)[row] == getattr(best, name)[:, 0]).all(), name
    assert formed.channels.tolist() == [4, 11] and viz.sheets.evolution(formed).ndim == 3
    net(engine.from_numpy(x))
    assert len(viz.evolution(net, "2", x, [own, net.state_dict()]).channels) == 8
    with pytest.raises(RuntimeError, match="Missing key"):
        viz.evolution(net, "2", x, [{}])
    with pytest.raises(ValueError, match="snapshots must be state dicts of the model, got none"):
        viz.evolution(net, "2", x, [])


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (models.resnet20, "layer2.1.conv2"),
        (models.resnet20, "layer3"),
        (lambda: models.vgg16_bn(10, width=0.125, image_size=32), "features.42"),
        (lambda: models.googlenet(num_classes=10, aux_logits=False, width=0.125, image_size=32), "inception4a.branch3"),
        (lambda: models.alexnet2012(10, width=0.125, image_size=32), "features.9"),
    ],
)
def test_layers_of_the_famous_networks(build, layer):
    """Maps have the size that is told, patches their peaks, and a projection stays within what its unit sees."""
    engine.manual_seed(0)
    net = build()
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.num_batches_tracked.fill_(1)
    x = draw(3, 3, 32, 32)
    maps, field = viz.activations(net, layer, x), field_of("test", net, layer, (3, 32, 32))
    assert maps.shape[1:] == field.output and len(maps) == 3
    best = viz.top_patches(net, layer, x, count=2)
    peaks = maps.reshape(3, maps.shape[1], -1).max(2)
    assert np.allclose(best.values[:, 0], peaks.max(0)[best.channels], rtol=1e-3, atol=1e-4)
    one = viz.deconvnet(net, layer, x, int(best.channels[0]), strongest=True)
    n, (row, column) = best.which[0, 0], best.unit[0, 0]
    top, left, bottom, right = field.patch(row, column, 32, 32)
    outside = one[n].copy()  # Winograd's transforms leave traces of rounding in it
    outside[:, top:bottom, left:right] = 0
    assert one.shape == x.shape and 0 < np.abs(one[n]).max() and np.abs(outside).max() < 1e-5 * np.abs(one[n]).max()


def test_occlusion_finds_the_one_square_that_matters():
    class Corner(nn.Module):
        def forward(self, x):
            bright = x[:, 0, 6:9, 2:5].sum((1, 2))
            return engine.stack([bright, -bright], 1)

    found = viz.occlusion(Corner(), np.ones((2, 1, 12, 12), "float32"), size=3, stride=1)
    assert found.shape == (2, 10, 10) and np.unravel_index(found[1].argmin(), (10, 10)) == (6, 2)
    assert found[0, 6, 2] == pytest.approx(0.5) and found[0, 0, 8] == found.max()


def test_maximise_raises_the_map_it_is_asked_for(net):
    start, end = (
        viz.activations(net, "3", viz.maximise(net, "3", 4, (2, 12, 12), steps=n))[0].mean((1, 2)) for n in (0, 40)
    )
    assert end[4] > start[4] + 0.2


def test_confusion_and_the_surest_errors():
    shares = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.3, 0.1], [0, 0, 1.0], [0, 1.0, 0]], "float32")
    labels = np.array([0, 1, 2, 2, 0])
    assert viz.confusion_matrix(shares, labels).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    errors = viz.worst_errors(shares, engine.from_numpy(labels))
    assert errors.which.tolist() == [4, 2] and errors.taken.tolist() == [1, 0] and errors.label.tolist() == [0, 2]
    assert len(viz.worst_errors(shares, labels, 1).which) == 1
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    x = draw(5, 1, 2, 2)
    want = net(engine.from_numpy(x)).softmax(1).detach().numpy()
    np.testing.assert_allclose(viz.probabilities(net, x), want, rtol=1e-5)


def test_pictures(tmp_path):
    x = np.stack([np.full((1, 2, 3), v, "float32") for v in (0, 1)])
    x[0, 0, 0, 0] = 2
    assert viz.to_bytes(x)[0].tolist() == [[255, 0, 0], [0, 0, 0]] and viz.to_bytes(x).shape == (2, 2, 3)
    assert viz.to_bytes(x, together=True)[1].max() == 128
    assert viz.to_bytes(np.array([[[[-1.0, 0.0]]]]), centred=True).tolist() == [[[0, 128]]]
    sheet = viz.grid(np.zeros((3, 2, 2, 3), "uint8"), columns=2, gap=1, enlarge=2)
    assert sheet.shape == (9, 9, 3) and sheet[5:, 5:].min() == 255 and sheet[:4, :4].max() == 0
    assert viz.kernels(draw(4, 3, 5, 5)).shape == (4, 3, 5, 5) and viz.kernels(draw(4, 2, 5, 5)).shape == (8, 1, 5, 5)
    with pytest.raises(ValueError, match="viz.sheets makes a picture of what a method gave"):
        viz.save(str(tmp_path / "a.png"), x)
    image = pytest.importorskip("PIL.Image", reason="Pillow, the extra [vision], is not installed")
    viz.save(str(tmp_path / "a.png"), sheet)
    assert (np.asarray(image.open(tmp_path / "a.png")) == sheet).all()


def test_show_draws_in_the_current_figure(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib, the extra [viz], is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gca()))
    picture = np.arange(6, dtype="uint8").reshape(2, 3)
    viz.show(picture, "a title")
    (axes,) = shown
    assert (axes.images[0].get_array() == picture).all() and axes.get_title() == "a title" and not axes.axison
    pyplot.close("all")


MISTAKES = {
    "no layer": (
        lambda net, x: viz.deconvnet(net, "conv9", x),
        r"Sequential has no layer 'conv9'; there are 0, 1, 2, 3",
    ),
    "last channels": (
        lambda net, x: viz.saliency(net, np.zeros((2, 9, 9, 3))),
        r"\(2, 9, 9, 3\) have their channels last",
    ),
    "bytes": (
        lambda net, x: viz.saliency(net, x.astype("uint8")),
        "must be floats prepared as for training, got uint8",
    ),
    "no batch": (lambda net, x: viz.saliency(net, x[0, 0]), r"must be \[N, C, H, W\] or one \[C, H, W\], got shape"),
    "size": (lambda net, x: viz.saliency(net, x[:, :, :9]), r"6 \(Linear"),
    "class": (lambda net, x: viz.saliency(net, x, 3), r"classes must be one of 0..2"),
    "channel": (lambda net, x: viz.deconvnet(net, "4", x, 6), r"layer '4' has channels 0..5, got 6"),
    "half a channel": (lambda net, x: viz.deconvnet(net, "4", x, 1.5), r"has channels 0..5, got 1.5"),
    "channel of maximise": (lambda net, x: viz.maximise(net, "4", 6, (2, 12, 12)), r"'4' has channels 0..5, got 6"),
    "channels": (lambda net, x: viz.top_patches(net, "4", x, [0, 6], 1), r"'4' has channels 0..5, got "),
    "baseline": (
        lambda net, x: viz.integrated_gradients(net, x, baseline=np.zeros(5)),
        r"baseline must be a number or an image \(2, 12, 12\), got shape \(5,\)",
    ),
    "nothing to filter": (
        lambda net, x: viz.filters(nn.Sequential(nn.ReLU())),
        "Sequential has no convolution and no fully connected layer",
    ),
    "no maps": (lambda net, x: viz.grad_cam(net, "6", x), r"gives shape \(2, 3\); choose one that gives maps"),
    "whole image": (
        lambda net, x: viz.top_patches(net, "6", x, count=1),
        r"units of '6' see the whole image; choose one",
    ),
    "no filters": (lambda net, x: viz.filters(net, "1"), r"layer '1' \(ReLU\) has no filters"),
    "count": (lambda net, x: viz.top_patches(net, "1", x), r"count must be 1 to the number of images, 2, got 9"),
    "steps": (lambda net, x: viz.integrated_gradients(net, x, steps=0), "steps must be a positive int"),
    "square": (lambda net, x: viz.occlusion(net, x, size=13), r"size and stride must be 1 to 12"),
    "labels": (lambda net, x: viz.confusion_matrix(np.ones((2, 3)), [0, 3]), "labels must be ints from 0 to 2"),
    "scores": (lambda net, x: viz.saliency(net[:3], x), r"must give scores of classes \[N, K\]"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(net, name):
    mistake, message = MISTAKES[name]
    with pytest.raises(ValueError, match=message):
        mistake(net, draw(2, 2, 12, 12))


def test_layers_that_are_not_called_and_models_that_are_none(net):
    unused = Functional(net)
    unused.spare = nn.ReLU()
    with pytest.raises(ValueError, match="layer 'spare' was not called"):
        viz.activations(unused, "spare", draw(1, 2, 12, 12))
    with pytest.raises(TypeError, match="model must be a Module, got function"):
        viz.saliency(lambda x: x, draw(1, 2, 12, 12))


def test_untrained_batch_norms_are_noticed():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten())
    with pytest.warns(UserWarning, match="activations: the model was never trained") as caught:
        viz.activations(net, "1", draw(1, 1, 5, 5))
    assert caught[0].filename == __file__  # where it was called, not inside the package
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            viz.deconvnet(net, "1", draw(1, 1, 5, 5))
    assert net.training and not any(m._hooks for m in net.modules())
    last = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3))
    with pytest.warns(UserWarning, match="saliency: the model was never trained") as caught:
        viz.saliency(last, draw(1, 1, 2, 2))
    assert caught[0].filename == __file__
    net(engine.from_numpy(draw(4, 1, 5, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        viz.activations(net, "1", draw(1, 1, 5, 5))


def correlation(a, b):
    return np.mean([np.corrcoef(p.ravel(), q.ravel())[0, 1] for p, q in zip(a, b, strict=True)])


def through(trained, other, layer, x):
    """The trained network's activations, sent back through another network."""
    maps = np.maximum(viz.activations(trained, layer, x), 0)
    pixels = engine.from_numpy(x.copy()).requires_grad_()
    with watching.Watching("test", other, layer) as seen:
        other(pixels)
    return gradients._projected(pixels, seen.output, maps, gradients._rectified)


def test_deconvnet_reproduces_strokes_of_mnist(mnist_root):
    """From what conv2 holds; not so the same activations through random weights. (A network of random weights gives back
    what it itself holds of an image, too: Nie et al. 2018, arXiv:1805.07039.)"""
    engine.manual_seed(0)
    train, test = (datasets.MNIST(mnist_root, train=t) for t in (True, False))
    batches = engine.utils.data.DataLoader(engine.utils.data.Subset(train, range(6400)), batch_size=64)
    net = models.lenet5()
    optimizer = engine.optim.Adam(net.parameters(), lr=0.002)
    for images, labels in batches:
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
    x = np.stack([np.asarray(test[i][0]) for i in range(100)])
    assert correlation(viz.deconvnet(net, "features.4", x), x) >= 0.5
    random = [correlation(through(net, models.lenet5(), "features.4", x), x) for _ in range(8)]
    assert np.mean(random) < 0.4, random


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((32, 5), "(32 - 5 + 2*0)/1 + 1 = 28"),
        ((7, 3, 2), "(7 - 3 + 2*0)/2 + 1 = 3"),
        ((7, 3, 3, 1), "(7 - 3 + 2*1)/3 + 1 = 3"),
        ((8, 3, 2), "floor((8 - 3 + 2*0)/2) + 1 = 3"),
        ((32, 3, 1, 2, 2), "(32 - (2*(3 - 1) + 1) + 2*2)/1 + 1 = 32"),
    ],
)
def test_size_sum_is_what_a_convolution_gives(arguments, text):
    size, kernel, stride, padding, dilation = (*arguments, *(1, 0, 1)[len(arguments) - 2 :])
    assert viz.size_sum(*arguments) == text
    y = F.conv2d(engine.zeros(1, 1, size, size), engine.zeros(1, 1, kernel, kernel), None, stride, padding, dilation)
    assert y.shape[2] == int(text.split(" = ")[1])
    with pytest.raises(ValueError, match="a kernel of 5 pixels does not fit 3"):
        viz.size_sum(3, 5)
    with pytest.raises(ValueError, match="stride must be an int of at least 1, got 0"):
        viz.size_sum(3, 1, 0)


def test_pooling_of_the_lectures_slice():
    x = engine.tensor([[[[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]]])
    assert F.max_pool2d(x, 2).tolist() == [[[[6, 8], [3, 4]]]]
    assert F.avg_pool2d(x, 2).tolist() == [[[[3.25, 5.25], [2, 2]]]]
