"""The networks of `vision.models`: published sizes, torchvision's names, small and narrow versions that learn."""

import hashlib

import numpy as np
import pytest

import engine
from engine import nn
from engine.nn import functional as F
from engine.vision import models

TORCHVISION = {  # name -> parameters with 1000 classes, digest of the names and shapes of the state in torchvision 0.28
    "alexnet": (61_100_840, "9c198ebdae1863e4"),
    "vgg11": (132_863_336, "cb3dc23f2a13e182"),
    "vgg11_bn": (132_868_840, "8b6717e727c0ecf9"),
    "vgg13": (133_047_848, "67c1dc8b57fde74b"),
    "vgg13_bn": (133_053_736, "f6b0597d18a7e4d2"),
    "vgg16": (138_357_544, "35c4623e0cd4a39d"),
    "vgg16_bn": (138_365_992, "347371586a8ea365"),
    "vgg19": (143_667_240, "4723255af8f6c485"),
    "vgg19_bn": (143_678_248, "fc3ff6fab2b5cc09"),
    "googlenet": (13_004_888, "7f541ca29410efb1"),
    "resnet18": (11_689_512, "84fb10d9c6905a1c"),
    "resnet34": (21_797_672, "28f9096d51307499"),
    "resnet50": (25_557_032, "d7e4f8bb0a536344"),
    "resnet101": (44_549_160, "02c0f34f4842751f"),
    "resnet152": (60_192_808, "685c66205bc823aa"),
}
OTHERS = {"alexnet2012": 60_965_224, "zfnet": 62_357_608, "linear": 30_730, "two_layer": 308_310, "lenet5_1998": 60_000}
NARROW = 1 / 16
WITH_WIDTH = [name for name, entry in models.MODELS.items() if entry.takes("width")]
ONE_OF_A_FAMILY = (
    "alexnet alexnet2012 zfnet vgg11 vgg11_bn googlenet resnet18 resnet50 resnet20 resnet9 cifar_vgg two_layer".split()
)


def unallocated(name, **options):
    with engine.use_backend("shape"):
        return getattr(models, name)(**options)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("name", TORCHVISION)
def test_parameters_names_and_order_are_torchvisions(name):
    count, digest = TORCHVISION[name]
    net = unallocated(name)
    state = "\n".join(f"{key} {tuple(t.shape)}" for key, t in net.state_dict().items())
    assert parameters(net) == count
    assert hashlib.sha256(state.encode()).hexdigest()[:16] == digest, state


@pytest.mark.parametrize("name", OTHERS)
def test_parameters_of_the_others(name):
    assert parameters(unallocated(name)) == OTHERS[name]


def test_googlenet_without_auxiliary_heads():
    assert parameters(unallocated("googlenet", aux_logits=False)) == 6_624_904


def outputs(net, size):
    return {layer.path: layer.output[1:] for layer in engine.summary(net, size).layers}


def test_maps_of_the_papers():
    zf = outputs(unallocated("zfnet"), (3, 224, 224))
    sides = [zf[f"features.{i}"][1] for i in (0, 2, 4, 6, 8, 10, 12, 14)]
    assert sides == [110, 55, 26, 13, 13, 13, 13, 6] and zf["features.0"][0] == 96
    alex = outputs(unallocated("alexnet2012"), (3, 224, 224))
    assert [alex[f"features.{i}"] for i in (0, 3, 4, 8, 10, 12, 14)] == [
        (96, 55, 55), (96, 27, 27), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13), (256, 6, 6),
    ]  # fmt: skip
    google = outputs(unallocated("googlenet"), (3, 224, 224))
    maps = {3: (480, 14, 14), 4: (832, 7, 7)}
    assert all(google[f"maxpool{i}"] == shape for i, shape in maps.items()) and google["avgpool"] == (1024, 1, 1)


def test_response_norm_of_2012_sums_squares():
    norm = models.alexnet2012(width=NARROW, image_size=32).features[2]
    x = np.random.default_rng(0).standard_normal((1, 6, 1, 2)).astype("float32") * 50
    sums = np.stack([(x[:, max(0, c - 2) : c + 3] ** 2).sum(1) for c in range(6)], 1)
    np.testing.assert_allclose(norm(engine.from_numpy(x)).numpy(), x / (2 + 1e-4 * sums) ** 0.75, rtol=1e-5)


