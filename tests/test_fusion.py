"""Layers computed as one: the same numbers as one by one, nothing stale, and off where somebody looks in between."""

import copy
import threading

import numpy as np
import pytest

import engine
from engine import nn, vision
from engine.nn import functional as F
from engine.nn import fusion, inference
from engine.tape import Part
from engine_ext import memory


def net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(8, 17, 3, padding=1, bias=False), nn.BatchNorm2d(17), nn.ReLU(),
        nn.Conv2d(17, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 4, 1, bias=False), nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False), nn.ReLU(), nn.MaxPool2d((2, 2)),
        nn.Flatten(), nn.Linear(16, 10), nn.ReLU(), nn.Linear(10, 3),
    )  # fmt: skip


def test_a_gradient_that_somebody_saw_is_not_written_on():
    x, seen = engine.randn(4, 3, 5, 5, requires_grad=True), []
    for model in (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()), nn.BatchNorm2d(3)):
        y = model(x)
        y.register_hook(lambda g: seen.append((g, g.tolist())))
        (y * y).sum().backward(retain_graph=True)
        (y * y).sum().backward()
    assert len(seen) == 4 and all(g.tolist() == before for g, before in seen)


def walked(model, x):
    for module in model:
        x = module(x)
    return x


def close(a, b, tolerance=1e-5, weight=None):
    """Errors relative to b's size, or that of the gradient of a bias' weight where it is larger: before batch norm the
    bias' own is nothing but the rounding of as large terms."""
    a, b, weight = (t.detach().numpy() for t in (a, b, b if weight is None else weight))
    assert a.shape == b.shape
    size = max(np.sqrt(np.mean(b**2)), np.sqrt(np.mean(weight**2)), 1e-2)
    assert np.abs(a - b).max() <= tolerance * size


@pytest.fixture
def model():
    engine.manual_seed(0)
    model = net()
    for bn in (m for m in model if isinstance(m, nn.BatchNorm2d)):
        if bn.affine:
            bn.weight.data.uniform_(-1.5, 1.5)
            bn.bias.data.uniform_(-0.5, 0.5)
    return model


@pytest.fixture
def images():
    return engine.randn(5, 3, 19, 18, generator=engine.Generator().manual_seed(1))


def operations(y):
    """The names of what was recorded, from the output back."""
    names, node = [], y.grad_fn
    while node is not None and node.parents:
        if type(node) is not Part:  # one output of several
            names.append(node.name)
        node = next((p for p in node.parents if p is not None and p.parents), None)
    return names


def test_training_gives_the_numbers_of_the_layers_one_by_one(model, images):
    apart = copy.deepcopy(model)
    images.requires_grad_()
    other = images.detach().clone().requires_grad_()
    for _ in range(2):
        y, z = model(images), walked(apart, other)
        close(y, z)
        y.square().sum().backward()
        z.square().sum().backward()
    close(images.grad, other.grad, 1e-4)
    gradients = {name: p.grad for name, p in apart.named_parameters()}
    for name, p in model.named_parameters():
        close(p.grad, gradients[name], 1e-4, gradients[name.replace("bias", "weight")])
    for b, c in zip(model.buffers(), apart.buffers(), strict=True):
        close(b.float(), c.float())
    fused = {name for name in operations(y) if "relu" in name}
    assert fused == {"linear_relu", "conv2d_relu", "conv2d_relu_pool", "batch_norm_relu", "batch_norm_relu_pool"}
    assert not {"relu", "max_pool2d"} & set(operations(y))
    assert {"relu", "max_pool2d"} <= set(operations(z))


def rows():
    """Convolutions with batch norm and ReLU behind each, one of them strided, one grouped; the last is pooled."""
    engine.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1, bias=False),
        nn.BatchNorm2d(16, affine=False), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1, groups=4), nn.BatchNorm2d(16),
        nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 4, 1), nn.BatchNorm2d(4), nn.ReLU(),
    )  # fmt: skip


