"""Brightness, contrast, saturation and hue of images; greys; blur."""

from __future__ import annotations

import numpy as np

import engine
from engine.nn import functional as F
from engine.vision.pillow import pillow
from engine.vision.transforms.functional.conversion import convert_image_dtype, pil_to_tensor, to_pil_image
from engine.vision.transforms.functional.geometry import pad
from engine.vision.transforms.functional.image import as_floats, check_image, get_dimensions, largest, like

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_hue", "adjust_saturation", "gaussian_blur", "rgb_to_grayscale",
    "to_grayscale",
]  # fmt: skip


def _check(name, img, factor=0.0):
    """Whether `img` is a PIL image; TypeError for channels other than 1 or 3 and ValueError for factors below 0."""
    if factor < 0:
        raise ValueError(f"{name}_factor ({factor}) is not non-negative.")
    if check_image(f"adjust_{name}", img):
        return True
    channels = get_dimensions(img)[0]
    if channels not in (1, 3):
        raise TypeError(f"Input image tensor permitted channel values are [1, 3], but found {channels}")
    return False


def _enhanced(kind, img, factor):
    return getattr(pillow("ImageEnhance"), kind)(img).enhance(factor)


def _blend(img, other, share):
    """share * img + (1 - share) * other, within the range of img's dtype and cut off to it."""
    mixed = as_floats(img) * float(share) + other * (1.0 - float(share))
    return mixed.clamp(0, largest(img.dtype)).to(img.dtype)


def adjust_brightness(img, brightness_factor):
    """Values times `brightness_factor` (0 or more; 1: unchanged), cut off at white."""
    if _check("brightness", img, brightness_factor):
        return _enhanced("Brightness", img, brightness_factor)
    return _blend(img, 0.0, brightness_factor)


def adjust_contrast(img, contrast_factor):
    """Values moved away from the image's mean grey (0: grey; 1: unchanged)."""
    if _check("contrast", img, contrast_factor):
        return _enhanced("Contrast", img, contrast_factor)
    grey = rgb_to_grayscale(img) if get_dimensions(img)[0] == 3 else img
    dims = (-3, -2, -1) if img.ndim > 2 else (-2, -1)
    return _blend(img, as_floats(grey).mean(dims, keepdim=True), contrast_factor)


def adjust_saturation(img, saturation_factor):
    """Values moved away from each pixel's grey (0: grey; 1: unchanged). Grey images stay as they are."""
    if _check("saturation", img, saturation_factor):
        return _enhanced("Color", img, saturation_factor)
    if get_dimensions(img)[0] == 1:
        return img
    return _blend(img, as_floats(rgb_to_grayscale(img)), saturation_factor)


def adjust_hue(img, hue_factor):
    """Hues turned by `hue_factor` of the colour circle, -0.5 to 0.5. Grey images stay as they are."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if _check("hue", img):
        return _turned_pil(img, hue_factor)
    if get_dimensions(img)[0] == 1:
        return img
    h, s, v = _rgb_to_hsv(convert_image_dtype(img, engine.float64 if img.dtype == engine.float64 else engine.float32))
    h = h + hue_factor
    h = engine.where(h < 0, h + 1, engine.where(h >= 1, h - 1, h))
    return convert_image_dtype(_hsv_to_rgb(h, s, v), img.dtype)


def _turned_pil(img, hue_factor):
    if img.mode in ("L", "1", "I", "F"):
        return img
    Image = pillow()
    h, s, v = img.convert("HSV").split()
    turned = (np.asarray(h, dtype=np.int64) + int(hue_factor * 255)).astype(np.uint8)  # modulo 256
    return Image.merge("HSV", (Image.fromarray(turned), s, v)).convert(img.mode)


def _rgb_to_hsv(img):
    """Hue, saturation and value in 0..1 of a float Tensor [..., 3, H, W]; the hue of greys is 0."""
    r, g, b = (img[..., i, :, :] for i in range(3))
    value, darkest = img.amax(-3), img.amin(-3)
    chroma = value - darkest
    divisor = engine.where(chroma == 0, 1.0, chroma)
    sextant = engine.where(value == r, (g - b) / divisor, engine.where(value == g, 2 + (b - r) / divisor, 4 + (r - g) / divisor))  # fmt: skip
    sextant = engine.where(sextant < 0, sextant + 6, sextant)
    return sextant / 6, chroma / engine.where(value == 0, 1.0, value), value


def _hsv_to_rgb(h, s, v):
    """[..., 3, H, W] from hue, saturation and value: each channel is the value less a trapezoid of the hue."""
    planes = []
    for offset in (5, 3, 1):
        k = h * 6 + offset
        k = engine.where(k >= 6, k - 6, k)
        planes.append(v - v * s * engine.minimum(k, 4 - k).clamp(0, 1))
    return engine.stack(planes, -3)


def rgb_to_grayscale(img, num_output_channels=1):
    """0.2989 red + 0.587 green + 0.114 blue, in 1 or 3 (equal) channels."""
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels should be either 1 or 3, got {num_output_channels}")
    if check_image("rgb_to_grayscale", img):
        return to_grayscale(img, num_output_channels)
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    _check("grayscale", img)
    grey = img.clone()
    if img.shape[-3] == 3:
        r, g, b = (as_floats(img[..., i : i + 1, :, :]) for i in range(3))
        grey = (r * 0.2989 + g * 0.587 + b * 0.114).to(img.dtype)
    return grey if num_output_channels == 1 else grey.expand(*grey.shape[:-3], 3, *grey.shape[-2:])


def to_grayscale(img, num_output_channels=1):
    """A PIL image in grey, of mode L or (3 channels) RGB."""
    if not check_image("to_grayscale", img):
        raise TypeError("Input should be PIL Image; rgb_to_grayscale takes Tensors")
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels should be either 1 or 3, got {num_output_channels}")
    grey = img.convert("L")
    return grey if num_output_channels == 1 else pillow().merge("RGB", (grey, grey, grey))


def gaussian_blur(img, kernel_size, sigma=None):
    """An image smoothed by a Gaussian of kernel_size (x, y) pixels, odd, and standard deviations sigma (x, y).

    Pixels beyond the borders are mirrored. sigma None: 0.15 * kernel_size + 0.35.
    """
    kx, ky = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    if min(kx, ky) < 1 or kx % 2 == 0 or ky % 2 == 0:
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = (kx * 0.15 + 0.35, ky * 0.15 + 0.35)
    sx, sy = (sigma, sigma) if isinstance(sigma, (int, float)) else sigma
    if min(sx, sy) <= 0.0:
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    if check_image("gaussian_blur", img):
        return to_pil_image(gaussian_blur(pil_to_tensor(img), (kx, ky), (sx, sy)), img.mode)
    channels, h, w = get_dimensions(img)
    x = pad(as_floats(img).reshape(-1, 1, h, w), (kx // 2, ky // 2), padding_mode="reflect")
    kernel = np.outer(_bell(ky, sy), _bell(kx, sx))[None, None]
    y = F.conv2d(x, engine.tensor(kernel, dtype=x.dtype))
    return like(img, y.reshape(*img.shape))


def _bell(n, sigma):
    """n samples of a Gaussian, summing up to 1."""
    values = np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / sigma) ** 2)
    return values / values.sum()
