"""What the examples share: their options, the images they learn from, and one way to train."""

import argparse
import os
import time

import engine
from engine import nn, viz
from engine.extras import needed
from engine.progress import progress
from engine.utils.data import DataLoader, Subset
from engine.vision import datasets


def options(doc):
    """The options of a script whose docstring `doc`, printed first, says what to look at."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", metavar="FOLDER", help="learn from the MNIST files in that folder")
    parser.add_argument("--cifar10", metavar="FOLDER", help="learn from the CIFAR-10 files in that folder")
    parser.add_argument("--out", default="pictures", metavar="FOLDER", help="where pictures go (default: pictures)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    chosen = parser.parse_args()
    os.makedirs(chosen.out, exist_ok=True)
    engine.manual_seed(0)
    print(doc)
    return chosen


def load(chosen):
    """(training set, test set): MNIST or CIFAR-10 where their folder was given, else the embedded digits."""
    kind, folder = datasets.Digits, []
    if chosen.cifar10:
        kind, folder = datasets.CIFAR10, [chosen.cifar10]
    elif chosen.mnist:
        kind, folder = datasets.MNIST, [chosen.mnist]
    sets = [kind(*folder, train=t) for t in (True, False)]
    return [Subset(s, range(min(len(s), 640))) for s in sets] if chosen.quick else sets


def batch(data, count):
    """The first `count` images [N, C, H, W] and their labels [N]."""
    return next(iter(DataLoader(data, batch_size=min(count, len(data)))))


def fit(model, train, epochs, rate=0.002, batch_size=64, loss=None, after_epoch=None, optimizer=None):
    """Train with Adam, or the optimizer given, its rate falling to 0 along a cosine; returns the seconds.

    after_epoch(number) is called then.
    """
    loss, loader = loss or nn.CrossEntropyLoss(), DataLoader(train, batch_size=batch_size, shuffle=True)
    optimizer = optimizer or engine.optim.Adam(model.parameters(), lr=rate)
    schedule = engine.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))
    start, bar = time.perf_counter(), progress(None, "training", total=epochs * len(loader), unit="batch")
    for number in range(1, epochs + 1):
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
            schedule.step()
            bar.update()
        if after_epoch:
            after_epoch(number)
    bar.close()
    return time.perf_counter() - start


def accuracy(model, test):
    """The share of test images whose highest score is their class's."""
    model.eval()
    with engine.no_grad():
        batches = progress(DataLoader(test, batch_size=500), "test")
        return sum((model(x).argmax(1) == y).sum().item() for x, y in batches) / len(test)


def figure(width, height):
    """An empty figure of matplotlib, that many inches wide and high."""
    return needed("matplotlib.figure", "the picture").Figure(figsize=(width, height), layout="constrained")


def keep(chosen, name, picture):
    """Save a figure, or a picture of bytes [H, W, 3], in the folder of pictures, and say where it is."""
    path = os.path.join(chosen.out, name)
    viz.save(path, picture) if hasattr(picture, "dtype") else picture.savefig(path, dpi=120)
    print(f"picture: {path}")
