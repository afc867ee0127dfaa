"""Samples into batches: `default_collate` stacks them, `default_convert` turns one into Tensors as it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import engine
from engine import ShapeError


def default_collate(batch):
    """Stack a list of samples into a batch: Tensors and arrays along a new first axis, numbers into a Tensor.

    Mappings, lists and named tuples are collated field by field, tuples become lists of fields; strings stay as
    they are. Python floats become float64, integers int64, as in PyTorch. TypeError or ShapeError names the sample,
    by its place in the batch, that is of another kind or shape than the first.
    """
    return collate(batch, range(len(batch)))


def collate(samples, names):
    """`default_collate` that calls the samples by `names`, their indices in the data set."""
    if not len(samples):
        raise ValueError("default_collate: no samples to stack")
    return _collate(samples, names, "")


def _collate(samples: Sequence, names, field: str):
    first = samples[0]
    for sample, name in zip(samples, names, strict=True):
        _check_like(first, names[0], sample, name, field)
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, engine.Tensor):
        return engine.stack(samples)
    if hasattr(first, "__array_interface__"):  # NumPy arrays and scalars
        return engine.stack([engine.as_tensor(s) for s in samples])
    if isinstance(first, float):
        return engine.tensor(samples, dtype=engine.float64)
    if isinstance(first, int):  # bool too
        return engine.tensor(samples)
    if isinstance(first, Mapping):
        return _like(first, {key: _collate([s[key] for s in samples], names, f"{field}[{key!r}]") for key in first})
    if isinstance(first, Sequence):
        fields = [_collate(f, names, f"{field}[{i}]") for i, f in enumerate(zip(*samples, strict=True))]
        return _like(first, fields)
    raise TypeError(
        f"default_collate: sample {names[0]}{field} is a {type(first).__name__}, which cannot be stacked into a "
        "batch; return Tensors, arrays, numbers, strings, tuples or dicts, or give DataLoader a collate_fn"
    )


def default_convert(data):
    """`data` with every NumPy array and scalar in it as a Tensor; tuples become lists, the rest stays as it is."""
    if isinstance(data, engine.Tensor):
        return data
    if hasattr(data, "__array_interface__"):
        return engine.as_tensor(data) if data.dtype.kind in "biuf" else data
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [default_convert(value) for value in data])
    return data


def _like(first, fields) -> Any:
    """`fields` in a container of the kind of `first`, with whatever else that one carries; a plain dict or list when
    the kind cannot be made that way. Tuples become lists, as in PyTorch."""
    if isinstance(first, tuple):
        return type(first)(*fields) if hasattr(first, "_fields") else fields
    made: Any
    try:
        if isinstance(first, MutableMapping):
            made = copy.copy(first)
            made.update(fields)
        elif isinstance(first, MutableSequence):
            made = copy.copy(first)
            for i, value in enumerate(fields):
                made[i] = value
        else:
            made = type(first)(fields)
    except TypeError:
        return fields
    return made


def _check_like(first, first_name, sample, name, field: str) -> None:
    """Refuse a sample of another kind, shape or length than the first of its batch."""
    numbers = isinstance(first, (int, float)) and isinstance(sample, (int, float))
    if type(sample) is not type(first) and not numbers:
        raise TypeError(
            f"sample {name}{field} is a {type(sample).__name__}, but sample {first_name}{field} of the "
            f"same batch is a {type(first).__name__}"
        )
    if isinstance(first, Mapping):
        missing = [key for key in first if key not in sample]
        if missing:
            raise KeyError(f"sample {name}{field} has no {missing}, which sample {first_name}{field} of the batch has")
        return
    shape, expected = _extent(sample), _extent(first)
    if shape != expected:
        raise ShapeError(
            f"sample {name}{field} has {shape}, but sample {first_name}{field} of the same batch has "
            f"{expected}; samples of a batch must be alike (or give DataLoader a collate_fn)"
        )


def _extent(sample) -> str:
    if hasattr(sample, "shape"):
        return f"shape {tuple(sample.shape)}"
    if isinstance(sample, Sequence) and not isinstance(sample, (str, bytes)):
        return f"{len(sample)} fields"
    return ""
