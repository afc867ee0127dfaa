"""CIFAR-10 and CIFAR-100 in every form they are published in, whole and damaged."""

import gzip
import hashlib
import io
import struct
import tarfile

import numpy as np
import pytest

import engine
from engine.utils.data import DataLoader
from engine.vision import transforms as T
from engine.vision.datasets import (
    CIFAR10,
    CIFAR100,
)

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


# ---- the real one

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
