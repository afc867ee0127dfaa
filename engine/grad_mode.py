"""Whether operations of the running thread are recorded on the tape: no_grad, enable_grad, set_grad_enabled."""

from __future__ import annotations

import threading
from functools import partial, wraps
from inspect import isgeneratorfunction


class Mode(threading.local):
    """Flags of the running thread."""

    grad = True


mode = Mode()


def _within(switch, f):
    """f, each call of which is inside `switch()`: each step of it where f is a generator function."""

    @wraps(f)
    def call(*args, **kwargs):
        with switch():
            return f(*args, **kwargs)

    @wraps(f)
    def steps(*args, **kwargs):
        generator = f(*args, **kwargs)
        step, value = generator.send, None
        while True:
            try:
                with switch():
                    out = step(value)
            except StopIteration as end:
                return end.value
            try:
                step, value = generator.send, (yield out)
            except BaseException as error:  # thrown in from outside, or closed
                step, value = generator.throw, error

    return steps if isgeneratorfunction(f) else call


def _record(enabled):
    """Record from now on, or not; whether it was so before."""
    before, mode.grad = mode.grad, enabled
    return before


class set_grad_enabled:
    """Record operations or not: a context manager, a decorator, and a plain call."""

    def __init__(self, mode):
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled(): mode must be a bool, got {mode!r}")
        self.before, self.enabled = _record(mode), mode

    def __enter__(self):
        mode.grad = self.enabled

    def __exit__(self, *_):
        mode.grad = self.before

    def __call__(self, f):
        mode.grad = self.before  # a decorator acts on calls of f alone
        return _within(partial(set_grad_enabled, self.enabled), f)


class _Switch:
    """`with no_grad():` and `@no_grad()`; nests, and acts on the running thread only."""

    enabled: bool

    def __new__(cls, function=None):
        self = super().__new__(cls)
        return self if function is None else self(function)  # @no_grad without parentheses

    def __init__(self, function=None):
        self.before = []

    def __enter__(self):
        self.before.append(mode.grad)
        mode.grad = self.enabled

    def __exit__(self, *_):
        mode.grad = self.before.pop()

    def __call__(self, f):
        return _within(type(self), f)


class no_grad(_Switch):
    """Operations inside record nothing."""

    enabled = False


class enable_grad(_Switch):
    """Operations inside are recorded, also within no_grad."""

    enabled = True


def is_grad_enabled():
    """Whether operations of this thread are being recorded."""
    return mode.grad
