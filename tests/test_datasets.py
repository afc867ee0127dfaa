"""Image data sets: MNIST on disk, the digits, noise; how samples and batches come out of them."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

import engine
from engine.utils.data import DataLoader, Subset
from engine.vision import transforms as T
from engine.vision.datasets import (
    CIFAR10,
    CIFAR100,
    KMNIST,
    MNIST,
    Digits,
    FakeData,
    FashionMNIST,
    ImageDataset,
    images,
)

# ---- MNIST on disk


def write_mnist(folder, count=3, size=28, labels=None, packed=True):
    """Both parts of a tiny MNIST in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(count) % 10 if labels is None else np.array(labels)
    images = np.full((count, size, size), 7, np.uint8)
    for part in ("train", "t10k"):
        files = {
            f"{part}-images-idx3-ubyte": struct.pack(">4I", 2051, *images.shape) + images.tobytes(),
            f"{part}-labels-idx1-ubyte": struct.pack(">2I", 2049, len(labels)) + labels.astype(np.uint8).tobytes(),
        }
        for name, content in files.items():
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "kind, folder",
    [
        (MNIST, "MNIST/raw"),
        (MNIST, "mnist"),
        (MNIST, "."),
        (FashionMNIST, "FashionMNIST/raw"),
        (FashionMNIST, "fashion-mnist"),
        (FashionMNIST, "."),
        (KMNIST, "KMNIST/raw"),
        (KMNIST, "kmnist"),
        (KMNIST, "."),
    ],
)
def test_finds_every_layout(tmp_path, kind, folder, packed):
    write_mnist(tmp_path / folder, packed=packed)
    for train in (True, False):
        dataset = kind(tmp_path, train=train)
        assert len(dataset) == 3
        assert dataset.data.shape == (3, 28, 28) and dataset.data.dtype == engine.uint8
        assert dataset.targets.tolist() == [0, 1, 2] and dataset.targets.dtype == engine.int64


