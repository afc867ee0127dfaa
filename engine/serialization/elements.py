"""What a file claims about its arrays, checked before anything is believed; and arrays from the bytes of one.

Kinds of elements are NumPy's type codes without byte order ("f4", "i8", "b1", ...) and "bf16".
"""

from __future__ import annotations

import math

import numpy

MAX_DIMS = 32  # of NumPy 1
MAX_BYTES = 2**62


class FileFormatError(ValueError):
    """A file that is damaged, lies about its sizes, or holds what is not data."""


def itemsize(kind: str) -> int:
    """Bytes of one element."""
    return 2 if kind == "bf16" else int(kind[1:])


def checked_shape(sizes, kind: str, what: str) -> tuple[int, ...]:
    """`sizes`, of an array called `what`, as a shape of at most 32 sizes from 0 up, the bytes countable in 62 bits."""
    if not isinstance(sizes, (tuple, list)) or len(sizes) > MAX_DIMS or any(type(n) is not int for n in sizes):
        raise FileFormatError(f"{what} has no shape of at most {MAX_DIMS} whole numbers")
    if min(sizes, default=0) < 0 or max(sizes, default=0) > MAX_BYTES:
        raise FileFormatError(f"{what} has shape {tuple(sizes)}, with sizes that no array has")
    if math.prod(max(n, 1) for n in sizes) * itemsize(kind) > MAX_BYTES:  # even 0 x 2**62 x 2**62 is no shape
        raise FileFormatError(f"{what} has shape {tuple(sizes)}, more than any memory holds")
    return tuple(sizes)


def byte_count(shape: tuple[int, ...], kind: str) -> int:
    """Bytes of an array, as an exact integer."""
    return math.prod(shape) * itemsize(kind)


def elements(data, kind: str, order: str = "<") -> numpy.ndarray:
    """A new flat array, in native byte order and a dtype that tensors have, of the elements in `data`.

    bfloat16 and float16 become float32, which holds every value of theirs.
    """
    if kind == "bf16":
        wide = numpy.frombuffer(data, f"{order}u2").astype("u4")
        wide <<= 16
        return wide.view("f4")
    if kind == "b1":
        return numpy.frombuffer(data, "u1") != 0  # a byte of 2 is no bool of NumPy's
    array = numpy.frombuffer(data, f"{order}{kind}")
    return array.astype("f4" if kind == "f2" else kind)
