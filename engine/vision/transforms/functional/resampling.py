"""Images of another size, turned, moved, scaled and sheared: what needs values between pixels."""

from __future__ import annotations

import math

import numpy as np

import engine
from engine.ops.augment import warp_images
from engine.vision.transforms.functional.geometry import crop
from engine.vision.transforms.functional.image import (
    InterpolationMode,
    as_floats,
    check_image,
    get_dimensions,
    interpolation_mode,
    like,
    per_channel,
    pillow_number,
)

__all__ = ["affine", "resize", "resized_crop", "rotate"]


# ---- sizes


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """An image of another size.

    size: (height, width), or the length of the shorter edge (the ratio of the edges stays), with `max_size` as the
    limit of the longer one. antialias: average over all pixels that fall onto one when shrinking, as PIL images always
    are; bilinear and bicubic only. Tensors offer nearest, nearest-exact, bilinear and bicubic.
    """
    mode = interpolation_mode(interpolation)
    is_pil = check_image("resize", img)
    _, h, w = get_dimensions(img)
    height, width = _output_size(size, h, w, max_size)
    if (height, width) == (h, w):
        return img
    if is_pil:
        return img.resize((width, height), pillow_number(mode))
    if mode.value.startswith("nearest"):
        shift = 0.5 if mode is InterpolationMode.NEAREST_EXACT else 0.0
        rows, columns = _nearest(h, height, shift), _nearest(w, width, shift)
        return img[..., engine.from_numpy(rows)[:, None], engine.from_numpy(columns)]
    if mode not in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        raise ValueError(
            f"Interpolation mode {mode.value!r} is for PIL images; Tensors offer nearest, bilinear, bicubic"
        )
    x = as_floats(img)
    down, across = (
        engine.from_numpy(_weights(n, m, mode, antialias).astype(x.dtype)) for n, m in ((h, height), (w, width))
    )
    return like(img, engine.matmul(down, engine.matmul(x, across.t())))


def _output_size(size, h, w, max_size):
    """(height, width) of the resized image."""
    sizes = (size,) if isinstance(size, int) else size
    if not isinstance(sizes, (tuple, list)):
        raise TypeError(f"Size should be int or sequence. Got {type(size)}")
    if len(sizes) not in (1, 2):
        raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(sizes)} element tuple/list")
    if len(sizes) == 2:
        if max_size is not None:
            raise ValueError("max_size should only be passed if size specifies the length of the smaller edge")
        return tuple(sizes)
    short, long = sizes[0], int(sizes[0] * max(h, w) / min(h, w))
    if max_size is not None:
        if max_size <= short:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge size = {size}"
            )
        if long > max_size:
            short, long = int(max_size * short / long), max_size
    return (short, long) if h <= w else (long, short)


def _nearest(n, m, shift):
    """Which of n pixels each of m takes."""
    return np.minimum(np.floor((np.arange(m) + shift) * (n / m)).astype(np.int64), n - 1)


def _triangle(x):
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x, a):
    """The cubic convolution kernel (Keys 1981)."""
    x = np.abs(x)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _weights(n, m, mode, antialias):
    """The matrix [m, n] that makes m pixels of n in a line, float64.

    The kernel stands over each new pixel's centre, with antialias as wide as a new pixel where those are larger; its
    weights inside the line are made to sum up to 1. Without antialias pixels beyond the ends are those at the ends.
    """
    centre = (np.arange(m)[:, None] + 0.5) * (n / m) - 0.5
    cubic = mode is InterpolationMode.BICUBIC
    if antialias:
        distance = (np.arange(n) - centre) / max(n / m, 1)
        weights = _cubic(distance, -0.5) if cubic else _triangle(distance)
        return weights / weights.sum(1, keepdims=True)
    reach = np.arange(-1, 3) if cubic else np.arange(2)
    taps = np.floor(centre).astype(np.int64) + reach
    values = _cubic(taps - centre, -0.75) if cubic else _triangle(taps - centre)
    weights = np.zeros((m, n))
    np.add.at(weights, (np.arange(m)[:, None], np.clip(taps, 0, n - 1)), values)
    return weights


