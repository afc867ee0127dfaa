"""Published weights: their published accuracy, and how far each algorithm is from float64 on what trained layers see."""

import numpy as np
import pytest

import engine
import engine.nn.functional as F
from engine import backends, nn
from engine.backends import convolution
from engine.cli.fit import accuracy
from engine.geometry import Conv2dGeometry
from engine.utils.data import DataLoader
from engine.vision import datasets, models, transforms


@pytest.fixture(scope="module")
def published(data_root):
    """(Y. Idelbayev's ResNet-20, a checkpoint in PyTorch's legacy format; CIFAR-10's test images as it wants them)."""
    weights, images = data_root / "weights" / "resnet20-12fca82f.th", data_root / "cifar-10"
    if not weights.is_file() or not images.is_dir():
        pytest.skip(f"no {weights} or {images}; ENGINE_DATA names another place for the data sets")
    saved = engine.load(weights)
    assert saved["best_prec1"] == pytest.approx(91.78)
    net = models.resnet20()
    net.load_state_dict({name.removeprefix("module."): t for name, t in saved["state_dict"].items()})
    imagenet = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    scaled = transforms.Compose([transforms.ToTensor(), imagenet])
    return net, datasets.CIFAR10(images, train=False, transform=scaled)


@pytest.mark.timeout(900)
def test_resnet20_on_cifar10(published):
    """91.73 % of the 10,000 test images."""
    net, test = published
    right = round(accuracy(net, DataLoader(test, batch_size=250)) * len(test))
    assert len(test) == 10_000 and abs(right - 9_173) <= 2, right


def test_every_algorithm_on_trained_layers(published, isa):
    """Weights, real images behind the layers before, gradients of the loss: errors by the RMS of what is computed.

    Each image has its own, as gradients are large in the few images that the network gets wrong.
    """
    net, test = published
    reference, seen = backends.get("reference"), []
    unfused = 1.1 if isa == "baseline" else 1  # x86's has no fused multiply-add: products are rounded as well
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d)]

    def note(conv, inputs, y):
        y.retain_grad()
        seen.append((conv, inputs[0].detach().numpy(), y))

    handles = [m.register_forward_hook(note) for m in layers]
    images, labels = next(iter(DataLoader(test, batch_size=16)))
    F.cross_entropy(net.eval()(images), labels).backward()
    for handle in handles:
        handle.remove()
    assert len(seen) == len(layers) == 19
    for conv, x, y in seen:
        w, g = conv.weight.detach().numpy(), y.grad.numpy()
        geom = Conv2dGeometry.of(x.shape, w.shape, conv.stride, conv.padding)
        wide = {"x": x.astype(float), "w": w.astype(float), "g": g.astype(float)}
        for direction, (a, b) in {"forward": "xw", "dx": "gw", "dw": "gx"}.items():
            arguments = [{"x": x, "w": w, "g": g}[name] for name in (a, b)]
            bias = [None] if direction == "forward" else []
            exact = getattr(reference, "conv2d" if bias else f"conv2d_{direction}")(wide[a], wide[b], *bias, geom)
            rms = np.sqrt(np.mean(exact**2, axis=None if direction == "dw" else (1, 2, 3), keepdims=True))
            for algorithm in convolution.TABLES[direction]:
                if algorithm.applies(geom):
                    error = np.abs((algorithm.kernel(*arguments, *bias, geom) - exact) / rms).max()
                    assert error <= algorithm.relative * unfused, f"{algorithm.name} {direction} of {geom}: {error:.2g}"
