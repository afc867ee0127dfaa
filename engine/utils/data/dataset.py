"""Data sets: what holds samples, and the ways to cut, join and chain what holds them."""

from __future__ import annotations

import bisect
import math
import warnings
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Generic, TypeVar

import engine

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """Samples by index: subclasses define `__getitem__(index)` and, for most uses, `__len__()`.

    A subclass may define whole batches as well; a DataLoader without a `collate_fn` of its own prefers them:

    get_batch(indices)     `indices` is an int64 Tensor [B] of numbers 0..len - 1, the result the finished
                           batch, what `default_collate` makes of the B samples
    __getitems__(indices)  `indices` is a list, the result the list of samples, still to be collated

    A subclass of such a class that overrides `__getitem__` alone is read sample by sample again.
    """

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample], Iterable[Sample]):
    """A stream of samples: subclasses define `__iter__()` (TypeError when one is made without it).

    With `num_workers` > 0 every worker iterates over its own shallow copy of the data set, and they take turns:
    use `get_worker_info()` in `__iter__`, or a `worker_init_fn`, to give each a share of its own.
    """

    def __add__(self, other):
        return ChainDataset([self, other])


def batch_method(dataset, name: str):
    """The method `name` (get_batch, __getitems__) of `dataset`; None when it has none, when it is None, or when a
    class below the one that defines it overrides `__getitem__`, which the method would pass by."""
    layers = [getattr(dataset, "__dict__", {}), *map(vars, type(dataset).__mro__)]
    for layer in layers:
        if name in layer:
            return getattr(dataset, name)
        if "__getitem__" in layer:
            return None
    return None


class TensorDataset(Dataset[tuple]):
    """Samples along the first axis of one or more Tensors of equal length.

    Sample `i` is the tuple `(t[i] for t in tensors)`. AssertionError, as in PyTorch, when the lengths differ.
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
                raise AssertionError(
                    f"Size mismatch between tensors: TensorDataset's argument {position} has {tensor.shape[0]} "
                    f"samples, but argument 0 has {tensors[0].shape[0]}"
                )
        self.tensors = tensors

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def get_batch(self, indices):
        """The samples at `indices`, an int64 Tensor [B]: a list of Tensors [B, ...]."""
        return [tensor[indices] for tensor in self.tensors]


class StackDataset(Dataset):
    """Data sets side by side: sample `i` is the tuple of their samples `i`, or a dict when they are given by name.

    ValueError when none is given, when both forms are mixed, or when the lengths differ.
    """

    def __init__(self, *args, **kwargs):
        if args and kwargs:
            raise ValueError(
                "StackDataset takes data sets by position (samples are tuples) or by name (dicts), not both"
            )
        self.datasets: Any = args or kwargs
        if not self.datasets:
            raise ValueError("StackDataset: at least one dataset should be passed")
        lengths = [len(d) for d in args or kwargs.values()]
        if len(set(lengths)) > 1:
            raise ValueError(f"Size mismatch between datasets: StackDataset got data sets of {lengths} samples")
        self._length = lengths[0]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index):
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)


class ConcatDataset(Dataset[Sample]):
    """Data sets one after the other. AssertionError, as in PyTorch, for none at all or for an IterableDataset."""

    def __init__(self, datasets: Iterable):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset: datasets should not be an empty iterable")
        for position, dataset in enumerate(self.datasets):
            if isinstance(dataset, IterableDataset):
                raise AssertionError(f"ConcatDataset does not support IterableDataset, which number {position} is")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        count = len(self)
        if index < -count:
            raise ValueError(f"ConcatDataset: index {index} reaches before the first of {count} samples")
        if index >= count:
            raise IndexError(f"ConcatDataset: index {index} is out of range for {count} samples")
        index = index % count
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[Sample]):
    """Streams one after the other. AssertionError, as in PyTorch, when one is no IterableDataset."""

    def __init__(self, datasets: Iterable):
        self.datasets = datasets

    def _checked(self):
        for position, dataset in enumerate(self.datasets):
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(
                    f"ChainDataset only supports IterableDataset, but number {position} is a {type(dataset).__name__}"
                )
            yield dataset

    def __iter__(self):
        for dataset in self._checked():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(d) for d in self._checked())


class Subset(Dataset[Sample]):
    """The samples of `dataset` at `indices`, in that order. IndexError when one is out of range."""

    def __init__(self, dataset, indices):
        self.dataset = dataset
        self.indices = [int(i) for i in indices]
        count = len(dataset)
        for position, index in enumerate(self.indices):
            if not -count <= index < count:
                raise IndexError(
                    f"Subset: index {index} at position {position} is out of range for a data set of {count} samples"
                )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    @property
    def get_batch(self):
        """The data set's own `get_batch`, of this subset's indices; None when it has none."""
        whole, count = batch_method(self.dataset, "get_batch"), len(self.dataset)
        return whole and (lambda indices: whole(engine.tensor([self.indices[i] % count for i in indices.tolist()])))

    @property
    def __getitems__(self):
        """The data set's own `__getitems__`, of this subset's indices; None when it has none."""
        several = batch_method(self.dataset, "__getitems__")
        return several and (lambda indices: several([self.indices[i] for i in indices]))


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
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(lengths), lengths, strict=True)]


def _lengths_of_fractions(fractions: list[float], count: int) -> list[int]:
    if any(not 0 <= f <= 1 for f in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise ValueError(f"random_split: fractions must lie in 0..1 and add up to 1, got {fractions}")
    lengths = [math.floor(count * f) for f in fractions]
    for i in range(count - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if length == 0:
            warnings.warn(f"Length of split at index {i} is 0: {fractions[i]} of {count} samples", stacklevel=3)
    return lengths
