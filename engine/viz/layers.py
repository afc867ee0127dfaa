"""Layers as they are: their filters, their maps, and what they see of the input."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import engine
from engine import nn
from engine.viz.watching import Watching, as_images, in_parts, layer_of

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def filters(model, layer: str | None = None) -> np.ndarray:
    """The weights of a convolution [O, C / groups, kh, kw]; of a fully connected layer [O, F]. None: of the first one."""
    if layer is None:
        found = (name for name, m in model.named_modules() if isinstance(m, (*CONVOLUTIONS, nn.Linear)) and name)
        layer = next(found, None)
        if layer is None:
            raise ValueError(f"filters: {type(model).__name__} has no convolution and no fully connected layer")
    module = layer_of("filters", model, layer)
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim < 2:
        raise ValueError(f"filters: layer {layer!r} ({type(module).__name__}) has no filters; choose a convolution")
    return weight.detach().numpy().copy()


def activations(model, layer: str, images) -> np.ndarray:
    """What a layer gives for images [N, C, H, W]: maps [N, K, h, w], or [N, F] of a fully connected layer."""
    x, found = as_images("activations", images).numpy(), []
    with engine.no_grad(), Watching("activations", model, layer, together=True) as seen:
        for part in in_parts("activations", x):
            model(engine.from_numpy(part))
            found.append(seen.output.numpy().copy())
    return np.concatenate(found)


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
    return _fields(engine.summary(model, input_size).layers)


def field_of(what: str, model, layer: str, input_size) -> Field:
    """The receptive field of one layer, or of a block of them; ValueError with those there are."""
    layer_of(what, model, layer)
    summary = engine.summary(model, input_size)
    fields = _fields([*summary.layers, *summary.blocks])
    if layer not in fields:
        raise ValueError(f"{what}: units of {layer!r} see the whole image; choose one of {', '.join(fields)}")
    return fields[layer]


def _fields(layers):
    return {x.path: Field(x.field, x.stride, x.start, x.output[1:]) for x in layers if x.field and len(x.output) == 4}
