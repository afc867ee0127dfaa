"""Data sets and the loader that cuts them into batches, under the names of `torch.utils.data`.

A data set that holds its samples in memory offers `get_batch(indices)`, and the loader then fetches
every batch with that one call. Any other data set is read sample by sample and stacked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import engine


class Dataset:
    """A sequence of samples: subclasses define `__getitem__(index)` and `__len__()`.

    A subclass may define `get_batch(indices)` as well: `indices` is an int64 Tensor [B], the result
    the finished batch, what stacking the B samples would give.
    """

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")


class TensorDataset(Dataset):
    """Samples along the first axis of one or more Tensors of equal length.

    Sample `i` is the tuple `(t[i] for t in tensors)`. ValueError when the lengths differ.
    """

    def __init__(self, *tensors):
        if not tensors:
            raise ValueError("TensorDataset needs at least one Tensor")
        for position, tensor in enumerate(tensors):
            if not isinstance(tensor, engine.Tensor):
                raise TypeError(
                    f"TensorDataset takes Tensors, but argument {position} is a {type(tensor).__name__}; "
                    "convert it with engine.tensor(...) or engine.from_numpy(...)"
                )
            if not tensor.shape:
                raise ValueError(f"TensorDataset: argument {position} has no axis to take samples from")
            if tensor.shape[0] != tensors[0].shape[0]:
                raise ValueError(
                    f"TensorDataset: argument {position} has {tensor.shape[0]} samples, "
                    f"but argument 0 has {tensors[0].shape[0]}"
                )
        self.tensors = tensors

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def get_batch(self, indices):
        """The samples at `indices`, an int64 Tensor [B]: a tuple of Tensors [B, ...]."""
        return tuple(tensor[indices] for tensor in self.tensors)


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order. IndexError when one is out of range."""

    def __init__(self, dataset, indices):
        count = len(dataset)
        self.dataset = dataset
        self.indices = [int(i) for i in indices]
        for position, index in enumerate(self.indices):
            if not -count <= index < count:
                raise IndexError(
                    f"Subset: index {index} at position {position} is out of range for a data set of {count} samples"
                )
        self._order = engine.tensor([i % count for i in self.indices], dtype=engine.int64)
        if hasattr(dataset, "get_batch"):
            self.get_batch = lambda indices: dataset.get_batch(self._order[indices])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


def random_split(dataset, lengths, generator=None) -> list[Subset]:
    """Cut `dataset` at random into disjoint Subsets of the given lengths.

    `lengths` are integers that add up to `len(dataset)`, or fractions that add up to 1 (what rounding
    leaves over goes to the first subsets, one sample each). The cut depends on `generator` alone, or
    on `engine.manual_seed` without one.
    """
    count = len(dataset)
    lengths = list(lengths)
    if any(isinstance(length, float) for length in lengths):
        lengths = _lengths_of_fractions(lengths, count)
    if any(length < 0 for length in lengths) or sum(lengths) != count:
        raise ValueError(
            f"random_split: lengths {lengths} add up to {sum(lengths)}, but the data set has {count} samples"
        )
    order = engine.randperm(count, generator=generator).tolist()
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    return [Subset(dataset, order[start : start + n]) for start, n in zip(starts, lengths, strict=True)]


