"""Digits: real handwritten digits that come with the package, for a first training run without files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.vision.datasets.images import ImageDataset

FILE = Path(__file__).parent.parent / "data" / "digits.npz"  # its attribution lies beside it
TEST_SHARE = 0.2
SPLIT_SEED = 0


class Digits(ImageDataset):
    """1,797 digits of 8x8 pixels (E. Alpaydin and C. Kaynak, UCI), enlarged to 32x32 grey.

    The split into 1,438 training and 359 test images is stratified and always the same.
    """

    mean, std = (0.3058,), (0.3764,)

    def __init__(self, train: bool = True, transform=None, target_transform=None):
        with np.load(FILE, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
        chosen = split(labels)[0 if train else 1]
        super().__init__(enlarge(images[chosen]), labels[chosen].astype(np.int64), transform, target_transform)
        self.train = train


def enlarge(images: np.ndarray) -> np.ndarray:
    """Images [N, 8, 8] of 0..16 as uint8 [N, 32, 32] of 0..255, each pixel repeated 4 by 4."""
    grey = (images.astype(np.uint16) * 255 + 8) // 16
    return grey.astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(training, test) indices: a fifth of every class, drawn with a fixed seed, is for testing."""
    draw = np.random.RandomState(SPLIT_SEED)  # NumPy keeps this stream frozen for ever
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        test[draw.permutation(members)[: round(len(members) * TEST_SHARE)]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)
