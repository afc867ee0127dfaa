"""Images from and to PIL, NumPy and Tensors; the range of their values."""

from __future__ import annotations

import numpy as np

import engine
from engine.vision.pillow import is_pil, pillow
from engine.vision.transforms.functional.image import LARGEST, check_image, largest

__all__ = ["convert_image_dtype", "normalize", "pil_to_tensor", "to_pil_image", "to_tensor"]

_PILLOW_TYPES = {"1": np.uint8, "I": np.int32, "I;16": np.int32, "F": np.float32}  # all others hold bytes
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def pil_to_tensor(pic):
    """A PIL image as a Tensor [C, H, W] of its own values: uint8, or int32 and float32 for the modes I and F."""
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic, dtype=_PILLOW_TYPES.get(pic.mode, np.uint8))
    if pic.mode == "1":
        array *= 255
    return _channels_first(array)


def _channels_first(array):
    """A Tensor [C, H, W] with memory of its own from an array [H, W] or [H, W, C]."""
    array = array[:, :, None] if array.ndim == 2 else array
    return engine.from_numpy(np.array(array.transpose(2, 0, 1), order="C"))


def to_tensor(pic):
    """An image as a float32 Tensor [C, H, W].

    pic: a PIL image, an array [H, W] or [H, W, C], or a uint8 Tensor [..., C, H, W]. Bytes are divided by 255; other
    types keep their values. TypeError for what is no image, ValueError for arrays of other dimensions.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        image = _channels_first(pic)
    elif isinstance(pic, engine.Tensor) and pic.dtype.name == "uint8":
        check_image("to_tensor", pic)
        image = pic
    elif is_pil(pic):
        image = pil_to_tensor(pic)
    else:
        got = f"a Tensor of dtype {pic.dtype}" if isinstance(pic, engine.Tensor) else type(pic)
        raise TypeError(f"pic should be PIL Image or ndarray (or a uint8 Tensor). Got {got}")
    return image.float() / 255 if image.dtype.name == "uint8" else image


def to_pil_image(pic, mode=None):
    """A PIL image from a Tensor [C, H, W] or [H, W], or an array [H, W] or [H, W, C].

    Floats are taken to lie in 0 to 1; `mode` is Pillow's (None: by channels and dtype). TypeError for what is neither,
    ValueError for other dimensions, more than 4 channels or a mode that does not fit.
    """
    if isinstance(pic, engine.Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        if pic.dtype.kind == "f" and mode != "F":
            pic = (pic * 255).to(engine.uint8)
        array = pic.detach().numpy()
        array = array[:, :, None] if pic.ndim == 2 else array.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    channels = array.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    return _from_array(np.ascontiguousarray(array), channels, mode)


def _from_array(array, channels, mode):
    """A PIL image over an array [H, W, C]."""
    Image = pillow()
    if channels == 1:
        array = array[:, :, 0]
        natural = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}.get(array.dtype.name)
    else:
        natural = _MODES[channels] if array.dtype.name == "uint8" else None
    if natural is None:
        raise TypeError(f"Input type {array.dtype} with {channels} channel(s) is not supported")
    allowed = {1: (natural,), 2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}[channels]
    if mode is not None and mode not in allowed:
        raise ValueError(f"Incorrect mode ({mode}) supplied for {channels} channels of {array.dtype}; use {allowed}")
    if natural == "I;16":
        array = array.astype("uint16")
    height, width = array.shape[:2]
    return Image.frombytes(mode or natural, (width, height), array.tobytes())


def convert_image_dtype(image, dtype=engine.float32):
    """A Tensor image in another dtype, its range of values scaled with it: 0 to 255 in bytes, 0 to 1 in floats.

    RuntimeError where the target cannot hold the source's precision (float32 to int32 or int64).
    """
    if not isinstance(image, engine.Tensor):
        raise TypeError(f"Input img should be Tensor Image, got {type(image).__name__}")
    if image.dtype == dtype:
        return image
    before, after = image.dtype.name, np.dtype(dtype).name
    if image.dtype.kind == "f":
        if after not in LARGEST:
            return image.to(dtype)
        if (before, after) in (("float32", "int32"), ("float32", "int64"), ("float64", "int64")):
            raise RuntimeError(f"The cast from {before} to {after} cannot be performed safely.")
        return (image * (LARGEST[after] + 1 - 1e-3)).to(dtype)  # an equal share of 0..1 for each integer
    if after not in LARGEST:
        return image.to(dtype) / largest(image.dtype)
    if LARGEST[before] > LARGEST[after]:
        factor = (LARGEST[before] + 1) // (LARGEST[after] + 1)
        return ((image - image % factor) // factor).to(dtype)
    return image.to(dtype) * ((LARGEST[after] + 1) // (LARGEST[before] + 1))


def normalize(tensor, mean, std, inplace=False):
    """(tensor - mean) / std for each channel of a float Tensor [..., C, H, W].

    TypeError unless it is a float Tensor, ValueError for fewer than 3 dimensions or a std of 0.
    """
    if not isinstance(tensor, engine.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if tensor.dtype.kind != "f":
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}; ToTensor() goes before Normalize")
    if tensor.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tuple(tensor.shape)}"
        )
    mean, std = (engine.as_tensor(v, dtype=tensor.dtype).reshape(-1, 1, 1) for v in (mean, std))
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, tensor.shape[-3]):
            raise ValueError(f"normalize got {len(values)} values of {name} for {tensor.shape[-3]} channels")
    if (std == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    return tensor.sub_(mean).div_(std) if inplace else (tensor - mean) / std
