"""What the tests of the loader share: small data sets, and the check that no thread is left behind."""

import gc
import hashlib
import threading
import time

import numpy as np
import pytest

import engine
from engine.utils.data import Dataset, TensorDataset

WORKERS = [0, 1, 2, 4]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = [t for t in threading.enumerate() if t not in before]
    assert not left


def numbers(count=10):
    return TensorDataset(engine.arange(count), engine.arange(count) * 2)


def epoch(loader):
    return [batch[0].tolist() for batch in loader]


def seeded(seed=5):
    return engine.Generator().manual_seed(seed)


class Squares(Dataset):
    """Samples in plain Python; `act(index)` happens while one is read."""

    def __init__(self, count=20, act=lambda index: None):
        self.count, self.act = count, act

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.act(index)
        return index * index


class Noisy(Dataset):
    """Augmentation as users write it: draws per sample, an unequal number of them, and some work."""

    def __len__(self):
        return 37

    def __getitem__(self, index):
        if index % 3 == 0:
            time.sleep(0.002)
        noise = engine.randn(index % 4 + 1).sum()
        return np.full(3, index, np.float32) + noise.numpy(), index


def digest(batches):
    h = hashlib.sha256()
    for images, labels in batches:
        h.update(images.numpy().tobytes() + labels.numpy().tobytes())
    return h.hexdigest()
