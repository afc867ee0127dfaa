"""Layers as pictures: their filters, their maps, what they see of the input, and what one unit sees best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import engine
from engine import nn
from engine.progress import progress
from engine.viz.gradients import deconvnet
from engine.viz.watching import Watching, as_images, layer_of

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def filters(model, layer: str | None = None) -> np.ndarray:
    """The weights of a convolution [O, C / groups, kh, kw]; of a fully connected layer [O, F]. None: of the first one."""
    if layer is None:
        found = (name for name, m in model.named_modules() if isinstance(m, (*CONVOLUTIONS, nn.Linear)) and name)
        layer = next(found, "")
    module = layer_of("filters", model, layer)
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim < 2:
        raise ValueError(f"filters: layer {layer!r} ({type(module).__name__}) has no filters; choose a convolution")
    return weight.detach().numpy().copy()


def activations(model, layer: str, images) -> np.ndarray:
    """What a layer gives for images [N, C, H, W]: maps [N, K, h, w], or [N, F] of a fully connected layer."""
    with engine.no_grad(), Watching("activations", model, layer, together=True) as seen:
        model(as_images("activations", images))
    return seen.output.numpy().copy()


class Field(NamedTuple):
    """What a unit of a layer sees, in pixels (vertical, horizontal): the patch's size, how far apart the patches of
    neighbours lie, and where that of unit (0, 0) begins, below 0 in the padding. `output`: the layer's, without batch."""

    size: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]
    output: tuple[int, ...]

    def patch(self, row: int, column: int, height: int, width: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the patch of a unit, cut at the border of an image of height x width."""
        top, left = self.start[0] + row * self.stride[0], self.start[1] + column * self.stride[1]
        bottom, right = top + self.size[0], left + self.size[1]
        return max(top, 0), max(left, 0), min(bottom, height), min(right, width)


def receptive_fields(model, input_size) -> dict[str, Field]:
    """The receptive field of each layer, in the order of their calls; layers that see the whole input are left out.

    input_size  (C, H, W); nothing is computed or allocated
    """
    layers = engine.summary(model, input_size).layers
    return {x.path: Field(x.field, x.stride, x.start, x.output[1:]) for x in layers if x.field and len(x.output) == 4}


class Patches(NamedTuple):
    """The strongest activations of feature maps over a data set, strongest first; K maps, `count` images of each.

    values [K, count]; which [K, count]: the image; unit [K, count, 2] row and column in the map; images and projections
    [K, count, C, S, S]: the patch that the unit sees, and what the deconvnet makes of its activation there. Patches cut at
    the border are filled up with the images' mean.
    """

    values: np.ndarray
    which: np.ndarray
    unit: np.ndarray
    images: np.ndarray
    projections: np.ndarray


def top_patches(model, layer: str, images, channels=None, count: int = 9, batch_size: int = 128) -> Patches:
    """For each of `channels` (None: the 16 of the strongest activations) of a layer, the `count` images that excite it
    most, each by its strongest unit, beside the deconvnet's projection (Zeiler and Fergus 2013, section 4.1)."""
    x = as_images("top_patches", images).numpy()
    if not isinstance(count, int) or not 1 <= count <= len(x):
        raise ValueError(f"top_patches: count must be 1 to the number of images, {len(x)}, got {count!r}")
    fields = receptive_fields(model, x.shape[1:])
    if layer not in fields:
        layer_of("top_patches", model, layer)
        raise ValueError(f"top_patches: units of {layer!r} see the whole image; choose one of {', '.join(fields)}")
    field = fields[layer]
    peaks, places = _peaks(model, layer, x, batch_size)
    if channels is None:
        channels = np.argsort(-peaks.max(0), kind="stable")[:16]
    channels = np.atleast_1d(np.asarray(channels))
    if channels.dtype.kind not in "iu" or not (0 <= channels).all() or not (channels < peaks.shape[1]).all():
        raise ValueError(f"top_patches: layer {layer!r} has channels 0..{peaks.shape[1] - 1}, got {channels.tolist()}")
    index = np.argsort(-peaks[:, channels], axis=0, kind="stable")[:count].T
    values = np.take_along_axis(peaks[:, channels].T, index, 1)
    unit = np.stack(np.divmod(np.take_along_axis(places[:, channels].T, index, 1), field.output[2]), -1)
    size = min(max(field.size), max(x.shape[2:]))
    cut, seen = [], []
    for row, channel in enumerate(progress(channels, "feature maps")):
        chosen = x[index[row]]
        back = deconvnet(model, layer, chosen, int(channel), strongest=True)
        for i, (r, c) in enumerate(unit[row]):
            cut.append(_square(chosen[i], field.patch(r, c, *x.shape[2:]), size, x.mean((0, 2, 3))))
            seen.append(_square(back[i], field.patch(r, c, *x.shape[2:]), size, np.zeros(x.shape[1])))
    shape = (len(channels), count, x.shape[1], size, size)
    return Patches(values, index, unit, np.reshape(cut, shape), np.reshape(seen, shape))


def _peaks(model, layer, x, batch_size):
    """The largest activation of each map [N, K], and at which of its units."""
    peaks, places = [], []
    for start in progress(range(0, len(x), batch_size), "strongest activations"):
        a = activations(model, layer, x[start : start + batch_size])
        a = a.reshape(*a.shape[:2], -1)
        peaks.append(a.max(2))
        places.append(a.argmax(2))
    return np.concatenate(peaks), np.concatenate(places)


def _square(image, patch, size, fill):
    """The patch (top, left, bottom, right) of an image [C, H, W] in the middle of [C, size, size]."""
    top, left, bottom, right = patch
    out = np.empty((len(image), size, size), "float32")
    out[:] = np.reshape(fill, (-1, 1, 1))
    bottom, right = min(bottom, top + size), min(right, left + size)
    y, x = (size - (bottom - top)) // 2, (size - (right - left)) // 2
    out[:, y : y + bottom - top, x : x + right - left] = image[:, top:bottom, left:right]
    return out
