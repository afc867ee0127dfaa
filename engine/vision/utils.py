"""Images side by side, and into a file: torchvision.utils."""

from __future__ import annotations

import engine
from engine.vision.pillow import pillow


def make_grid(
    tensor,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range=None,
    scale_each: bool = False,
    pad_value=0.0,
):
    """Images in rows of `nrow`, with `padding` pixels of `pad_value` around each: a Tensor [C, H', W'].

    tensor       Tensor [N, C, H, W], [C, H, W] or [H, W], or a list of images of equal size; images of one channel are
                 repeated to three
    normalize    shift and scale to 0..1, from `value_range` (low, high), or from the smallest to the largest value
                 (`scale_each`: of each image), as float32 for integers

    One image [C, H, W] comes back as it is, without padding, as in torchvision. TypeError for what is no image.
    """
    images = _stacked(tensor)
    if normalize:
        images = _normalized(images if images.dtype.kind == "f" else images.float(), value_range, scale_each)
    count, channels, height, width = images.shape
    if count == 1:
        return images[0]
    columns = min(nrow, count)
    rows = -(-count // columns)
    height, width = height + padding, width + padding
    grid = engine.full((channels, height * rows + padding, width * columns + padding), pad_value).to(images.dtype)
    for i, image in enumerate(images):
        top, left = i // columns * height + padding, i % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = image
    return grid


def save_image(tensor, fp, format=None, **kwargs) -> None:
    """Write images, floats in 0..1, as one picture to `fp` (a path, or a file with its `format`, such as "png").

    Several images become a grid; further arguments are those of make_grid. Needs Pillow.
    """
    grid = make_grid(tensor, **kwargs)
    bytes_ = (grid.float() * 255 + 0.5).clamp(0, 255).to(engine.uint8)
    pillow().fromarray(bytes_.permute(1, 2, 0).contiguous().numpy()).save(fp, format=format)


def _stacked(tensor):
    """The images as a Tensor [N, C, H, W] of three channels or more, outside of any tape."""
    given = tensor if isinstance(tensor, (list, tuple)) else [tensor]
    if not given or not all(isinstance(t, engine.Tensor) for t in given):
        raise TypeError(f"make_grid: tensor or list of tensors expected, got a {type(tensor).__name__}")
    images = (engine.stack(list(tensor)) if isinstance(tensor, (list, tuple)) else tensor).detach()
    while images.ndim < 4:
        images = images.unsqueeze(0)
    if images.ndim != 4:
        raise ValueError(
            f"make_grid: expected images [N, C, H, W], [C, H, W] or [H, W], got shape {tuple(images.shape)}"
        )
    return engine.cat([images] * 3, 1) if images.shape[1] == 1 else images


def _normalized(images, value_range, scale_each):
    if value_range is not None and not (isinstance(value_range, tuple) and len(value_range) == 2):
        raise TypeError(f"make_grid: value_range has to be a tuple (min, max) if specified, got {value_range!r}")
    if scale_each:
        return engine.cat([_normalized(image.unsqueeze(0), value_range, False) for image in images])
    low, high = value_range or (images.min().item(), images.max().item())
    return (images.clamp(low, high) - low) / max(high - low, 1e-5)
