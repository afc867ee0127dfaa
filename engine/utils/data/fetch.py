"""How one batch is made, in whichever thread: read, drawn from its own random numbers, collated; errors say where.

Every pass over a loader has one key. Sample number i of the pass (its place in the order, not its index) draws from
generator i of the key's first family, batch number n, where it is made as a whole or collated, from generator n of the
second. So what comes out depends neither on the number of workers nor on who made what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import engine
from engine.generator import Generator, derived, drawing_from
from engine.utils.data.collate import collate, default_collate
from engine.utils.data.dataset import IterableDataset, batch_method
from engine.utils.data.worker import get_worker_info

END = object()  # instead of a batch: this stream has no more of them


@dataclass(frozen=True, slots=True)
class Task:
    """Batch `number`, whose first sample is number `first` of the pass."""

    number: int
    first: int
    indices: Any  # a list; without batches one index


class Keys:
    """The random numbers of one pass: the order, and the keys of the families of samples and batches."""

    def __init__(self, generator):
        key = generator.next_key()
        self.order: Generator = derived(key, 0)
        self.samples, self.batches = derived(key, 1).next_key(), derived(key, 2).next_key()


class Fetch:
    """Makes batches of one pass over the data set of `loader`; `left` turns True when nobody wants them any more."""

    def __init__(self, loader, keys: Keys):
        self.batched, self.drop_last = loader.batch_sampler is not None, loader.drop_last
        self.collate_fn, self.keys, self.left = loader.collate_fn, keys, False
        self.streams: dict[int, Stream] = {}  # by worker

    def __call__(self, dataset, task: Task):
        """The batch of `task`, or END."""
        if isinstance(dataset, IterableDataset):
            return self._from_stream(dataset, task)
        if not self.batched:
            return self._collated(dataset, task, self._sample(dataset, task.indices, task.first))
        if self.collate_fn is default_collate and (whole := batch_method(dataset, "get_batch")):
            return self._as_one(dataset, task, self.keys.batches, lambda: whole(_checked(task, len(dataset))))
        if several := batch_method(dataset, "__getitems__"):
            samples = self._as_one(dataset, task, self.keys.samples, lambda: several(task.indices))
        else:
            samples = []
            for offset, index in enumerate(task.indices):
                if self.left:
                    return None
                samples.append(self._sample(dataset, index, task.first + offset))
        return self._collated(dataset, task, samples)

    def _sample(self, dataset, index, position: int):
        try:
            with drawing_from(derived(self.keys.samples, position)):
                return dataset[index]
        except Exception as error:
            raise located(error, f"sample {index!r} of {_name(dataset)}")  # noqa: B904  (most often the same object)

    def _collated(self, dataset, task: Task, samples):
        if self.collate_fn is default_collate:
            return self._as_one(dataset, task, self.keys.batches, lambda: collate(samples, task.indices))
        return self._as_one(dataset, task, self.keys.batches, lambda: self.collate_fn(samples))

    def _as_one(self, dataset, task: Task, family, make):
        """`make()`, drawing from the batch's own generator of that family."""
        try:
            with drawing_from(derived(family, task.number)):
                return make()
        except Exception as error:
            raise located(error, f"batch {task.number} of {_name(dataset)}, samples {_listed(task)}")  # noqa: B904

    def _from_stream(self, dataset, task: Task):
        info = get_worker_info()
        worker = info.id if info else 0
        if worker not in self.streams:
            self.streams[worker] = Stream(dataset, derived(self.keys.samples, worker))
        stream, wanted = self.streams[worker], len(task.indices) if self.batched else 1
        numbers, samples = stream.take(wanted)
        if not samples or (self.drop_last and len(samples) < wanted):
            return END
        return self._collated(dataset, Task(task.number, task.first, numbers), samples if self.batched else samples[0])


class Stream:
    """One worker's pass over an IterableDataset, which draws from one generator all along."""

    def __init__(self, dataset, generator: Generator):
        self.dataset, self.generator, self.taken = dataset, generator, 0
        self.iterator: Iterator | None = None

    def take(self, count: int) -> tuple[list[int], list]:
        """The numbers within the stream of its next samples, and these: `count` of them, or fewer at the end."""
        samples: list = []
        try:
            with drawing_from(self.generator):
                if self.iterator is None:
                    self.iterator = iter(self.dataset)
                for sample in islice(self.iterator, count):
                    samples.append(sample)
        except Exception as error:
            raise located(error, f"sample number {self.taken + len(samples)} of {_name(self.dataset)}")  # noqa: B904
        first, self.taken = self.taken, self.taken + len(samples)
        return list(range(first, self.taken)), samples


def _checked(task: Task, count: int):
    """The indices of a batch as an int64 Tensor of numbers 0..count - 1; IndexError names the one that is outside."""
    indices = [i if i >= 0 else i + count for i in map(int, task.indices)]
    for offset, index in enumerate(indices):
        if not 0 <= index < count:
            raise IndexError(
                f"DataLoader: the sampler's index {task.indices[offset]} (its position {task.first + offset}) is out "
                f"of range for a data set of {count} samples"
            )
    return engine.tensor(indices).to(engine.int64)


def _name(dataset) -> str:
    return type(dataset).__name__


def _listed(task: Task) -> str:
    indices = task.indices if isinstance(task.indices, list) else [task.indices]
    return ", ".join(map(str, indices[:8])) + (f", ... ({len(indices)})" if len(indices) > 8 else "")


# ---- errors


class _Bare(str):
    """A message that KeyError, which shows the repr of its argument, prints as it is."""

    def __repr__(self):
        return str(self)


def located(error: Exception, place: str) -> Exception:
    """`error` itself, its message followed by the place and the worker where it happened.

    A StopIteration, which would end the loop in silence, becomes a RuntimeError.
    """
    info = get_worker_info()
    where = f" ({place}, worker {info.id})" if info else f" ({place})"
    if isinstance(error, StopIteration):
        made = RuntimeError(f"StopIteration was raised{where}")
        made.__cause__ = error
        return made
    if isinstance(error, OSError) and isinstance(error.strerror, str):
        error.strerror += where
    elif isinstance(error, KeyError) and len(error.args) == 1:
        error.args = (_Bare(f"{error.args[0]!r}{where}"),)
    elif not error.args or (len(error.args) == 1 and str(error) == error.args[0]):
        error.args = (f"{error}{where}".lstrip(),)
    elif hasattr(error, "add_note"):  # a type with arguments of its own; Python 3.10 has no place for a note
        error.add_note(where.strip())
    return error