def test_what_lies_between_rows_is_computed_again(images):
    model = rows()
    close(model(images), walked(copy.deepcopy(model), images))
    model.double()
    apart = copy.deepcopy(model)
    images = images.double().requires_grad_()
    other = images.detach().clone().requires_grad_()
    y, z = model(images), walked(apart, other)
    assert operations(y) == [
        "batch_norm_relu",
        "conv2d",
        "batch_norm_relu_pool",
        *["batch_norm_relu_conv2d"] * 2,
        "conv2d",
    ]
    close(y, z, 1e-12)
    y.square().sum().backward()
    z.square().sum().backward()
    for p, q in zip([images, *model.parameters()], [other, *apart.parameters()], strict=True):
        close(p.grad, q.grad, 1e-10)
    for b, c in zip(model.buffers(), apart.buffers(), strict=True):
        close(b.float(), c.float())


def test_what_lies_between_rows_is_not_kept():
    x = engine.randn(8, 4, 64, 64)
    layers = [layer for _ in range(4) for layer in (nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())]
    kept = []
    for call in (nn.Sequential(*layers), lambda x: walked(layers, x)):
        before = memory.pool_stats()["live"]
        y = call(x)
        kept.append((memory.pool_stats()["live"] - before) // (x.numel() * x.element_size()))
        del y
    assert kept == [5, 8]  # the convolutions' results and the last ReLU's; all ReLUs'


def test_a_row_that_cannot_be_one_leaves_the_others(model, images):
    model = rows()
    model[6].weight.requires_grad_(False)  # its gradient would be computed for nobody
    assert "batch_norm_relu_conv2d" not in operations(model(images))
    model[6].weight.requires_grad_()
    with model[4].register_forward_hook(lambda *_: None):
        assert operations(model(images)).count("batch_norm_relu") == 2
    model[7].eval()
    close(model(images), walked(model, images))
    with engine.no_grad():
        close(model(images), walked(model, images))


def test_rows_that_fail_are_counted_once_and_named():
    model = rows()
    model[3] = nn.Conv2d(9, 16, 3)
    with pytest.raises(ValueError, match=r"in model\.3 \(Conv2d\(9, 16"):
        model(engine.ones(2, 3, 8, 8))
    assert [model[i].num_batches_tracked.item() for i in (1, 4)] == [1, 0]
    model = rows()
    model[4].momentum = "x"
    with pytest.raises(TypeError, match=r"in model\.4 \(BatchNorm2d"):
        model(engine.ones(2, 3, 8, 8))
    assert [model[i].num_batches_tracked.item() for i in (1, 4, 7)] == [1, 1, 0]


def test_inference_folds_batch_norm(model, images):
    model(images)
    model.eval()
    with engine.no_grad():
        close(model(images), walked(model, images))
        assert len(fusion.steps(model)) == 9
    close(model(images), walked(model, images))  # with the tape on, nothing is folded
    model.double()
    with engine.no_grad():
        close(model(images.double()), walked(model, images.double()), 1e-12)


def _step(model):
    model.zero_grad()
    walked(model, engine.ones(2, 3, 19, 18)).sum().backward()
    engine.optim.SGD(model.parameters(), lr=0.5).step()


def _foreign(model):
    model[4].weight.data.numpy()[:] *= 3
    with engine.no_grad():
        model(engine.ones(2, 3, 19, 18))
    model[4].weight.data.numpy()[:] *= 2


CHANGES = {
    "in place": lambda m: m[4].weight.data.mul_(3),
    "through a view": lambda m: m[4].weight.data[0].add_(1),
    "an item": lambda m: m[4].weight.data.__setitem__((0, 0, 0, 0), 9.0),
    "another array": lambda m: setattr(m[4].weight, "data", engine.ones(17, 8, 3, 3)),
    "shared with another": lambda m: [setattr(m[4].weight, "data", w := engine.ones(17, 8, 3, 3)), w.mul_(2)],
    "another parameter": lambda m: setattr(m[4], "weight", nn.Parameter(engine.ones(17, 8, 3, 3))),
    "a new bias": lambda m: setattr(m[0], "bias", None),
    "the optimiser": _step,
    "a state dict": lambda m: m.load_state_dict({n: t * 2 for n, t in m.state_dict().items()}),
    "statistics": lambda m: m[5].running_mean.add_(1),
    "a batch": lambda m: m.train()(engine.ones(2, 3, 19, 18)),
    "the Tensor of a parameter": lambda m: [
        setattr(m[4], "weight", nn.Parameter(w := engine.ones(17, 8, 3, 3))),
        m(engine.ones(2, 3, 19, 18)),
        w.mul_(2),
    ],
    "scale": lambda m: m[5].weight.data.fill_(0.3),
    "eps": lambda m: setattr(m[5], "eps", 0.7),
    "numpy": _foreign,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_folded_weights_are_never_stale(model, images, change):
    model.eval()
    with engine.no_grad():
        before = model(images)
    change(model)
    model.eval()
    with engine.no_grad():
        after = model(images)
        close(after, walked(model, images))
    assert np.abs((after - before).numpy()).max() > 0


def test_memory_written_through_numpy_is_seen(model, images):
    weights = model[4].weight.detach().numpy()
    model.eval()
    with engine.no_grad():
        for _ in range(3):
            close(model(images), walked(model, images))
            weights *= 1.5


def test_folded_weights_are_kept(model, images):
    model.eval()
    with engine.no_grad():
        model(images)
        kept = inference._folded.values[model[4]].value
        engine.zeros(1).add_(1)  # something else changed
        model(images)
        assert inference._folded.values[model[4]].value is kept
        model[4].weight.data.numpy()
        model(images)
    assert model[4] not in inference._folded.values


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward"])
def test_a_hook_sees_its_layer(model, images, kind):
    apart = copy.deepcopy(model)
    seen = []
    getattr(model[6], f"register_{kind}_hook")(lambda m, *args: seen.append(m))
    y = model(images)
    y.sum().backward()
    assert seen == [model[6]]
    close(y, walked(apart, images))


def test_a_removed_hook_lets_layers_be_one_again(model, images):
    with model[8].register_forward_hook(lambda *_: None):
        assert "conv2d_relu_pool" not in operations(model(images))
    assert "conv2d_relu_pool" in operations(model(images))


def test_layers_of_the_users_own_are_called():
    class Doubled(nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x)

    class Leaky(nn.ReLU):
        def forward(self, x):
            return F.leaky_relu(x)

    x = engine.randn(2, 3, 8, 8)
    for model in (nn.Sequential(Doubled(3, 4, 3), nn.ReLU()), nn.Sequential(nn.Conv2d(3, 4, 3), Leaky())):
        close(model(x), walked(model, x))
        assert len(fusion.steps(model)) == 2
    patched = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    patched[1].forward = F.tanh
    close(patched(x), walked(patched, x))


def test_other_pooling_is_not_taken_for_halving():
    x = engine.randn(2, 3, 9, 9)
    for pool in (nn.MaxPool2d(3), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, 2, 1), nn.MaxPool2d(2, ceil_mode=True),
                 nn.MaxPool2d(2, dilation=2), nn.MaxPool2d((2, 1))):  # fmt: skip
        model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), pool)
        close(model(x), walked(model, x))
    pool.kernel_size = pool.stride = 2  # noticed at the next call
    close(model(x), walked(model, x))
    assert operations(model(x)) == ["conv2d_relu_pool"]


