"""Where a classifier errs: the confusion matrix, and the errors it is surest of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import engine
from engine.viz.watching import Watching, as_images, in_parts, scores_of


def probabilities(model, images) -> np.ndarray:
    """The softmax of a model's scores for images [N, C, H, W]: [N, K]."""
    x = as_images("probabilities", images).numpy()
    with engine.no_grad(), Watching("probabilities", model, together=True):
        parts = [
            scores_of("probabilities", model(engine.from_numpy(part))).softmax(1).numpy()
            for part in in_parts("probabilities", x)
        ]
    return np.concatenate(parts)


def confusion_matrix(shares, labels) -> np.ndarray:
    """How many images of each class (row) were taken for each (column), int64 [K, K], from `probabilities` [N, K]."""
    shares, labels = _checked("confusion_matrix", shares, labels)
    counts = np.zeros((shares.shape[1],) * 2, "int64")
    np.add.at(counts, (labels, shares.argmax(1)), 1)
    return counts


class Errors(NamedTuple):
    """Wrongly classified images, the surest first: which, what they were taken for, what they are, how surely."""

    which: np.ndarray
    taken: np.ndarray
    label: np.ndarray
    share: np.ndarray


def worst_errors(shares, labels, count: int = 16) -> Errors:
    """Up to `count` images that a model was surest of and wrong, from `probabilities` [N, K]."""
    shares, labels = _checked("worst_errors", shares, labels)
    taken, best = shares.argmax(1), shares.max(1)
    wrong = np.flatnonzero(taken != labels)
    index = wrong[np.argsort(-best[wrong], kind="stable")][:count]
    return Errors(index, taken[index], labels[index], best[index])


def _checked(what, shares, labels):
    shares, labels = np.asarray(shares), np.asarray(labels.numpy() if isinstance(labels, engine.Tensor) else labels)
    if shares.ndim != 2 or labels.shape != shares.shape[:1]:
        raise ValueError(f"{what}: expected shares [N, K] and labels [N], got shapes {shares.shape} and {labels.shape}")
    if len(labels) and (labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < shares.shape[1]):
        raise ValueError(f"{what}: labels must be ints from 0 to {shares.shape[1] - 1}")
    return shares, labels
