"""Images in bytes to normalised floats, a whole batch at a time."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops._op import op


@op
def normalize_images(k, images, indices=None, *, mean, std):
    """(images / 255 - mean) / std as float32 [B, C, H, W].

    images: uint8 [N, H, W] or [N, C, H, W]; indices: int64 [B], which of them (None: all);
    mean, std: one number per channel.
    """
    if images.dtype.name != "uint8":
        raise TypeError(f"normalize_images got images of dtype {images.dtype}, expected uint8")
    if images.ndim not in (3, 4):
        raise ShapeError(f"normalize_images expects [N, H, W] or [N, C, H, W], got shape {images.shape}")
    channels = 1 if images.ndim == 3 else images.shape[1]
    mean, std = tuple(map(float, mean)), tuple(map(float, std))
    if len(mean) != channels or len(std) != channels:
        raise ShapeError(f"normalize_images got {len(mean)} means and {len(std)} stds for {channels} channels")
    if any(s <= 0 for s in std):
        raise ValueError(f"normalize_images: std must be positive, got {std}")
    return k.normalize(images, indices, mean, std), None
