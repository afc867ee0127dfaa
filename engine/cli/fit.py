"""The training loop: one epoch after another, a progress bar while it runs, the figures after each."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import engine
from engine.progress import progress
from engine.utils.data import Upload
from engine.vision.models import auxiliary_loss


class Diverged(Exception):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; accuracies in 0..1, the training figures averaged while the weights moved."""

    number: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float

    def line(self, epochs: int) -> str:
        """The epoch on one line."""
        return (
            f"epoch {self.number:>{len(str(epochs))}}/{epochs}  loss {self.loss:.4f}  "
            f"train {self.train_accuracy:7.2%}  test {self.test_accuracy:7.2%}  {self.seconds:6.1f} s"
        )


def fit(model, loader, test_loader, criterion, optimizer, schedule, options, done=0) -> Iterator[Epoch]:
    """Train on `options.device` until `options.epochs` epochs are over, `done` of which were before; yields each Epoch.

    `schedule` advances once per batch. Raises Diverged when the mean loss of an epoch is not finite.
    """
    for number in range(done + 1, options.epochs + 1):
        start = time.perf_counter()
        loss, train_accuracy = _train_epoch(
            model,
            progress(Upload(loader, options.device), f"epoch {number}/{options.epochs}", 0, unit="batch"),
            criterion,
            optimizer,
            schedule,
            options.device,
        )
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} in epoch {number}")
        test_accuracy = accuracy(model, test_loader, options.device)
        yield Epoch(number, loss, train_accuracy, test_accuracy, time.perf_counter() - start)


def _train_epoch(model, batches, criterion, optimizer, schedule, device) -> tuple[float, float]:
    """(mean loss, share classified rightly) over the samples of an epoch."""
    model.train()
    tally, shown = _Tally(device), time.perf_counter()
    for images, labels in batches:
        outputs = model(images)
        loss, logits = auxiliary_loss(criterion, outputs, labels), getattr(outputs, "logits", outputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        tally.add(loss, logits, labels)
        if time.perf_counter() - shown > 0.2:  # reading a number waits for a GPU
            loss, share = tally.read()
            batches.set_postfix(loss=f"{loss:.3f}", accuracy=f"{share:.1%}", refresh=False)
            shown = time.perf_counter()
    return tally.read()


class _Tally:
    """Mean loss and share of right answers so far, added up where they are computed."""

    def __init__(self, device):
        self.loss, self.right, self.count = engine.zeros((), dtype="float64", device=device), 0, 0

    @engine.no_grad()
    def add(self, loss, logits, labels):
        size = labels.shape[0]
        self.loss += loss.double() * size
        self.right = self.right + _right(logits, labels)
        self.count += size

    def read(self) -> tuple[float, float]:
        return self.loss.item() / self.count, int(self.right) / self.count


def accuracy(model, loader, device="cpu") -> float:
    """The share of `loader`'s samples that `model` classifies rightly, in evaluation mode."""
    model.eval()
    right, count = 0, 0
    with engine.no_grad():
        for images, labels in progress(Upload(loader, device), "test", unit="batch"):
            right = right + _right(model(images), labels)
            count += labels.shape[0]
    return int(right) / count


def _right(logits, labels):
    """How many answers are right, a Tensor."""
    return (logits.argmax(1) == labels).sum()
