"""The tape: a Tensor is an array plus how it was made, and `backward` walks that history once.

    Tensor    an array, the backend it lives on, and the Node that made it (None: no gradient wanted)
    Node      one recorded operation: its parents and one callable per parent, gradient of the output in,
              gradient of that parent out (a "vjp"). What the callables captured is all the memory a tape holds
    Leaf      the Node of a tensor made by the user with requires_grad: gradients end here, in `.grad`
    record    makes the output Tensor of an operation and, where a gradient is wanted, its Node
    backpropagate   visits Nodes in the reverse order of their making

Operations are not defined here: `engine/ops` defines them and `engine/__init__.py` hangs them on Tensor.
"""

from __future__ import annotations

import threading
import weakref
from functools import wraps
from heapq import heappop, heappush
from itertools import count
from sys import getrefcount

from engine import backends

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
    views: tuple | list = ()  # weak references to taped views


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
        """Add the array `g` to the tensor's gradient. The first is kept, as a copy unless it is ours alone (`own`)."""
        tensor = self.tensor()
        if tensor is None:
            return
        if tensor.grad is not None:
            array = tensor.grad._array
            self.k.add(array, g, array)  # out=array
            _touch(tensor.grad._version, array, "backward")
        else:
            tensor.grad = wrap(g if own else self.k.copy(g), self.k)


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


def _touch(version, array, op):
    version.time = _LastInPlace.time = next(_clock)
    version.op = op
    version.owner = _owner(array)


class Tensor:
    """An n-dimensional array with a history. Make one with `engine.tensor`, `engine.zeros`, `engine.from_numpy`, …

    Attributes: `shape`, `dtype`, `device`, `ndim`, `requires_grad`, `grad` (a Tensor or None).
    """

    __slots__ = ("__weakref__", "_array", "_is_view", "_k", "_node", "_version", "grad")
    __array_priority__ = 1000  # ndarray + Tensor is ours to refuse or serve, not NumPy's to loop over

    def __init__(self, *_):
        raise TypeError("make tensors with engine.tensor(data), engine.zeros(...), engine.from_numpy(array), ...")

    # ---- what it is
    @property
    def shape(self):
        return self._array.shape

    @property
    def dtype(self):
        return self._array.dtype

    @property
    def ndim(self):
        return self._array.ndim

    @property
    def device(self):
        return backends.device(self._k.device)

    @property
    def is_leaf(self):
        return self._node is None or type(self._node) is Leaf

    @property
    def grad_fn(self):
        """The Node that made this tensor; None for leaves."""
        return None if self.is_leaf else self._node

    @property
    def data(self):
        """The same memory without history."""
        return self.detach()

    @data.setter
    def data(self, value):
        self._array = value._array

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[dim]

    def dim(self):
        return self._array.ndim

    def numel(self):
        return self._array.size

    def is_contiguous(self):
        return bool(self._array.flags.c_contiguous)

    def __len__(self):
        if not self._array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self):
        if not self._array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    __hash__ = object.__hash__  # __eq__ compares element by element; a Tensor is itself only

    # ---- history
    @property
    def requires_grad(self):
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted):
        if wanted == (self._node is not None):
            return
        if not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf tensors; use detach()")
        if wanted and self._array.dtype.kind != "f":
            raise RuntimeError(f"only tensors of floating point dtype can require gradients, got {self.dtype}")
        self._node = Leaf(self) if wanted else None

    def requires_grad_(self, requires_grad=True):
        self.requires_grad = requires_grad
        return self

    def detach(self):
        """A Tensor over the same memory that records nothing."""
        out = wrap(self._array, self._k)
        out._version = self._version
        return out

    def backward(self, gradient=None, retain_graph=False, create_graph=False):
        """Add d(self)/d(leaf), weighted by `gradient` (same shape; default 1 for a scalar), to every leaf's `.grad`."""
        if create_graph:
            raise NotImplementedError("backward(create_graph=True): gradients of gradients are not offered")
        if self._node is None:
            raise RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn: no input of this "
                "computation had requires_grad=True, or it ran under no_grad()"
            )
        if gradient is None:
            if self._array.size != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs, got shape {self.shape}: "
                    "pass backward(gradient=...) or reduce with sum() or mean() first"
                )
            g = self._k.full(self.shape, 1.0, self.dtype)
        else:
            if not isinstance(gradient, Tensor):
                raise TypeError(f"backward: gradient must be a Tensor or None, got {type(gradient).__name__}")
            if gradient.shape != self.shape:
                raise RuntimeError(f"backward: gradient has shape {gradient.shape}, expected {self.shape}")
            g = self._k.cast(gradient._array, self.dtype)
        backpropagate(self._node, g, retain_graph)

    # ---- out to Python and NumPy
    def item(self):
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.numel()} elements (shape {self.shape}) cannot be converted to Scalar"
            )
        return self._array.item()

    def tolist(self):
        return self._array.tolist()

    def numpy(self):
        """The array itself: the same memory, no copy. RuntimeError when the tensor requires a gradient."""
        if self._node is not None:
            raise RuntimeError("can't call numpy() on a Tensor that requires grad. Use tensor.detach().numpy() instead")
        return self._k.to_numpy(self._array)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"a {array.dtype} Tensor cannot become an array of {dtype} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def cpu(self):
        return self if self._k.device == "cpu" else wrap(self._k.to_numpy(self._array), backends.default())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self._array.dtype.kind not in "iu":
            raise TypeError(f"only integer tensors of a single element can be an index, got {self.dtype}")
        return int(self.item())

    def __bool__(self):
        if self._array.size != 1:
            raise RuntimeError(
                f"Boolean value of a Tensor with {self.numel()} elements is ambiguous; reduce it first, e.g. by .sum() or .max()"
            )
        return bool(self._array.item())

    def __repr__(self):
        text = backends.format_array(self._k.to_numpy(self._array), prefix="tensor(")
        dtype = "" if self.dtype.name in ("float32", "int64", "bool") else f", dtype={self.dtype.name}"
        device = "" if self._k.device == "cpu" else f", device='{self._k.device}'"
        grad = "" if self._node is None else ", requires_grad=True" if self.is_leaf else f", grad_fn={self._node!r}"
        return f"tensor({text}{dtype}{device}{grad})"

    # ---- in place
    def _replace(self, result, op):
        """Take over the values (and the history) of `result`: the second half of every in-place operation."""
        if result.shape != self.shape:
            raise RuntimeError(f"{op}: the result has shape {result.shape}, which does not fit into shape {self.shape}")
        if "biuf".index(result.dtype.kind) > "biuf".index(self.dtype.kind):
            raise RuntimeError(f"{op}: result type {result.dtype} can't be cast to the tensor's type {self.dtype}")
        if result._node is not None or (self._node is not None and mode.grad):
            self._check_in_place(op)
            self._node = result._node  # None where constants came in: their history is none
            for view in self._version.views:
                if (taped := view()) is not None and taped is not self:
                    taped._node = Stale(op, self._k, (), None, ())
        self._k.assign(self._array, Ellipsis, result._array)
        _touch(self._version, self._array, op)
        return self

    def _check_in_place(self, op):
        if type(self._node) is Leaf:
            raise RuntimeError(
                f"{op}: a leaf tensor that requires grad is being used in an in-place operation. "
                "Wrap it in `with engine.no_grad():`, or use the form without underscore"
            )
        if self._is_view:
            raise RuntimeError(
                f"{op}: in-place operation on a view whose gradient is wanted. Modify the tensor it is a view of "
                "(x[...] = value), or use the form without underscore"
            )


