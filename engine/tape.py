"""The tape: what was computed and how to differentiate it, and the walk back through it.

    Node      one recorded operation: its parents and one callable per parent, gradient of the output in,
              gradient of that parent out (a "vjp"). What the callables captured is all the memory a tape holds
    Leaf      the Node of a tensor made by the user with requires_grad: gradients end here, in its `.grad`
    Version   what in-place operations leave behind, so that a gradient is refused rather than wrong
    backpropagate   visits Nodes in the reverse order of their making
    no_grad, ...    whether operations of this thread are recorded

Arrays are anything here; the backend `k` that a Node carries adds them up.
"""

from __future__ import annotations

import threading
import weakref
from functools import wraps
from heapq import heappop, heappush
from itertools import count
from sys import getrefcount

_clock = count(1)  # orders recorded operations and in-place modifications among each other


class Mode(threading.local):
    """Flags of the running thread."""

    grad = True


mode = Mode()


class Version:
    """When, by which operation and on which buffer a tensor was last modified in place; views share it."""

    time = 0
    op = ""
    owner = None
    views: tuple | list = ()  # weak references to the views


class _LastInPlace:
    time = 0


class Node:
    """One recorded operation. `vjps` is a tuple with one callable (or None) per parent, or one callable that
    returns a tuple; it becomes None when backward has used it up."""

    __slots__ = ("__weakref__", "k", "name", "parents", "time", "versions", "vjps")

    def __init__(self, name, k, parents, vjps, versions):
        self.name = name
        self.k = k
        self.parents = parents
        self.vjps = vjps
        self.versions = versions
        self.time = next(_clock)

    def gradients(self, g, retain_graph):
        """A list of the parents' gradients from the output's; the callables are dropped unless retained."""
        vjps = self.vjps
        if vjps is None:
            raise RuntimeError(
                f"{self.name}: Trying to backward through the graph a second time: what its gradient needs was "
                "freed by the first backward. Pass retain_graph=True to the first one, or run forward again"
            )
        if self.time < _LastInPlace.time:
            self._check_versions()
        if not retain_graph:
            self.vjps = None
        if type(vjps) is tuple:
            return [vjp and vjp(g) for vjp in vjps]
        return list(vjps(g))

    def _check_versions(self):
        for version in self.versions:
            if version.time > self.time and any(_owner(a) is version.owner for a in _captured(self.vjps)):
                raise RuntimeError(
                    f"{self.name}: a tensor needed for its gradient has been modified by an inplace operation "
                    f"({version.op}) after {self.name} used it. Use the form without underscore, or clone() first"
                )

    def __repr__(self):
        return f"<{self.name.title().replace('_', '')}Backward0>"


class Part(Node):
    """One output of an operation with several: hands its gradient to the operation's Node, in its slot."""

    __slots__ = ("slot",)

    def __init__(self, whole, slot, outputs):
        def place(g):
            gs = [None] * outputs
            gs[slot] = g
            return (gs,)

        super().__init__(whole.name, whole.k, (whole,), place, ())
        self.slot = slot


class Stale(Node):
    """Stands in the way of gradients through a view whose base was modified in place after it was taken."""

    __slots__ = ()

    def gradients(self, g, retain_graph):
        raise RuntimeError(
            f"{self.name}: this view's base was modified by an inplace operation after the view was taken, so its "
            "gradient is undefined. Take the view again after the modification"
        )


class Leaf:
    """Where gradients end: adds what arrives to `.grad` of its tensor, which it holds weakly."""

    __slots__ = ("__weakref__", "k", "tensor", "time")
    name = "accumulate_grad"

    def __init__(self, tensor):
        self.tensor = weakref.ref(tensor)
        self.k = tensor._k
        self.time = next(_clock)

    def accumulate(self, g, own):
        """Hand the array `g` to the tensor, if it is still alive; `own`: no one else can see that array."""
        tensor = self.tensor()
        if tensor is not None:
            tensor.add_gradient(g, own)


def _owner(array):
    """The object that owns an array's memory."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def _captured(f):
    """Every array that the callables of a Node captured."""
    if isinstance(f, (tuple, list)):
        for item in f:
            yield from _captured(item)
    elif getattr(f, "__closure__", None):
        for cell in f.__closure__:
            yield from _captured(cell.cell_contents)
    elif hasattr(f, "__array_interface__") or hasattr(f, "__cuda_array_interface__"):
        yield f


def touch(version, array, op):
    """Note that the operation `op` modified `array`, which `version` belongs to."""
    version.time = _LastInPlace.time = next(_clock)
    version.op = op
    version.owner = _owner(array)


def backpropagate(root, g, retain_graph=False):
    """Send the gradient `g` of the Node `root` back to every Leaf, the latest operation first.

    A Node is visited once, when all its users have been: they were made after it. Gradients that meet are
    added in the order in which their users are visited, so the bits are always the same.
    """
    if type(root) is Leaf:
        root.accumulate(g, own=False)
        return
    pending = {root: g}
    heap = [(-root.time, root)]
    while heap:
        node = heappop(heap)[1]
        gradients = node.gradients(pending.pop(node), retain_graph)
        for i, parent in enumerate(node.parents):
            d = gradients[i]
            if parent is None or d is None:
                continue
            if type(parent) is Leaf:
                gradients[i] = None
                # Two references, `d` and getrefcount's argument: nobody else can see this array.
                own = getrefcount(d) <= 2 and node.k.owns(d)
                parent.accumulate(d, own)
            elif parent not in pending:
                pending[parent] = d
                heappush(heap, (-parent.time, parent))
            elif type(d) is list:  # the outputs of one operation, each in its slot
                pending[parent] = [_sum(node.k, p, q) for p, q in zip(pending[parent], d, strict=True)]
            else:
                pending[parent] = node.k.add(pending[parent], d)
            d = None


def _sum(k, a, b):
    return b if a is None else a if b is None else k.add(a, b)


class set_grad_enabled:
    """Record operations or not: a context manager, a decorator, and a plain call."""

    def __init__(self, enabled):
        self.before = mode.grad
        mode.grad = self.enabled = bool(enabled)

    def __enter__(self):
        mode.grad = self.enabled

    def __exit__(self, *_):
        mode.grad = self.before

    def __call__(self, f):
        mode.grad = self.before  # a decorator acts on calls of f alone

        @wraps(f)
        def wrapped(*args, **kwargs):
            with set_grad_enabled(self.enabled):
                return f(*args, **kwargs)

        return wrapped


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
        @wraps(f)
        def wrapped(*args, **kwargs):
            with type(self)():
                return f(*args, **kwargs)

        return wrapped


class no_grad(_Switch):
    """Operations inside record nothing."""

    enabled = False


class enable_grad(_Switch):
    """Operations inside are recorded, also within no_grad."""

    enabled = True


def is_grad_enabled():
    """Whether operations of this thread are being recorded."""
    return mode.grad
