"""Weights in files: safetensors, written beside the target and moved into place, so that nothing saved is lost."""

from __future__ import annotations

import os
import tempfile

import numpy

from engine.functions import tensor
from engine.tensor import Tensor


def _contiguous(name, t):
    if not isinstance(t, Tensor):
        raise TypeError(f"save(): entry {name!r} must be a Tensor, got {type(t).__name__}; save one flat dict a file")
    array = t.detach().cpu().numpy()
    # safetensors 0.8.0 writes the memory of strided arrays as it lies; row-major order is ours to make.
    return array if array.flags.c_contiguous else array.copy(order="C")


def atomic_write(path, data):
    """Write bytes to `path` so that a reader finds the old contents or the new, never a part, whatever happens."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"cannot save to {path}: it is a folder; name a file in it")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"cannot save to {path}: folder {folder} is not writable; choose another")
    handle, beside = tempfile.mkstemp(dir=folder, prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(beside, os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    if os.name == "posix":
        folder_handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(folder_handle)
        finally:
            os.close(folder_handle)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save(tensors, path, metadata=None):
    """Write a dict of name -> Tensor (a `state_dict`) as a safetensors file; `metadata` maps strings to strings."""
    from safetensors.numpy import save as to_bytes

    if not hasattr(tensors, "items"):
        raise TypeError(f"save() takes a dict of name -> Tensor, got {type(tensors).__name__}; use model.state_dict()")
    arrays = {name: _contiguous(name, t) for name, t in tensors.items()}
    atomic_write(path, to_bytes(arrays, metadata=metadata))


def load(path):
    """The dict of name -> Tensor in a safetensors file. ValueError when the file is damaged or of other dtypes."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    with open(path, "rb") as f:
        data = f.read()
    try:
        return {name: tensor(numpy.asarray(a)) for name, a in from_bytes(data).items()}
    except SafetensorError as error:
        raise ValueError(f"{os.fspath(path)} is not a valid safetensors file: {error}") from None
    except KeyError as error:  # a dtype that NumPy lacks, from safetensors' own table
        raise ValueError(f"{os.fspath(path)} holds tensors of dtype {error}, which is not supported") from None
    except TypeError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None
