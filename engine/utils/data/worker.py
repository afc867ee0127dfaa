"""Worker threads: a crew that makes batches while the loop trains on earlier ones.

Threads, not processes: kernels, file reading and decompression release the lock of the interpreter, nothing is
pickled, and there is no fork to go wrong. They compute on one core each and leave the others to the training.
"""

from __future__ import annotations

import copy
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from engine import backends
from engine.grad_mode import is_grad_enabled, set_grad_enabled
from engine.utils.data.dataset import Dataset

PATIENCE = 5.0  # seconds for the sample under way when a loop is left; a thread stuck for longer is left behind


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows: its number `id`, how many there are, a seed of its own, its copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Here(threading.local):
    info: WorkerInfo | None = None


_here = _Here()


def get_worker_info() -> WorkerInfo | None:
    """The WorkerInfo of the worker thread that asks; None elsewhere."""
    return _here.info


class Job:
    """Batches for one loop: how to make them, under which modes of the thread that loops, and where to put them."""

    def __init__(self, fetch):
        self.fetch, self.results = fetch, SimpleQueue()
        self.backend, self.grad = backends.default().name, is_grad_enabled()

    def do(self, dataset, task) -> None:
        """Put (task, batch, None) or (task, None, error) into the results."""
        if self.fetch.left:
            return
        try:
            with backends.use_backend(self.backend), set_grad_enabled(self.grad):
                self.results.put((task, self.fetch(dataset, task), None))
        except BaseException as error:
            self.results.put((task, None, error))


class Crew:
    """`count` daemon threads. With `shared` they take tasks from one queue, else each has its own.

    A worker sees a shallow copy of a Dataset, so that what it opens or counts is its own; `init` is called in each
    with its number before its first task.
    """

    def __init__(self, dataset, count: int, seed: int, init, shared: bool):
        self.queues: list[SimpleQueue] = [SimpleQueue()] * count if shared else [SimpleQueue() for _ in range(count)]
        self.threads = []
        for i, queue in enumerate(self.queues):
            own = copy.copy(dataset) if isinstance(dataset, Dataset) else dataset
            info = WorkerInfo(i, count, (seed + i) % 2**64, own)
            thread = threading.Thread(target=_work, args=(info, queue, init), daemon=True, name=f"engine-loader-{i}")
            self.threads.append(thread)
            thread.start()

    def submit(self, worker: int, job: Job, task) -> None:
        """Have `task` done, by `worker` where each has its own queue."""
        self.queues[worker].put((job, task))

    def alive(self) -> bool:
        """Whether all threads run; they do not in a process that was forked meanwhile."""
        return all(thread.is_alive() for thread in self.threads)

    def stop(self) -> None:
        """End the threads, and wait for them for PATIENCE seconds at most."""
        for queue in self.queues:
            queue.put(None)
        deadline = time.monotonic() + PATIENCE
        for thread in self.threads:
            if thread is not threading.current_thread():  # the collector may run this anywhere
                thread.join(max(deadline - time.monotonic(), 0))

    __del__ = stop


def _work(info: WorkerInfo, queue: SimpleQueue, init) -> None:
    """The life of a worker. It holds no reference to a job while it waits."""
    _here.info = info
    with suppress(ImportError):  # without compiled kernels there are no teams
        from engine_ext.parallel import work_alone

        work_alone()
    failure = _begin(info.id, init)
    while (item := queue.get()) is not None:
        job, task = item
        if failure is None:
            job.do(info.dataset, task)
        else:
            job.results.put((task, None, failure))
            failure = _begin(info.id, init)  # another try, and another exception: the loop that gets this one keeps it
        del item, job, task


def _begin(worker: int, init) -> BaseException | None:
    """Call `init`; what it raised."""
    try:
        if init is not None:
            init(worker)
    except BaseException as error:
        return error
    return None
