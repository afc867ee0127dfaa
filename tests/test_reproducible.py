"""The whole of a training, data loading included: the same weights to the byte for any number of threads and workers."""

import numpy as np
import pytest
from test_bitwise import THREADS, digest, on_the_cpu, parallel  # noqa: F401  (on_the_cpu is a fixture)

import engine
import engine.nn.functional as F
from engine import nn, optim
from engine.utils.data import DataLoader, Dataset, Subset
from engine.vision import datasets, transforms

RUNS = [(threads, 0) for threads in THREADS] + [(2, workers) for workers in (1, 2, 4)] + [(7, 3)]


def net():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.2),
        nn.Conv2d(8, 16, 3, stride=2), nn.GroupNorm(4, 16), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(64, 10),
    )  # fmt: skip


class OneByOne(Dataset):
    """The same images through Python, one sample at a time."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def whole_batches():
    recipe = transforms.Compose(
        [transforms.RandomCrop(32, padding=3), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
         transforms.Normalize((0.3,), (0.4,)), transforms.RandomErasing()]
    )  # fmt: skip
    return Subset(datasets.Digits(transform=recipe), range(200))


def single_samples():
    recipe = transforms.Compose([transforms.RandomAffine(10, (0.1, 0.1)), transforms.ToTensor()])
    return OneByOne(Subset(datasets.Digits(transform=recipe), range(60)))


def train(data, threads, workers):
    """Weights, buffers and the optimiser's state after three epochs."""
    engine.set_num_threads(threads)
    assert parallel.team_size() == threads
    engine.manual_seed(0)
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    loader = DataLoader(data, batch_size=32, shuffle=True, num_workers=workers)
    for _ in range(3):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels, label_smoothing=0.1).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    states = [s["momentum_buffer"].numpy() for s in optimizer.state.values()]
    return [*(t.numpy() for t in model.state_dict().values()), *states]


@pytest.mark.parametrize("data", [whole_batches, single_samples], ids=lambda f: f.__name__)
def test_three_epochs(data):
    found = {}
    for threads, workers in RUNS:
        arrays = train(data(), threads, workers)
        assert all(np.isfinite(a).all() for a in arrays)
        found.setdefault(digest(arrays), []).append((threads, workers))
    assert len(found) == 1, f"(threads, workers) by result: {list(found.values())}"


def test_another_seed_gives_other_weights():
    data = whole_batches()
    first = digest(train(data, 1, 0))
    engine.manual_seed(1)
    model = net()
    assert digest([t.numpy() for t in model.state_dict().values()]) != first