def resized_crop(img, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias=True):
    """The window of height x width at (top, left), resized to `size`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


# ---- turns and shears


def rotate(img, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None):
    """An image turned by `angle` degrees against the clock.

    expand: grow the image so that all of it is seen; center: (x, y) of the point that stays, from the upper left corner
    (default: the middle); fill: a number or one per channel for what comes from outside (default: 0).
    """
    if not isinstance(angle, (int, float)):
        raise TypeError(f"Argument angle should be int or float, got {angle!r}")
    _check_center(center)
    mode = interpolation_mode(interpolation)
    if check_image("rotate", img):
        return img.rotate(angle, pillow_number(mode), bool(expand), center, fillcolor=_pil_fill(img, fill))
    _, h, w = get_dimensions(img)
    matrix = inverse_matrix(_middle(center, h, w), -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    size = (h, w)
    if expand:
        size = _expanded(matrix, h, w)
        corner = np.array([(w - size[1]) / 2, (h - size[0]) / 2])  # of the new image, in the turned one's coordinates
        matrix = np.concatenate([matrix[:, :2], matrix[:, 2:] + matrix[:, :2] @ corner[:, None]], 1)
    return _warp(img, matrix, size, mode, fill)


def affine(img, angle, translate, scale, shear, interpolation=InterpolationMode.NEAREST, fill=None, center=None):
    """An image turned by `angle` degrees with the clock, scaled, sheared by (x, y) degrees and moved by (x, y) pixels.

    center and fill as for `rotate`; shear may be one number, along x.
    """
    if not isinstance(angle, (int, float)):
        raise TypeError(f"Argument angle should be int or float, got {angle!r}")
    for name, value in (("translate", translate), ("shear", shear)):
        if not isinstance(value, (tuple, list)) and not (name == "shear" and isinstance(value, (int, float))):
            raise TypeError(f"Argument {name} should be a sequence, got {value!r}")
    if len(translate) != 2:
        raise ValueError(f"Argument translate should be a sequence of length 2, got {translate!r}")
    if scale <= 0.0:
        raise ValueError(f"Argument scale should be positive, got {scale}")
    shear = (shear, 0.0) if isinstance(shear, (int, float)) else tuple(shear)
    shear = (shear[0], 0.0) if len(shear) == 1 else shear
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    _check_center(center)
    mode = interpolation_mode(interpolation)
    is_pil = check_image("affine", img)
    _, h, w = get_dimensions(img)
    matrix = inverse_matrix(_middle(center, h, w), angle, translate, scale, shear)
    if is_pil:
        fill = _pil_fill(img, fill)
        return img.transform(img.size, 0, tuple(matrix.ravel()), pillow_number(mode), fillcolor=fill)  # 0: affine
    return _warp(img, matrix, (h, w), mode, fill)


def inverse_matrix(center, angle, translate, scale, shear):
    """[2, 3]: where a point (x, y, 1) of the new image lies in the old one.

    Forward, a point is sheared along x and y, turned by `angle` degrees and scaled around `center`, then moved.
    """
    turn, (shear_x, shear_y) = math.radians(angle), map(math.radians, shear)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    along_x, along_y = np.array([[1, -math.tan(shear_x)], [0, 1]]), np.array([[1, 0], [-math.tan(shear_y), 1]])
    inverse = np.linalg.inv(scale * (rotation @ along_y @ along_x))
    center = np.array(center, dtype=np.float64)
    return np.concatenate([inverse, (center - inverse @ (center + translate))[:, None]], 1)


def _check_center(center):
    if center is not None and not isinstance(center, (tuple, list)):
        raise TypeError(f"Argument center should be a sequence, got {center!r}")


def _middle(center, h, w):
    return (w / 2, h / 2) if center is None else center


def _expanded(matrix, h, w):
    """(height, width) of the smallest image that shows all of a turned one."""
    corners = np.array([[-w, -h], [-w, h], [w, h], [w, -h]]) / 2 @ matrix[:, :2].T + (w / 2, h / 2)
    corners = np.trunc(corners / 1e-4) * 1e-4  # rounding must not make a pixel
    width, height = np.ceil(corners.max(0)) - np.floor(corners.min(0))
    return int(height), int(width)


def _pil_fill(img, fill):
    values = per_channel("fill", 0 if fill is None else fill, len(img.getbands()))
    return values if len(values) > 1 else values[0]


def _warp(img, matrix, size, mode, fill):
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(f"Interpolation mode '{mode.value}' is unsupported with Tensor input")
    if img.requires_grad:
        raise NotImplementedError("rotate and affine have no gradient; use img.detach()")
    channels, h, w = get_dimensions(img)
    fill = None if fill is None else per_channel("fill", fill, channels)
    x = as_floats(img).reshape(-1, channels, h, w)
    matrices = engine.from_numpy(np.array(np.broadcast_to(matrix, (len(x), 2, 3))))
    y = warp_images(x, matrices, size=size, bilinear=mode is InterpolationMode.BILINEAR, fill=fill)
    return like(img, y.reshape(*img.shape[:-2], *size))
