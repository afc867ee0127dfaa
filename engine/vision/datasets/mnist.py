"""MNIST and Fashion-MNIST, read from the published IDX files wherever they lie under a root folder."""

from __future__ import annotations

import os

import numpy as np

from engine.vision.datasets.idx import UINT8, read_idx
from engine.vision.datasets.images import ImageDataset


class MNIST(ImageDataset):
    """60,000 training (`train=True`) or 10,000 test images of handwritten digits, 28x28 grey.

    The files are looked for in the layout of torchvision (`root/MNIST/raw`), in `root/mnist`, and in
    `root` itself, unpacked or as `.gz`. FileNotFoundError lists what is missing, where it was looked
    for and where to get it; ValueError names a file that is damaged.
    """

    folders = ("MNIST/raw", "mnist", "")
    source = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    mean, std = (0.1307,), (0.3081,)

    def __init__(self, root, train: bool = True, transform=None, batch_transform=None):
        images, labels = self._read(os.fspath(root), "train" if train else "t10k")
        super().__init__(images, labels, transform, batch_transform)
        self.root, self.train = root, train

    def _read(self, root: str, part: str) -> tuple[np.ndarray, np.ndarray]:
        image_path, label_path = self._find(root, (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"))
        images = read_idx(image_path, ndim=3, kind=UINT8)
        labels = read_idx(label_path, ndim=1, kind=UINT8)
        if images.shape[1:] != (28, 28) or not len(images):
            raise ValueError(f"{image_path}: got images of shape {images.shape}, expected (N, 28, 28) with N > 0")
        if len(labels) != len(images):
            raise ValueError(f"{label_path}: got {len(labels)} labels, expected {len(images)}, one per image")
        if labels.max() >= len(self.classes):
            position = int(labels.argmax())
            raise ValueError(
                f"{label_path}: got label {labels[position]} at position {position}, "
                f"expected 0 to {len(self.classes) - 1}"
            )
        return images, labels.astype(np.int64)

    def _find(self, root: str, names: tuple[str, ...]) -> list[str]:
        """The path of each file; FileNotFoundError for all missing ones together."""
        places = [os.path.join(root, folder) if folder else root for folder in self.folders]
        paths = [
            next(
                filter(os.path.isfile, (os.path.join(p, name + end) for p in places for end in ("", ".gz"))),
                None,
            )
            for name in names
        ]
        missing = [name for name, path in zip(names, paths, strict=True) if path is None]
        if missing:
            lines = "".join(f"\n  {name} or {name}.gz, looked for in {', '.join(places)}" for name in missing)
            raise FileNotFoundError(
                f"{type(self).__name__}: files not found under {root!r}:{lines}\n"
                f"Get the four .gz files from {self.source}, put them into {places[0]} "
                "(no need to unpack), or give the folder that holds them as root."
            )
        return [path for path in paths if path is not None]


class FashionMNIST(MNIST):
    """60,000 training or 10,000 test images of clothing, 28x28 grey; files and errors as for MNIST."""

    folders = ("FashionMNIST/raw", "fashion-mnist", "")
    source = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    mean, std = (0.2860,), (0.3530,)
    classes = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