def test_padding_of_other_modes():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU())
    x = engine.randn(2, 3, 6, 6)
    close(model(x), walked(model, x))


def test_inputs_without_a_batch():
    x = engine.randn(3, 8, 8)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(0), nn.Linear(36, 2), nn.ReLU())
    close(model(x), walked(model, x))


def test_modules_may_change(model, images):
    model(images)
    model[2] = nn.Tanh()
    close(model(images), walked(model, images))
    del model[2]
    close(model(images), walked(model, images))
    model.insert(0, nn.Identity())
    close(model(images), walked(model, images))


def test_lazy_layers_are_one_with_their_followers_from_the_second_batch_on():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5), nn.ReLU())
    x = engine.randn(2, 3, 6, 6)
    first = model(x)
    assert [type(step) for step in fusion.steps(model)] == [fusion.Row, nn.Flatten, fusion.Row]
    close(model(x), first)


def test_a_batch_is_counted_once(model, images):
    model(images)
    assert model[1].num_batches_tracked.item() == model[14].num_batches_tracked.item() == 1
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())(engine.ones(1, 3, 1, 1))


def test_a_batch_that_fails_is_counted_once():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU())
    model[1].momentum = "x"
    with pytest.raises(TypeError, match=r"in model\.1 \(BatchNorm2d"):
        model(engine.ones(2, 1, 4, 4))
    assert model[1].num_batches_tracked.item() == 1


