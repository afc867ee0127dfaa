"""NumPy's .npy and .npz files, arrays of numbers only.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: magic, version, length of the header; the
    header, a Python dict of three entries; the elements

The header is matched against the one form that writers give it; nothing in it is evaluated.
"""

from __future__ import annotations

import re

import numpy

from engine.serialization.archive import Archive
from engine.serialization.elements import FileFormatError, byte_count, checked_shape, elements

_DTYPES = "b1 i1 i2 i4 i8 u1 f2 f4 f8".split()
_LENGTHS = {(1, 0): 2, (2, 0): 4}  # version -> bytes of the header's length
_MAX_HEADER = 10_000
_HEADER = re.compile(
    r"\{'descr': (.*), 'fortran_order': (True|False), 'shape': \(((?:[0-9]{1,19}, ?)*[0-9]{0,19})\),? *\} *\n?"
)


def read_npy(data: bytes) -> numpy.ndarray:
    """The array in the bytes of a .npy file; float16 becomes float32."""
    version = tuple(data[6:8])
    if version not in _LENGTHS:
        raise FileFormatError(f"not a .npy file of version 1.0 or 2.0: it starts with {data[:8]!r}")
    start = 8 + _LENGTHS[version]
    length = int.from_bytes(data[8:start], "little")
    if length > min(_MAX_HEADER, len(data) - start):
        raise FileFormatError(f"it is a .npy file of {len(data)} bytes with a header of {length}; it is damaged")
    text = data[start : start + length].decode("latin1")
    match = _HEADER.fullmatch(text)
    if match is None:
        raise FileFormatError(f"it is a .npy file whose header is not that of an array: {text[:80]!r}")
    descr, fortran, sizes = match.groups()
    order, kind = descr[1:2], descr[2:-1]
    if descr != f"'{order}{kind}'" or order not in "<>|" or kind not in _DTYPES:
        raise FileFormatError(f"it holds an array of dtype {descr[:60]}; those read are {', '.join(_DTYPES)}")
    shape = checked_shape([int(n) for n in sizes.replace(" ", "").split(",") if n], kind, "its array")
    rest = data[start + length :]
    if len(rest) != byte_count(shape, kind):
        raise FileFormatError(
            f"its header tells of shape {shape} and dtype {descr}, {byte_count(shape, kind)} bytes, it has {len(rest)}"
        )
    return elements(rest, kind, ">" if order == ">" else "<").reshape(shape, order="F" if fortran == "True" else "C")


def read_npz(archive: Archive) -> dict[str, numpy.ndarray]:
    """The arrays of a .npz file by name."""
    arrays = {}
    for name in archive.names:
        try:
            arrays[name.removesuffix(".npy")] = read_npy(archive.read(name))
        except FileFormatError as error:
            raise FileFormatError(f"entry {name!r}: {error}") from None
    return arrays
