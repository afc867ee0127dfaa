"""Pixels to transform, and how a PIL image and a Tensor are compared."""

import numpy as np
import pytest

import engine

Image = pytest.importorskip("PIL.Image")


def pixels(height=37, width=53, seed=0):
    """A smooth image [H, W, 3] with some noise, uint8."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 90 * np.sin(x / 7 + c) + 20 * np.cos(y / 5 * c) for c in range(3)], -1)
    return (waves + np.random.default_rng(seed).normal(0, 5, waves.shape)).clip(0, 255).astype("uint8")


def array(img):
    """[H, W, C] of a PIL image or a Tensor, as int64."""
    a = img.numpy().transpose(1, 2, 0) if isinstance(img, engine.Tensor) else np.asarray(img)
    return (a if a.ndim == 3 else a[:, :, None]).astype("int64")


def difference(f, image, tensor):
    """|f of the PIL image - f of the Tensor|."""
    a, b = array(f(image)), array(f(tensor))
    assert a.shape == b.shape
    return np.abs(a - b)