def test_a_retained_graph_sees_each_gradient_anew():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    for p in model.parameters():
        p.data.fill_(1)
    y, g = model(engine.ones(1, 2)), engine.ones(1, 2)
    y.backward(g, retain_graph=True)
    model[0].bias.grad = None
    g.mul_(10)
    y.backward(g, retain_graph=True)
    assert model[0].bias.grad.tolist() == [10, 10]


def test_a_forward_that_is_replaced_is_called(monkeypatch):
    model, seen = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), []
    model(engine.ones(1, 2))
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: seen.append(self) or x)
    model(engine.ones(1, 2))
    assert seen == [model[1]]


def test_threads_may_call_a_new_model_at_once():
    barrier, errors = threading.Barrier(3), []

    def call(model):
        try:
            barrier.wait()
            model(engine.ones(1, 1))
        except Exception as error:
            errors.append(error)

    for _ in range(30):
        model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
        threads = [threading.Thread(target=call, args=(model,)) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not errors


@pytest.mark.parametrize("shape, layer", [((2, 4, 8, 8), "model.0"), ((2, 3, 2, 2), "model.3")])
def test_errors_name_the_layer(shape, layer):
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    with pytest.raises(ValueError, match=f"in {layer}"):
        model(engine.ones(*shape))


def test_anomalies_name_the_layer():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    model[0].weight.data.fill_(float("nan"))
    with engine.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=r"Conv2DBackward0' of model.0 \(Conv2d\)"):
        model(engine.ones(1, 1, 2, 2, requires_grad=True)).sum().backward()


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "resnet50"])
def test_residual_networks(name, images):
    engine.manual_seed(0)
    model = vision.models.MODELS[name].build(num_classes=10) if name == "resnet20" else None
    model = model or getattr(vision.models, name)(num_classes=10, width=1 / 8)
    apart = copy.deepcopy(model)
    for module in apart.modules():
        module.register_forward_hook(lambda *_: None)
    x = engine.randn(2, 3, 32, 32)
    y, z = model(x), apart(x)
    close(y, z, 1e-4)
    y.square().sum().backward()
    z.square().sum().backward()
    for p, q in zip(model.parameters(), apart.parameters(), strict=True):
        close(p.grad, q.grad, 2e-3)  # up to fifty layers of rounding, squared
    model.eval(), apart.eval()
    with engine.no_grad():
        close(model(x), apart(x), 1e-4)


def block(inputs, outputs, kernel=3):
    layers = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    nn.Sequential(*layers)(engine.randn(2, inputs, 6, 6))  # running statistics
    return nn.ModuleList(layers).eval()


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("channels", [5, 32])
def test_a_residual_is_added_by_the_convolution(monkeypatch, channels, kernel):
    conv, bn, relu = block(channels, channels, kernel)
    x, residual = engine.randn(2, channels, 9, 9), engine.randn(2, channels, 9, 9)
    before = residual.clone()
    with engine.no_grad():
        expected = F.relu(bn(conv(x)) + residual)
        fusion.conv_bn_relu(x, conv, bn, relu)  # folds
        for name in ("add", "relu", "assign"):
            monkeypatch.setitem(x._k.__dict__, name, None)
        y = fusion.conv_bn_relu(x, conv, bn, relu, residual)
    close(y, expected)
    assert (residual.numpy() == before.numpy()).all()


def test_a_residual_that_does_not_fit_is_added_as_it_would_be():
    conv, bn, relu = block(3, 4)
    x = engine.randn(2, 3, 6, 6)
    with engine.no_grad():
        for residual in (engine.randn(4, 1, 1), engine.randn(2, 4, 6, 6, dtype="float64"),
                         engine.randn(2, 4, 6, 6).permute(0, 1, 3, 2), 1.5):  # fmt: skip
            y, expected = fusion.conv_bn_relu(x, conv, bn, relu, residual), F.relu(bn(conv(x)) + residual)
            assert y.dtype == expected.dtype
            close(y, expected)
        with pytest.raises(ValueError, match="cannot be broadcast"):
            fusion.conv_bn_relu(x, conv, bn, relu, engine.randn(2, 3, 6, 6))
