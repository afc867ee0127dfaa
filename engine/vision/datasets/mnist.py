"""MNIST and the sets in its format, read from the published IDX files wherever they lie under a root folder."""

from __future__ import annotations

import os

import numpy as np

from engine.vision.datasets.download import Remote, fetch
from engine.vision.datasets.idx import UINT8, read_idx
from engine.vision.datasets.images import ImageDataset
from engine.vision.datasets.locate import FilesNotFoundError, find, places


class MNIST(ImageDataset):
    """60,000 training (`train=True`) or 10,000 test images of handwritten digits, 28x28 grey.

    root              the folder with the four files, as torchvision lays them out (`root/MNIST/raw`), in `root/mnist`,
                      or in `root` itself, unpacked or as `.gz`
    transform         see ImageDataset; target_transform maps a label (int) to what is returned
    download          fetch the files into `root/MNIST/raw` when they are not there

    `data` is a uint8 Tensor [N, 28, 28], `targets` an int64 Tensor [N]. FilesNotFoundError (a FileNotFoundError and a
    RuntimeError) lists what is missing, where it was looked for and where to get it; ValueError names a damaged file.
    """

    folders = ("MNIST/raw", "mnist", "")
    mirrors: tuple[str, ...] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    files = (
        Remote(
            "train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        Remote("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        Remote(
            "t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        Remote("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    )
    classes = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip
    mean, std = (0.1307,), (0.3081,)

    def __init__(self, root, train: bool = True, transform=None, target_transform=None, download: bool = False):
        self.root, self.train = os.path.expanduser(os.fspath(root)), train
        images, labels = self._read("train" if train else "t10k", download)
        super().__init__(images, labels, transform, target_transform)

    def _read(self, part: str, download: bool) -> tuple[np.ndarray, np.ndarray]:
        image_path, label_path = self._find((f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"), download)
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

    def _find(self, names: tuple[str, ...], download: bool) -> list[str]:
        """The path of each file; FilesNotFoundError for all missing ones together."""
        paths = find(self.root, self.folders, names)
        if download and None in paths:
            fetch(self.files, self.mirrors, os.path.join(self.root, self.folders[0]))
            paths = find(self.root, self.folders, names)
        if None in paths:
            tried = places(self.root, self.folders)
            missing = [name for name, path in zip(names, paths, strict=True) if path is None]
            lines = "".join(f"\n  {name} or {name}.gz, looked for in {', '.join(tried)}" for name in missing)
            raise FilesNotFoundError(
                f"{type(self).__name__}: files not found under {self.root!r}:{lines}\n"
                f"Get the four .gz files from {' or '.join(self.mirrors)}, put them into {tried[0]} (no need to unpack), "
                "or give the folder that holds them as root, or pass download=True."
            )
        return [path for path in paths if path is not None]


class FashionMNIST(MNIST):
    """60,000 training or 10,000 test images of clothing, 28x28 grey; arguments, files and errors as for MNIST."""

    folders = ("FashionMNIST/raw", "fashion-mnist", "")
    mirrors = (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    )
    files = (
        Remote(
            "train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        Remote("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        Remote(
            "t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        Remote("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    )
    classes = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip
    mean, std = (0.2860,), (0.3530,)


class KMNIST(MNIST):
    """60,000 training or 10,000 test images of cursive Japanese characters (Clanuwat et al., 2018), 28x28 grey;
    arguments, files and errors as for MNIST."""

    folders = ("KMNIST/raw", "kmnist", "")
    mirrors = ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    files = (
        Remote(
            "train-images-idx3-ubyte.gz", 18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"
        ),
        Remote("train-labels-idx1-ubyte.gz", 29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        Remote(
            "t10k-images-idx3-ubyte.gz", 3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"
        ),
        Remote("t10k-labels-idx1-ubyte.gz", 5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    )
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
    mean, std = (0.1918,), (0.3483,)
