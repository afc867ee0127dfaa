"""Shapes alone: a backend whose arrays have a shape and a dtype but share one number of memory, whatever their size.

What a model of 10^12 parameters would compute can be asked without allocating it: `engine.summary` runs models here.
Kernels of layers count multiply-adds in `macs` and carry along which patch of the image an element depends on.
A kernel without an entry here is the reference's, run on such arrays: right, but computed.
"""

from __future__ import annotations

import math

import numpy

from engine.backends.reference import Reference
from engine.backends.reference.activation import Activation
from engine.backends.reference.fused import Fused, halving
from engine.backends.reference.unary import Unary


class Extent(numpy.ndarray):
    """An array whose strides are all 0.

    field  receptive field, distance of neighbours and where the first one's field begins, in input pixels, each
           (vertical, horizontal); None where an element may depend on everything
    plane  the (height, width) that the field is about; in another arrangement of the elements windows say nothing
    """

    field: tuple | None = None
    plane: tuple = ()

    def __array_finalize__(self, source):
        self.field, self.plane = getattr(source, "field", None), getattr(source, "plane", ())

    def __getitem__(self, index):
        part = super().__getitem__(index)
        if isinstance(part, Extent) and part.ndim == self.ndim == 4 and self.field and self.plane == self.shape[2:]:
            index = index if isinstance(index, tuple) else (index,)
            cuts = [
                s.indices(n) if isinstance(s, slice) else (0, n, 1) for s, n in zip(index, self.shape, strict=False)
            ]
            cuts = [*cuts, *((0, n, 1) for n in self.shape[len(cuts) :])][2:]
            size, step, start = self.field
            part.plane = part.shape[2:]
            part.field = (
                size,
                tuple(j * cut[2] for j, cut in zip(step, cuts, strict=True)),
                tuple(p + j * cut[0] for p, j, cut in zip(start, step, cuts, strict=True)),
            )
        return part


def extent(shape, dtype, *sources):
    """An Extent that depends on the arrays `sources`: its field is the largest of theirs."""
    out = numpy.broadcast_to(numpy.zeros((), dtype), shape, subok=False).view(Extent)
    known = [s for s in sources if getattr(s, "field", None) is not None]
    if known:
        largest = max(known, key=lambda s: s.field)
        out.field = largest.field
        out.plane = tuple(shape[2:]) if largest.plane == largest.shape[2:] else largest.plane
    return out


def _like_first(self, a, *_, **__):
    return extent(a.shape, a.dtype, a)


def _like_both(self, a, b, out=None):
    return extent(numpy.broadcast_shapes(numpy.shape(a), numpy.shape(b)), numpy.result_type(a, b), a, b)


def _compared(self, a, b, out=None):
    return extent(numpy.broadcast_shapes(numpy.shape(a), numpy.shape(b)), "bool", a, b)


def _summed(self, a, axes, keepdims):
    return _reduced(self, a if a.dtype.kind == "f" else self.cast(a, "int64"), axes, keepdims)


def _reduced(self, a, axes, keepdims):
    axes = (axes,) if isinstance(axes, int) else axes
    kept = [1 if i in axes else n for i, n in enumerate(a.shape) if keepdims or i not in axes]
    return extent(tuple(kept), a.dtype)


_truth = Reference()


def _computed(name, local):
    """The reference's kernel, its results collapsed to Extents; `local`: with the fields of its arguments."""
    kernel = getattr(_truth, name)

    def collapsed(self, *args, **kwargs):
        sources = [a for a in _flat(args) if isinstance(a, Extent)] if local else []
        return _collapsed(kernel(*map(_plain, args), **kwargs), sources)

    return collapsed


def _flat(values):
    for value in values:
        yield from _flat(value) if isinstance(value, (tuple, list)) else (value,)


def _plain(value):
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value))
    return numpy.asarray(value) if isinstance(value, Extent) else value


def _collapsed(y, sources):
    if isinstance(y, tuple):
        return tuple(_collapsed(a, sources) for a in y)
    return extent(y.shape, y.dtype, *sources) if isinstance(y, numpy.ndarray) else y


def _window(x, y, geom, dilation):
    """y with the field of x after the window of `geom` passed over it."""
    if x.field is not None and x.plane == x.shape[2:]:
        size, step, start = x.field
        y.field = (
            tuple(s + (k - 1) * d * j for s, k, d, j in zip(size, (geom.kh, geom.kw), dilation, step, strict=True)),
            tuple(j * s for j, s in zip(step, geom.stride, strict=True)),
            tuple(p - j * q for p, j, q in zip(start, step, geom.padding[::2], strict=True)),
        )
    return y


