"""Nested data (dicts, lists, tuples, numbers, strings, None, Tensors) as named Tensors and one JSON text, and back.

JSON has no tuples, no keys but strings, no infinities and no Tensors, so these are objects of one entry:

    {"dict": [[key, value], ...]}   {"tuple": [...]}   {"float": "inf"}   {"tensor": name}

A list is a list; numbers, strings, true, false and null are themselves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy

from engine.serialization.elements import FileFormatError
from engine.tensor import Tensor

FORMAT = 1
MAX_DEPTH = 100


def flatten(obj) -> tuple[dict[str, Tensor], str]:
    """(Tensors by name, JSON text) of nested data. TypeError, with the path to it, for what is no data."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps({"format": FORMAT, "value": _encode(obj, (), tensors)}, separators=(",", ":"), allow_nan=False)
    return tensors, text


def unflatten(text: str, tensors: dict[str, Tensor]):
    """The nested data that `flatten` took apart. FileFormatError when text and Tensors do not belong together."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"its structure is not readable JSON ({error})") from None
    if not isinstance(whole, dict) or whole.keys() != {"format", "value"} or whole["format"] != FORMAT:
        found = whole.get("format") if isinstance(whole, dict) else None
        raise FileFormatError(f"its structure is of format {found!r}, this version reads format {FORMAT}")
    left = dict(tensors)
    value = _decode(whole["value"], left, 0)
    if left:
        raise FileFormatError(f"its structure has no place for tensor {min(left)!r}")
    return value


def _path(keys) -> str:
    return "obj" + "".join(f"[{k!r}]" for k in keys)


def _encode(x, keys, tensors):
    if len(keys) > MAX_DEPTH:
        raise ValueError(
            f"save(): data nested deeper than {MAX_DEPTH} levels (or within itself) at {_path(keys[:4])}..."
        )
    if isinstance(x, Tensor):
        return {"tensor": _named(x, keys, tensors)}
    if isinstance(x, Mapping):
        return {"dict": [[_scalar(k, (*keys, k), key=True), _encode(v, (*keys, k), tensors)] for k, v in x.items()]}
    if isinstance(x, (list, tuple)):
        items = [_encode(v, (*keys, i), tensors) for i, v in enumerate(x)]
        return {"tuple": items} if isinstance(x, tuple) else items
    return _scalar(x, keys)


def _scalar(x, keys, key=False):
    if isinstance(x, numpy.generic):
        x = x.item()
    if x is None or isinstance(x, (bool, int, str)):
        return x
    if isinstance(x, float):
        return float(x) if math.isfinite(x) else {"float": str(float(x))}
    if key:
        raise TypeError(f"save(): key {_path(keys)} is of type {type(x).__name__}; keys are strings, numbers or None")
    advice = "save its state_dict()" if hasattr(x, "state_dict") else "make it one of these or leave it out"
    raise TypeError(
        f"save(): {_path(keys)} is of type {type(x).__name__}; files hold data only: Tensors, dicts, lists, tuples, "
        f"numbers, strings, None; {advice}"
    )


def _named(t, keys, tensors):
    """Enter t into `tensors` under a name that tells its path; returns the name."""
    path = ".".join(str(k) for k in keys) or "tensor"
    name, n = path, 1
    while name in tensors or name == "__metadata__":
        name, n = f"{path}#{n + 1}", n + 1
    tensors[name] = t
    return name


def _decode(x, tensors, depth):
    if depth > MAX_DEPTH:
        raise FileFormatError(f"its structure is nested deeper than {MAX_DEPTH} levels")
    if isinstance(x, list):
        return [_decode(v, tensors, depth + 1) for v in x]
    if not isinstance(x, dict):
        return x
    ((tag, value),) = x.items() if len(x) == 1 else [("", None)]
    if tag == "tuple" and isinstance(value, list):
        return tuple(_decode(v, tensors, depth + 1) for v in value)
    if tag == "float" and value in ("inf", "-inf", "nan"):
        return float(value)
    if tag == "tensor" and isinstance(value, str) and value in tensors:
        return tensors.pop(value)  # each belongs to one place
    if tag == "dict" and isinstance(value, list) and all(isinstance(p, list) and len(p) == 2 for p in value):
        keys = [_decode(k, {}, MAX_DEPTH) for k, _ in value]
        if not any(isinstance(k, (list, tuple, dict)) for k in keys) and len(set(keys)) == len(keys):
            return {k: _decode(v, tensors, depth + 1) for k, (_, v) in zip(keys, value, strict=True)}
    raise FileFormatError(f"its structure has no meaning at {str(x)[:60]!r}")
