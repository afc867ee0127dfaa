"""Arrays as pictures: scaled to bytes, laid out in a grid, shown and saved. Only `show` and `save` need a package."""

from __future__ import annotations

import numpy as np

from engine.extras import needed


def to_bytes(images, centred: bool = False, together: bool = False) -> np.ndarray:
    """Images [N, C, H, W] of any range as bytes [N, H, W, 3] or, of one channel, [N, H, W].

    Each image's range becomes 0..255, that of all with `together`; `centred`: 0 becomes the middle grey.
    """
    x = np.asarray(images, "float32")
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"to_bytes: images must be [N, 1, H, W] or [N, 3, H, W], got shape {x.shape}")
    axes = None if together else (1, 2, 3)
    if centred:
        high = np.abs(x).max(axes, keepdims=True, initial=0)
        low = -high
    else:
        low, high = (f(axes, keepdims=True) if x.size else np.zeros(()) for f in (x.min, x.max))
    x = (x - low) / np.where(high > low, high - low, 1)
    x = np.rint(np.where(high > low, x, 0.5 if centred else 0) * 255).astype("uint8").transpose(0, 2, 3, 1)
    return x[..., 0] if x.shape[3] == 1 else x


def grid(images, columns: int | None = None, gap: int = 1, enlarge: int = 1, background: int = 255) -> np.ndarray:
    """Byte images [N, H, W] or [N, H, W, 3] side by side in one, [rows, columns] or [rows, columns, 3].

    columns  None: as many as make a square; gap: pixels between them; enlarge: pixels that one becomes, each way
    """
    x = np.asarray(images)
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or not len(x):
        raise ValueError(f"grid: images must be bytes [N, H, W] or [N, H, W, 3], got {x.dtype} of shape {x.shape}")
    x = x.repeat(enlarge, 1).repeat(enlarge, 2)
    columns = columns or int(np.ceil(np.sqrt(len(x))))
    rows = -(-len(x) // columns)
    h, w = x.shape[1] + gap, x.shape[2] + gap
    out = np.full((rows * h - gap, columns * w - gap, *x.shape[3:]), background, "uint8")
    for i, image in enumerate(x):
        top, left = i // columns * h, i % columns * w
        out[top : top + h - gap, left : left + w - gap] = image
    return out


def maps(a) -> np.ndarray:
    """Maps [K, h, w], such as one image's activations or a batch of saliencies, as images [K, 1, h, w]."""
    a = np.asarray(a)
    if a.ndim != 3:
        raise ValueError(f"maps: expected [K, h, w], got shape {a.shape}")
    return a[:, None]


def kernels(weight) -> np.ndarray:
    """Filters [O, C, kh, kw] as images: coloured ones [O, 3, kh, kw] of 3 channels, else each slice [O * C, 1, kh, kw]."""
    weight = np.asarray(weight)
    if weight.ndim != 4:
        raise ValueError(f"kernels: expected filters [O, C, kh, kw], got shape {weight.shape}")
    return weight if weight.shape[1] in (1, 3) else weight.reshape(-1, 1, *weight.shape[2:])


def save(path: str, picture) -> None:
    """Write a byte picture [H, W] or [H, W, 3], such as `grid` gives, to an image file. Needs Pillow, the extra [vision]."""
    needed("PIL.Image", "a picture file").fromarray(_picture("save", picture)).save(path)


def show(picture, title: str = ""):
    """Draw a byte picture with matplotlib, the extra [viz], in a window or a notebook."""
    pyplot = needed("matplotlib.pyplot", "a drawing")
    picture = _picture("show", picture)
    pyplot.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    pyplot.title(title)
    pyplot.axis("off")
    pyplot.show()


def _picture(what, picture):
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise ValueError(
            f"{what}: expected bytes [H, W] or [H, W, 3], got {picture.dtype} of shape {picture.shape}; "
            "viz.sheets makes a picture of what a method gave, viz.grid one of the images of viz.to_bytes"
        )
    return picture
