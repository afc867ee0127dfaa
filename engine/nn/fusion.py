"""Layers in a row computed as one: Conv2d, BatchNorm2d, ReLU, MaxPool2d(2), and Linear, ReLU.

    steps(sequential)       what nn.Sequential calls in place of its modules
    conv_bn_relu(x, ...)    the same for a module that adds its input to the result
    conv_bn_relus(x, ...)   several of these, one behind the other

In training a fused operation keeps less and reads memory less often: what lies between batch norm and the convolution
behind it is computed again for the gradients. In inference (eval mode under no_grad) batch norm is folded into the
convolution's weights, which is done again only when one of them changed. Numbers are those of the layers one by one
within rounding. Nothing is fused where it could be noticed: a layer with hooks or of a class of the user's own, under
detect_anomaly. Where a fused operation fails its layers are called one by one, so that the one that fails is named.
"""

from __future__ import annotations

from itertools import pairwise
from weakref import WeakKeyDictionary

from engine.grad_mode import mode
from engine.nn import errors, inference
from engine.nn.activation import ReLU
from engine.nn.conv import Conv2d
from engine.nn.functional.norm import move_running
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
_NORMED = (Conv2d, BatchNorm2d, ReLU)
_ROWS = ((*_NORMED, MaxPool2d), (Conv2d, ReLU, MaxPool2d), _NORMED, (Conv2d, ReLU), (Conv2d, BatchNorm2d), (Conv2d,),
         (BatchNorm2d, ReLU, MaxPool2d), (BatchNorm2d, ReLU), (Linear, ReLU))  # fmt: skip

_plans: WeakKeyDictionary = WeakKeyDictionary()  # Sequential -> (its modules and their classes, their steps)


def steps(sequential):
    """The modules of an nn.Sequential, with each row of layers that can be one in the place of these."""
    modules, plan = [*sequential._modules.values()], _plans.get(sequential)
    planned_for = [*modules, *map(type, modules)]  # a lazy layer changes its class at the first batch
    if plan is None or plan[0] != planned_for:
        plan = _plans[sequential] = planned_for, _planned(modules)
    return plan[1]


def _planned(modules):
    found, rest = [], list(modules)
    while rest:
        kinds = tuple(map(type, rest[:4]))
        row = next((row for row in _ROWS if kinds[: len(row)] == row), None)
        if row is None:
            found.append(rest.pop(0))
            continue
        step = Row(rest[: len(row)])
        del rest[: len(row)]
        if found and row[:3] == _NORMED:
            before = found[-1]
            if type(before) is Chain and before.rows[-1].pool is None:
                before.rows.append(step)
                continue
            if type(before) is Row and before.kinds == _NORMED:
                step = Chain([found.pop(), step])
        found.append(step)
    return found


def conv_bn_relus(x, layers, relu, residual=None):
    """`layers`, pairs of a convolution and its batch norm, each with the same ReLU behind it, before the last of which the
    residual is added. Modules of any class, called one by one where they cannot be one."""
    if _trains(x, layers) and all(_is_row(conv, bn, relu) for conv, bn in layers):
        return _chain(x, layers, relu, None, residual)
    for conv, bn in layers[:-1]:
        x = conv_bn_relu(x, conv, bn, relu)
    return conv_bn_relu(x, *layers[-1], relu, residual)


def conv_bn_relu(x, conv, bn, relu, residual=None):
    """relu(bn(conv(x)) + residual); modules of any class, called one by one where they cannot be one."""
    if _is_row(conv, bn, relu):
        if _trains(x, ((conv, bn),)):
            return _chain(x, ((conv, bn),), relu, None, residual)
        if inference.serves(x, conv, bn, residual):
            try:
                y = inference.convolution(x, conv, bn, True, False, residual)
            except errors.OF_LAYERS:
                pass  # the layer says it again, by its name
            else:
                errors.remember(relu, y)
                return y
    y = bn(conv(x))
    return relu(y if residual is None else y + residual)


def _is_row(*modules):
    """Whether these are a Conv2d, a BatchNorm2d and a ReLU that may be one."""
    return tuple([type(m) for m in modules]) == _NORMED and _unwatched(modules)


class Chain:
    """Rows of Conv2d, BatchNorm2d and ReLU one behind the other, the last of them perhaps pooled, as a function."""

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, x):
        layers = [(row.first, row.bn) for row in self.rows]
        if _trains(x, layers) and all(row.alone() for row in self.rows):
            last = self.rows[-1]
            return _chain(x, layers, last.relu, last.pool)
        for row in self.rows:
            x = row(x)
        return x


