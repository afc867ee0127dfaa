"""Tensor: an array, the backend it lives on, and how it was made.

    Tensor    `_array`, `_k` (its backend) and `_node`, the Node of the tape that made it (None: no gradient wanted)
    wrap      a Tensor over an array
    record    makes the output Tensor of an operation and, where a gradient is wanted, its Node

Operations are not defined here: `engine/ops` defines them and `engine/methods.py` hangs them on Tensor.
"""

from __future__ import annotations

import weakref

from engine import backends
from engine.grad_mode import mode
from engine.tape import Handle, Leaf, Node, Part, Stale, Version, backpropagate, hooks_of, touch


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
        return self._node is None or isinstance(self._node, Leaf)

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
        self._array, self._version = value._array, value._version

    def size(self, dim=None):
        if isinstance(dim, bool):
            raise TypeError(f"size(): dim must be an integer, got {dim}")
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
        if not isinstance(wanted, bool):
            raise TypeError(f"requires_grad must be a bool, got {wanted!r}")
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

    def backward(self, gradient=None, retain_graph=False, create_graph=False, inputs=None):
        """Add d(self)/d(leaf), weighted by `gradient` (same shape; default 1 for a scalar), to every leaf's `.grad`.

        `inputs`: a Tensor or several, which alone receive a gradient.
        """
        if create_graph:
            raise NotImplementedError("backward(create_graph=True): gradients of gradients are not offered")
        if self._node is None:
            raise RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn: no input of this "
                "computation had requires_grad=True, or it ran under no_grad()"
            )
        roots = [(self._node, self._seed("backward", gradient))]
        if inputs is None:
            backpropagate(roots, retain_graph)
            return
        chosen = {t._node: t for t in ([inputs] if isinstance(inputs, Tensor) else inputs)}
        for node, g in backpropagate(roots, retain_graph, wanted=chosen.keys()).items():
            chosen[node].add_gradient(g, own=False)

    def _seed(self, what, gradient):
        """The array that a walk back from this tensor starts with."""
        if gradient is None:
            if self._array.size != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs, got shape {self.shape}: "
                    f"pass {what}(gradient=...) or reduce with sum() or mean() first"
                )
            return self._k.full(self.shape, 1.0, self.dtype)
        if not isinstance(gradient, Tensor):
            raise TypeError(f"{what}: gradient must be a Tensor or None, got {type(gradient).__name__}")
        if gradient.shape != self.shape:
            raise RuntimeError(f"{what}: gradient has shape {gradient.shape}, expected {self.shape}")
        return self._k.cast(gradient._array, self.dtype)[
            ...
        ]  # an array of its own: gradients are told apart by identity

    def register_hook(self, hook):
        """Call `hook(gradient)` when the gradient of this tensor is known; what it returns, if not None, replaces it.

        Returns a handle whose `remove()` takes the hook off again.
        """
        if self._node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")

        k = self._k  # not the tensor: its Node holds the hook

        def on_array(g):
            changed = hook(wrap(g, k))
            return None if changed is None else changed._array

        return Handle(hooks_of(self._node), on_array)

    def register_post_accumulate_grad_hook(self, hook):
        """Call `hook(tensor)` each time the gradient of this leaf has been accumulated in `.grad`."""
        if not isinstance(self._node, Leaf):
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        tensor = weakref.ref(self)
        return Handle(hooks_of(self._node, after=True), lambda: hook(tensor()))

    def retain_grad(self):
        """Keep the gradient of this result of an operation in `.grad`, as that of a leaf is."""
        if self._node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.is_leaf:
            return
        tensor = weakref.ref(self)

        def keep(g):
            if (t := tensor()) is not None:
                t.add_gradient(g, own=False)

        hooks_of(self._node)["retain_grad"] = keep

    def add_gradient(self, g, own):
        """Add the array `g` to `.grad`. The first is kept, as a copy unless nobody else can see it (`own`)."""
        if self.grad is None:
            self.grad = wrap(g if own else self._k.copy(g), self._k)
            return
        array = self.grad._array
        if array.shape != self.shape:
            raise RuntimeError(f"backward: .grad has shape {array.shape}, expected that of the tensor, {self.shape}")
        self._k.add(array, g, array)
        touch(self.grad._version, array, "backward")

    # ---- copies
    def _leaf(self, what):
        if not self.is_leaf:
            raise RuntimeError(f"only leaf tensors support {what}; use x.detach().clone()")
        return self

    def __copy__(self):
        """The same memory, a history of its own."""
        out = wrap(self._leaf("copy")._array, self._k, type(self))
        out._version, out.grad = self._version, self.grad
        return out.requires_grad_(self.requires_grad)

    def __deepcopy__(self, memo):
        out = memo[id(self)] = wrap(self._k.copy(self._leaf("deepcopy")._array), self._k, type(self))
        out.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        return out.requires_grad_(self.requires_grad)

    def __reduce__(self):
        array = self._leaf("pickle")._host()
        return _rebuilt, (type(self), array, self._k.name, self.requires_grad)

    # ---- out to Python and NumPy
    def _host(self):
        """The values as a NumPy array; on a GPU, after waiting for them."""
        return self._k.to_numpy(self._array)

    def item(self):
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.numel()} elements (shape {self.shape}) cannot be converted to Scalar"
            )
        return self._host().item()

    def tolist(self):
        return self._host().tolist()

    def numpy(self):
        """The array itself: the same memory, no copy. RuntimeError when the tensor requires a gradient."""
        if self._node is not None:
            raise RuntimeError("can't call numpy() on a Tensor that requires grad. Use tensor.detach().numpy() instead")
        if self._k.device.startswith("cuda"):
            raise TypeError(
                f"can't convert a tensor on {self._k.device} to numpy. Use tensor.cpu() to copy it to the host first"
            )
        self._version.share()
        return self._k.to_numpy(self._array)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"a {array.dtype} Tensor cannot become an array of {dtype} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __format__(self, spec):
        return object.__format__(self, spec) if self._array.ndim else format(self.item(), spec)

    def _number(self):
        if self._array.size != 1:
            raise ValueError(f"only one element tensors can be converted to Python scalars, got shape {self.shape}")
        return self._host().item()

    def __float__(self):
        return float(self._number())

    def __int__(self):
        return int(self._number())

    def __index__(self):
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError(
                f"only integer tensors of a single element can be converted to an index, got {self.dtype} {self.shape}"
            )
        return int(self._host().item())

    def __bool__(self):
        if self._array.size != 1:
            raise RuntimeError(
                f"Boolean value of a Tensor with {self.numel()} elements is ambiguous; reduce it first, e.g. by .sum() or .max()"
            )
        return bool(self._host().item())

    def __repr__(self):
        device = [] if self._k.device == "cpu" else [f"device='{self._k.device}'"]
        usual = ("float32", "bool", "int64") if self._array.size else ("float32",)
        dtype = [] if self.dtype.name in usual else [f"dtype={self.dtype.name}"]
        grad = [] if self._node is None else ["requires_grad=True" if self.is_leaf else f"grad_fn={self._node!r}"]
        return backends.text.tensor_text(self._host(), device + dtype + grad)

    # ---- in place
    def _replace(self, result, op):
        """Take over the values (and the history) of `result`: the second half of every in-place operation."""
        if result.shape != self.shape:
            raise RuntimeError(f"{op}: the result has shape {result.shape}, which does not fit into shape {self.shape}")
        if "biuf".index(result.dtype.kind) > "biuf".index(self.dtype.kind):
            raise RuntimeError(f"{op}: result type {result.dtype} can't be cast to the tensor's type {self.dtype}")
        self._check_writable(op)
        if result._node is not None or (self._node is not None and mode.grad):
            self._check_in_place(op)
            self._node = result._node or self._constant(op)
            for view in self._version.views:
                # A view without history gets one when the base does: its gradient would silently be missing.
                if (v := view()) is not None and v is not self and (v._node is not None or result._node is not None):
                    v._node = Stale(op, self._k, (), None, ())
        self._k.assign(self._array, Ellipsis, result._array)
        touch(self._version, self._array, op)
        return self

    def _overwrite(self, kernel, op):
        """Let a kernel write what it makes of the array onto it; for where nothing is recorded."""
        self._check_writable(op)
        kernel(self._array, self._array)
        touch(self._version, self._array, op)
        return self

    def _constant(self, op):
        """The Node of values that what was here before has no part in."""
        k = self._k
        return Node(op, k, (self._node,), (lambda g: k.full(g.shape, 0, g.dtype),), ())

    def _check_writable(self, op):
        if self._k.device == "cpu" and not self._array.flags.writeable:
            raise RuntimeError(
                f"{op}: unsupported operation: more than one element of the written-to tensor refers to a single memory "
                "location. Please clone() the tensor before performing the operation"
            )

    def _check_in_place(self, op):
        if isinstance(self._node, Leaf):
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


def wrap(array, k, cls=Tensor):
    """A Tensor over an array of backend `k`, without history."""
    t = _new(cls)
    t._array = array
    t._k = k
    t._node = None
    t._is_view = False
    t._version = Version()
    t.grad = None
    return t


def _rebuilt(cls, array, backend, requires_grad):
    """A Tensor from its pickle."""
    k = backends.get(backend)
    return wrap(k.from_numpy(array), k, cls).requires_grad_(requires_grad)


def record(name, k, y, vjps, inputs):
    """Tensors over the outputs `y` of an operation (an array, or a tuple of arrays).

    `inputs` are its input Tensors (None where an optional one is absent), in the order of `vjps`, of which
    only those are kept whose input requires a gradient. vjps None: the operation has no gradient.
    """
    several = type(y) is tuple
    outputs = tuple([wrap(a, k) for a in y]) if several else wrap(y, k)
    if vjps is None or not mode.grad:
        return outputs
    # Lists: tuples of generators are resized, and CPython would keep ever more of them (until 2000 of each length).
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
    if len(version.views) & (len(version.views) - 1) == 0:  # at powers of two: a constant cost for each of many
        version.views = [r for r in version.views if r() is not None]
    version.views.append(weakref.ref(view))
