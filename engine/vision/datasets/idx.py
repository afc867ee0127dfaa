"""The IDX file format of MNIST: a checked reader, plain or gzip.

A header is a magic number (two zero bytes, a type, the number of dimensions) and one big-endian
32-bit size per dimension; the elements follow, row-major. Nothing a header claims is believed before
it is compared with the file's own size, so a damaged or hostile file costs an error and no memory.
"""

from __future__ import annotations

import math
import os
import struct

import numpy as np

from engine.vision.datasets.packed import MAX_INFLATION, advice, read_into, unpacked

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
UINT8 = 0x08

# A small gzip file may still unpack to gigabytes of zeros; real sets of this format are far below.
MAX_UNPACKED_BYTES = 2**30
MAX_ELEMENTS = 2**62


def read_idx(path, ndim: int | None = None, kind: int | None = None) -> np.ndarray:
    """The array in the IDX file at `path`; gzip is recognised by its content and unpacked while reading.

    `ndim` and `kind` (a key of TYPES) state what the caller expects. Returns a native-endian array of
    the shape in the header. ValueError, with the file's name, what was got and what was expected, when
    the file is truncated, corrupt, too long or of another kind; OSError when it cannot be read.
    """
    path = os.fspath(path)
    with unpacked(path) as (file, size, packed):
        return _read(file, path, size, packed, ndim, kind)


def _read(file, path: str, size: int, packed: bool, ndim: int | None, kind: int | None) -> np.ndarray:
    shape, dtype, header_bytes = _read_header(file, path, ndim, kind)
    data_bytes = math.prod(shape) * dtype.itemsize
    expected = header_bytes + data_bytes
    claim = f"{path}: the header announces {_sizes(shape)} elements of {dtype.itemsize} bytes, {expected} bytes in all"
    if not packed and expected != size:
        raise ValueError(f"{claim}, but the file has {size} bytes; {advice(size, expected)}")
    if math.prod(max(n, 1) for n in shape) > MAX_ELEMENTS:  # even 0 x 2**32 x 2**32 is no shape
        raise ValueError(f"{claim}, sizes beyond any array; fetch the file again")
    if packed and expected > size * MAX_INFLATION:
        raise ValueError(f"{claim}, more than a gzip file of {size} bytes can hold; fetch the file again")
    if packed and expected > MAX_UNPACKED_BYTES:
        raise ValueError(f"{claim}, but at most {MAX_UNPACKED_BYTES} bytes are unpacked from a gzip file")

    data = np.empty(data_bytes, np.uint8)
    got = read_into(file, data)
    if got < data_bytes:
        raise ValueError(f"{claim}, but it ends after {header_bytes + got} bytes; {advice(got, data_bytes)}")
    if file.read(1):  # reaching the end also makes gzip compare its checksum
        raise ValueError(f"{claim}, but more data follows; {advice(1, 0)}")
    return data.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(file, path: str, ndim: int | None, kind: int | None):
    """(shape, big-endian dtype, bytes read) of an IDX header."""
    magic = file.read(4)
    if len(magic) < 4:
        raise ValueError(f"{path}: not an IDX file, it ends within the magic number (got {len(magic)} of 4 bytes)")
    value = int.from_bytes(magic, "big")
    if magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= 8:
        wanted = f"expected {_magic(kind, ndim)}" if kind and ndim else "expected 0x00000800 + dimensions or the like"
        raise ValueError(f"{path}: not an IDX file, got magic number 0x{value:08x}, {wanted}")
    if (kind is not None and magic[2] != kind) or (ndim is not None and magic[3] != ndim):
        raise ValueError(
            f"{path}: got magic number {_magic(magic[2], magic[3])}, "
            f"expected {_magic(kind or magic[2], ndim or magic[3])}; is this the right file?"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(
            f"{path}: the header is cut off, got {4 + len(sizes)} bytes, expected {4 + 4 * magic[3]}; "
            "fetch the file again"
        )
    return struct.unpack(f">{magic[3]}I", sizes), np.dtype(TYPES[magic[2]]), 4 + len(sizes)


def _magic(kind: int, ndim: int) -> str:
    return f"0x{kind << 8 | ndim:08x} ({np.dtype(TYPES[kind]).name}, {ndim}-dimensional)"


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