def test_missing_files_are_all_listed(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    MNIST(tmp_path, train=True)
    with pytest.raises(FileNotFoundError) as caught:
        MNIST(tmp_path, train=False)
    assert str(caught.value) == (
        f"MNIST: files not found under '{tmp_path}':\n"
        f"  t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz, looked for in "
        f"{tmp_path}/MNIST/raw, {tmp_path}/mnist, {tmp_path}\n"
        "Get the four .gz files from https://ossci-datasets.s3.amazonaws.com/mnist/ or "
        f"https://storage.googleapis.com/cvdf-datasets/mnist/, put them into {tmp_path}/MNIST/raw (no need to unpack), "
        "or give the folder that holds them as root, or pass download=True."
    )
    assert isinstance(caught.value, RuntimeError)  # torchvision's type
    with pytest.raises(FileNotFoundError, match=r"(?s)train-images.*train-labels.*FashionMNIST/raw"):
        FashionMNIST(tmp_path / "elsewhere")


def test_contents_that_do_not_fit_together(tmp_path):
    write_mnist(tmp_path / "size", size=27)
    with pytest.raises(ValueError, match=r"train-images.*got images of shape \(3, 27, 27\), expected \(N, 28, 28\)"):
        MNIST(tmp_path / "size")
    write_mnist(tmp_path / "count", labels=[1, 2])
    with pytest.raises(ValueError, match="train-labels.*got 2 labels, expected 3, one per image"):
        MNIST(tmp_path / "count")
    write_mnist(tmp_path / "label", labels=[1, 10, 2])
    with pytest.raises(ValueError, match="train-labels.*got label 10 at position 1, expected 0 to 9"):
        MNIST(tmp_path / "label")
    write_mnist(tmp_path / "empty", count=0)
    with pytest.raises(ValueError, match="train-images.*N > 0"):
        MNIST(tmp_path / "empty")


def test_attributes_as_in_torchvision(tmp_path):
    write_mnist(tmp_path)
    dataset = MNIST(tmp_path)
    assert dataset.classes[:2] == ["0 - zero", "1 - one"] and dataset.class_to_idx["9 - nine"] == 9
    assert (dataset.train, dataset.root) == (True, str(tmp_path))
    assert FashionMNIST.classes[9] == "Ankle boot" and KMNIST.classes[0] == "o"
    assert CIFAR10.classes[3] == "cat" and len(set(CIFAR100.classes)) == 100 and CIFAR100.classes[99] == "worm"
    assert repr(dataset) == "MNIST(3 images of (28, 28), 10 classes)"


# ---- the real ones


def test_real_mnist(mnist_root):
    train, test = MNIST(mnist_root), MNIST(mnist_root, train=False)
    assert (len(train), len(test)) == (60000, 10000)
    assert train.targets[:5].tolist() == [5, 0, 4, 1, 9]
    batch, _ = train.get_batch(engine.arange(60000))
    assert abs(batch.numpy().mean()) < 1e-3 and abs(batch.numpy().std() - 1) < 1e-3


def test_real_fashion_mnist(fashion_mnist_root):
    test = FashionMNIST(fashion_mnist_root, train=False)
    assert len(test) == 10000 and test.classes[int(test.targets[0].item())] == "Ankle boot"


# ---- digits

DIGITS_TEST_SHA256 = "db6f35517e8df482700161f1d3a13fb6f675885f99a8700eb4cac4aa5ed76dd0"


def test_digits_split_is_stratified_and_fixed():
    train, test = Digits(train=True), Digits(train=False)
    assert (len(train), len(test)) == (1438, 359)
    assert train.data.shape == (1438, 32, 32)
    shares = np.bincount(test.targets.numpy()) / (
        np.bincount(test.targets.numpy()) + np.bincount(train.targets.numpy())
    )
    assert np.all(abs(shares - 0.2) < 0.003)
    content = hashlib.sha256(test.data.numpy().tobytes() + test.targets.numpy().tobytes()).hexdigest()
    assert content == DIGITS_TEST_SHA256


def test_digits_parts_are_disjoint():
    train, test = (Digits(train=t) for t in (True, False))
    seen = {image.tobytes() for image in train.data.numpy()}
    assert not any(image.tobytes() in seen for image in test.data.numpy())


def test_digits_batches_are_normalized():
    dataset = Digits()
    images, labels = dataset.get_batch(engine.tensor([3, 0, 3]))
    assert images.shape == (3, 1, 32, 32) and images.dtype == engine.float32
    assert labels.tolist() == [dataset.targets[i].item() for i in (3, 0, 3)]
    expected = (dataset.data.numpy()[[3, 0, 3], None] / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(images.numpy(), expected, rtol=1e-5, atol=1e-6)
    everything, _ = dataset.get_batch(engine.arange(len(dataset)))
    assert abs(everything.numpy().mean()) < 1e-3 and abs(everything.numpy().std() - 1) < 1e-3


# ---- samples, batches, transforms


def test_colour_images():
    data = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    dataset = ImageDataset(data, np.array([0, 1]))
    dataset.mean, dataset.std = (0.0, 0.5, 1.0), (1.0, 0.5, 2.0)
    batch, _ = dataset.get_batch(engine.tensor([1]))
    mean, std = (np.array(v).reshape(1, 3, 1, 1) for v in (dataset.mean, dataset.std))
    np.testing.assert_allclose(batch.numpy(), (data[1:] / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_samples_without_a_transform():
    image, label = Digits()[-1]
    assert image.shape == (1, 32, 32) and image.dtype == engine.float32 and isinstance(label, int)
    np.testing.assert_array_equal(image.numpy(), Digits().get_batch(engine.tensor([1437]))[0][0].numpy())
    with pytest.raises(IndexError, match="Digits: sample 359 is out of range for 359 samples"):
        Digits(train=False)[359]


def test_a_transform_receives_a_pil_image():
    Image = pytest.importorskip("PIL.Image")
    seen = []
    dataset = Digits(transform=lambda image: seen.append(image) or len(seen))
    assert [dataset[i][0] for i in (0, -1)] == [1, 2]
    assert all(isinstance(image, Image.Image) and image.mode == "L" and image.size == (32, 32) for image in seen)
    np.testing.assert_array_equal(np.asarray(seen[1]), dataset.data.numpy()[-1])
    assert dataset.get_batch is None
    colour = ImageDataset(np.arange(96, dtype=np.uint8).reshape(2, 3, 4, 4), np.array([0, 1]), transform=np.asarray)
    np.testing.assert_array_equal(colour[1][0], colour.data.numpy()[1].transpose(1, 2, 0))


def test_without_pillow_a_transform_receives_a_tensor(monkeypatch):
    monkeypatch.setattr(images, "_has_pillow", lambda: False)
    raw, _ = Digits(transform=lambda image: image)[3]
    assert raw.shape == (1, 32, 32) and raw.dtype == engine.uint8
    augment = T.Compose(
        [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), T.Lambda(lambda x: x * 2)]
    )
    batch, labels = next(iter(DataLoader(Digits(transform=augment), batch_size=4)))
    assert batch.shape == (4, 1, 32, 32) and batch.dtype == engine.float32 and labels.dtype == engine.int64
    fake, _ = FakeData(image_size=(3, 4, 5), transform=lambda image: image)[0]
    assert fake.shape == (3, 4, 5) and fake.dtype == engine.uint8


def test_whole_batches_equal_single_samples():
    normalize = T.Compose([T.ToTensor(), T.Normalize((0.3,), (0.4,))])
    whole = Digits(transform=normalize)
    single = Digits(transform=T.Compose([normalize, T.Lambda(lambda x: x)]))  # a Lambda has no batches
    assert whole.get_batch is not None and single.get_batch is None
    for (a, x), (b, y) in zip(DataLoader(whole, 100), DataLoader(single, 100), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(x.numpy(), y.numpy())
    subset = next(iter(DataLoader(Subset(whole, [5, -1]), 2)))
    np.testing.assert_allclose(subset[0].numpy()[1], single[-1][0].numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("lambda_", [False, True], ids=["whole", "single"])
def test_augmentation_does_not_depend_on_workers(lambda_):
    steps = [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), T.ToTensor()]
    dataset = Subset(Digits(transform=T.Compose(steps + [T.Lambda(lambda x: x)] * lambda_)), range(40))

    def epochs(workers):
        engine.manual_seed(3)
        loader = DataLoader(dataset, 16, shuffle=True, num_workers=workers)
        return [x.numpy().tobytes() for _ in range(2) for x, _ in loader]

    expected = epochs(0)
    assert len(set(expected)) == 6
    assert all(epochs(workers) == expected for workers in (1, 2, 4))


def test_target_transform():
    plain = Digits()
    dataset = Digits(target_transform=lambda label: float(label) + 0.5)
    assert dataset[2][1] == plain[2][1] + 0.5
    _, labels = next(iter(DataLoader(dataset, batch_size=5)))
    assert labels.dtype == engine.float64 and labels.tolist() == [int(t) + 0.5 for t in plain.targets[:5].tolist()]
    pairs = Digits(transform=T.ToTensor(), target_transform=lambda label: (label, "x"))
    assert next(iter(DataLoader(pairs, batch_size=2)))[1][1] == ("x", "x")


def test_fake_data():
    dataset = FakeData(size=5, image_size=(3, 8, 9), num_classes=4)
    image, target = dataset[2]
    assert image.shape == (3, 8, 9) and 0 <= image.min().item() < 0.2 and 0.8 < image.max().item() <= 1
    assert type(target) is int and len(dataset) == 5
    assert dataset[2][0].numpy().tobytes() == image.numpy().tobytes() != dataset[3][0].numpy().tobytes()
    shifted = FakeData(size=5, image_size=(3, 8, 9), num_classes=4, random_offset=2)
    assert shifted[0][0].numpy().tobytes() == image.numpy().tobytes()
    with pytest.raises(IndexError):
        dataset[5]
    assert {FakeData(num_classes=3, image_size=(1, 1, 1))[i][1] for i in range(50)} == {0, 1, 2}
    batch, labels = next(iter(DataLoader(FakeData(4, (1, 6, 6), transform=T.ToTensor()), batch_size=4)))
    assert batch.shape == (4, 1, 6, 6) and labels.dtype == engine.int64
