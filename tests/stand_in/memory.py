"""CuPy's streams, events and memory, as far as the backend uses them: a copy on a stream takes place when somebody waits for it.

So what is read before its copy is garbage, and what is written into a pinned buffer before its copy arrives in its place.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

GARBAGE = 0xA5  # in memory that nothing was written to


class OutOfMemoryError(MemoryError):
    """As cupy.cuda.memory's."""


class Pool:
    """A GPU of `size` bytes; only single requests are held against it."""

    size = 1 << 40

    def malloc(self, size):
        if size > self.size:
            raise OutOfMemoryError(f"Out of memory allocating {size} bytes")

    def used_bytes(self):
        return 3 << 20

    def total_bytes(self):
        return 5 << 20

    def free_all_blocks(self):
        pass


pool = Pool()
_allocators = [pool.malloc]


def allocated(array):
    """A new array, if there is memory for it, full of garbage."""
    _allocators[-1](array.nbytes)
    np.ndarray.view(array.reshape(-1), np.uint8)[:] = GARBAGE
    return array


def pool_request(a):
    """Ask for memory for what a NumPy array holds."""
    _allocators[-1](getattr(a, "nbytes", 0))


class Event:
    """A place in a stream: what was asked for before has been done when it was waited for."""

    def __init__(self, stream):
        self.stream, self.place = stream, len(stream.log)
        self.milliseconds = time.perf_counter() * 1e3

    def synchronize(self):
        self.stream.run(self.place)


class Stream:
    """`log`: (what, argument) of all that was asked for, the first `done` of it over."""

    def __init__(self, non_blocking=False):
        self.log, self.done, self.ptr = [], 0, id(self)

    def run(self, place):
        while self.done < place:
            what, argument = self.log[self.done]
            self.done += 1
            if what == "copy":
                target, source = argument
                target[...] = source

    def record(self):
        return Event(self)

    def wait_event(self, event):
        self.log.append(("wait", event.stream))
        if self is current:
            event.synchronize()

    def synchronize(self):
        self.run(len(self.log))


current = Stream()

cuda = SimpleNamespace(
    Stream=Stream,
    get_current_stream=lambda: current,
    alloc_pinned_memory=lambda size: memoryview(bytearray(size)),
    get_elapsed_time=lambda start, end: end.milliseconds - start.milliseconds,
    get_allocator=lambda: _allocators[-1],
    set_allocator=_allocators.append,
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    runtime=SimpleNamespace(
        memGetInfo=lambda: (7 << 20, 11 << 20),
        getDeviceProperties=lambda device: {"name": b"stand-in", "major": 0, "minor": 0},
    ),
)
