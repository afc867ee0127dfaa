"""Batches whose images are mixed with one another, and their labels with them: MixUp and CutMix."""

from __future__ import annotations

import math

import engine
from engine.vision.transforms.compose import Transform, integers

__all__ = ["CutMix", "MixUp"]


class _Mix(Transform):
    """`mix(images, labels)`: images [B, ..., H, W] and soft labels [B, num_classes], each image with its neighbour.

    labels: class numbers int64 [B], or shares [B, num_classes] already (num_classes may then be None). ValueError for
    other shapes. Also takes one pair: `mix(batch)` of `batch = images, labels`.
    """

    batchable = False

    def __init__(self, *, alpha=1.0, num_classes=None):
        if not isinstance(alpha, (int, float)) or alpha <= 0:
            raise ValueError(f"alpha must be a positive number, got {alpha!r}")
        self.alpha, self.num_classes = float(alpha), num_classes

    def __call__(self, *batch):
        images, labels = batch if len(batch) == 2 else batch[0]
        if not isinstance(labels, engine.Tensor) or labels.ndim not in (1, 2):
            got = f"shape {labels.shape}" if isinstance(labels, engine.Tensor) else type(labels).__name__
            raise ValueError(f"{type(self).__name__}: labels must be a Tensor [B] or [B, num_classes], got {got}")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError(f"{type(self).__name__}: num_classes must be given for labels that are class numbers")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ValueError(
                f"{type(self).__name__}: got labels of {labels.shape[1]} classes, but num_classes is {self.num_classes}"
            )
        if images.ndim != 4 or images.shape[0] != labels.shape[0] or images.dtype.kind != "f":
            raise ValueError(
                f"{type(self).__name__}: expected float images [{labels.shape[0]}, C, H, W] for labels of shape "
                f"{labels.shape}, got shape {images.shape} in {images.dtype}"
            )
        images, share = self.mixed(images, beta(self.alpha, self.alpha))
        shares = labels.float() if labels.ndim == 2 else _one_hot(labels, self.num_classes)
        return images, shares * share + shares.roll(1, 0) * (1.0 - share)

    def mixed(self, images, share):
        """The mixed images and the share that each image kept of itself."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


def _one_hot(labels, classes):
    """float32 [B, classes]; ValueError for a class number outside."""
    if labels.shape[0] and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}, got {int(labels.min())} to {int(labels.max())}")
    return (labels.reshape(-1, 1) == engine.arange(classes)).float()


class MixUp(_Mix):
    """share * image + (1 - share) * the image before it in the batch; share is drawn from Beta(alpha, alpha).

    Zhang, Cisse, Dauphin and Lopez-Paz 2017, "mixup: beyond empirical risk minimization".
    """

    def mixed(self, images, share):
        return images * share + images.roll(1, 0) * (1.0 - share), share


class CutMix(_Mix):
    """A rectangle of each image replaced by that of the image before it in the batch; it covers a share of the area
    drawn from Beta(alpha, alpha), as far as it lies inside.

    Yun, Han, Oh, Chun, Choe and Yoo 2019, "CutMix: regularization strategy to train strong classifiers".
    """

    def mixed(self, images, share):
        h, w = images.shape[-2:]
        x, y = int(integers(1, 0, w)[0]), int(integers(1, 0, h)[0])
        half = 0.5 * math.sqrt(1.0 - share)
        left, right = max(x - int(half * w), 0), min(x + int(half * w), w)
        top, bottom = max(y - int(half * h), 0), min(y + int(half * h), h)
        cut = images.clone()
        cut[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return cut, 1.0 - (bottom - top) * (right - left) / (h * w)


def beta(a, b) -> float:
    """A draw from the beta distribution: x / (x + y) of two gamma draws, taken by their logarithms."""
    x, y = _log_gamma_draw(a), _log_gamma_draw(b)
    return 1 / (1 + math.exp(min(y - x, 700.0)))


def _log_gamma_draw(shape) -> float:
    """The logarithm of a draw from the gamma distribution (Marsaglia and Tsang 2000, "A simple method for generating
    gamma variables"); below shape 1 that of shape + 1 times a power of a uniform draw."""
    boost = 0.0
    if shape < 1:
        boost = math.log1p(-float(engine.rand(1, dtype=engine.float64))) / shape
        shape += 1
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x, u = float(engine.randn(1, dtype=engine.float64)), 1 - float(engine.rand(1, dtype=engine.float64))
        v = (1 + c * x) ** 3
        if v > 0 and math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return math.log(d * v) + boost
