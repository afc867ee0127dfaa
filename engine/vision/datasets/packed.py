"""Reading a file that may be packed with gzip, without believing what it says about its size."""

from __future__ import annotations

import gzip
import os
import zlib
from contextlib import contextmanager

import numpy as np

GZIP_MAGIC = b"\x1f\x8b"
# Deflate cannot expand beyond 1032:1, so a header that claims more than that is lying.
MAX_INFLATION = 1032


@contextmanager
def unpacked(path: str):
    """(file, size on disk, whether it is packed) of the file at `path`; gzip is recognised by its content and unpacked
    while reading. ValueError, naming the file, for damaged gzip data; OSError when it cannot be read."""
    with open(path, "rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        if raw.peek(2)[:2] != GZIP_MAGIC:  # some browsers unpack a .gz and keep its name
            yield raw, size, False
            return
        try:
            with gzip.open(raw) as file:
                yield file, size, True
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: corrupt or truncated gzip data ({error}); fetch the file again") from error


def read_into(file, data: np.ndarray) -> int:
    """Fill `data` (bytes) from `file`; the number of bytes there were."""
    view, got = data.data, 0
    while got < len(view):
        count = file.readinto(view[got : got + 2**20])
        if not count:
            break
        got += count
    return got


def read_exactly(path: str, size: int) -> np.ndarray:
    """The contents of the file at `path`, unpacked, as uint8 [size]; ValueError when they have another size."""
    with unpacked(path) as (file, on_disk, packed):
        if not packed and on_disk != size:
            raise ValueError(f"{path}: got {on_disk} bytes, expected {size}; {advice(on_disk, size)}")
        if packed and size > on_disk * MAX_INFLATION:
            raise ValueError(
                f"{path}: expected {size} bytes, more than {on_disk} bytes of gzip can hold; fetch it again"
            )
        data = np.empty(size, np.uint8)
        got = read_into(file, data)
        if got < size:
            raise ValueError(f"{path}: got {got} bytes, expected {size}; {advice(got, size)}")
        if file.read(1):  # reaching the end also makes gzip compare its checksum
            raise ValueError(f"{path}: got more than the {size} bytes expected; {advice(1, 0)}")
    return data


def advice(got: int, expected: int) -> str:
    """What a wrong size means."""
    if got < expected:
        return "it is truncated, fetch it again"
    return "it has trailing data or a wrong header, fetch it again"
