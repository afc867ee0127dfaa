"""Transforms of an image's kind and of its range of values."""

from __future__ import annotations

import engine
from engine.vision.transforms import functional as F
from engine.vision.transforms.compose import Transform

__all__ = ["ConvertImageDtype", "Normalize", "PILToTensor", "ToPILImage", "ToTensor"]


class ToTensor(Transform):
    """A PIL image, an array [H, W, C] or a uint8 Tensor [C, H, W] as a Tensor [C, H, W]; bytes become 0 to 1."""

    def __call__(self, pic):
        return F.to_tensor(pic)


class PILToTensor(Transform):
    """A PIL image as a Tensor [C, H, W] of its own values."""

    def __call__(self, pic):
        return F.pil_to_tensor(pic)

    def batch(self, images):
        return images


class ToPILImage(Transform):
    """A Tensor [C, H, W] or an array [H, W, C] as a PIL image of `mode` (None: by channels and dtype)."""

    batchable = False

    def __init__(self, mode=None):
        self.mode = mode

    def __call__(self, pic):
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Transform):
    """A Tensor image in `dtype`, its range scaled with it; see `functional.convert_image_dtype`."""

    def __init__(self, dtype):
        if not hasattr(dtype, "kind"):
            raise TypeError(f"Argument dtype should be of type dtype, got {type(dtype).__name__}")
        self.dtype = dtype

    def __call__(self, image):
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Transform):
    """(image - mean) / std for each channel of a float Tensor [..., C, H, W]."""

    def __init__(self, mean, std, inplace=False):
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: engine.Tensor):
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
