"""What a transform is, and transforms made of transforms."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate

import engine
from engine.vision.transforms.functional.image import get_dimensions

__all__ = ["Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder"]


class Transform:
    """`transform(img)`: a PIL image or a Tensor [..., C, H, W] in, one out; random ones draw once for all of it.

    `transform.batch(images)` does the same to a Tensor [B, C, H, W] with a draw for each image; `batchable` says whether
    it can. Draws come from the generator of `engine.generator.drawing_from`, the default one without.
    """

    batchable = True

    def __call__(self, img):
        raise NotImplementedError(f"{type(self).__name__} must define __call__(img)")

    def batch(self, images):
        """The images of a batch, transformed; as they are for what draws nothing."""
        return self(images)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Drawn(Transform):
    """A random transform: `draw` gives one set of parameters for each of `count` images, `apply` uses one."""

    def draw(self, count, channels, height, width):
        """A sequence of `count` parameters for images of this size."""
        raise NotImplementedError

    def apply(self, img, params):
        """The image, transformed as `params` say."""
        raise NotImplementedError

    def __call__(self, img):
        return self.apply(img, self.draw(1, *get_dimensions(img))[0])

    def batch(self, images):
        drawn = self.draw(images.shape[0], *images.shape[1:])
        return engine.stack([self.apply(image, params) for image, params in zip(images, drawn, strict=True)])


def uniform(count, low=0.0, high=1.0):
    """`count` float64 draws from [low, high), as an array."""
    return low + (high - low) * engine.rand(count, dtype=engine.float64).numpy()


def integers(count, low, high):
    """`count` draws from low..high-1, as an int64 array."""
    return engine.randint(low, high, (count,)).numpy()


def chosen_ones(flags, transformed, images):
    """`transformed` where `flags` (a bool array [B]) says so, else `images`; both [B, C, H, W]."""
    if transformed.shape != images.shape or transformed.dtype != images.dtype:
        raise ValueError(
            f"a batch cannot hold both images of shape {images.shape[1:]} in {images.dtype} and transformed ones of "
            f"shape {transformed.shape[1:]} in {transformed.dtype}"
        )
    return engine.where(engine.from_numpy(flags).reshape(-1, 1, 1, 1), transformed, images)


def check_probability(p):
    """p itself; ValueError unless it lies in 0..1."""
    if not isinstance(p, (int, float)) or not 0.0 <= p <= 1.0:
        raise ValueError(f"`p` should be a floating point value in the interval [0.0, 1.0], got {p!r}")
    return p


def _listed(transforms, *first):
    """The inside of a repr: one transform a line."""
    return "".join(f"\n    {t}" for t in (*first, *transforms)) + "\n"


class Compose(Transform):
    """Several transforms, one after the other: `Compose([RandomCrop(32, padding=4), ToTensor()])`."""

    def __init__(self, transforms):
        self.transforms = transforms

    @property
    def batchable(self):
        return all(can_batch(t) for t in self.transforms)

    def __call__(self, img):
        for t in self.transforms:
            img = t(img)
        return img

    def batch(self, images):
        for t in self.transforms:
            images = t.batch(images)
        return images

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_listed(self.transforms)})"


class Lambda(Transform):
    """A function as a transform. TypeError unless it can be called."""

    batchable = False

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img):
        return self.lambd(img)


class _OfSeveral(Transform):
    """A random choice among transforms."""

    batchable = False

    def __init__(self, transforms):
        if not isinstance(transforms, (list, tuple)):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_listed(self.transforms)})"


class RandomApply(_OfSeveral):
    """All of `transforms` in order with probability `p`, else none of them."""

    def __init__(self, transforms, p=0.5):
        super().__init__(transforms)
        self.p = p

    @property
    def batchable(self):
        return all(can_batch(t) for t in self.transforms)

    def __call__(self, img):
        if uniform(1)[0] > self.p:
            return img
        for t in self.transforms:
            img = t(img)
        return img

    def batch(self, images):
        flags = uniform(images.shape[0]) <= self.p
        return chosen_ones(flags, Compose(self.transforms).batch(images), images)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_listed(self.transforms, f'p={self.p}')})"


class RandomChoice(_OfSeveral):
    """One of `transforms`, picked with weights `p` (None: equal ones)."""

    def __init__(self, transforms, p=None):
        super().__init__(transforms)
        if p is not None and not isinstance(p, (list, tuple)):
            raise TypeError("Argument p should be a sequence")
        if p is not None and len(p) != len(transforms):
            raise ValueError(f"RandomChoice got {len(p)} weights for {len(transforms)} transforms")
        self.p = p

    def __call__(self, img):
        weights = [1.0] * len(self.transforms) if self.p is None else self.p
        sums = list(accumulate(weights))
        i = bisect(sums, uniform(1)[0] * sums[-1], hi=len(sums) - 1)
        return self.transforms[i](img)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"


class RandomOrder(_OfSeveral):
    """All of `transforms`, in random order."""

    def __call__(self, img):
        for i in engine.randperm(len(self.transforms)).tolist():
            img = self.transforms[i](img)
        return img


def can_batch(transform) -> bool:
    """Whether `transform` handles whole batches: one of this package, or a class with a `batch` method of its own.

    A subclass that changes something else only does not count: its batches would not follow the change.
    """
    cls = type(transform)
    known = cls.__module__.startswith(__package__) or "batch" in vars(cls)
    return known and getattr(transform, "batchable", True)
