"""Image data sets: every layout on disk, what they hold, what goes wrong, and how batches come out of them."""

import gzip
import hashlib
import importlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.utils.data import DataLoader, Subset
from engine.vision import transforms as T
from engine.vision import utils
from engine.vision.datasets import (
    CIFAR10,
    CIFAR100,
    KMNIST,
    MNIST,
    DatasetFolder,
    Digits,
    FakeData,
    FashionMNIST,
    ImageDataset,
    ImageFolder,
    images,
    read_image,
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


CIFAR10_TEST_SHA256 = (
    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"  # of the unpacked test_batch.bin
)


def test_real_cifar10(cifar10_root):
    test = CIFAR10(cifar10_root, train=False)
    records = np.concatenate([np.array(test.targets, np.uint8)[:, None], test.images().numpy().reshape(-1, 3072)], 1)
    assert hashlib.sha256(records.tobytes()).hexdigest() == CIFAR10_TEST_SHA256
    assert np.bincount(test.targets).tolist() == [1000] * 10
    image, label = CIFAR10(cifar10_root, train=False, transform=T.ToTensor())[0]
    assert image.shape == (3, 32, 32) and label == 3 and test.classes[label] == "cat"
    np.testing.assert_array_equal((image.numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0), test.data[0])


def test_real_cifar10_statistics(cifar10_root):
    train = CIFAR10(cifar10_root)
    assert len(train) == 50000 and np.bincount(train.targets).tolist() == [5000] * 10
    pixels = train.images().numpy()[::5].transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(pixels.mean(1) / 255, train.mean, atol=5e-3)
    np.testing.assert_allclose(pixels.std(1) / 255, train.std, atol=5e-3)


# ---- CIFAR in small


class Small10(CIFAR10):
    records = {True: 4, False: 3}


class Small100(CIFAR100):
    records = {True: 7, False: 3}


def cifar_batches(kind):
    """(name, labels, pixels [n, 3072]) of each file of a tiny CIFAR."""
    draw = np.random.default_rng(0)
    for train in (True, False):
        for name in kind.train_files if train else kind.test_files:
            count = kind.records[train]
            labels = draw.integers(0, len(kind.classes), count)
            yield name, labels, draw.integers(0, 256, (count, 3072), dtype=np.uint8)


def binary(kind, labels, pixels):
    first = [np.zeros((len(labels), kind.label_bytes - 1), np.uint8), labels.astype(np.uint8)[:, None]]
    return np.concatenate([*first, pixels], 1).tobytes()


def pickled(kind, labels, pixels):
    """A batch as cPickle of Python 2 wrote it: protocol 2, strings and array data as bytes, lists in pieces."""

    def text(s):
        return b"U" + bytes([len(s)]) + s + b"q\x01"

    def pieces(items):
        return b"]q\x02" + b"".join(b"(" + b"".join(items[i : i + 3]) + b"e" for i in range(0, len(items), 3))

    raw = pixels.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85U\x01b\x87Rq\x08(K\x01"
        + b"".join(b"M" + struct.pack("<H", n) for n in pixels.shape) + b"\x86"
        + b"cnumpy\ndtype\nq\x09U\x02u1K\x00K\x01\x87Rq\x0a(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    )  # fmt: skip
    items = text(b"batch_label") + text(b"training batch 1 of 5")
    items += text(kind.label_key.encode()) + pieces([b"K" + bytes([n]) for n in labels])
    items += text(b"data") + array + text(b"filenames") + pieces([text(b"a_%d.png" % n) for n in labels])
    return b"\x80\x02}q\x00(" + items + b"u."


def make_tar(path, members):
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


FORMS = {  # name -> (folder under root, how a file is named, contents)
    "binary": ("{binary}", "{name}.bin", binary),
    "binary packed": ("{binary}", "{name}.bin.gz", lambda *a: gzip.compress(binary(*a), 1)),
    "binary in root": ("", "{name}.bin", binary),
    "binary in a short folder": ("{base}", "{name}.bin.gz", lambda *a: gzip.compress(binary(*a), 1)),
    "python": ("{python}", "{name}", pickled),
    "python in root": ("", "{name}", pickled),
    "binary archive": (None, "{binary}/{name}.bin", binary),
    "python archive": (None, "{python}/{name}", pickled),
}


def write_cifar(root, kind, form):
    folder, file_name, content = FORMS[form]
    members = []
    for name, labels, pixels in cifar_batches(kind):
        members.append((file_name.format(name=name, **kind.folders), content(kind, labels, pixels)))
    if folder is None:
        which = form.split()[0]
        top = kind.folders[which]
        make_tar(
            root / f"{kind.base}-{which}.tar.gz",
            [(top, None), *members[::-1], (f"{top}/readme.html", b"<html>" * 1000), (f"{top}/batches.meta", b"?")],
        )
        return
    folder = root / folder.format(base=kind.base, **kind.folders)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in members:
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [Small10, Small100])
def test_cifar_in_every_form(tmp_path, kind, form):
    write_cifar(tmp_path, kind, form)
    for train in (True, False):
        dataset = kind(tmp_path, train=train)
        names = kind.train_files if train else kind.test_files
        parts = [(labels, pixels) for name, labels, pixels in cifar_batches(kind) if name in names]
        assert dataset.targets == np.concatenate([p[0] for p in parts]).tolist()
        assert dataset.data.shape == (len(dataset), 32, 32, 3) and dataset.data.dtype == np.uint8
        expected = np.concatenate([p[1] for p in parts]).reshape(-1, 3, 32, 32)
        np.testing.assert_array_equal(dataset.data, expected.transpose(0, 2, 3, 1))
        np.testing.assert_array_equal(dataset.images().numpy(), expected)
        batch, labels = dataset.get_batch(engine.tensor([2, 0]))
        mean, std = (np.array(v).reshape(3, 1, 1) for v in (kind.mean, kind.std))
        np.testing.assert_allclose(batch.numpy(), (expected[[2, 0]] / 255 - mean) / std, rtol=1e-5, atol=1e-6)
        assert labels.tolist() == [dataset.targets[2], dataset.targets[0]]


def test_cifar_missing_files(tmp_path):
    write_cifar(tmp_path, Small10, "binary")
    (tmp_path / "cifar-10-batches-bin/data_batch_4.bin").unlink()
    Small10(tmp_path, train=False)
    with pytest.raises(FileNotFoundError) as caught:
        Small10(tmp_path)
    message = str(caught.value)
    assert message.startswith(
        f"Small10: files not found under '{tmp_path}', any of these will do:\n"
        f"  data_batch_4.bin (or .gz), looked for in {tmp_path}/cifar-10-batches-bin, {tmp_path}/cifar-10, {tmp_path}\n"
        f"  data_batch_1, data_batch_2,"
    )
    assert f"\n  {tmp_path}/cifar-10-binary.tar.gz\n" in message
    assert (
        "Get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz or https://" in message
    )
    assert message.endswith(f"and put it into {tmp_path} (no need to unpack), or pass download=True.")


def damaged(name, change):
    """Writes a tiny CIFAR-10 whose test file is changed."""

    def write(root):
        write_cifar(root, Small10, name)
        folder = root / Small10.folders[name.split()[0]]
        path = next(p for p in folder.iterdir() if p.name.startswith("test_batch"))
        path.write_bytes(change(path.read_bytes()))

    return write


SIZE = 3 * 3073
DAMAGED = {
    "truncated": (damaged("binary", lambda b: b[:-1]), f"test_batch.bin: got {SIZE - 1} bytes, expected {SIZE}; it is truncated"),
    "one record less": (damaged("binary", lambda b: b[3073:]), f"got {2 * 3073} bytes, expected {SIZE}; it is truncated"),
    "too long": (damaged("binary", lambda b: b + b"x"), f"got {SIZE + 1} bytes, expected {SIZE}; it has trailing data"),
    "empty": (damaged("binary", lambda b: b""), f"test_batch.bin: got 0 bytes, expected {SIZE}"),
    "label": (damaged("binary", lambda b: b[:3073] + b"\x0a" + b[3074:]), "test_batch.bin: got label 10 at position 1, expected 0 to 9"),
    "packed truncated": (damaged("binary packed", lambda b: b[:-20]), "test_batch.bin.gz: corrupt or truncated gzip data"),
    "packed short": (damaged("binary packed", lambda b: gzip.compress(bytes(SIZE - 1))), f"got {SIZE - 1} bytes, expected {SIZE}"),
    "packed long": (damaged("binary packed", lambda b: gzip.compress(bytes(SIZE + 1))), f"more than the {SIZE} bytes expected"),
    "packed, impossible": (damaged("binary packed", lambda b: b[:5]), "expected 9219 bytes, more than 5 bytes of gzip can hold"),
    "html": (damaged("python", lambda b: b"<html>404</html>"), "test_batch: "),
    "pickle of a list": (damaged("python", lambda b: b"\x80\x02]."), "test_batch: got a list, expected a dict"),
    "pickle too long": (damaged("python", lambda b: b + bytes(10_000)), r"test_batch: got \d+ bytes, expected at most \d+"),
    "pickle truncated": (damaged("python", lambda b: b[:-30]), "test_batch: "),
    "pickle that calls": (damaged("python", lambda b: b"cos\nsystem\n(U\x04echotR."), "test_batch: .*os system|test_batch: .*system"),
    "pickle without data": (damaged("python", lambda b: b"\x80\x02}."), r"got NoneType as 'data', expected a uint8 array of shape \(3, 3072\)"),
    "pickle of other labels": (damaged("python", lambda b: b.replace(b"U\x06labels", b"U\x06labelz")), "got NoneType as 'labels'"),
    "pickle, label": (damaged("python", lambda b: b.replace(b"labelsq\x01]q\x02(", b"labelsq\x01]q\x02(K\x07", 1)), "got a list of 4 as 'labels', expected a list of 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_cifar(tmp_path, case):
    write, message = DAMAGED[case]
    write(tmp_path)
    with pytest.raises(ValueError, match=message):
        Small10(tmp_path, train=False)
    Small10(tmp_path)  # the other part is unharmed


def test_changes_of_data_and_targets_are_seen(tmp_path):
    """Scripts cut and relabel data sets by their attributes."""
    write_cifar(tmp_path, Small10, "binary")
    dataset = Small10(tmp_path, transform=T.ToTensor())
    keep = [3, 1]
    expected = dataset.data[keep].copy()
    dataset.data, dataset.targets = np.ascontiguousarray(dataset.data[keep]), [dataset.targets[i] for i in keep]
    dataset.targets[0] = 8
    batch, labels = next(iter(DataLoader(dataset, batch_size=2)))
    assert len(dataset) == 2 and labels.tolist() == [8, dataset.targets[1]]
    np.testing.assert_array_equal((batch.numpy() * 255).round(), expected.transpose(0, 3, 1, 2))
    assert dataset[0][1] == 8


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


# ---- folders


@pytest.fixture
def picture_root(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    for path, colour in {
        "cat/b.png": (1, 2, 3),
        "cat/deep/er/a.PNG": (4, 5, 6),
        "ant/z.png": 7,
        "dog/a.jpg": (9, 9, 9),
    }.items():
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L" if isinstance(colour, int) else "RGB", (4, 3), colour).save(path)
    (tmp_path / "cat" / "notes.txt").write_text("not a picture")
    (tmp_path / "loose.png").write_bytes(b"")
    return tmp_path


def test_image_folder(picture_root):
    dataset = ImageFolder(picture_root)
    assert dataset.classes == ["ant", "cat", "dog"] and dataset.class_to_idx == {"ant": 0, "cat": 1, "dog": 2}
    assert [p[len(str(picture_root)) + 1 :] for p, _ in dataset.samples] == [
        "ant/z.png",
        "cat/b.png",
        "cat/deep/er/a.PNG",
        "dog/a.jpg",
    ]
    assert dataset.targets == [0, 1, 1, 2] and dataset.imgs is dataset.samples and len(dataset) == 4
    image, label = dataset[1]
    assert image.mode == "RGB" and image.size == (4, 3) and image.getpixel((0, 0)) == (1, 2, 3) and label == 1
    assert dataset[0][0].getpixel((3, 2)) == (7, 7, 7)
    loader = DataLoader(ImageFolder(picture_root, T.ToTensor(), lambda label: -label), 4, num_workers=2)
    ((batch, labels),) = loader
    assert batch.shape == (4, 3, 3, 4) and labels.tolist() == [0, -1, -1, -2]
    only = ImageFolder(picture_root, is_valid_file=lambda path: "/er/" in path, allow_empty=True)
    assert only.targets == [1]


def test_folders_of_anything(tmp_path):
    for name in ("a/1.npy", "a/2.txt", "b/3.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    dataset = DatasetFolder(tmp_path, lambda path: Path(path).read_text(), extensions=".npy", transform=str.upper)
    assert [dataset[i] for i in range(2)] == [("A/1.NPY", 0), ("B/3.NPY", 1)]
    with pytest.raises(FileNotFoundError, match="no valid file for the classes b in .*; expected files ending in .txt"):
        DatasetFolder(tmp_path, open, extensions=(".txt",))
    assert DatasetFolder(tmp_path, open, extensions=(".txt",), allow_empty=True).targets == [0]
    with pytest.raises(FileNotFoundError, match="found no class folder in"):
        DatasetFolder(tmp_path / "a", open, extensions=(".txt",))
    with pytest.raises(FileNotFoundError):
        DatasetFolder(tmp_path / "nowhere", open, extensions=(".txt",))
    for both in ({}, {"extensions": (".txt",), "is_valid_file": str}):
        with pytest.raises(ValueError, match="either extensions or is_valid_file"):
            DatasetFolder(tmp_path, open, **both)


def test_pictures_that_are_none(picture_root):
    (picture_root / "dog" / "b.png").write_bytes(b"<html>404</html>")
    dataset = ImageFolder(picture_root, T.ToTensor())
    with pytest.raises(OSError, match=r"(?s)cannot identify image file .*sample 4 of ImageFolder, worker 0"):
        list(DataLoader(dataset, num_workers=1))
    good = (picture_root / "dog" / "a.jpg").read_bytes()
    (picture_root / "dog" / "b.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(OSError, match="sample 4 of ImageFolder"):
        list(DataLoader(dataset))


def test_the_limit_of_pixels_stays_in_force(tmp_path, monkeypatch):
    Image = pytest.importorskip("PIL.Image")
    assert Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS <= 2**27
    Image.new("1", (100, 100)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        read_image(tmp_path / "a.png")


def test_image_folder_without_pillow_says_what_to_type(picture_root, monkeypatch):
    def missing(name, *args, **kwargs):
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"^.*Pillow.*pip install 'engine\[vision\]'$") as caught:
        ImageFolder(picture_root)
    assert "\n" not in str(caught.value)
    ImageFolder(picture_root, loader=str)


# ---- grids


def test_make_grid():
    x = engine.arange(5 * 3 * 2 * 2).reshape(5, 3, 2, 2).float()
    grid = utils.make_grid(x, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 3 + 1)
    expected = np.full((3, 7, 10), -1.0, np.float32)
    for i in range(5):
        top, left = i // 3 * 3 + 1, i % 3 * 3 + 1
        expected[:, top : top + 2, left : left + 2] = x.numpy()[i]
    np.testing.assert_array_equal(grid.numpy(), expected)
    assert utils.make_grid(x[:2]).shape == (3, 2 + 4, 2 * 4 + 2)
    assert utils.make_grid(x[0]).tolist() == utils.make_grid(x[:1]).tolist() == x[0].tolist()
    grey = utils.make_grid([engine.ones(1, 2, 2), engine.zeros(1, 2, 2)], padding=0)
    assert grey.shape == (3, 2, 4) and grey[0].tolist() == [[1, 1, 0, 0]] * 2
    assert utils.make_grid(engine.ones(4, 5)).shape == (3, 4, 5)
    bytes_ = utils.make_grid(x.to(engine.uint8))
    assert bytes_.dtype == engine.uint8
    leaf = engine.ones(2, 3, 2, 2, requires_grad=True)
    assert not utils.make_grid(leaf).requires_grad


def test_make_grid_normalizes():
    x = engine.tensor([0.0, 2.0, 4.0, 10.0]).reshape(2, 1, 1, 2)
    assert utils.make_grid(x, padding=0, normalize=True)[0].tolist() == [
        [0.0, pytest.approx(0.2), pytest.approx(0.4), 1.0]
    ]
    each = utils.make_grid(x, padding=0, normalize=True, scale_each=True)[0].tolist()
    assert each == [[0.0, 1.0, 0.0, 1.0]]
    ranged = utils.make_grid(x, padding=0, normalize=True, value_range=(2.0, 4.0))[0].tolist()
    assert ranged == [[0.0, 0.0, 1.0, 1.0]]
    assert x.reshape(-1).tolist() == [0.0, 2.0, 4.0, 10.0]
    with pytest.raises(TypeError, match="tensor or list of tensors expected"):
        utils.make_grid([1, 2])
    with pytest.raises(TypeError, match=r"value_range has to be a tuple"):
        utils.make_grid(x, normalize=True, value_range=[0, 1])
    with pytest.raises(ValueError, match=r"got shape \(1, 1, 2, 1, 2\)"):
        utils.make_grid(engine.ones(1, 1, 2, 1, 2))


def test_save_image(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    x = engine.tensor([0.0, 0.25, 0.5, 1.5]).reshape(1, 2, 2)
    utils.save_image(x, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB" and np.asarray(image)[..., 1].tolist() == [[0, 64], [128, 255]]
    buffer = io.BytesIO()
    utils.save_image(engine.rand(3, 3, 4, 4), buffer, format="png", nrow=3)
    buffer.seek(0)
    assert Image.open(buffer).size == (3 * 6 + 2, 4 + 4)
