"""What a method gave, laid out as one picture: bytes [H, W, 3] for `save` and `show`."""

from __future__ import annotations

import numpy as np

from engine.viz.drawing import grid, kernels, maps, to_bytes

SIDE = 96  # pixels: small images are enlarged to about this


def attributions(images, *rows) -> np.ndarray:
    """A column for each of the images [N, C, H, W]: the image and below it what the methods made of it, a row each: maps
    [N, h, w] from black to white, signed images [N, C, H, W] around grey."""
    size = np.shape(images)[2:]
    pictures = [_coloured(images)]
    for row in rows:
        pictures.append(_stretched(_coloured(row, centred=True) if np.ndim(row) == 4 else _coloured(maps(row)), size))
    return grid(np.concatenate(pictures), len(images), 2, _enlargement(size))


def filters(weight) -> np.ndarray:
    """Filters [O, C, kh, kw] side by side, each from its least to its greatest weight; templates [O, C, H, W] likewise."""
    images = kernels(weight)
    return grid(_coloured(images), None, 1, max(_enlargement(images.shape[2:]) // 2, 1))


def activations(a) -> np.ndarray:
    """The maps [K, h, w] of one image side by side, all on one scale."""
    images = maps(a)
    return grid(_coloured(images, together=True), None, 1, max(_enlargement(images.shape[2:]) // 2, 1))


def patches(best) -> np.ndarray:
    """The `top_patches`: for each feature map a block of projections and beside it the block of the image patches."""
    count, size = best.images.shape[1], best.images.shape[-1]
    columns, blocks = int(np.ceil(np.sqrt(count))), []
    for shown, seen in zip(best.images, best.projections, strict=True):
        blocks += [grid(_coloured(seen, centred=True), columns, 0), grid(_coloured(shown), columns, 0)]
    across = 2 * max(int(np.ceil(np.sqrt(len(best.images) / 2))), 1)
    return grid(np.stack(blocks), across, 4, max(1, 48 // size))


def evolution(formed) -> np.ndarray:
    """The `viz.evolution`: a column for each snapshot; for each feature map a row of the patches that excite it most and
    below it one of their projections."""
    rows = []
    for shown, seen in zip(formed.images.swapaxes(0, 1), formed.projections.swapaxes(0, 1), strict=True):
        rows += [_coloured(shown), _coloured(seen, centred=True)]
    return grid(np.concatenate(rows), len(formed.images), 2, max(1, 48 // formed.images.shape[-1]))


def confusion(counts) -> np.ndarray:
    """A confusion matrix [K, K], each row from white (none) to black (all of that class)."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    cells = np.rint(255 * (1 - shares)).astype("uint8").reshape(-1, 1, 1, 1)
    return grid(np.repeat(cells, 3, 3), counts.shape[1], 1, 16)


def pictures(images, columns: int | None = None) -> np.ndarray:
    """Images [N, C, H, W] side by side, each on its own scale, in rows of `columns` (None: about a square)."""
    return grid(_coloured(images), columns, 2, _enlargement(np.shape(images)[2:]))


def _coloured(images, **options):
    """`to_bytes` with three channels; other numbers of channels as their mean."""
    images = np.asarray(images)
    if images.shape[1] not in (1, 3):
        images = images.mean(1, keepdims=True)
    x = to_bytes(images, **options)
    return x if x.ndim == 4 else np.repeat(x[..., None], 3, 3)


def _stretched(pictures, size):
    """Byte images [N, h, w, 3] as large as `size`, by the nearest pixel."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, pictures.shape[1:3], strict=True))
    return pictures[:, rows][:, :, columns]


def _enlargement(size):
    return max(1, round(SIDE / max(size)))