_new = Tensor.__new__


def wrap(array, k):
    """A Tensor over an array of backend `k`, without history."""
    t = _new(Tensor)
    t._array = array
    t._k = k
    t._node = None
    t._is_view = False
    t._version = Version()
    t.grad = None
    return t


def record(name, k, y, vjps, inputs):
    """Tensors over the outputs `y` of an operation (an array, or a tuple of arrays).

    `inputs` are its input Tensors (None where an optional one is absent), in the order of `vjps`, of which
    only those are kept whose input requires a gradient. vjps None: the operation has no gradient.
    """
    several = type(y) is tuple
    outputs = tuple([wrap(a, k) for a in y]) if several else wrap(y, k)
    if vjps is None or not mode.grad:
        return outputs
    parents = tuple([None if t is None else t._node for t in inputs])
    if not any(parents):
        return outputs
    if type(vjps) is tuple:
        vjps = tuple([vjp if parent else None for vjp, parent in zip(vjps, parents, strict=True)])
    made = outputs if several else (outputs,)
    versions = tuple([t._version for t in (*inputs, *made) if t is not None])
    node = Node(name, k, parents, vjps, versions)
    if not several:
        outputs._node = node
        return outputs
    for slot, t in enumerate(outputs):
        if t._array.dtype.kind == "f":
            t._node = Part(node, slot, len(outputs))
    return outputs


def mark_view(view, base):
    """Let `view` share the version of `base`, whose memory it shares."""
    version = view._version = base._version
    view._is_view = True
    if view._node is not None:
        if len(version.views) & (len(version.views) - 1) == 0:  # at powers of two: a constant cost for each of many
            version.views = [r for r in version.views if r() is not None]
        version.views.append(weakref.ref(view))


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

    def __init__(self):
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
