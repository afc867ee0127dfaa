"""The tape: what was computed and how to differentiate it, and the walk back through it.

    Node      one recorded operation: its parents and one callable per parent, gradient of the output in,
              gradient of that parent out (a "vjp"). What the callables captured is all the memory a tape holds
    Leaf      the Node of a tensor made by the user with requires_grad: gradients end here, in its `.grad`
    hooks_of  callables of the user that see a gradient as it passes
    Version   what in-place operations leave behind, so that a gradient is refused rather than wrong
    backpropagate   visits Nodes in the reverse order of their making

Arrays are anything here; the backend `k` that a Node carries adds them up.
"""

from __future__ import annotations

import weakref
from heapq import heappop, heappush
from itertools import count
from sys import getrefcount

_clock = count(1)  # orders recorded operations and in-place modifications among each other


def _count_of_a_local():
    alone = object()
    return getrefcount(alone)


# What getrefcount says of an array that one local variable alone holds: 2, for its argument is a reference too, but
# 1 from CPython 3.14 on, which lends local variables to the functions it calls.
_ALONE = _count_of_a_local()


class Version:
    """When, by which operation and on which buffer a tensor was last modified in place; views share it.

    shared: others hold this memory too (NumPy, DLPack, ctypes) and may write to it unnoticed. Nothing computed from such
    values may be kept in the belief that they are still the same.
    """

    time = 0
    op = ""
    array = None
    views: tuple | list = ()  # weak references to the views
    shared = False

    def share(self):
        """Note that others hold this memory from now on."""
        self.shared = True
        _LastInPlace.time = next(_clock)


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

    def gradients(self, g, retain_graph, pending):
        """A list of the parents' gradients from the output's; the callables are dropped unless retained.

        pending: what has arrived so far, by Node; what an Adding took from there is None now.
        """
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
        if type(vjps) is not tuple:
            return [*vjps(g)]
        if type(vjps[0]) is Adding and (onto := _taken(pending, self.parents[0], self.k)) is not None:
            return [vjps[0](g, onto), *[vjp and vjp(g) for vjp in vjps[1:]]]
        return [vjp and vjp(g) for vjp in vjps]

    def _check_versions(self):
        for version in self.versions:
            if version.time > self.time and _reaches(self.vjps, version.array):
                raise RuntimeError(
                    f"{self.name}: a tensor needed for its gradient has been modified by an inplace operation "
                    f"({version.op}) after {self.name} used it. Use the form without underscore, or clone() first"
                )

    def __repr__(self):
        return f"<{self.name.title().replace('_', '')}Backward0>"


class Adding:
    """The derivative by the first parent, where it can be added onto an array as it is computed: f(g, onto) adds to `onto`,
    which it may write on, and returns the sum; without onto it returns the derivative alone."""

    __slots__ = ("f",)

    def __init__(self, f):
        self.f = f

    def __call__(self, g, onto=None):
        return self.f(g, onto)


def _taken(pending, node, k):
    """The array that has arrived for `node`, out of `pending`, where nobody else can see it; None else."""
    array = pending.get(node)
    # one reference more: that of `pending`
    if array is None or type(array) is list or getrefcount(array) > _ALONE + 1 or not k.owns(array):
        return None
    pending[node] = None
    return array


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

    def gradients(self, g, retain_graph, pending):
        raise RuntimeError(
            f"{self.name}: this view's base was modified by an inplace operation after the view was taken, so its "
            "gradient is undefined. Take the view again after the modification"
        )


class Leaf:
    """Where gradients end: adds what arrives to `.grad` of its tensor, which it holds weakly."""

    __slots__ = ("__weakref__", "hooks", "k", "tensor", "time")
    name = "accumulate_grad"
    parents = ()

    def __init__(self, tensor):
        self.tensor = weakref.ref(tensor)
        self.k = tensor._k
        self.time = next(_clock)

    def accumulate(self, g, own):
        """Hand the array `g` to the tensor, if it is still alive; `own`: no one else can see that array."""
        tensor = self.tensor()
        if tensor is not None:
            tensor.add_gradient(g, own)


class HookedLeaf(Leaf):
    """A Leaf with hooks: they see its whole gradient of one backward, before (`hooks`) it is accumulated or after."""

    __slots__ = ()

    def gradients(self, g, retain_graph, pending):
        before, after = self.hooks
        self.accumulate(_through(before, g), own=False)
        for hook in tuple(after.values()):
            hook()
        return []


class _Hooked:
    """The callables of a Node behind the hooks on its output's gradient."""

    __slots__ = ("hooks", "vjps")

    def __init__(self, vjps):
        self.hooks, self.vjps = {}, vjps

    def __call__(self, g):
        g = _through(self.hooks, g)
        return [vjp and vjp(g) for vjp in self.vjps] if type(self.vjps) is tuple else self.vjps(g)


def _through(hooks, g):
    """The gradient as every hook leaves it; None from a hook means unchanged."""
    for hook in tuple(hooks.values()):
        changed = hook(g)
        g = g if changed is None else changed
    return g


