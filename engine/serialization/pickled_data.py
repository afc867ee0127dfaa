"""The globals that data in a pickle may name, beside those of PyTorch: ordered dicts, sets, bytes, NumPy's arrays."""

from __future__ import annotations

from collections import OrderedDict

import numpy

from engine.serialization.elements import FileFormatError, byte_count, checked_shape
from engine.serialization.unpickler import Function, Part, Unbuilt, Unpickler, checked_key

_KINDS = "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split()
_TEXT = (str, bytes)  # Python 2's strings may be either


def read_pickle(data: bytes):
    """What a pickle of plain data holds, e.g. a batch of CIFAR's Python version: a dict with bytes for keys.

    Numbers, strings, lists, tuples, dicts, sets and NumPy arrays, written with protocol 1 to 4; strings of Python 2
    come back as bytes. Nothing is ever run or imported: FileFormatError (a ValueError) for any pickle that asks for it.
    """
    machine = Unpickler(data, DATA, text=None)
    result = machine.load()
    if machine.position != len(data):
        raise FileFormatError(f"its pickle ends after {machine.position} of {len(data)} bytes")
    return result


def _ordered_dict(pairs=()):
    table: OrderedDict = OrderedDict()
    for pair in pairs:
        if type(pair) not in (list, tuple) or len(pair) != 2:
            raise FileFormatError("its pickle makes an OrderedDict of what are no pairs")
        table[checked_key(pair[0])] = pair[1]
    return table


def _encode(text, encoding):
    """Bytes, which protocol 2 writes as text."""
    if encoding not in ("latin1", "latin-1") or not all(ord(c) < 256 for c in text):
        raise FileFormatError(f"its pickle encodes text as {encoding[:20]!r}; only bytes as latin1 are data")
    return text.encode("latin1")


def _dtype(code, align, copy):
    """numpy.dtype: its byte order follows."""
    kind = code.decode("latin1") if isinstance(code, bytes) else code
    if kind not in _KINDS:
        raise FileFormatError(f"its pickle holds a NumPy array of dtype {kind[:20]!r}; numbers only, please")

    def build(state):
        known = (None, None, None, -1, -1, 0)
        if type(state) is not tuple or len(state) != 8 or state[0] not in (3, 4) or tuple(state[2:]) != known:
            raise FileFormatError("its pickle describes a NumPy dtype in a way that numbers have not")
        order = state[1].decode("latin1") if type(state[1]) is bytes else state[1]
        if order not in ("<", ">", "|", "="):
            raise FileFormatError("its pickle describes a NumPy dtype of unknown byte order")
        return numpy.dtype(f"{order}{kind}")

    return Unbuilt(build)


def _scalar(dtype, data):
    """A NumPy number, as one of Python's."""
    if len(data) != dtype.itemsize:
        raise FileFormatError(f"its pickle holds a NumPy number of {len(data)} bytes, {dtype} has {dtype.itemsize}")
    return numpy.frombuffer(data, dtype)[0].item()


def _reconstruct(kind, shape, code):
    """A NumPy array: everything about it follows."""
    return Unbuilt(_array)


def _array(state):
    if type(state) is not tuple or len(state) != 5 or not isinstance(state[2], numpy.dtype):
        raise FileFormatError("its pickle describes a NumPy array in an unknown way")
    version, shape, dtype, fortran, data = state
    if version != 1 or not isinstance(fortran, int) or type(data) is not bytes or type(shape) is not tuple:
        raise FileFormatError("its pickle describes a NumPy array in an unknown way")
    kind = f"{dtype.kind}{dtype.itemsize}"
    shape = checked_shape(shape, kind, "a NumPy array in its pickle")
    if len(data) != byte_count(shape, kind):
        raise FileFormatError(
            f"its pickle holds a NumPy array of shape {shape} and dtype {dtype} with {len(data)} bytes of data, "
            f"expected {byte_count(shape, kind)}"
        )
    flat = numpy.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
    return flat.reshape(shape, order="F" if fortran else "C")


class _ArrayType(Part):
    """numpy.ndarray, which `_reconstruct` is told to make."""


_SET = Function(lambda items: set(map(checked_key, items)), (list,), 1)
DATA: dict = {
    "collections OrderedDict": Function(_ordered_dict, (list,), 0),
    "__builtin__ set": _SET,
    "builtins set": _SET,
    "__builtin__ bytes": Function(bytes, (), 0),  # no bytes at all, as protocol 2 writes them
    "_codecs encode": Function(_encode, (str, str), 2),
    "numpy ndarray": _ArrayType(),
    "numpy dtype": Function(_dtype, (_TEXT, int, int), 3),
}
for _package in ("numpy.core.multiarray", "numpy._core.multiarray"):
    DATA[f"{_package} _reconstruct"] = Function(_reconstruct, (_ArrayType, tuple, _TEXT), 3)
    DATA[f"{_package} scalar"] = Function(_scalar, (numpy.dtype, bytes), 2)
