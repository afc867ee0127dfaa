"""CIFAR-10 and CIFAR-100, in every form they are published in: binary files, Python batches, archives of either."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

import engine
from engine.serialization import read_pickle
from engine.vision.datasets.download import Remote, fetch
from engine.vision.datasets.images import ImageDataset
from engine.vision.datasets.locate import FilesNotFoundError, find, places
from engine.vision.datasets.packed import read_exactly
from engine.vision.datasets.tar import read_members

PIXELS = 3 * 32 * 32
KINDS = ("binary", "python")  # in which the data are published; the first one found is read
ENDINGS = {"binary": ("", ".gz"), "python": ("",)}
PICKLED_BYTES = PIXELS + 128  # of one image in a Python batch, at most: published ones take 3,106


class CIFAR10(ImageDataset):
    """50,000 training (`train=True`) or 10,000 test images of ten kinds of things, 32x32 RGB (Krizhevsky, 2009).

    root              the folder of the data, as torchvision lays it out or any of these, in `root` or a folder in it
                      called as the archive calls it: `data_batch_1.bin` ... (also packed, `.bin.gz`), the Python batches
                      `data_batch_1` ..., `cifar-10-binary.tar.gz`, `cifar-10-python.tar.gz`
    transform         see ImageDataset; target_transform maps a label (int) to what is returned
    download          fetch `cifar-10-binary.tar.gz` into `root` when nothing is there

    `data` is a uint8 array [N, 32, 32, 3], `targets` a list of ints, as in torchvision. Python batches are read as data:
    nothing in them is run. FilesNotFoundError (a FileNotFoundError and a RuntimeError) says what was looked for and
    where to get it; ValueError names a damaged file.
    """

    base = "cifar-10"  # the archives are called base-binary.tar.gz, base-python.tar.gz
    folders = {"binary": "cifar-10-batches-bin", "python": "cifar-10-batches-py"}
    train_files = [f"data_batch_{i}" for i in range(1, 6)]
    test_files = ["test_batch"]
    records = {True: 10_000, False: 10_000}  # in each file of the training, of the test part
    label_bytes = 1  # before the pixels of a record; the last one is the class
    label_key = "labels"
    mirrors = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
    archive = Remote(
        "cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    )
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)

    def __init__(self, root, train: bool = True, transform=None, target_transform=None, download: bool = False):
        self.root, self.train = os.path.expanduser(os.fspath(root)), train
        images, labels = self._read(download)
        super().__init__(images, labels, transform, target_transform)
        self.data, self.targets = images.transpose(0, 2, 3, 1), labels.tolist()

    def images(self):
        """All images as a uint8 Tensor [N, 3, 32, 32] over the memory of `data`."""
        return engine.from_numpy(self.data.transpose(0, 3, 1, 2))

    # ---- finding the files

    def _names(self, kind: str) -> list[str]:
        names = self.train_files if self.train else self.test_files
        return [f"{name}.bin" for name in names] if kind == "binary" else names

    def _folders(self, kind: str) -> tuple[str, ...]:
        return (self.folders[kind], self.base, "")

    def _archive(self, kind: str) -> str:
        return os.path.join(self.root, f"{self.base}-{kind}.tar.gz")

    def _found(self) -> tuple[str, Iterable[tuple[str, Any]]] | None:
        """The form of the data ("binary", "python") and (where it is, contents) of each file; None without them."""
        for kind in KINDS:
            names = self._names(kind)
            paths = [path for path in find(self.root, self._folders(kind), names, ENDINGS[kind]) if path]
            if len(paths) == len(names):
                read = self._binary_file if kind == "binary" else self._pickle_file
                return kind, ((path, read(path)) for path in paths)
        for kind in KINDS:
            path = self._archive(kind)
            if os.path.isfile(path):
                limit = self._file_bytes() if kind == "binary" else self._pickle_bytes()
                members = [f"{self.folders[kind]}/{name}" for name in self._names(kind)]
                contents = read_members(path, dict.fromkeys(members, limit))
                return kind, ((f"{path}: {name}", contents[name]) for name in members)
        return None

    def _missing(self) -> str:
        """What was looked for, and what to do."""
        lines = ""
        for kind in KINDS:
            folders, names = self._folders(kind), self._names(kind)
            paths = find(self.root, folders, names, ENDINGS[kind])
            absent = ", ".join(name for name, path in zip(names, paths, strict=True) if path is None)
            lines += f"\n  {absent}{' (or .gz)' if kind == 'binary' else ''}, looked for in {', '.join(places(self.root, folders))}"
        lines += "".join(f"\n  {self._archive(kind)}" for kind in KINDS)
        return (
            f"{type(self).__name__}: files not found under {self.root!r}, any of these will do:{lines}\n"
            f"Get {self.archive.name} from {' or '.join(m + self.archive.name for m in self.mirrors)} and put it into "
            f"{self.root} (no need to unpack), or pass download=True."
        )

    # ---- reading them

    def _read(self, download: bool) -> tuple[np.ndarray, np.ndarray]:
        """All images, uint8 [N, 3, 32, 32], and labels, int64 [N], of this part."""
        found = self._found()
        if found is None and download:
            fetch([self.archive], self.mirrors, self.root)
            found = self._found()
        if found is None:
            raise FilesNotFoundError(self._missing())
        kind, files = found
        decode = self._decode_binary if kind == "binary" else self._decode_python
        count = self.records[self.train]
        images = np.empty((len(self._names(kind)) * count, 3, 32, 32), np.uint8)
        labels = np.empty(len(images), np.int64)
        for i, (place, contents) in enumerate(files):
            span = slice(i * count, (i + 1) * count)
            pixels, labels[span] = decode(place, contents)
            images[span] = pixels.reshape(count, 3, 32, 32)
            self._check_labels(place, labels[span])
        return images, labels

    def _file_bytes(self) -> int:
        return self.records[self.train] * (self.label_bytes + PIXELS)

    def _binary_file(self, path: str) -> np.ndarray:
        return read_exactly(path, self._file_bytes())

    def _pickle_bytes(self) -> int:
        return self.records[self.train] * PICKLED_BYTES + 2**12

    def _pickle_file(self, path: str) -> bytes:
        size = os.path.getsize(path)
        if size > self._pickle_bytes():
            raise ValueError(f"{path}: got {size} bytes, expected at most {self._pickle_bytes()}")
        with open(path, "rb") as file:
            return file.read()

    def _decode_binary(self, place: str, data) -> tuple[np.ndarray, np.ndarray]:
        """(pixels [n, 3072], labels [n]) of a file of records: labels, then red, green and blue, row by row."""
        if len(data) != self._file_bytes():
            raise ValueError(
                f"{place}: got {len(data)} bytes, expected {self._file_bytes()}, {self.records[self.train]} records of "
                f"{self.label_bytes + PIXELS} bytes"
            )
        records = np.frombuffer(data, np.uint8).reshape(-1, self.label_bytes + PIXELS)
        return records[:, self.label_bytes :], records[:, self.label_bytes - 1]

    def _decode_python(self, place: str, data: bytes) -> tuple[np.ndarray, Any]:
        """The same of a Python batch, a pickled dict."""
        try:
            batch = read_pickle(data)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
        count = self.records[self.train]
        if not isinstance(batch, dict):
            raise ValueError(f"{place}: got a {type(batch).__name__}, expected a dict")
        batch = {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
        pixels, labels = batch.get("data"), batch.get(self.label_key)
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != (count, PIXELS):
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise ValueError(f"{place}: got {got} as 'data', expected a uint8 array of shape {(count, PIXELS)}")
        if not isinstance(labels, list) or len(labels) != count or not all(type(n) is int for n in labels):
            got = f"a list of {len(labels)}" if isinstance(labels, list) else type(labels).__name__
            raise ValueError(f"{place}: got {got} as {self.label_key!r}, expected a list of {count} integers")
        return pixels, np.clip(labels, -1, len(self.classes))  # what is out of range stays so, and fits

    def _check_labels(self, place: str, labels: np.ndarray) -> None:
        wrong = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if len(wrong):
            raise ValueError(
                f"{place}: got label {labels[wrong[0]]} at position {wrong[0]}, expected 0 to {len(self.classes) - 1}"
            )


class CIFAR100(CIFAR10):
    """50,000 training or 10,000 test images of a hundred kinds of things, 32x32 RGB; everything as for CIFAR10, the
    labels being the fine ones. The files are `train.bin` and `test.bin`, or `train` and `test`."""

    base = "cifar-100"
    folders = {"binary": "cifar-100-binary", "python": "cifar-100-python"}
    train_files = ["train"]
    test_files = ["test"]
    records = {True: 50_000, False: 10_000}
    label_bytes = 2  # coarse, fine
    label_key = "fine_labels"
    archive = Remote(
        "cifar-100-binary.tar.gz", 168513733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
    )
    classes = """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
        caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
        flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
        maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
        plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
        snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train
        trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()
    mean, std = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
