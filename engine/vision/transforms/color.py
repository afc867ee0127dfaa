"""Transforms of colours."""

from __future__ import annotations

import numpy as np

import engine
from engine.vision.transforms import functional as F
from engine.vision.transforms.compose import Drawn, Transform, check_probability, chosen_ones, uniform

__all__ = ["ColorJitter", "GaussianBlur", "Grayscale", "RandomGrayscale"]


class Grayscale(Transform):
    """An image in grey, of 1 or 3 (equal) channels."""

    def __init__(self, num_output_channels=1):
        self.num_output_channels = num_output_channels

    def __call__(self, img):
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(Drawn):
    """An image in grey with probability `p`; as many channels as before."""

    def __init__(self, p=0.1):
        self.p = check_probability(p)

    def draw(self, count, *_):
        return uniform(count) < self.p

    def apply(self, img, params):
        return F.rgb_to_grayscale(img, F.get_image_num_channels(img)) if params else img

    def batch(self, images):
        return chosen_ones(self.draw(images.shape[0]), F.rgb_to_grayscale(images, images.shape[1]), images)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ColorJitter(Drawn):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    brightness, contrast, saturation: the factor lies in (max(0, 1 - value), 1 + value), or in the range given;
    hue: it is turned by -value to value (at most 0.5), or by what the range says.
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        self.brightness = _range("brightness", brightness)
        self.contrast = _range("contrast", contrast)
        self.saturation = _range("saturation", saturation)
        self.hue = _range("hue", hue, center=0, low=-0.5, high=0.5)

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """(order of the four, brightness, contrast, saturation, hue); None for what does not change."""
        order, *factors = _jitters(1, brightness, contrast, saturation, hue)[0]
        return engine.tensor(order), *factors

    def draw(self, count, *_):
        return _jitters(count, self.brightness, self.contrast, self.saturation, self.hue)

    def apply(self, img, params):
        order, *factors = params
        change = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order:
            if factors[i] is not None:
                img = change[i](img, factors[i])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


def _range(name, value, center=1, low=0, high=float("inf")):
    """(least, largest) factor from a number or a range; None when nothing changes."""
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        value = (max(center - float(value), low) if center else -float(value), center + float(value))
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(f"{name} values should be between {low} and {high}, but got {value}.")
    return None if value[0] == value[1] == center else tuple(value)


def _jitters(count, *ranges):
    """`count` lists: an order of the factors, then each factor or None."""
    orders = np.argsort(engine.rand(count, 4, dtype=engine.float64).numpy(), 1).tolist()
    factors = [[None] * count if r is None else uniform(count, float(r[0]), float(r[1])).tolist() for r in ranges]
    return list(zip(orders, *factors, strict=True))


class GaussianBlur(Drawn):
    """A blur by a Gaussian of `kernel_size` (odd; an int or (x, y)) whose deviation is drawn from `sigma`."""

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(size) != 2 or any(s <= 0 or s % 2 == 0 for s in size):
            raise ValueError(f"Kernel size value should be an odd and positive number, got {kernel_size}")
        if isinstance(sigma, (int, float)):
            sigma = (sigma, sigma)
        if len(sigma) != 2 or not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {sigma}")
        self.kernel_size, self.sigma = size, sigma

    @staticmethod
    def get_params(sigma_min, sigma_max):
        """A random standard deviation."""
        return float(uniform(1, sigma_min, sigma_max)[0])

    def draw(self, count, *_):
        return uniform(count, *self.sigma).tolist()

    def apply(self, img, params):
        return F.gaussian_blur(img, self.kernel_size, (params, params))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"
