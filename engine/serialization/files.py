"""`save` and `load`: which format a file has, by its content, and who reads it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import contextmanager

from engine import backends
from engine.functions import from_numpy, to
from engine.serialization import safetensors_file
from engine.serialization.atomic import replacing
from engine.serialization.elements import FileFormatError
from engine.serialization.structure import flatten, unflatten
from engine.tensor import Tensor

_STRUCTURE = "engine.structure"  # the metadata that tells how the Tensors of a file belong together
_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of PyTorch's magic number
_LONGEST_MESSAGE = 500


def save(obj, f, metadata: dict[str, str] | None = None) -> None:
    """Write nested data to a file: dicts, lists, tuples, numbers, strings, None and Tensors, e.g. a `state_dict`.

    The file is in the safetensors format, under any name; a flat dict of Tensors becomes one that every reader of
    safetensors understands. Tensors lose their history, dicts of other types become dicts, numbers of NumPy's become
    Python's. `metadata`, strings by name, lies beside the data: `engine.serialization.metadata(f)`.

    f: a path, whose old contents are kept until the new ones are on the disk; or a file open for binary writing.
    Raises TypeError, with the path to it, for anything that is not data; OSError when it cannot be written, the old
    contents kept.
    """
    notes = {**(metadata or {})}
    for key, value in notes.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save(): metadata maps strings to strings, got {key!r}: {value!r}")
        if key == _STRUCTURE:
            raise ValueError(f"save(): the metadata key {key!r} is taken")
    if isinstance(obj, Mapping) and "__metadata__" not in obj and all(
        isinstance(k, str) and isinstance(t, Tensor) for k, t in obj.items()
    ):  # fmt: skip
        tensors = obj
    else:
        tensors, notes[_STRUCTURE] = flatten(obj)
    arrays = {name: t._host() for name, t in tensors.items()}
    if hasattr(f, "write"):
        safetensors_file.write(f, arrays, notes)
    else:
        with replacing(f) as file:
            safetensors_file.write(file, arrays, notes)


def load(f, map_location=None, *, weights_only: bool = True):
    """What a file holds, recognised by its content:

        safetensors, written by `save` or by others     the data that was saved; else a dict of Tensors by name
        .pt, .pth, .th of PyTorch, zip or legacy        the data in it: nested containers, numbers, Tensors, Parameters
        .npz, .npy of NumPy                             a dict of Tensors; a Tensor

    f: a path, or a file open for binary reading. float16 and bfloat16 become float32. Tensors come to the CPU wherever
    they were, and from there to the device of `map_location`: "cuda", say. A dict is asked where "cpu" goes, a function is
    not asked. RuntimeError where a device is not there.
    `weights_only` changes nothing: a file is read as data, or refused.

    Raises FileFormatError (a ValueError) for files that are damaged, of another format, or hold more than data: names
    of functions and classes, whole models. OSError when the file cannot be read.
    """
    place = map_location.get("cpu") if isinstance(map_location, dict) else map_location
    device = backends.for_device("cpu" if place is None or callable(place) else place).device
    if device == "meta":
        raise RuntimeError("load(): map_location 'meta': files are loaded to the CPU or a GPU")
    with _opened(f) as (file, size, name):
        data = _named_errors(name, _read, file, size)
    if device != "cpu":
        _move(data, device)
    return data


def _move(data, device):
    """Bring every Tensor in nested data to a device; one that is there twice stays one."""
    left, seen = [data], set()
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            moved = to(value.detach(), device=device)
            value._array, value._k, value._version = moved._array, moved._k, moved._version
        elif isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, (list, tuple)):
            left.extend(value)


def metadata(f) -> dict[str, str]:
    """The metadata of a safetensors file, strings by name."""
    with _opened(f) as (file, size, name):
        notes = _named_errors(name, safetensors_file.metadata, file, size)
    return {key: value for key, value in notes.items() if key != _STRUCTURE}


@contextmanager
def _opened(f):
    """(binary file that can seek, its size, its name) of a path or of an open file."""
    if hasattr(f, "read"):
        data = f.read()
        if not isinstance(data, bytes):
            raise TypeError(f"load(): the file must be open for binary reading, it gave {type(data).__name__}")
        yield io.BytesIO(data), len(data), str(getattr(f, "name", "the file"))
    else:
        with open(f, "rb") as file:
            yield file, os.fstat(file.fileno()).st_size, os.fspath(f)


def _named_errors(name, read, *args):
    try:
        return read(*args)
    except FileFormatError as error:
        raise FileFormatError(f"{name}: {str(error)[:_LONGEST_MESSAGE]}") from None


def _read(file, size):
    start = file.read(len(_LEGACY))
    file.seek(0)
    if start.startswith(b"PK"):
        return _read_zip(file, size)
    if start == _LEGACY:
        from engine.serialization import torch_file  # brings the layers with it

        return torch_file.read_legacy(file.read())
    if start.startswith(b"\x93NUMPY"):
        from engine.serialization import numpy_file

        return from_numpy(numpy_file.read_npy(file.read()))
    if start[8:9] == b"{":
        return _read_safetensors(file, size)
    known = "safetensors, PyTorch's zip and legacy files, .npy and .npz"
    kind = "is empty" if not size else f"starts with {start[:8]!r}"
    hint = "; if it is a pickle of plain data, serialization.read_pickle reads it" if start[:1] == b"\x80" else ""
    raise FileFormatError(f"not a file that load() knows: it {kind}, and those known are {known}{hint}")


def _read_zip(file, size):
    from engine.serialization.archive import Archive

    archive = Archive(file, size)
    if archive.names and all(name.endswith(".npy") for name in archive.names):
        from engine.serialization import numpy_file

        return {name: from_numpy(array) for name, array in numpy_file.read_npz(archive).items()}
    from engine.serialization import torch_file

    return torch_file.read_zip(archive, size)


def _read_safetensors(file, size):
    arrays, notes = safetensors_file.read(file, size)
    tensors = {name: from_numpy(array) for name, array in arrays.items()}
    return unflatten(notes[_STRUCTURE], tensors) if _STRUCTURE in notes else tensors
