"""Random numbers by counting: a generator is a seed and a position, and a draw depends on nothing else.

So results do not depend on threads or workers, and the same seed gives the same numbers on every backend.
"""

from __future__ import annotations

import os
import threading


class Generator:
    """A stream of random numbers: `seed`, and how many draws were `taken`."""

    def __init__(self):
        self._lock = threading.Lock()
        self.seed_value, self.taken = 0, 0

    def manual_seed(self, seed):
        """Start the stream of `seed` (an integer, negative ones modulo 2**64) from its beginning."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(f"manual_seed expects an integer, got {seed!r}")
        with self._lock:
            self.seed_value, self.taken = seed.__index__() % 2**64, 0
        return self

    def seed(self):
        """Start a stream that the operating system chooses; returns its seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self.seed_value

    def initial_seed(self):
        """The seed the stream was started with."""
        return self.seed_value

    def next_key(self):
        """(seed, number of the draw): the key of one draw, of any size."""
        with self._lock:
            self.taken += 1
            return self.seed_value, self.taken

    def get_state(self):
        return {"seed": self.seed_value, "taken": self.taken}

    def set_state(self, state):
        with self._lock:
            self.seed_value, self.taken = int(state["seed"]), int(state["taken"])


default_generator = Generator()


class _Scope(threading.local):
    generator = None


_scope = _Scope()


def chosen(generator=None):
    """The generator to draw from: the one given, else the one of the thread's `drawing_from`, else the default."""
    return generator or _scope.generator or default_generator


class drawing_from:
    """`with drawing_from(generator):` draws of this thread that name no generator come from this one.

    The data loader wraps the making of each sample in it, so that augmentation does not depend on workers.
    """

    def __init__(self, generator):
        self.generator = generator

    def __enter__(self):
        self.before, _scope.generator = _scope.generator, self.generator

    def __exit__(self, *_):
        _scope.generator = self.before


def manual_seed(seed):
    """Seed the default generator; returns it."""
    return default_generator.manual_seed(seed)
