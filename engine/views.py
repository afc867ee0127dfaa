"""Methods of Tensor that show its memory in another shape, and those that take sizes one by one."""

from __future__ import annotations

from engine.grad_mode import is_grad_enabled
from engine.ops import arrange, pieces
from engine.ops import shape as shapes
from engine.ops._op import expect_tensors, one_dim


def _several(f, keyword):
    """A method that takes sizes one by one, as a tuple or by name: `x.reshape(2, 3)`, `x.reshape((2, 3))`."""

    def method(self, *sizes, **named):
        if keyword in named and not sizes:
            sizes = (shapes.integers(f.__name__, named.pop(keyword)),)
        if named:
            raise TypeError(f"{f.__name__}() takes sizes one by one, as a tuple or as {keyword}=, got {[*named]} too")
        if not sizes:
            raise TypeError(f"{f.__name__}() is missing its argument {keyword!r}")
        if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
            sizes = sizes[0]
        return f(self, **{keyword: tuple(sizes)})

    method.__name__, method.__doc__ = f.__name__, f.__doc__
    return method


def _as_other(name, f):
    """The method that takes the shape of another Tensor."""

    def method(self, other):
        expect_tensors(name, other=other)
        return f(self, shape=other.shape)

    method.__name__, method.__doc__ = name, f"`{f.__name__}` in the shape of `other`."
    return method


_view = _several(shapes.view, "shape")


def view(self, *shape, **named):
    """The same memory in another shape; RuntimeError where that takes a copy. Bytes are not seen as another dtype."""
    wanted = named.get("dtype", shape[0] if len(shape) == 1 else None)
    if isinstance(wanted, str) or hasattr(wanted, "kind"):
        raise NotImplementedError(
            f"view({wanted}): bytes as another dtype are not offered; .to({wanted}) converts values"
        )
    return _view(self, *shape, **named)


def reversed_axes(self):
    """`x.T`: the axes in reverse order; of a matrix, its transpose."""
    return shapes.permute(self, dims=tuple(reversed(range(self.ndim))))


def matrix_transpose(self):
    """`x.mT`: the last two axes exchanged."""
    if self.ndim == 1:
        raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices, got shape {self.shape}")
    return shapes.transpose(self, -2, -1) if self.ndim else shapes.reshape(self, shape=())


def contiguous(self, memory_format=None):
    """The tensor itself when its memory is in row-major order, else a copy that is. memory_format changes nothing."""
    return self if self.is_contiguous() else shapes.clone(self)


def clone(self, *, memory_format=None):
    """A copy with a gradient. memory_format changes nothing."""
    return shapes.clone(self)


def stride(self, dim=None):
    """How many elements apart neighbours are in memory, along one axis or each."""
    strides = tuple([s // self._array.itemsize for s in self._array.strides])
    return strides if dim is None else strides[one_dim("stride", dim, self.ndim)]


def data_ptr(self):
    """The address of the first element."""
    self._version.share()
    return self._array.ctypes.data


def _in_place(f):
    """`x.unsqueeze_(0)` from `unsqueeze`: values and memory stay, so everything computed from x before stays right."""
    name = f.__name__ + "_"

    def method(self, *args, **kwargs):
        result = f(self, *args, **kwargs)
        if self.is_leaf:
            if self.requires_grad and is_grad_enabled():
                self._check_in_place(name)
        else:
            self._node = result._node
        self._array = result._array
        return self

    method.__name__, method.__doc__ = name, f"In-place form of `{f.__name__}`: x itself gets the new shape."
    return method


METHODS = {
    "view": view,
    "reshape": _several(shapes.reshape, "shape"),
    "permute": _several(shapes.permute, "dims"),
    "expand": _several(shapes.expand, "shape"),
    "broadcast_to": _several(shapes.broadcast_to, "size"),
    "repeat": _several(arrange.repeat, "repeats"),
    "tile": _several(arrange.tile, "dims"),
    "flip": _several(arrange.flip, "dims"),
    "T": property(reversed_axes),
    "mT": property(matrix_transpose),
    "contiguous": contiguous,
    "clone": clone,
    "stride": stride,
    "unfold": pieces.unfold,
    "data_ptr": data_ptr,
    "view_as": _as_other("view_as", shapes.view),
    "reshape_as": _as_other("reshape_as", shapes.reshape),
    "expand_as": _as_other("expand_as", shapes.expand),
    **{f"{f.__name__}_": _in_place(f) for f in (shapes.squeeze, shapes.unsqueeze, shapes.transpose, shapes.t)},
}
