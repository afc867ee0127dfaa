"""NumPy's .npy and .npz files, arrays of numbers only."""

from __future__ import annotations

import io

import numpy
from numpy.lib import format as npy

from engine.serialization.archive import Archive
from engine.serialization.elements import FileFormatError, byte_count, checked_shape, elements

_MAX_HEADER = 10_000  # NumPy's own limit
_DTYPES = "b1 i1 i2 i4 i8 u1 f2 f4 f8".split()


def read_npy(data: bytes) -> numpy.ndarray:
    """The array in the bytes of a .npy file; float16 becomes float32."""
    f = io.BytesIO(data)
    try:
        version = npy.read_magic(f)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise FileFormatError(f"it is a .npy file of version {version}; 1.0 and 2.0 are read")
        shape, fortran, dtype = read(f, max_header_size=_MAX_HEADER)
    except FileFormatError:
        raise
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, KeyError) as error:
        raise FileFormatError(f"not a valid .npy file: {error}") from None
    kind = f"{dtype.kind}{dtype.itemsize}"
    if kind not in _DTYPES:
        raise FileFormatError(f"it holds an array of dtype {str(dtype)[:60]}; those read are {', '.join(_DTYPES)}")
    shape = checked_shape(shape, kind, "its array")
    rest = data[f.tell() :]
    if len(rest) != byte_count(shape, kind):
        raise FileFormatError(
            f"its header tells of shape {shape} and dtype {dtype}, {byte_count(shape, kind)} bytes, it has {len(rest)}"
        )
    order = ">" if dtype.byteorder == ">" else "<"
    return elements(rest, kind, order).reshape(shape, order="F" if fortran else "C")


def read_npz(archive: Archive) -> dict[str, numpy.ndarray]:
    """The arrays of a .npz file by name."""
    arrays = {}
    for name in archive.names:
        try:
            arrays[name.removesuffix(".npy")] = read_npy(archive.read(name))
        except FileFormatError as error:
            raise FileFormatError(f"entry {name!r}: {error}") from None
    return arrays
