"""Transforms on whole batches of bytes: `whole_batch` finds out whether a transform can, and how fast.

The usual recipe (RandomCrop, RandomHorizontalFlip, ToTensor, Normalize, RandomErasing, in this order, most of it
optional) is one pass of a compiled kernel; anything else that can work on batches goes transform by transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import engine
from engine.generator import chosen, drawing_from
from engine.ops.augment import augment_images
from engine.vision.transforms.compose import Compose, can_batch
from engine.vision.transforms.conversion import Normalize, ToTensor
from engine.vision.transforms.erasing import RandomErasing
from engine.vision.transforms.functional.image import per_channel
from engine.vision.transforms.geometry import RandomCrop, RandomHorizontalFlip


def whole_batch(transform):
    """What applies `transform` to a batch of images at once; None when some part of it cannot.

    Returns f(images, indices=None, generator=None): `images` is a uint8 Tensor [N, H, W] or [N, C, H, W], `indices` an
    int64 Tensor [B] of those wanted (None: all, in order); the result is a Tensor [B, C, H, W], each image with draws of
    its own. They come from `generator` (None: that of `drawing_from`, else the default) and depend on it and on an
    image's place in the batch, on nothing else. IndexError names an index out of range.
    """
    steps = _flat(transform)
    if not all(can_batch(step) for step in steps):
        return None
    recipe = _Recipe.of(steps)

    def apply(images, indices=None, generator=None):
        if images.ndim == 3:
            images = images.unsqueeze(1)
        with drawing_from(chosen(generator)):
            if recipe is not None:
                return recipe(images, indices)
            if indices is not None:
                images = images[indices]
            return Compose(steps).batch(images)

    return apply


def _flat(transform) -> list:
    """The transforms one after the other, those inside of Compose too."""
    if type(transform) is Compose:
        return [step for inner in transform.transforms for step in _flat(inner)]
    return [transform]


@dataclass
class _Recipe:
    """The transforms that one kernel does together; absent ones are None."""

    crop: RandomCrop | None
    flip: RandomHorizontalFlip | None
    normalize: Normalize | None
    erase: RandomErasing | None

    @classmethod
    def of(cls, steps):
        """The recipe of these transforms; None when they are another one."""
        left = list(steps)
        found = {}
        for kind in (RandomCrop, RandomHorizontalFlip, ToTensor, Normalize, RandomErasing):
            found[kind] = left.pop(0) if left and type(left[0]) is kind else None
        crop, erase = found[RandomCrop], found[RandomErasing]
        if left or found[ToTensor] is None or (crop is not None and crop.padding_mode != "constant"):
            return None
        if erase is not None and erase.value == "random":
            return None
        return cls(crop, found[RandomHorizontalFlip], found[Normalize], erase)

    def __call__(self, images, indices):
        count = images.shape[0] if indices is None else indices.shape[0]
        channels, height, width = images.shape[1:]
        windows = flips = holes = None
        size, fill, mean, std, value = (height, width), (0.0,) * channels, (0.0,), (1.0,), (0.0,) * channels
        if self.crop is not None:
            size, fill = self.crop.size, per_channel("RandomCrop", self.crop.fill, channels)
            windows = engine.from_numpy(self.crop.draw(count, channels, height, width))
        if self.flip is not None:
            flips = engine.from_numpy(self.flip.draw(count))
        if self.normalize is not None:
            mean, std = self.normalize.mean, self.normalize.std
        if self.erase is not None:
            value = self.erase.values(channels)
            holes = engine.from_numpy(self.erase.draw(count, channels, *size))
        return augment_images(
            images, indices, windows, flips, holes, size=size, fill=fill, mean=mean, std=std, value=value
        )