class Row:
    """One row of layers as a function."""

    def __init__(self, modules):
        self.modules, self.kinds = modules, tuple(map(type, modules))
        by_kind = dict(zip(self.kinds, modules, strict=True))
        self.first = modules[0]
        self.bn, self.relu, self.pool = (by_kind.get(kind) for kind in (BatchNorm2d, ReLU, MaxPool2d))

    def alone(self):
        """Whether the layers may be one."""
        return _unwatched(self.modules) and (self.pool is None or _halves(self.pool))

    def __call__(self, x):
        if self.alone():
            if self.bn is not None and self.relu is not None:
                if self.first is self.bn and self.bn.training and _is_batch(x):
                    return _norm(x, self.bn, self.relu, self.pool)
                if self.first is not self.bn and _trains(x, ((self.first, self.bn),)):
                    return _chain(x, ((self.first, self.bn),), self.relu, self.pool)
            try:
                y = self._together(x)
            except errors.OF_LAYERS:
                y = None  # the layer says it again, by its name
            if y is not None:
                errors.remember(self.modules[-1], y)
                return y
        for module in self.modules:
            x = module(x)
        return x

    def _together(self, x):
        """The result, or None where the row must be walked."""
        first, relu, pool = self.first, self.relu is not None, self.pool is not None
        if type(first) is Linear:
            return fused.linear_relu(x, first.weight, first.bias) if type(x) is Tensor and x.ndim == 2 else None
        if type(first) is BatchNorm2d or not _is_batch(x):
            return None
        if inference.serves(x, first, self.bn):
            return inference.convolution(x, first, self.bn, relu, pool)
        if self.bn is not None or not relu or first.padding_mode != "zeros":
            return None
        convolve = fused.conv2d_relu_pool if pool else fused.conv2d_relu
        return convolve(x, first.weight, first.bias, **_numbers(first))


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


def _is_batch(x):
    return type(x) is Tensor and x.ndim == 4


def _numbers(conv):
    return {"stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation, "groups": conv.groups}


# ---- in training, where batch norm takes the batch's own statistics


def _trains(x, layers):
    """Whether `_chain` is for this input of pairs of a Conv2d and a BatchNorm2d."""
    return mode.grad and _is_batch(x) and all(bn.training and conv.weight.requires_grad for conv, bn in layers)


def _chain(x, layers, relu, pool, residual=None):
    """max_pool2d(relu(bn(conv(... relu(bn(conv(x)))))) + residual); the last two may be absent. Raises what a layer raises."""
    y = layers[0][0](x)
    for (_, bn), (conv, _) in pairwise(layers):
        y = _norm_conv(y, bn, relu, conv)
    return _norm(y, layers[-1][1], relu, pool, residual)


def _norm_conv(x, bn, relu, conv):
    """conv(relu(bn(x)))."""
    if _has_statistics(x, bn) and conv.padding_mode == "zeros":
        inputs = x, conv.weight, bn.weight, bn.bias, conv.bias
        y = _by_batch(fused.batch_norm_relu_conv2d, inputs, bn, **_numbers(conv))
        if y is not None:
            errors.remember(conv, y)
            return y
    return conv(relu(bn(x)))


def _norm(x, bn, relu, pool, residual=None):
    """max_pool2d(relu(bn(x) + residual)), of which pooling and what is added may be absent."""
    if _has_statistics(x, bn):
        f, inputs = fused.batch_norm_relu_pool if pool else fused.batch_norm_relu, (x, bn.weight, bn.bias)
        if residual is not None:
            f, inputs = fused.batch_norm_add_relu, (x, residual, bn.weight, bn.bias)
        y = _by_batch(f, inputs, bn)
        if y is not None:
            errors.remember(pool or relu, y)
            return y
    y = bn(x)
    y = relu(y if residual is None else y + residual)
    return pool(y) if pool else y


def _has_statistics(x, bn):
    """Whether a batch has the channels of bn, and more than one value of each."""
    return x.shape[1] == bn.num_features and x.numel() > bn.num_features


def _by_batch(f, inputs, bn, **numbers):
    """f of `inputs`, which normalises the first of them by its own statistics; bn's running ones then follow these. None
    where f fails: nothing has changed then."""
    try:
        y, mean, var = f(*inputs, eps=bn.eps, **numbers)
    except errors.OF_LAYERS:
        return None
    x = inputs[0]
    running_mean, running_var, _, momentum = bn.statistics()
    try:
        move_running(running_mean, running_var, mean, var, x.numel() // x.shape[1], momentum)
    except errors.OF_LAYERS as error:  # the batch is counted: bn must not see it again
        errors.name_layer(bn, error, (x,))
        raise
    return y