def _lengths_of_fractions(fractions: list[float], count: int) -> list[int]:
    if any(not 0 <= f <= 1 for f in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise ValueError(f"random_split: fractions must lie in 0..1 and add up to 1, got {fractions}")
    lengths = [math.floor(count * f) for f in fractions]
    for i in range(count - sum(lengths)):
        lengths[i % len(lengths)] += 1
    return lengths


class SequentialSampler:
    """The indices of `dataset` in order."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.dataset)))

    def order(self):
        """All indices at once, an int64 Tensor [N]."""
        return engine.arange(len(self.dataset))


class RandomSampler:
    """The indices of `dataset` in a new random order each time, drawn from `generator`."""

    def __init__(self, dataset, generator=None):
        self.dataset = dataset
        self.generator = generator

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def order(self):
        """All indices at once, an int64 Tensor [N]."""
        return engine.randperm(len(self.dataset), generator=self.generator)


class DataLoader:
    """Iterate over `dataset` in batches; every `for` loop over it is one epoch.

    dataset     anything with `__getitem__` and `__len__`; with `get_batch`, batches are fetched whole
    batch_size  samples per batch; the last batch is smaller unless `drop_last`
    shuffle     a new order each epoch, drawn from `generator` (`engine.manual_seed` without one)
    sampler     an iterable of indices that sets the order; excludes `shuffle`
    collate_fn  turns a list of samples into a batch; forces reading sample by sample
    """

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=False,
        sampler=None,
        drop_last=False,
        generator=None,
        collate_fn=None,
    ):
        if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
            raise TypeError(
                f"DataLoader: the data set must have __getitem__ and __len__, but {type(dataset).__name__} has not"
            )
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be a positive integer, got {batch_size!r}")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: give either sampler or shuffle=True; a sampler sets the order itself")
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        if sampler is None:
            sampler = RandomSampler(dataset, generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        self.generator = generator
        self.collate_fn = collate_fn

    def __len__(self) -> int:
        """Batches per epoch."""
        samples = len(self.sampler)
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self):
        whole = self.collate_fn is None and hasattr(self.dataset, "get_batch")
        order = self._order()
        fetch = self.dataset.get_batch if whole else self._fetch_samples
        samples = order.shape[0]
        stop = samples - samples % self.batch_size if self.drop_last else samples
        for start in range(0, stop, self.batch_size):
            yield fetch(order[start : min(start + self.batch_size, stop)])

    def _order(self):
        """This epoch's indices, an int64 Tensor [N]."""
        if hasattr(self.sampler, "order"):
            return self.sampler.order()
        indices = [int(i) for i in self.sampler]
        count = len(self.dataset)
        for position, index in enumerate(indices):
            if not -count <= index < count:
                raise IndexError(
                    f"DataLoader: the sampler's index {index} (its position {position}) is out of range "
                    f"for a data set of {count} samples"
                )
        return engine.tensor(indices, dtype=engine.int64)

    def _fetch_samples(self, indices):
        indices = indices.tolist()
        samples = [self.dataset[i] for i in indices]
        if self.collate_fn is not None:
            return self.collate_fn(samples)
        return default_collate(samples, indices)


def default_collate(samples: list, indices: list[int] | None = None):
    """Stack samples into a batch: Tensors and arrays along a new first axis, numbers into a Tensor.

    Tuples and mappings are collated field by field; strings stay a list. Python floats become
    float32, integers int64. ValueError or TypeError names the sample (its index in the data set when
    `indices` are given) that does not fit.
    """
    if not samples:
        raise ValueError("default_collate: no samples to stack")
    return _collate(samples, indices if indices is not None else list(range(len(samples))), "")


def _collate(samples: list, indices: list[int], field: str):
    first = samples[0]
    for sample, index in zip(samples, indices, strict=True):
        _check_like(first, indices[0], sample, index, field)
    if isinstance(first, Mapping):
        return {key: _collate([s[key] for s in samples], indices, f"{field}[{key!r}]") for key in first}
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, engine.Tensor):
        return engine.stack(samples)
    if hasattr(first, "__array_interface__"):  # NumPy arrays and scalars
        return engine.stack([engine.tensor(s) for s in samples])
    if isinstance(first, (int, float)):  # bool is an int
        return engine.tensor(samples)
    if isinstance(first, Sequence):
        fields = [_collate(list(f), indices, f"{field}[{i}]") for i, f in enumerate(zip(*samples, strict=True))]
        kind: Any = type(first)
        return kind(*fields) if hasattr(first, "_fields") else kind(fields)
    raise TypeError(
        f"sample {indices[0]}{field} is a {type(first).__name__}, which cannot be stacked into a batch; "
        "return Tensors, arrays, numbers, strings, tuples or dicts, or give DataLoader a collate_fn"
    )


def _check_like(first, first_index: int, sample, index: int, field: str) -> None:
    """Refuse a sample of another kind, shape or length than the first of its batch."""
    numbers = isinstance(first, (int, float)) and isinstance(sample, (int, float))
    if type(sample) is not type(first) and not numbers:
        raise TypeError(
            f"sample {index}{field} is a {type(sample).__name__}, but sample {first_index}{field} of the "
            f"same batch is a {type(first).__name__}"
        )
    shape, expected = _extent(sample), _extent(first)
    if shape != expected:
        raise ValueError(
            f"sample {index}{field} has {shape}, but sample {first_index}{field} of the same batch has "
            f"{expected}; samples of a batch must be alike (or give DataLoader a collate_fn)"
        )


def _extent(sample) -> str:
    if hasattr(sample, "shape"):
        return f"shape {tuple(sample.shape)}"
    if isinstance(sample, Mapping):
        return f"keys {list(sample)}"
    if isinstance(sample, Sequence) and not isinstance(sample, (str, bytes)):
        return f"{len(sample)} fields"
    return ""