class Shape(Reference):
    name = "shape"
    device = "meta"

    def __init__(self):
        self.macs = 0

    # ---- making and copying
    def full(self, shape, value, dtype):
        return extent(shape, dtype)

    def from_numpy(self, a):
        return extent(a.shape, a.dtype)

    def to_numpy(self, a):
        raise RuntimeError("a tensor on device 'meta' has a shape but no values")

    def cast(self, a, dtype):
        return extent(a.shape, dtype, a)

    def assign(self, a, index, value):
        """There is nothing to assign."""

    def assign_along(self, a, indices, values, axis):
        """Nor here."""

    add_along = assign_along

    def add_at(self, a, index, values):
        """Nor to add."""

    def owns(self, a):
        return True

    def getitem(self, a, index):
        part = _truth.getitem(a, index)
        out = extent(part.shape, part.dtype)
        out.field, out.plane = part.field, part.plane
        return out

    def broadcast(self, a, shape):
        return extent(shape, a.dtype, a)

    def uniform(self, shape, low, high, key, dtype):
        return extent(shape, dtype)

    normal = uniform

    def truncated_normal(self, shape, mean, std, low, high, key, dtype):
        return extent(shape, dtype)

    # ---- layers
    def matmul(self, a, b):
        shape = (*numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        self.macs += math.prod(shape) * a.shape[-1]
        return extent(shape, a.dtype)

    def linear(self, x, w, b):
        shape = x.shape[:-1] + w.shape[:1]
        self.macs += math.prod(shape) * w.shape[1]
        return extent(shape, x.dtype)

    def conv2d(self, x, w, b, geom):
        self.macs += math.prod(geom.y_shape) * geom.c // geom.groups * geom.kh * geom.kw
        return _window(x, extent(geom.y_shape, x.dtype, x), geom, geom.dilation)

    def conv2d_dx(self, g, w, geom, onto=None):
        """Forward of a transposed convolution: the field is not followed through it."""
        self.macs += math.prod(geom.y_shape) * geom.c // geom.groups * geom.kh * geom.kw
        return extent(geom.x_shape, g.dtype)

    def conv2d_dw(self, g, x, geom):
        return extent(geom.w_shape, x.dtype)

    def locally_connected2d(self, x, w, b, geom):
        return self.conv2d(x, w, b, geom)

    def locally_connected2d_dx(self, g, w, geom):
        return extent(geom.x_shape, g.dtype)

    def locally_connected2d_dw(self, g, x, geom):
        return extent((*geom.w_shape, geom.oh, geom.ow), x.dtype)

    def max_pool2d(self, x, geom):
        y = self._pooled(x, geom, geom.dilation)
        return y, extent(geom.y_shape, "uint8" if geom.kh * geom.kw <= 256 else "int32")

    def relu_max_pool2d(self, x):
        return self.max_pool2d(x, halving(x.shape))

    def relu_max_pool2d_dx(self, g, taps, x_shape):
        return extent(x_shape, g.dtype)

    def avg_pool2d(self, x, geom):
        return self._pooled(x, geom, (1, 1))

    def _pooled(self, x, geom, dilation):
        return _window(x, extent(geom.y_shape, x.dtype, x), geom, dilation)

    def batch_norm_stats(self, x):
        return extent(x.shape[1:2], x.dtype), extent(x.shape[1:2], x.dtype)

    def cross_entropy(self, x, labels):
        return extent(labels.shape, x.dtype), extent(x.shape, x.dtype)

    def cross_entropy_total(self, x, labels, mean):
        return extent((), x.dtype), extent(x.shape, x.dtype)


_OTHERS = ("glu", "glu_dx", "prelu_dw", "isnan", "isinf", "isfinite", "logical_not")  # of another shape or dtype
_LIKE_FIRST = [n for family in (Unary, Activation) for n in vars(family) if n[0] != "_" and n not in _OTHERS]
_LIKE_FIRST += "copy dropout softmax log_softmax invstd batch_norm increment lerp_into relu relu_dx".split()
_RULES = {
    **{name: _like_first for name in _LIKE_FIRST},
    **{name: _like_both for name in ("add", "sub", "mul", "div", "maximum", "minimum", "pow")},
    **{name: _compared for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: _reduced for name in ("mean", "max", "min")},
    "sum": _summed,
}
_FAR = (  # what these give depends on elements farther away than the field tells
    "adaptive_avg_pool2d adaptive_max_pool2d interval_sums interval_argmax resize_linear resize_nearest fold unfold warp "
    "roll cumsum cumprod argsort"
).split()
for _name in {*dir(Reference)} - {*vars(Fused)}:  # which call the kernels of each layer
    if not _name.startswith("_") and _name not in vars(Shape) and callable(getattr(Reference, _name)):
        setattr(Shape, _name, _RULES.get(_name) or _computed(_name, local=_name not in _FAR))
