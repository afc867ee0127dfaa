"""The safetensors format, through the library of that name behind a strict check of what it lets pass.

    https://huggingface.co/docs/safetensors: u64 N; N bytes of {"name": {"dtype", "shape", "data_offsets"}, ...,
    "__metadata__": {string: string}}; then the data, without gaps. Offsets count from the end of the header.

The library (0.8) writes the memory of a strided array as if it were contiguous, takes a name that stands in the header
twice, and allocates before it has looked at everything: so arrays are given to it in row-major order, and a header is
believed only when its names are unique, shape times size of an element is what the offsets span, and the spans cover
the rest of the file exactly.
"""

from __future__ import annotations

import json

import numpy

from engine.extras import needed
from engine.serialization.elements import FileFormatError, byte_count, checked_shape, elements

MAX_HEADER = 100_000_000
_KINDS = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf16", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1",
    "BOOL": "b1",
}  # fmt: skip


def write(f, arrays: dict[str, numpy.ndarray], metadata: dict[str, str]) -> None:
    """Write arrays of any layout and byte order; the library orders them by size of element and name."""
    plain = {name: numpy.array(a, a.dtype.newbyteorder("<"), order="C") for name, a in arrays.items()}
    data = needed("safetensors.numpy", "a .safetensors file").save(plain, metadata or None)
    f.write(_sorted_metadata(data) if len(metadata) > 1 else data)


def _sorted_metadata(data: bytes) -> bytes:
    """The file with its metadata in order of names: the library leaves them in another one each time."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join((data[:8], text.ljust(start - 8), data[start:]))


def read(f, size: int) -> tuple[dict[str, numpy.ndarray], dict[str, str]]:
    """(arrays by name in the order of the header, metadata) of a file of `size` bytes, open at its beginning."""
    header, start = _header(f, size)
    metadata = header.pop("__metadata__", {})
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    _check_spans(entries, size - start)
    f.seek(0)
    data = f.read(size)
    if len(data) != size:
        raise FileFormatError(f"it ended after {len(data)} of {size} bytes while it was read")
    safetensors = needed("safetensors", "a .safetensors file")
    try:
        found = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"not a valid safetensors file: {error}") from None
    return {
        name: elements(found[name]["data"], kind).reshape(shape) for name, (kind, shape, *_) in entries.items()
    }, metadata


def metadata(f, size: int) -> dict[str, str]:
    """The metadata alone."""
    return _header(f, size)[0].get("__metadata__", {})


def _header(f, size):
    """(the header as a dict, where the data starts)."""
    length = int.from_bytes(f.read(8), "little")
    if size < 8 or length > min(MAX_HEADER, size - 8):
        raise FileFormatError(
            f"not a valid safetensors file: it has {size} bytes and announces a header of {length} (at most "
            f"{MAX_HEADER} are read); fetch it again if it is a part of one"
        )
    try:
        header = json.loads(f.read(length).decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"not a valid safetensors file: its header is not readable JSON ({error})") from None
    if not isinstance(header, dict):
        raise FileFormatError(f"not a valid safetensors file: its header is a {type(header).__name__}, not an object")
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FileFormatError("its metadata is not a table of strings")
    return header, 8 + length


def _unique(pairs):
    table: dict = {}
    for name, value in pairs:
        if name in table:
            raise ValueError(f"the name {name!r} stands there twice")
        table[name] = value
    return table


def _no_number(text):
    raise ValueError(f"{text} is no JSON")


def _entry(name, entry):
    """(kind, shape, begin, end) of one tensor, agreeing with each other."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"tensor {name!r} is described by {str(entry)[:80]}, expected dtype, shape, data_offsets")
    dtype, offsets = entry["dtype"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _KINDS:
        raise FileFormatError(f"tensor {name!r} has dtype {dtype!r}; those read are {', '.join(_KINDS)}")
    kind = _KINDS[dtype]
    shape = checked_shape(entry["shape"], kind, f"tensor {name!r}")
    if not isinstance(offsets, list) or len(offsets) != 2 or any(type(o) is not int or o < 0 for o in offsets):
        raise FileFormatError(f"tensor {name!r} has data_offsets {str(offsets)[:80]}, expected two numbers from 0 up")
    begin, end = offsets
    if end - begin != byte_count(shape, kind):
        raise FileFormatError(
            f"tensor {name!r} spans {end - begin} bytes, but {dtype} of shape {list(shape)} takes {byte_count(shape, kind)}"
        )
    return kind, shape, begin, end


def _check_spans(entries, size):
    """The tensors lie one after the other from 0 to `size`."""
    at = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda e: e[1][2:]):
        if begin != at:
            kind = "overlap" if begin < at else "leave a gap"
            raise FileFormatError(f"not a valid safetensors file: its tensors {kind} before {name!r} ({begin}, {at})")
        at = end
    if at != size:
        raise FileFormatError(f"not a valid safetensors file: it has {size} bytes of data, its header tells of {at}")
