"""Published weights give their published accuracy: our reader of PyTorch's files, our network, our data, our kernels."""

import pytest

import engine
from engine.cli.fit import accuracy
from engine.utils.data import DataLoader
from engine.vision import datasets, models, transforms


@pytest.mark.timeout(900)
def test_resnet20_on_cifar10(data_root):
    """Y. Idelbayev's ResNet-20, a checkpoint in PyTorch's legacy format: 91.73 % of the 10,000 test images."""
    weights, images = data_root / "weights" / "resnet20-12fca82f.th", data_root / "cifar-10"
    if not weights.is_file() or not images.is_dir():
        pytest.skip(f"no {weights} or {images}; ENGINE_DATA names another place for the data sets")
    saved = engine.load(weights)
    assert saved["best_prec1"] == pytest.approx(91.78)
    net = models.resnet20()
    net.load_state_dict({name.removeprefix("module."): t for name, t in saved["state_dict"].items()})
    imagenet = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    test = datasets.CIFAR10(images, train=False, transform=transforms.Compose([transforms.ToTensor(), imagenet]))
    right = round(accuracy(net, DataLoader(test, batch_size=250)) * len(test))
    assert len(test) == 10_000 and abs(right - 9_173) <= 2, right
