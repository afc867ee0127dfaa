"""Rows of the operations on images of data sets."""

import numpy as np
from samples import NO_GRADIENT, Bytes, Integers, Labels, Mask, Row, S

BYTES = "images are bytes"
IN_THREE = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.1), "fill": (0.0, 128.0, 255.0), "value": (0.5, 0.0, -1.0)}


class Maps:
    """Affine maps [B, 2, 3] near the identity of an image of h x w, float64."""

    def __init__(self, count, h, w):
        self.shape, self.middle = (count, 2, 3), np.array([w / 2, h / 2])

    def draw(self, rng):
        linear = np.eye(2) + rng.uniform(-0.4, 0.4, (self.shape[0], 2, 2))
        shift = self.middle - linear @ self.middle + rng.uniform(-2, 2, (self.shape[0], 2))
        return np.concatenate([linear, shift[:, :, None]], 2)


ROWS = [
    Row("augment_images", [
        S(Bytes((5, 7, 6)), None, mean=(0.5,), std=(0.25,)), S(Bytes((0, 4, 4)), None, mean=0.5, std=0.25),
        S(Bytes((5, 3, 4, 4)), Labels((3,), 5), **IN_THREE),
        S(Bytes((5, 3, 9, 17)), Labels((7,), 5), Integers((7, 2), -4, 5), Mask((7,)), Integers((7, 4), -2, 8), size=(9, 17), **IN_THREE),
        S(Bytes((2, 1, 5, 33)), None, Integers((2, 2), -40, 40), Mask((2,)), size=(3, 31), fill=7.0),
        S(Bytes((3, 2, 4, 4)), None, None, Mask((3,)), None, size=(6, 6)), S(Bytes((3, 2, 0, 4)), None, size=(2, 3)),
        S(Bytes((3, 2, 4, 4)), None, None, None, Integers((3, 4), 0, 3), size=(0, 5)),
    ], gradient=BYTES),
    Row("warp_images", [
        S((3, 2, 7, 9), Maps(3, 7, 9), size=(7, 9)), S((3, 2, 7, 9), Maps(3, 7, 9), size=(5, 11), bilinear=True),
        S((2, 3, 8, 8), Maps(2, 8, 8), size=(8, 8), bilinear=True, fill=(0.5, 1.0, -1.0)),
        S((2, 1, 8, 8), Maps(2, 8, 8), size=(8, 8), fill=(2.0,)), S((0, 1, 4, 4), Maps(0, 4, 4), size=(4, 4)),
        S((2, 1, 0, 4), Maps(2, 0, 4), size=(2, 2), bilinear=True),
    ], gradient=NO_GRADIENT),
]  # fmt: skip
