"""Layers in a row computed as one: Conv2d, BatchNorm2d, ReLU, MaxPool2d(2), and Linear, ReLU.

    steps(sequential)       what nn.Sequential calls in place of its modules
    conv_bn_relu(x, ...)    the same for a module that adds its input to the result

In training a fused operation keeps less and reads memory less often. In inference (eval mode under no_grad) batch norm
is folded into the convolution's weights, which is done again only when one of them changed. Numbers are those of the
layers one by one within rounding. Nothing is fused where it could be noticed: a layer with hooks or of a class of the
user's own, under detect_anomaly. An error runs the layers one by one, so that the one that fails is named.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from engine.nn import errors, inference
from engine.nn import functional as F
from engine.nn.activation import ReLU
from engine.nn.conv import Conv2d
from engine.nn.functional.norm import by_batch
from engine.nn.linear import Linear
from engine.nn.norm import BatchNorm2d
from engine.nn.pooling import MaxPool2d
from engine.ops import fused
from engine.tape import Node
from engine.tensor import Tensor

_TWO = (2, (2, 2))
_FORWARD = {
    kind: kind.forward for kind in (Conv2d, BatchNorm2d, ReLU, MaxPool2d, Linear)
}  # to see when one is replaced
_noting_nothing = Node.__init__  # which detect_anomaly exchanges
_ROWS = ((Conv2d, BatchNorm2d, ReLU, MaxPool2d), (Conv2d, ReLU, MaxPool2d), (Conv2d, BatchNorm2d, ReLU),
         (Conv2d, ReLU), (Conv2d, BatchNorm2d), (Conv2d,), (BatchNorm2d, ReLU, MaxPool2d), (BatchNorm2d, ReLU), (Linear, ReLU))  # fmt: skip


_plans: WeakKeyDictionary = WeakKeyDictionary()  # Sequential -> (its modules, their steps)


def steps(sequential):
    """The modules of an nn.Sequential, with each row of layers that can be one in the place of these."""
    modules, plan = list(sequential._modules.values()), _plans.get(sequential)
    if plan is None or plan[0] != modules:
        plan = _plans[sequential] = modules, _planned(modules)
    return plan[1]


def _planned(modules):
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
    if (
        tuple(map(type, modules)) == (Conv2d, BatchNorm2d, ReLU)
        and conv.padding_mode == "zeros"
        and _unwatched(modules)
    ):
        try:
            y = _convolution(x, conv, bn, True, False, residual)
        except errors.OF_LAYERS as error:
            _unless_named(error)
        else:
            errors.remember(relu, y)
            return y
    y = bn(conv(x))
    return relu(y if residual is None else y + residual)


def _unless_named(error):
    """Pass over an error that the layer which fails will say again, by its name; raise one that has a name."""
    if hasattr(error, "_layer"):
        raise error


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
            except errors.OF_LAYERS as error:
                _unless_named(error)
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
        if first.padding_mode != "zeros":
            return None
        return _convolution(x, first, self.bn, self.relu is not None, self.pool is not None)


def _unwatched(modules):
    """Whether nobody sees what passes from one to the next."""
    for m in modules:
        if m._hooks or "forward" in m.__dict__ or type(m).forward is not _FORWARD[type(m)]:
            return False
    return Node.__init__ is _noting_nothing


def _halves(pool):
    """Whether a MaxPool2d is of 2x2 windows side by side."""
    halving = pool.kernel_size in _TWO and pool.stride in _TWO and pool.padding in (0, (0, 0))
    return halving and pool.dilation in (1, (1, 1)) and not (pool.return_indices or pool.ceil_mode)


def _convolution(x, conv, bn, relu, pool, residual=None):
    """max_pool2d(relu(bn(conv(x)) + residual)), of which every part but the convolution may be absent."""
    if inference.serves(x, conv, bn, residual):
        return inference.convolution(x, conv, bn, relu, pool, residual)
    numbers = (conv.stride, conv.padding, conv.dilation, conv.groups)
    if bn is not None:
        y = F.conv2d(x, conv.weight, conv.bias, *numbers)
        errors.remember(conv, y)
        return _batch_norm(y, bn, relu, pool, residual)
    convolve = fused.conv2d_relu_pool if pool else fused.conv2d_relu if relu else F.conv2d
    return convolve(x, conv.weight, conv.bias, *numbers)


def _batch_norm(x, bn, relu, pool, residual=None):
    """max_pool2d(relu(bn(x) + residual)), of which every part but batch norm may be absent."""
    few = x.numel() <= bn.num_features or (pool and min(x.shape[2:]) < 2)
    if not relu or not bn.training or x.shape[1] != bn.num_features or few:
        y = bn(x)
        y = y if residual is None else y + residual
        y = F.relu(y, True) if relu else y
        return F.max_pool2d(y, 2) if pool else y
    f = fused.batch_norm_relu_pool if pool else fused.batch_norm_relu
    inputs = (x, bn.weight, bn.bias)
    if residual is not None:
        f, inputs = fused.batch_norm_add_relu, (x, residual, bn.weight, bn.bias)
    mean, var, _, momentum = bn.statistics()
    try:
        return by_batch(f, inputs, mean, var, momentum, bn.eps)
    except errors.OF_LAYERS as error:  # the batch is counted: bn must not see it again
        errors.name_layer(bn, error, (x,))
        raise