class Handle:
    """A hook in a table of hooks; `remove()` takes it out, as does the end of a `with` block."""

    def __init__(self, table, hook):
        self.table, self.id = table, next(_clock)
        table[self.id] = hook

    def remove(self):
        self.table.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def hooks_of(node, after=False):
    """The table, number -> callable, of the hooks on the gradient of `node`'s output; made on first use.

    A hook takes the gradient (an array) and returns it changed, or None. `after`: those of a Leaf that take
    nothing and run once its gradient is accumulated.
    """
    if isinstance(node, Leaf):
        if type(node) is Leaf:
            node.__class__, node.hooks = HookedLeaf, ({}, {})
        return node.hooks[after]
    if type(node.vjps) is not _Hooked:
        node.vjps = _Hooked(node.vjps)
    return node.vjps.hooks


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
    elif type(f) is _Hooked:
        yield from _captured(f.vjps)
    elif type(f) is Adding:
        yield from _captured(f.f)
    elif getattr(f, "__closure__", None):
        for cell in f.__closure__:
            yield from _captured(cell.cell_contents)
    elif hasattr(f, "__array_interface__") or hasattr(f, "__cuda_array_interface__"):
        yield f


def _reaches(vjps, array):
    """Whether the callables of a Node captured memory of `array`."""
    owner = _owner(array)
    return any(_owner(a) is owner for a in _captured(vjps))


def spare(k, gs):
    """Whether nobody but the list `gs` of the gradients of an operation's outputs can see the first: the derivative that
    is given them may write on it. To be asked before that array is on its way as an argument."""
    # The list's reference and getrefcount's argument, which is no local variable
    return getrefcount(gs[0]) <= 2 and k.owns(gs[0])


def overwritten(array, node, since):
    """Whether what the derivatives of `node`, and of what it was made of since then, need lies in `array`'s memory."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node is None or node.time <= since or isinstance(node, Leaf):
            continue
        if _reaches(node.vjps, array):
            return True
        stack += node.parents
    return False


def now():
    """A time after everything recorded so far."""
    return next(_clock)


def last_in_place():
    """When any tensor was last modified in place, or its memory was given to others."""
    return _LastInPlace.time


def touch(version, array, op):
    """Note that the operation `op` modified `array`, which `version` belongs to."""
    version.time = _LastInPlace.time = next(_clock)
    version.op = op
    version.array = array


def backpropagate(roots, retain_graph=False, wanted=None):
    """Send gradients back from `roots`, pairs of a Node and the gradient of its output, the latest operation first.

    They end in every Leaf; or, when a set of Nodes is `wanted`, nothing is accumulated, only what leads to
    these is run, and their gradients are returned as a dict.

    A Node is visited once, when all its users have been: they were made after it. Gradients that meet are
    added in the order in which their users are visited, so the bits are always the same.
    """
    pending, heap, found = {}, [], {}
    leading = None if wanted is None else _leading_to(wanted, [root for root, _ in roots])
    for root, g in roots:
        if root in pending:
            pending[root] = root.k.add(pending[root], g)
        else:
            pending[root] = g
            heappush(heap, (-root.time, root))
    while heap:
        node = heappop(heap)[1]
        if wanted is None:
            if type(node) is Leaf:  # a root that is no result of anything
                node.accumulate(pending.pop(node), own=False)
                continue
            gradients = node.gradients(pending.pop(node), retain_graph, pending)
        else:
            g = pending.pop(node)
            if node in wanted:
                g = found[node] = _through(node.hooks[0], g) if type(node) is HookedLeaf else g
            if node not in leading:
                continue
            gradients = node.gradients(g, retain_graph, pending)
        for i, parent in enumerate(node.parents):
            d = gradients[i]
            if parent is None or d is None:
                continue
            if leading is not None and parent not in leading and parent not in wanted:
                continue
            if type(parent) is Leaf and wanted is None:
                gradients[i] = None
                own = getrefcount(d) <= _ALONE and node.k.owns(d)
                parent.accumulate(d, own)
            elif parent not in pending:
                pending[parent] = d
                heappush(heap, (-parent.time, parent))
            elif pending[parent] is None:  # an Adding took it and added to it
                pending[parent] = d
            elif type(d) is list:  # the outputs of one operation, each in its slot
                pending[parent] = [_sum(node.k, p, q) for p, q in zip(pending[parent], d, strict=True)]
            else:
                gradients[i] = None
                onto = d if getrefcount(d) <= _ALONE and node.k.owns(d) else None
                pending[parent] = node.k.add(pending[parent], d, onto)
            d = onto = None
        gradients = None  # so that `pending` alone holds what arrived
    return found


def _leading_to(wanted, roots):
    """The Nodes reached from `roots` that have a wanted one among their ancestors."""
    reached, stack = set(roots), [*roots]
    while stack:
        new = [p for p in stack.pop().parents if p is not None and p not in reached]
        reached.update(new)
        stack += new
    leading = set()
    for node in sorted(reached, key=lambda n: n.time):  # parents were made before their users
        if any(p in wanted or p in leading for p in node.parents if p is not None):
            leading.add(node)
    return leading


def _sum(k, a, b):
    return b if a is None else a if b is None else k.add(a, b)
