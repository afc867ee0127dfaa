"""Images on their way into a net: bytes to normalised floats a whole batch at a time, and affine warps."""

from __future__ import annotations

from engine.geometry import ShapeError
from engine.ops._op import op


def normalize_images(images, indices=None, *, mean, std):
    """(images / 255 - mean) / std as float32 [B, C, H, W]; arguments as for `augment_images`."""
    return augment_images(images, indices, mean=mean, std=std)


@op
def augment_images(
    k, images, indices=None, windows=None, flips=None, holes=None, *, size=None, fill=0, mean=0, std=1, value=0
):
    """(images / 255 - mean) / std of windows cut out of images, mirrored and with rectangles erased.

    images   uint8 [N, H, W] or [N, C, H, W]
    indices  int64 [B]: which of them (None: all, in order)
    windows  int64 [B, 2]: row and column of the upper left corner of each window of `size` = (height, width); what lies
             outside the image has the value `fill`, in 0 to 255 (None: the whole image, or its upper left part)
    flips    bool [B]: which windows are mirrored, left and right exchanged
    holes    int64 [B, 4]: row, column, height and width of the rectangle of the result that becomes `value`
    fill, mean, std, value: a number, or one per channel

    Returns float32 [B, C, height, width]. IndexError names an index out of range.
    """
    if images.dtype.name != "uint8":
        raise TypeError(f"augment_images got images of dtype {images.dtype}, expected uint8")
    if images.ndim not in (3, 4):
        raise ShapeError(f"augment_images expects [N, H, W] or [N, C, H, W], got shape {images.shape}")
    if images.ndim == 3:
        images = images.reshape(images.shape[0], 1, *images.shape[1:])
    count = images.shape[0] if indices is None else indices.shape[0]
    for name, a, shape, dtype in (
        ("indices", indices, (count,), "int64"),
        ("windows", windows, (count, 2), "int64"),
        ("flips", flips, (count,), "bool"),
        ("holes", holes, (count, 4), "int64"),
    ):
        if a is not None and (a.shape != shape or a.dtype.name != dtype):
            raise ShapeError(f"augment_images expects {name} {shape} in {dtype}, got {a.shape} in {a.dtype}")
    channels = images.shape[1]
    values = {"fill": fill, "mean": mean, "std": std, "value": value}
    fill, mean, std, value = (_per_channel(name, v, channels) for name, v in values.items())
    if any(s <= 0 for s in std):
        raise ValueError(f"augment_images: std must be positive, got {std}")
    height, width = images.shape[2:] if size is None else size
    if height < 0 or width < 0:
        raise ShapeError(f"augment_images: size must not be negative, got {size}")
    scale = [1 / (255 * s) for s in std]
    shift = [-m / s for m, s in zip(mean, std, strict=True)]
    return k.augment(images, indices, windows, flips, holes, (height, width), fill, scale, shift, value), None


def _per_channel(name, value, channels):
    """A list of one float per channel."""
    values = [float(value)] if isinstance(value, (int, float)) else [float(v) for v in value]
    if len(values) == 1:
        values *= channels
    if len(values) != channels:
        raise ShapeError(f"augment_images got {len(values)} values of {name} for {channels} channels")
    return values


@op
def warp_images(k, images, matrices, *, size, bilinear=False, fill=None):
    """images[B, C, H, W] as seen through affine maps, [B, C, *size].

    matrices: float64 [B, 2, 3]; the centre of the pixel in column x and row y of the result, (x + 1/2, y + 1/2, 1), is
    mapped to the point of the image whose value it takes: that of the nearest pixel, or `bilinear` between four. Pixels
    outside count as 0. fill: one number per channel for the places outside (None: 0); where a bilinear value lies partly
    outside, with share m inside, it becomes m * value + (1 - m) * fill, as in torchvision.
    """
    if images.ndim != 4 or images.dtype.kind != "f":
        raise ShapeError(f"warp_images expects float images [B, C, H, W], got {images.shape} in {images.dtype}")
    if matrices.shape != (images.shape[0], 2, 3):
        raise ShapeError(f"warp_images expects matrices {(images.shape[0], 2, 3)}, got {matrices.shape}")
    return k.warp(images, matrices, size, bilinear, fill), None
