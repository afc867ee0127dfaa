"""DataLoader: a data set, an order, and how many threads prepare its batches."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from itertools import repeat
from typing import Any, Generic

from engine.generator import Generator
from engine.utils.data.collate import default_collate, default_convert
from engine.utils.data.dataset import IterableDataset, Sample
from engine.utils.data.loop import Ahead, InTurn
from engine.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from engine.utils.data.worker import Crew, get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

FIXED = "batch_size batch_sampler sampler drop_last dataset persistent_workers".split()  # once the loader is made


class DataLoader(Generic[Sample]):
    """Iterate over `dataset` in batches; every `for` loop over it is one epoch.

    dataset        anything with `__getitem__` and `__len__`, or an IterableDataset; with `get_batch` and without a
                   `collate_fn`, batches are fetched whole
    batch_size     samples per batch; the last batch is smaller unless `drop_last`. None: single samples, not stacked
    shuffle        a new order each epoch, drawn from `generator` (`engine.manual_seed` without one)
    sampler        an iterable of indices that sets the order; batch_sampler: one of lists of indices
    num_workers    threads that make batches ahead of the loop, `prefetch_factor` (default 2) each; an error in one
                   is raised in the loop, with its type, and names sample and worker
    collate_fn     turns a list of samples into a batch; forces reading sample by sample
    timeout        seconds to wait for a batch of the workers, then RuntimeError; 0 waits for ever
    worker_init_fn called with the number of the worker in each one when it starts
    persistent_workers   keep the threads, and their copies of the data set, from epoch to epoch
    in_order       False: batches come as they are finished
    pin_memory, pin_memory_device, multiprocessing_context   accepted; nothing is pinned and no process is started:
                   `Upload(loader, "cuda")` copies batches to a GPU through pinned memory, ahead of the loop

    What comes out is the same, byte by byte, for any `num_workers`: order, samples and whatever they draw without
    naming a generator, because each sample and batch has random numbers of its own. Draws from Python's or NumPy's
    global generators, or from a shared `engine.Generator`, are not: those depend on which thread comes first. The
    order of an IterableDataset with several workers is that of the workers taking turns.
    """

    _ready = False

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        _check_generator(generator)
        _check_order(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset, self.generator = dataset, generator
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers, self.in_order = persistent_workers, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.multiprocessing_context = multiprocessing_context
        if batch_sampler is not None:
            batch_size = None
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler = _default_sampler(dataset, shuffle, generator) if sampler is None else sampler
        if batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._crew = None
        self._ready = True

    def __setattr__(self, name, value):
        if self._ready and name in FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized; make a new one"
            )
        super().__setattr__(name, value)

    @property
    def order_sampler(self):
        """What sets the order: the batch sampler, or the sampler of single samples."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __len__(self) -> int:
        """Batches per epoch."""
        if not isinstance(self.dataset, IterableDataset):
            return len(self.order_sampler)
        stream: Any = self.dataset
        samples = len(stream)
        if self.batch_size is None:
            return samples
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator:
        return Ahead(self) if self.num_workers else InTurn(self)

    def crew(self, seed: int) -> Crew:
        """The workers of a new loop: the persistent ones if there are any, else new ones."""
        if self._crew is not None and self._crew.alive():
            return self._crew
        shared = not isinstance(self.dataset, IterableDataset)
        crew = Crew(self.dataset, self.num_workers, seed, self.worker_init_fn, shared)
        if self.persistent_workers:
            self._crew = crew
        return crew


class _Endless(Sampler):
    """In place of indices, for streams."""

    def __iter__(self):
        return repeat(None)


def _default_sampler(dataset, shuffle, generator) -> Sampler:
    if isinstance(dataset, IterableDataset):
        return _Endless()
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


# ---- arguments


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, context) -> None:
    if num_workers < 0:
        raise ValueError(
            f"num_workers option should be non-negative, got {num_workers}; 0 makes batches in the loop itself"
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, got {timeout}")
    if prefetch_factor is not None and num_workers == 0:
        raise ValueError(
            "prefetch_factor option could only be specified with num_workers > 0: nothing is fetched ahead"
        )
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"prefetch_factor option should be positive, got {prefetch_factor}")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and num_workers == 0:
        raise ValueError(f"multiprocessing_context can only be used with num_workers > 0, got {context!r}")
    if isinstance(context, str) and context not in multiprocessing.get_all_start_methods():
        methods = multiprocessing.get_all_start_methods()
        raise ValueError(
            f"multiprocessing_context should be one of {methods}, got {context!r}; workers are threads anyway"
        )


def _check_generator(generator) -> None:
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"DataLoader: generator must be an engine.Generator, got {type(generator).__name__}")


def _check_order(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last) -> None:
    """What sets the order must be said once."""
    if isinstance(dataset, IterableDataset):
        for name, value in (("shuffle", shuffle), ("sampler", sampler), ("batch_sampler", batch_sampler)):
            if value is not None and value is not False:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}; "
                    "a stream sets its order itself"
                )
    elif not hasattr(dataset, "__getitem__") or (
        sampler is None and batch_sampler is None and not hasattr(dataset, "__len__")
    ):
        raise TypeError(
            f"DataLoader: the data set must have __getitem__ and __len__, but {type(dataset).__name__} has not; "
            "a stream must be an IterableDataset"
        )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle: a sampler sets the order itself")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
