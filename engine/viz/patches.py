"""What a feature map stands for: the patches of a data set that excite it most, now and while the network was learning."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from engine.progress import progress
from engine.viz.gradients import deconvnet
from engine.viz.layers import activations, field_of
from engine.viz.watching import as_images, check_channel, in_parts


class Patches(NamedTuple):
    """The strongest activations of feature maps over a data set, strongest first; K maps, `count` images of each.

    channels [K]: the maps; values [K, count]; which [K, count]: the image; unit [K, count, 2] row and column in the map;
    images and projections [K, count, C, S, S]: the patch that the unit sees, and what the deconvnet makes of its activation
    there. Where the border cuts a patch it is filled up, with the images' mean, and of projections with 0.
    """

    channels: np.ndarray
    values: np.ndarray
    which: np.ndarray
    unit: np.ndarray
    images: np.ndarray
    projections: np.ndarray


def top_patches(model, layer: str, images, channels=None, count: int = 9) -> Patches:
    """For each of `channels` (None: the 16 of the strongest activations) of a layer, the `count` images that excite it
    most, each by its strongest unit, beside the deconvnet's projection (Zeiler and Fergus 2013, section 4.1)."""
    x = as_images("top_patches", images).numpy()
    if not isinstance(count, int) or not 1 <= count <= len(x):
        raise ValueError(f"top_patches: count must be 1 to the number of images, {len(x)}, got {count!r}")
    field = field_of("top_patches", model, layer, x.shape[1:])
    peaks, places = _peaks(model, layer, x)
    channels = np.argsort(-peaks.max(0), kind="stable")[:16] if channels is None else np.atleast_1d(channels)
    for channel in channels:
        check_channel("top_patches", layer, channel, peaks.shape[1])
    index = np.argsort(-peaks[:, channels], axis=0, kind="stable")[:count].T
    values = np.take_along_axis(peaks[:, channels].T, index, 1)
    unit = np.stack(np.divmod(np.take_along_axis(places[:, channels].T, index, 1), field.output[2]), -1)
    size, mean, nothing = min(max(field.size), max(x.shape[2:])), x.mean((0, 2, 3)), np.zeros(x.shape[1])
    cut, seen = [], []
    for row, channel in enumerate(progress(channels, "feature maps")):
        chosen = x[index[row]]
        back = deconvnet(model, layer, chosen, channel, strongest=True)
        for i, (r, c) in enumerate(unit[row]):
            patch = field.patch(r, c, *x.shape[2:])
            cut.append(_square(chosen[i], patch, size, mean))
            seen.append(_square(back[i], patch, size, nothing))
    shape = (len(channels), count, x.shape[1], size, size)
    return Patches(channels, values, index, unit, np.reshape(cut, shape), np.reshape(seen, shape))


class Evolution(NamedTuple):
    """The strongest activation of each of K feature maps at each of T snapshots.

    channels [K]; values [T, K]; which [T, K]: the image; images and projections [T, K, C, S, S], as in Patches.
    """

    channels: np.ndarray
    values: np.ndarray
    which: np.ndarray
    images: np.ndarray
    projections: np.ndarray


def evolution(model, layer: str, images, snapshots, channels=None) -> Evolution:
    """How features form: at each snapshot the patch that excites a feature map most, and its projection (Zeiler and Fergus
    2013, section 4.1 and figure 4). The model has its own weights again afterwards.

    snapshots  state dicts kept while the model learnt, each {name: t.clone() for name, t in model.state_dict().items()}
    channels   None: the 8 of the strongest activations in the last snapshot
    """
    snapshots = list(snapshots)
    if not snapshots:
        raise ValueError("evolution: snapshots must be state dicts of the model, got none")
    own = {name: t.clone() for name, t in model.state_dict().items()}
    try:
        if channels is None:
            model.load_state_dict(snapshots[-1])
            channels = top_patches(model, layer, images, count=1).channels[:8]
        best = []
        for state in progress(snapshots, "snapshots"):
            model.load_state_dict(state)
            with warnings.catch_warnings():  # the first may be from before training
                warnings.filterwarnings("ignore", "[a-z_]+: the model was never trained")
                best.append(top_patches(model, layer, images, channels, count=1))
    finally:
        model.load_state_dict(own)
    joined = (np.stack([getattr(b, name)[:, 0] for b in best]) for name in ("values", "which", "images", "projections"))
    return Evolution(np.atleast_1d(channels), *joined)


def _peaks(model, layer, x):
    """The largest activation of each map [N, K], and at which of its units."""
    peaks, places = [], []
    for part in in_parts("strongest activations", x):
        a = activations(model, layer, part)
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
