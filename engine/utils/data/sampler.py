"""Samplers: in which order a loader visits the samples of a data set.

A sampler that draws makes all its draws when iteration begins, so that a loop that draws too does not change it.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Generic, TypeVar

import engine

Index = TypeVar("Index", covariant=True)


class Sampler(Generic[Index]):
    """The base of samplers: subclasses define `__iter__()`, which yields indices (or lists of them: batches), and
    `__len__()` where the length of the loader is asked for."""

    def __iter__(self) -> Iterator[Index]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class SequentialSampler(Sampler[int]):
    """The indices of `data_source` in order."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))


class RandomSampler(Sampler[int]):
    """Indices of `data_source` in a new random order each time, drawn from `generator`.

    replacement  draw every index anew, so that it may come again (default: a permutation)
    num_samples  how many (default: as many as there are samples); without replacement more than
                 that means another permutation
    """

    def __init__(self, data_source, replacement: bool = False, num_samples: int | None = None, generator=None):
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement!r}")
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        _check_count(self.num_samples)

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        n, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            return iter(engine.randint(0, n, (wanted,), generator=self.generator).tolist())
        order: list[int] = []
        while len(order) < wanted:
            order += engine.randperm(n, generator=self.generator).tolist()
        return iter(order[:wanted])


class SubsetRandomSampler(Sampler[int]):
    """The given `indices` in a new random order each time, drawn from `generator`."""

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter([self.indices[i] for i in engine.randperm(len(self.indices), generator=self.generator).tolist()])


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices 0..len(weights) - 1, each drawn with a probability in proportion to its weight.

    Weights are finite, not negative and need not add up to 1; without `replacement` an index comes at most once.
    ValueError for arguments of another kind, RuntimeError for weights that cannot be drawn from.
    """

    def __init__(self, weights, num_samples: int, replacement: bool = True, generator=None):
        _check_count(num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement!r}")
        self.weights = engine.tensor(weights if hasattr(weights, "shape") else list(weights), dtype=engine.float64)
        if len(self.weights.shape) != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        weights = self.weights.tolist()
        for index, weight in enumerate(weights):
            if not 0 <= weight < math.inf:
                raise RuntimeError(f"weights must be finite and not negative, but weight {index} is {weight}")
        possible = [i for i, weight in enumerate(weights) if weight > 0]
        if len(possible) < (1 if self.replacement else self.num_samples):
            raise RuntimeError(
                f"cannot draw {self.num_samples} samples with replacement={self.replacement} from {len(weights)} "
                f"weights, of which {len(possible)} are positive"
            )
        draw = self._with_replacement if self.replacement else self._without_replacement
        return iter(draw(weights, possible))

    def _uniform(self, count: int) -> list[float]:
        return engine.rand(count, generator=self.generator, dtype=engine.float64).tolist()

    def _with_replacement(self, weights, possible) -> list[int]:
        ends = list(accumulate(weights[i] for i in possible))
        last = len(possible) - 1  # a draw just below 1 may round up to the end of the scale
        return [possible[min(bisect_right(ends, u * ends[-1]), last)] for u in self._uniform(self.num_samples)]

    def _without_replacement(self, weights, possible) -> list[int]:
        """Each index waits an exponential time of its weight; those that come first are taken, in that order
        (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006)."""
        times = [-math.log1p(-u) / weights[i] for i, u in zip(possible, self._uniform(len(possible)), strict=True)]
        return [i for _, i in heapq.nsmallest(self.num_samples, zip(times, possible, strict=True))]


class BatchSampler(Sampler[list]):
    """Lists of `batch_size` indices from `sampler`; the last one is shorter, or dropped with `drop_last`."""

    def __init__(self, sampler, batch_size: int, drop_last: bool):
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size!r}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __len__(self) -> int:
        samples = len(self.sampler)
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[list]:
        indices = iter(self.sampler)
        while len(batch := list(islice(indices, self.batch_size))) == self.batch_size:
            yield batch
        if batch and not self.drop_last:
            yield batch


def _check_count(num_samples) -> None:
    if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples < 1:
        raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples!r}")
