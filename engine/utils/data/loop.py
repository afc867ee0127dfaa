"""One pass over a loader: batch by batch in the loop itself, or ahead of it by workers."""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any

from engine.generator import chosen, drawing_from
from engine.utils.data.fetch import END, Fetch, Keys, Task
from engine.utils.data.worker import Job

POLL = 1.0  # seconds between two looks at whether the workers still live


class InTurn:
    """A loop that makes each batch when it is asked for."""

    def __init__(self, loader):
        if loader.timeout:
            raise AssertionError(
                f"DataLoader: timeout={loader.timeout} needs num_workers > 0: there is no one to wait for"
            )
        keys = Keys(chosen(loader.generator))
        self._fetch, self._dataset = Fetch(loader, keys), loader.dataset
        self._tasks, self._loader = _tasks(loader, keys), loader

    def __iter__(self):
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def __next__(self):
        batch = self._fetch(self._dataset, next(self._tasks))
        if batch is END:
            raise StopIteration
        return batch


class Ahead:
    """A loop that has its batches made by workers, a bounded number ahead."""

    _crew: Any = None  # a Crew until the loop is over

    def __init__(self, loader):
        keys = Keys(chosen(loader.generator))
        self._loader, self._tasks = loader, _tasks(loader, keys)
        self._job = Job(Fetch(loader, keys))
        self._turns = deque(range(loader.num_workers))  # workers that have more to give, the next one in front
        self._due: dict[int, tuple[Task, int]] = {}  # given out and not yet handed on: number -> task, worker
        self._made: dict[int, tuple] = {}  # results that came before their turn: number -> batch, error
        self._failed: Exception | None = None
        self._crew = loader.crew(keys.order.initial_seed())

    def __iter__(self):
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def __next__(self):
        while self._crew is not None:
            self._give_out()
            if not self._due:
                self._close()
                break
            batch, worker = self._take()
            if batch is not END:
                self._give_out()
                return batch
            if worker in self._turns:
                self._turns.remove(worker)
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        raise StopIteration

    def _give_out(self) -> None:
        """Keep the workers supplied. An error of the sampler waits until the batches before it are handed on."""
        limit = self._loader.prefetch_factor * self._loader.num_workers
        while self._turns and self._failed is None and len(self._due) < limit:
            try:
                task = next(self._tasks, None)
            except Exception as error:
                self._failed = error
                return
            if task is None:
                return
            worker = self._turns[0]
            self._turns.rotate(-1)
            self._due[task.number] = task, worker
            self._crew.submit(worker, self._job, task)

    def _take(self):
        """(batch, worker) of the batch that comes next; raises the error there was in its place."""
        number = next(iter(self._due))
        deadline = time.monotonic() + (self._loader.timeout or math.inf)
        while not (number in self._made if self._loader.in_order else self._made):
            task, batch, error = self._wait(deadline)
            self._made[task.number] = batch, error
        if not self._loader.in_order:
            number = next(iter(self._made))
        batch, error = self._made.pop(number)
        _, worker = self._due.pop(number)
        if error is not None:
            try:
                raise error
            finally:
                del error  # whose traceback holds this frame
        return batch, worker

    def _wait(self, deadline: float):
        """The next (task, batch, error) from any worker."""
        while True:
            try:
                return self._job.results.get(timeout=min(POLL, max(deadline - time.monotonic(), 0)))
            except queue.Empty:
                pass
            except KeyboardInterrupt:
                self._close()
                raise
            task, _ = next(iter(self._due.values()))
            if time.monotonic() >= deadline:
                raise RuntimeError(
                    f"DataLoader timed out after {self._loader.timeout} seconds waiting for batch {task.number} of "
                    f"{type(self._loader.dataset).__name__}, samples {task.indices}"
                )
            if not self._crew.alive():
                raise RuntimeError(
                    "DataLoader: the workers of this loop are gone, as they are in a process that was forked in the "
                    "middle of it; start a new loop there"
                )

    def _close(self) -> None:
        """Let the workers go: nobody will ask for another batch."""
        crew, self._crew = self._crew, None
        if crew is not None:
            self._job.fetch.left = True
            if not self._loader.persistent_workers:
                crew.stop()

    __del__ = _close


def _tasks(loader, keys: Keys) -> Iterator[Task]:
    """The batches of one pass. What the sampler draws without naming a generator comes from the pass's own, and so
    does not mix with the draws of the loop."""
    first, batched = 0, loader.batch_sampler is not None
    with drawing_from(keys.order):
        source = iter(loader.order_sampler)
    for number in count():
        with drawing_from(keys.order):
            try:
                indices = next(source)
            except StopIteration:
                return
        yield Task(number, first, list(indices) if batched else indices)
        first += len(indices) if batched else 1