@pytest.mark.parametrize("name", WITH_WIDTH)
def test_narrow_versions_take_images_of_cifar(name):
    """Every parameter gets a gradient; what comes out are scores of the classes."""
    net = models.create(name, (3, 32, 32), 7, NARROW)
    x = engine.randn(2, 3, 32, 32, generator=engine.Generator().manual_seed(1))
    loss = models.auxiliary_loss(F.cross_entropy, net(x), engine.tensor([3, 5]))
    loss.backward()
    assert all(p.grad is not None for p in net.parameters())
    net.eval()
    scores = net(x).detach().numpy()
    assert scores.shape == (2, 7) and np.isfinite(scores).all() and np.ptp(scores) > 0
    full = engine.summary(unallocated(name), models.MODELS[name].input).parameters
    assert parameters(net) < full / 6


@pytest.mark.parametrize("name", ONE_OF_A_FAMILY)
def test_training_steps_make_the_loss_fall(name):
    engine.manual_seed(0)
    net = models.create(name, (3, 32, 32), 4, NARROW)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x, y = engine.randn(8, 3, 32, 32), engine.tensor([0, 1, 2, 3] * 2)
    optimizer = engine.optim.Adam(net.parameters(), lr=0.003)
    losses = []
    for _ in range(25):
        loss = models.auxiliary_loss(F.cross_entropy, net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], losses


def test_linear_classifier_with_the_hinge():
    engine.manual_seed(0)
    net, hinge = models.linear(3, in_channels=1, image_size=8), nn.MultiMarginLoss()
    x, y = engine.randn(12, 1, 8, 8), engine.tensor([0, 1, 2] * 4)
    optimizer = engine.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss = hinge(net(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() == 0 and (net(x).argmax(1) == y).all()
    assert net.fc.weight.shape == (3, 64)


def test_large_images_take_the_published_network_whatever_their_size():
    for name in ("alexnet", "vgg11", "googlenet", "resnet18"):
        net = unallocated(name)
        assert outputs(net, (3, 96, 80))[list(outputs(net, (3, 96, 80)))[-1]] == (1000,)


def test_googlenets_heads():
    engine.manual_seed(0)
    net = models.googlenet(5, width=NARROW, image_size=32, dropout=0.0, dropout_aux=0.0)
    x, y = engine.randn(4, 3, 32, 32), engine.tensor([0, 1, 2, 3])
    out = net(x)
    assert type(out) is models.GoogLeNetOutputs and out._fields == ("logits", "aux_logits2", "aux_logits1")
    assert all(t.shape == (4, 5) for t in out)
    parts = [F.cross_entropy(t, y).item() for t in out]
    assert models.auxiliary_loss(F.cross_entropy, out, y).item() == pytest.approx(
        parts[0] + 0.3 * (parts[1] + parts[2])
    )
    assert models.auxiliary_loss(F.cross_entropy, out.logits, y).item() == pytest.approx(parts[0])
    assert type(net.eval()(x)) is engine.Tensor
    bare = models.googlenet(5, width=NARROW, image_size=32, aux_logits=False)
    assert type(bare(x)) is engine.Tensor and bare.aux1 is None
    assert all(m.eps == 0.001 for m in net.modules() if isinstance(m, nn.BatchNorm2d))


def test_googlenet_takes_imagenets_normalisation_for_its_own():
    net = models.googlenet(5, width=NARROW, image_size=32, aux_logits=False, transform_input=True).eval()
    plain = engine.rand(2, 3, 32, 32)
    mean, std = (engine.tensor(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    given, wanted = (plain - mean) / std, (plain - 0.5) / 0.5
    y = net(given)
    net.transform_input = False
    np.testing.assert_allclose(y.detach().numpy(), net(wanted).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_built():
    for width in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="width multiplies the channels"):
            models.alexnet(width=width)
    with pytest.raises(ValueError, match="weights='IMAGENET1K_V1': no weights are downloaded"):
        models.vgg16(weights="IMAGENET1K_V1")
    with pytest.raises(TypeError, match="unexpected keyword argument 'classes'"):
        models.resnet18(classes=3)
    with pytest.raises(ValueError, match="invalid choice: 'resnet19' .choose from lenet5, "):
        models.create("resnet19")
    with pytest.raises(ValueError, match="vgg16 takes images of 3 channel.s., but these have 1; choose one of lenet5"):
        models.create("vgg16", (1, 28, 28))
    with pytest.raises(ValueError, match="mnistnet has no width"):
        models.create("mnistnet", width=0.5)


def test_networks_of_the_command_line_are_functions_of_the_package():
    assert all(getattr(models, name) is entry.build for name, entry in models.MODELS.items())
    assert all(hasattr(models, name) for name in models.__all__)
