"""Layers in a row computed as one: Conv2d, BatchNorm2d, ReLU, MaxPool2d(2), and Linear, ReLU.

    steps(modules)          what nn.Sequential calls in place of its modules
    conv_bn_relu(x, ...)    the same for a module that adds its input to the result

In training a fused operation keeps less and reads memory less often. In inference (eval mode under no_grad) batch norm
is folded into the convolution's weights, which is done again only when one of them changed. Numbers are those of the
layers one by one within rounding. Nothing is fused where it could be noticed: a layer with hooks or of a class of the
user's own, under detect_anomaly. An error runs the layers one by one, so that the one that fails is named.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from engine.nn import errors
from engine.nn import functional as F
from engine.nn.activation import ReLU
from engine.nn.conv import Conv2d
from engine.nn.functional.norm import by_batch
from engine.nn.linear import Linear
from engine.nn.norm import BatchNorm2d
from engine.nn.pooling import MaxPool2d
from engine.ops import fused
from engine.tape import Node, mode
from engine.tensor import Tensor, wrap

_noting_nothing = Node.__init__  # which detect_anomaly exchanges
_ROWS = ((Conv2d, BatchNorm2d, ReLU, MaxPool2d), (Conv2d, ReLU, MaxPool2d), (Conv2d, BatchNorm2d, ReLU),
         (Conv2d, ReLU), (Conv2d, BatchNorm2d), (BatchNorm2d, ReLU, MaxPool2d), (BatchNorm2d, ReLU), (Linear, ReLU))  # fmt: skip


def steps(modules):
    """`modules`, with each row of layers that can be one in the place of these."""
    found, rest = [], list(modules)
    while rest:
        kinds = tuple(map(type, rest[:4]))
        row = next((row for row in _ROWS if kinds[: len(row)] == row), None)
        if row is None:
            found.append(rest.pop(0))
        else:
            found.append(Row(rest[: len(row)]))
            del rest[: len(row)]
    return found


def conv_bn_relu(x, conv, bn, relu, residual=None):
    """relu(bn(conv(x)) + residual); modules of any class, called one by one where they cannot be one."""
    modules = (conv, bn, relu)
    if tuple(map(type, modules)) == (Conv2d, BatchNorm2d, ReLU) and _unwatched(modules) and _foldable(conv):
        try:
            y = _convolution(x, conv, bn, True, False, residual)
        except errors.OF_LAYERS:
            pass  # said again, by the layer that fails
        else:
            errors.remember(relu, y)
            return y
    y = bn(conv(x))
    return relu(y if residual is None else y + residual)


class Row:
    """One row of layers as a function."""

    def __init__(self, modules):
        self.modules = modules
        by_kind = {type(m): m for m in modules}
        self.first = modules[0]
        self.bn, self.relu, self.pool = (by_kind.get(kind) for kind in (BatchNorm2d, ReLU, MaxPool2d))

    def __call__(self, x):
        if _unwatched(self.modules) and (self.pool is None or _halves(self.pool)):
            try:
                y = self._together(x)
            except errors.OF_LAYERS:
                pass  # said again, by the layer that fails
            else:
                if y is not None:
                    errors.remember(self.modules[-1], y)
                    return y
        for module in self.modules:
            x = module(x)
        return x

    def _together(self, x):
        """The result, or None where the row must be walked."""
        first = self.first
        if type(x) is not Tensor or x.ndim != (2 if type(first) is Linear else 4):
            return None
        if type(first) is Linear:
            return fused.linear_relu(x, first.weight, first.bias)
        if type(first) is BatchNorm2d:
            return _batch_norm(x, first, True, self.pool is not None) if first.training else None
        if not _foldable(first):
            return None
        return _convolution(x, first, self.bn, self.relu is not None, self.pool is not None)


def _unwatched(modules):
    """Whether nobody sees what passes from one to the next."""
    return all(not m._hooks and "forward" not in m.__dict__ for m in modules) and Node.__init__ is _noting_nothing


def _foldable(conv):
    return conv.padding_mode == "zeros"


def _halves(pool):
    """Whether a MaxPool2d is of 2x2 windows side by side."""
    plain = not (pool.return_indices or pool.ceil_mode)
    return plain and all(
        value in (wanted, (wanted, wanted))
        for value, wanted in ((pool.kernel_size, 2), (pool.stride, 2), (pool.padding, 0), (pool.dilation, 1))
    )


def _convolution(x, conv, bn, relu, pool, residual=None):
    """max_pool2d(relu(bn(conv(x)) + residual)), of which every part but the convolution may be absent."""
    weight, bias = conv.weight, conv.bias
    if bn is not None:
        if mode.grad or bn.training or bn.running_mean is None:
            y = F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
            return _batch_norm(y, bn, relu, pool, residual)
        weight, bias = _folded(conv, bn)
    convolve = F.conv2d if not relu or residual is not None else fused.conv2d_relu_pool if pool else fused.conv2d_relu
    y = convolve(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
    return y if residual is None else F.relu(y + residual, True)


def _batch_norm(x, bn, relu, pool, residual=None):
    """max_pool2d(relu(bn(x) + residual)), of which every part but batch norm may be absent."""
    if not relu or not bn.training or x.shape[1] != bn.num_features or x.numel() <= bn.num_features:
        y = bn(x)
        y = y if residual is None else y + residual
        y = F.relu(y, True) if relu else y
        return F.max_pool2d(y, 2) if pool else y
    f = fused.batch_norm_relu_pool if pool else fused.batch_norm_relu
    inputs = (x, bn.weight, bn.bias)
    if residual is not None:
        f, inputs = fused.batch_norm_add_relu, (x, residual, bn.weight, bn.bias)
    mean, var, _, momentum = bn.statistics()
    return by_batch(f, inputs, mean, var, momentum, bn.eps)


# ---- batch norm as part of the convolution before it

_kept: WeakKeyDictionary = WeakKeyDictionary()  # convolution -> (eps, state of the sources, weight and bias)


def _folded(conv, bn):
    """Weight and bias of the convolution that also does what `bn` does in eval mode: made anew when one of its sources
    is another array or was written to, and at every call where writes cannot be noticed."""
    sources = (conv.weight, conv.bias, bn.weight, bn.bias, bn.running_mean, bn.running_var)
    stamps = tuple([None if t is None else (t._array, t._version, t._version.time) for t in sources])
    kept = _kept.get(conv)
    if kept is not None and kept[0] == bn.eps and _same(kept[1], stamps):
        return kept[2]
    folded = _fold(*(None if t is None else t._array for t in sources), bn.eps, conv.weight._k)
    if not any(t is not None and t._version.shared for t in sources):
        _kept[conv] = bn.eps, stamps, folded
    return folded


def _same(kept, stamps):
    return all(
        a is b or (a is not None and b is not None and a[0] is b[0] and a[1] is b[1] and a[2] == b[2])
        for a, b in zip(kept, stamps, strict=True)
    ) and not any(s is not None and s[1].shared for s in stamps)


def _fold(w, b, scale, shift, mean, var, eps, k):
    """(x * w + b - mean) / sqrt(var + eps) * scale + shift as x * w' + b'."""
    invstd = k.invstd(var, eps)
    scale = invstd if scale is None else k.mul(invstd, scale)
    offset = k.neg(mean) if b is None else k.sub(b, mean)
    offset = k.mul(offset, scale)
    offset = offset if shift is None else k.add(offset, shift)
    return wrap(k.mul(w, scale.reshape(-1, 1, 1, 1)), k), wrap(offset, k)
