"""The CPU backend: the reference, with the compiled kernels of engine_ext in place of what they can do.

A compiled kernel returns NotImplemented when a dtype or a layout is not its own; the reference's kernel of the
same name serves the rest. That test stands in `dispatch.Kernel` and nowhere else.
"""

from __future__ import annotations

from engine.backends import convolution
from engine.backends.reference import Reference
from engine_ext import (
    augment,
    conv,
    dispatch,
    gemm,
    local,
    loss,
    memory,
    norm,
    optim,
    pointwise,
    pool,
    random,
    reduce,
    strided,
)
from engine_ext import unfold as patches


class native:
    """A compiled function as a kernel of the class: `relu = native(pointwise.relu)`.

    Bound to its fallback when the instance is first asked for it.
    """

    def __init__(self, function):
        self.function = function

    def __set_name__(self, owner, name):
        self.name, self.owner = name, owner

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        kernel = dispatch.Kernel(self.function, getattr(super(self.owner, instance), self.name))
        instance.__dict__[self.name] = kernel  # found before this descriptor from now on
        return kernel


class CPU(Reference):
    """Compiled kernels for contiguous float32; everything else by the reference."""

    name = "cpu"

    add = native(pointwise.add)
    sub = native(pointwise.sub)
    mul = native(pointwise.mul)
    div = native(pointwise.div)
    neg = native(pointwise.neg)
    exp = native(pointwise.exp)
    log = native(pointwise.log)
    sqrt = native(pointwise.sqrt)
    sigmoid = native(pointwise.sigmoid)
    sigmoid_dx = native(pointwise.sigmoid_dx)
    tanh = native(pointwise.tanh)
    tanh_dx = native(pointwise.tanh_dx)
    relu = native(pointwise.relu)
    relu_dx = native(pointwise.relu_dx)

    matmul = native(gemm.matmul)
    linear = native(gemm.linear)
    linear_relu = native(gemm.linear_relu)
    column_sum = native(gemm.column_sum)

    conv2d = native(convolution.forward)
    conv2d_relu = native(convolution.forward_relu)
    conv2d_relu_pool = native(convolution.forward_relu_pool)
    add_relu = native(pointwise.add_relu)
    conv2d_inference = native(convolution.inference)
    conv2d_dx = native(convolution.input_gradient)
    conv2d_dw = native(convolution.weight_gradient)
    channel_sum = native(conv.channel_sum)
    locally_connected2d = native(local.locally_connected2d)
    locally_connected2d_dx = native(local.locally_connected2d_dx)
    locally_connected2d_dw = native(local.locally_connected2d_dw)
    unfold = native(patches.unfold)
    fold = native(patches.fold)

    max_pool2d = native(pool.max_pool2d)
    max_pool2d_dx = native(pool.max_pool2d_dx)
    avg_pool2d = native(pool.avg_pool2d)
    avg_pool2d_dx = native(pool.avg_pool2d_dx)
    relu_max_pool2d = native(pool.relu_max_pool2d)
    relu_max_pool2d_dx = native(pool.relu_max_pool2d_dx)

    batch_norm_stats = native(norm.batch_norm_stats)
    invstd = native(norm.invstd)
    lerp_into = native(norm.lerp_into)
    increment = native(norm.increment)
    batch_norm = native(norm.batch_norm)
    batch_norm_dx = native(norm.batch_norm_dx)
    batch_norm_eval_dx = native(norm.batch_norm_eval_dx)
    batch_norm_relu = native(norm.batch_norm_relu)
    batch_norm_relu_dx = native(norm.batch_norm_relu_dx)
    batch_norm_add_relu = native(norm.batch_norm_add_relu)
    batch_norm_add_relu_dx = native(norm.batch_norm_add_relu_dx)
    batch_norm_relu_pool = native(norm.batch_norm_relu_pool)
    batch_norm_relu_pool_dx = native(norm.batch_norm_relu_pool_dx)

    assign = native(strided.assign)
    add_part = native(strided.add_part)
    sum = native(reduce.sum)
    mean = native(reduce.mean)

    softmax = native(loss.softmax)
    softmax_dx = native(loss.softmax_dx)
    log_softmax = native(loss.log_softmax)
    log_softmax_dx = native(loss.log_softmax_dx)
    cross_entropy = native(loss.cross_entropy)
    cross_entropy_dx = native(loss.cross_entropy_dx)
    cross_entropy_total = native(loss.cross_entropy_total)
    cross_entropy_total_dx = native(loss.cross_entropy_total_dx)

    sgd = native(optim.sgd)
    adam = native(optim.adam)
    amsgrad = native(optim.amsgrad)
    nadam = native(optim.nadam)
    radam = native(optim.radam)
    adamax = native(optim.adamax)
    rmsprop = native(optim.rmsprop)
    adagrad = native(optim.adagrad)
    adadelta = native(optim.adadelta)
    lion = native(optim.lion)
    augment = native(augment.augment)

    random_words = native(random.random_words)
    uniform = native(random.uniform)
    normal = native(random.normal)
    integers = native(random.integers)
    dropout = native(random.dropout)

    owns = staticmethod(memory.owns)

    def full(self, shape, value, dtype):
        """Pooled memory full of one number."""
        out = memory.empty(shape, dtype)
        if strided.fill(out, value) is NotImplemented:
            out.fill(value)
        return out

    def copy(self, a):
        """A contiguous copy in pooled memory."""
        out = memory.empty(a.shape, a.dtype)
        self.assign(out, Ellipsis, a)
        return out

    def from_numpy(self, a):
        """A copy in pooled memory: NumPy's own begins 16 bytes into a line, and each load of a vector touches two."""
        return self.copy(a)
