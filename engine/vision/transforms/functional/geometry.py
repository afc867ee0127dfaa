"""Cutting, padding, mirroring and erasing images."""

from __future__ import annotations

import numpy as np

import engine
from engine.nn import functional as F
from engine.vision.pillow import pillow
from engine.vision.transforms.functional.image import check_image, get_dimensions, per_channel

__all__ = ["center_crop", "crop", "erase", "hflip", "pad", "vflip"]


def hflip(img):
    """Left and right exchanged."""
    if check_image("hflip", img):
        return img.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)
    return img.flip(-1)


def vflip(img):
    """Top and bottom exchanged."""
    if check_image("vflip", img):
        return img.transpose(pillow().Transpose.FLIP_TOP_BOTTOM)
    return img.flip(-2)


def crop(img, top, left, height, width):
    """The window of height x width whose upper left corner is (top, left); what lies outside the image is 0."""
    if check_image("crop", img):
        return img.crop((left, top, left + width, top + height))
    part = img[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    above, before = min(max(-top, 0), height), min(max(-left, 0), width)
    outside = (before, width - before - part.shape[-1], above, height - above - part.shape[-2])
    return F.pad(part, outside) if any(outside) else part


def center_crop(img, output_size):
    """The middle of an image, `output_size` an int or (height, width); smaller images are padded with 0 first."""
    height, width = pair("center_crop", output_size)
    _, h, w = get_dimensions(img)
    if height > h or width > w:
        dh, dw = max(height - h, 0), max(width - w, 0)
        img = pad(img, [dw // 2, dh // 2, (dw + 1) // 2, (dh + 1) // 2])
        _, h, w = get_dimensions(img)
    return crop(img, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


def pair(name, size) -> tuple[int, int]:
    """(height, width) from an int, [size] or [height, width]; TypeError or ValueError otherwise."""
    sizes = (size,) if isinstance(size, int) else size
    if not isinstance(sizes, (tuple, list)) or not all(isinstance(s, int) for s in sizes):
        raise TypeError(f"{name}: size must be an int or (height, width), got {size!r}")
    if len(sizes) not in (1, 2):
        raise ValueError(f"{name}: Please provide only two dimensions (h, w) for size, got {size!r}")
    return sizes[0], sizes[-1]


def borders(padding) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) from an int, (all,), (horizontal, vertical) or all four; TypeError or ValueError."""
    if isinstance(padding, int):
        padding = (padding,)
    if not isinstance(padding, (tuple, list)) or not all(isinstance(p, int) for p in padding):
        raise TypeError(f"Got inappropriate padding arg: {padding!r}")
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple: {padding!r}"
        )
    return tuple(padding) * (4 // len(padding))


def pad(img, padding, fill=0, padding_mode="constant"):
    """An image with a border of `padding` pixels; negative ones crop.

    padding: an int, (left and right, top and bottom) or (left, top, right, bottom); fill: a number or one per channel,
    for padding_mode "constant"; "edge" repeats the outermost pixels, "reflect" mirrors at them, "symmetric" with them.
    """
    left, top, right, bottom = sides = borders(padding)
    if not isinstance(fill, (int, float, str, tuple, list)):
        raise TypeError(f"Got inappropriate fill arg: {fill!r}")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"Padding mode should be either constant, edge, reflect or symmetric, got {padding_mode!r}")
    if check_image("pad", img):
        return _pad_pil(img, sides, fill, padding_mode)
    if padding_mode == "constant":
        return _pad_constant(img, sides, fill)
    _, h, w = get_dimensions(img)
    rows, columns = _mirrored(h, top, bottom, padding_mode), _mirrored(w, left, right, padding_mode)
    return img[..., engine.from_numpy(rows)[:, None], engine.from_numpy(columns)]


def _mirrored(n, before, after, mode):
    """Which of n pixels in a line stands at each place of the padded line."""
    line = np.arange(n)[max(-before, 0) : n - max(-after, 0)]
    return np.pad(line, (max(before, 0), max(after, 0)), mode=mode)


def _pad_constant(img, sides, fill):
    left, top, right, bottom = sides
    values = per_channel("pad", fill, get_dimensions(img)[0])
    if len(set(values)) == 1:
        return F.pad(img, (left, right, top, bottom), value=values[0])
    planes = [F.pad(img[..., c, :, :], (left, right, top, bottom), value=v) for c, v in enumerate(values)]
    return engine.stack(planes, -3)


def _pad_pil(img, sides, fill, mode):
    Image = pillow()
    left, top, right, bottom = sides
    if mode == "constant":
        size = (img.width + left + right, img.height + top + bottom)
        values = fill if isinstance(fill, str) else per_channel("pad", fill, len(img.getbands()))
        padded = Image.new(img.mode, size, values if isinstance(values, str) or len(values) > 1 else values[0])
        if img.mode == "P":
            padded.putpalette(img.getpalette())
        padded.paste(img, (left, top))
        return padded
    rows, columns = _mirrored(img.height, top, bottom, mode), _mirrored(img.width, left, right, mode)
    padded = Image.fromarray(np.asarray(img)[rows[:, None], columns])
    if img.mode == "P":
        padded.putpalette(img.getpalette())
    return padded


def erase(img, i, j, h, w, v, inplace=False):
    """A Tensor image with the h x w pixels from (i, j) on replaced by `v` (a Tensor or a number, broadcast)."""
    if not isinstance(img, engine.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    if not inplace:
        img = img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
