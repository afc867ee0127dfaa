"""Hundreds of calls that nobody should make; run by test_odd_arguments.py in a process of its own, which may die of them.

`python odd_calls.py BACKEND` prints a line for each call, first its name, then what became of it. A result is checked
for its shape where the shape is easy to tell; an error must be one of ERRORS.
"""

import itertools
import math
import resource
import sys
import time
import warnings

import numpy as np
import odd_windows

import engine
import engine.nn.functional as F
from engine import nn

ERRORS = (TypeError, ValueError, IndexError, RuntimeError, MemoryError)
MEMORY = 4 << 30
SLOW = 20  # seconds
BIG = (2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, 10**30)
INTS = (0, -1, -(2**31), -(2**63), *BIG)
NONSENSE = (1.5, math.nan, math.inf, None, "a", (), (1, 2, 3), [[1]], True, b"x", {}, 1j, engine.zeros(2))
CALLS = []  # (name, function, shape or None)


def call(name, f, shape=None):
    CALLS.append((name, f, shape))


def zeros(*shape, dtype="float32"):
    return engine.zeros(shape, dtype=dtype, requires_grad=dtype == "float32")


def window(size, kernel, stride, before, after, dilation, ceil=False):
    """Outputs along an axis, counted one by one; None when there are none or too many to count."""
    span = dilation * (kernel - 1) + 1
    free = size + before + after - span
    if min(kernel, stride, dilation) < 1 or before < 0 or free < 0:
        return None
    n = (-(-free // stride) if ceil else free // stride) + 1
    return n - 1 if ceil and (n - 1) * stride >= size + before else n


def both(v):
    return v if isinstance(v, tuple) else (v, v)


def conv_shape(x, w, stride=1, padding=0, dilation=1, groups=1):
    numbers = [n for v in (stride, padding, dilation, groups) for n in both(v)]
    if len(numbers) != 8 or not all(type(n) is int for n in numbers):
        return None
    (sh, sw), (ph, pw), (dh, dw) = both(stride), both(padding), both(dilation)
    sizes = window(x[2], w[2], sh, ph, ph, dh), window(x[3], w[3], sw, pw, pw, dw)
    return None if None in sizes else (x[0], w[0], *sizes)


# ---- convolution and pooling

X, W = (2, 2, 5, 6), (4, 2, 3, 2)
for key in ("stride", "padding", "dilation", "groups"):
    for v in (*INTS, *NONSENSE):
        call(
            f"conv2d {key}={v!r}",
            lambda key=key, v=v: F.conv2d(zeros(*X), zeros(*W), **{key: v}),
            conv_shape(X, W, **{key: v}),
        )
    for v in INTS:
        for pair in ((v, 1), (1, v)):
            call(
                f"conv2d {key}={pair}",
                lambda key=key, p=pair: F.conv2d(zeros(*X), zeros(*W), **{key: p}),
                conv_shape(X, W, **{key: pair}),
            )
    for a, b in itertools.combinations(("stride", "padding", "dilation"), 2):
        for v in (2**16, 2**29, 2**30, 2**31, 2**32, 2**40, 2**60, 2**61):
            for w in ((4, 2, 1, 1), (4, 2, 2, 2)):
                params = {a: v, b: v}
                call(
                    f"conv2d {w} {params}",
                    lambda w=w, p=params: F.conv2d(zeros(*X), zeros(*w), **p),
                    conv_shape(X, w, **params),
                )
for v in (2**16, 2**29, 2**30, 2**31 - 1, 2**31, 2**40, 2**60, 2**61):
    params = {"stride": v, "padding": v, "dilation": v}
    for w in ((1, 1, 1, 1), (1, 1, 2, 2), (1, 1, 3, 3)):
        call(
            f"conv2d 1x1 {w} {params}",
            lambda w=w, p=params: F.conv2d(zeros(1, 1, 1, 1), zeros(*w), **p),
            conv_shape((1, 1, 1, 1), w, **params),
        )
    for sides in itertools.product((0, v), repeat=4):
        call(
            f"conv2d sides {sides} stride={v}",
            lambda s=sides, v=v: F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 1, 1), padding=s, stride=v),
        )
for x in itertools.product((0, 1, 3), repeat=4):
    for w in ((0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 3, 3), (2, 3, 1, 2), (1, 1, 1, 4)):
        call(f"conv2d x {x} w {w}", lambda x=x, w=w: F.conv2d(zeros(*x), zeros(*w)))
for x in ((), (3,), (3, 3), (2, 3, 3), (2, 2, 3, 3), (1, 2, 2, 3, 3)):
    for w in ((), (2,), (2, 2), (2, 2, 3), (2, 2, 3, 3), (2, 2, 3, 3, 3)):
        call(f"conv2d dimensions {x} {w}", lambda x=x, w=w: F.conv2d(zeros(*x), zeros(*w)))
for v in (*INTS, *NONSENSE):
    call(f"Conv2d in {v!r}", lambda v=v: nn.Conv2d(v, 2, 3))
    call(f"Conv2d out {v!r}", lambda v=v: nn.Conv2d(2, v, 3))
    call(f"Conv2d kernel {v!r}", lambda v=v: nn.Conv2d(1, 1, v))
    call(f"Linear {v!r}", lambda v=v: nn.Linear(v, 1))
    call(f"BatchNorm2d {v!r}", lambda v=v: nn.BatchNorm2d(v))
    for pool in (F.max_pool2d, F.avg_pool2d):
        for key in ("kernel_size", "stride", "padding", "ceil_mode") + (
            ("dilation",) if pool is F.max_pool2d else ("divisor_override",)
        ):
            call(
                f"{pool.__name__} {key}={v!r}",
                lambda f=pool, key=key, v=v: f(zeros(1, 2, 5, 6), **{"kernel_size": 2, key: v}),
            )
for v in (2**16, 2**30, 2**31, 2**32, 2**40, 2**61, 2**62):
    for pool in (F.max_pool2d, F.avg_pool2d):
        for k, s, p, ceil in itertools.product((2, v), (1, v), (0, 1, v // 2), (False, True)):
            n = window(5, k, s, p, p, 1, ceil) if p <= k // 2 else None
            call(f"{pool.__name__} {k} {s} {p} {ceil}", lambda f=pool, k=k, s=s, p=p, c=ceil: f(zeros(1, 2, 5, 5), k, s, p, ceil_mode=c),
                 n and (1, 2, n, n))  # fmt: skip
for x in itertools.product((0, 1, 2), repeat=4):
    call(f"max_pool2d {x}", lambda x=x: F.max_pool2d(zeros(*x), 2, 1, 1), None)
    call(f"avg_pool2d {x}", lambda x=x: F.avg_pool2d(zeros(*x), 2, 1, 1), None)
    call(f"batch_norm {x}", lambda x=x: F.batch_norm(zeros(*x), zeros(x[1]), zeros(x[1]), training=True))
    call(f"batch_norm eval {x}", lambda x=x: F.batch_norm(zeros(*x), zeros(x[1]), zeros(x[1])), x)
    call(f"softmax {x}", lambda x=x: zeros(*x).softmax(-1), x)
    call(f"log_softmax {x}", lambda x=x: zeros(*x).log_softmax(1), x)
    call(f"flatten {x}", lambda x=x: zeros(*x).flatten(1), (x[0], x[1] * x[2] * x[3]))
    call(f"sum {x}", lambda x=x: zeros(*x).sum((0, 2)), (x[1], x[3]))
    call(f"mean {x}", lambda x=x: zeros(*x).mean((0, 2)), (x[1], x[3]))
    call(f"var {x}", lambda x=x: zeros(*x).var((0, 2)), (x[1], x[3]))
    call(f"matmul {x}", lambda x=x: zeros(*x) @ zeros(x[0], x[1], x[3], x[2]), (x[0], x[1], x[2], x[2]))
    call(f"linear {x}", lambda x=x: F.linear(zeros(*x), zeros(3, x[3]), zeros(3)), (*x[:3], 3))

# ---- losses, norms, dropout, embedding

for v in (*INTS, *NONSENSE):
    t, labels_of_three = repr(v), lambda: engine.tensor([0, 1, 2])
    for key in ("weight", "ignore_index", "label_smoothing", "reduction"):
        call(
            f"cross_entropy {key}={t}",
            lambda key=key, v=v, f=labels_of_three: F.cross_entropy(zeros(3, 4), f(), **{key: v}),
        )
    for key in ("p", "margin", "weight"):
        call(
            f"multi_margin_loss {key}={t}",
            lambda key=key, v=v, f=labels_of_three: F.multi_margin_loss(zeros(3, 4), f(), **{key: v}),
        )
    for key in ("margin", "p", "eps", "swap"):
        call(
            f"triplet_margin_loss {key}={t}",
            lambda key=key, v=v: F.triplet_margin_loss(zeros(2, 3), zeros(2, 3), zeros(2, 3), **{key: v}),
        )
    for key in ("p", "dim", "eps"):
        call(f"normalize {key}={t}", lambda key=key, v=v: F.normalize(zeros(2, 3), **{key: v}))
    for key in ("running_mean", "running_var", "weight", "momentum", "eps"):
        call(
            f"batch_norm {key}={t}",
            lambda key=key, v=v: F.batch_norm(
                zeros(2, 3),
                **{"running_mean": engine.zeros(3), "running_var": engine.ones(3), "training": True, key: v},
            ),
        )
    call(f"smooth_l1_loss beta={t}", lambda v=v: F.smooth_l1_loss(zeros(3), zeros(3), beta=v))
    call(f"huber_loss delta={t}", lambda v=v: F.huber_loss(zeros(3), zeros(3), delta=v))
    call(f"gaussian_nll_loss var={t}", lambda v=v: F.gaussian_nll_loss(zeros(3), zeros(3), v))
    call(f"cosine_similarity dim={t}", lambda v=v: F.cosine_similarity(zeros(2, 3), zeros(2, 3), v))
    call(f"group_norm {t}", lambda v=v: F.group_norm(zeros(2, 4, 3), v), (2, 4, 3))
    call(f"layer_norm {t}", lambda v=v: F.layer_norm(zeros(2, 3), v), (2, 3))
    call(f"rms_norm {t}", lambda v=v: F.rms_norm(zeros(2, 3), v), (2, 3))
    call(f"local_response_norm {t}", lambda v=v: F.local_response_norm(zeros(2, 3, 3), v), (2, 3, 3))
    call(f"embedding of {t}", lambda v=v: F.embedding(v, zeros(3, 2)))
    call(f"embedding in {t}", lambda v=v, f=labels_of_three: F.embedding(f(), v))
    call(f"embedding max_norm={t}", lambda v=v, f=labels_of_three: F.embedding(f(), engine.zeros(3, 2), max_norm=v))
    call(f"one_hot {t}", lambda v=v, f=labels_of_three: F.one_hot(f(), v))
    call(f"bilinear {t}", lambda v=v: F.bilinear(zeros(2, 2), zeros(2, 2), v))
    for layer in (nn.GroupNorm, nn.Bilinear, nn.Embedding):
        call(
            f"{layer.__name__} {t}",
            lambda layer=layer, v=v: layer(2, v) if layer is not nn.Bilinear else layer(v, 2, 2),
        )
    for f in (F.dropout1d, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout):
        call(f"{f.__name__} {t}", lambda f=f, v=v: f(zeros(2, 3, 4), v, True), (2, 3, 4))
        call(f"{f.__name__} of {t}", lambda f=f, v=v: f(v, 0.5, True))
    for f in (
        F.mse_loss,
        F.kl_div,
        F.binary_cross_entropy,
        F.soft_margin_loss,
        F.hinge_embedding_loss,
        F.poisson_nll_loss,
    ):
        call(f"{f.__name__} {t}", lambda f=f, v=v: f(zeros(2), v))

# ---- strides, dtypes, sizes of arrays


def strided(shape, strides):
    """Writable, over 100 floats, whatever that means."""
    return engine.from_numpy(
        np.lib.stride_tricks.as_strided(np.ones(100, "float32")[50:], shape, strides, writeable=True)
    )


VIEWS = {
    "broadcast": lambda *s: engine.ones((1,) * len(s)).expand(*s), "reversed": lambda *s: engine.from_numpy(np.ones(s, "float32")[(slice(None, None, -1),) * len(s)]),
    "transposed": lambda *s: engine.ones(s[::-1]).permute(*range(len(s))[::-1]), "every second": lambda *s: engine.ones([2 * n for n in s])[(slice(None, None, 2),) * len(s)],
    "same row": lambda *s: engine.ones((1, *s[1:])).expand(*s), "one column": lambda *s: engine.ones((*s[:-1], 1)).expand(*s),
    "negative zero": lambda *s: strided(s, (0,) * (len(s) - 1) + (-4,)), "bytes apart": lambda *s: strided(s, (1,) * len(s)),
    "read-only": lambda *s: engine.ones(1).expand(*s), "float64": lambda *s: engine.ones(s, dtype="float64"),
    **{dtype: lambda *s, dtype=dtype: engine.ones(s, dtype=dtype) for dtype in ("bool", "uint8", "int8", "int64")},
}  # fmt: skip
for name, make in VIEWS.items():
    for other, make2 in {"plain": lambda *s: engine.ones(s), name: make}.items():
        t = f"{name}, {other}"
        call(f"conv2d {t}", lambda f=make, g=make2: F.conv2d(f(2, 2, 4, 4), g(3, 2, 2, 2), g(3)), (2, 3, 3, 3))
        call(
            f"conv2d weights {t}",
            lambda f=make, g=make2: F.conv2d(g(2, 2, 4, 4), f(3, 2, 2, 2), padding=1),
            (2, 3, 5, 5),
        )
        call(f"linear {t}", lambda f=make, g=make2: F.linear(f(5, 7), g(3, 7), g(3)), (5, 3))
        call(f"linear weights {t}", lambda f=make, g=make2: F.linear(g(5, 7), f(3, 7)), (5, 3))
        call(f"matmul {t}", lambda f=make, g=make2: f(5, 7) @ g(7, 6), (5, 6))
        call(f"matmul right {t}", lambda f=make, g=make2: g(5, 7) @ f(7, 6), (5, 6))
        call(f"matmul batch {t}", lambda f=make, g=make2: f(2, 5, 7) @ g(2, 7, 6), (2, 5, 6))
        call(
            f"batch_norm {t}",
            lambda f=make, g=make2: F.batch_norm(f(3, 2, 2, 2), None, None, g(2), g(2), True),
            (3, 2, 2, 2),
        )
        for op in ("add", "sub", "mul", "div", "maximum", "pow", "eq", "lt"):
            call(f"{op} {t}", lambda f=make, g=make2, op=op: getattr(f(5, 7), op)(g(5, 7)), (5, 7))
            call(
                f"{op}_ {t}",
                lambda f=make, g=make2, op=op: getattr(g(5, 7), op + "_" if op in ("add", "sub", "mul", "div") else op)(
                    f(5, 7)
                ),
                (5, 7),
            )
    for op in (
        "exp",
        "log",
        "sqrt",
        "relu",
        "sigmoid",
        "tanh",
        "neg",
        "abs",
        "clone",
        "contiguous",
        "relu_",
        "exp_",
        "zero_",
    ):
        call(f"{op} {name}", lambda f=make, op=op: getattr(f(5, 7), op)(), (5, 7))
    for op in ("sum", "mean", "var", "max", "min", "argmax", "argmin"):
        call(f"{op} {name}", lambda f=make, op=op: getattr(f(5, 7), op)(), ())
        call(f"{op} 1 {name}", lambda f=make, op=op: getattr(f(5, 7), op)(1))
    call(f"max_pool2d {name}", lambda f=make: F.max_pool2d(f(2, 2, 4, 6), 2), (2, 2, 2, 3))
    call(f"avg_pool2d {name}", lambda f=make: F.avg_pool2d(f(2, 2, 4, 6), 2), (2, 2, 2, 3))
    call(f"softmax {name}", lambda f=make: f(5, 7).softmax(1), (5, 7))
    call(f"log_softmax {name}", lambda f=make: f(5, 7).log_softmax(0), (5, 7))
    call(f"cross_entropy {name}", lambda f=make: F.cross_entropy(f(5, 7), zeros(5, dtype="int64")), ())
    call(f"cross_entropy labels {name}", lambda f=make: F.cross_entropy(zeros(5, 7), f(5)))
    call(f"reshape {name}", lambda f=make: f(5, 7).reshape(7, 5), (7, 5))
    call(f"pad {name}", lambda f=make: F.pad(f(5, 7), (1, 2)), (5, 10))
    call(f"cat {name}", lambda f=make: engine.cat([f(5, 7), zeros(5, 7)]), (10, 7))
    call(f"sgd {name}", lambda f=make: step(engine.optim.SGD, f(5, 7), zeros(5, 7)))
    call(f"adam {name}", lambda f=make: step(engine.optim.Adam, zeros(5, 7), f(5, 7)))


def step(kind, parameter, gradient):
    p = nn.Parameter(parameter)
    p.grad = gradient
    kind([p], lr=0.1).step()


HUGE = {
    "2^31 x 1": (2**31, 1),
    "1 x 2^40": (1, 2**40),
    "2^20 x 2^20": (2**20, 2**20),
    "2^62": (2**62,),
    "2^60 x 4": (2**60, 4),
}
for name, shape in HUGE.items():
    virtual = lambda shape=shape: engine.ones((1,) * len(shape)).expand(*shape)  # noqa: E731
    for op in ("exp", "relu", "neg", "clone", "contiguous", "sigmoid", "flatten", "float", "double"):
        call(f"{op} of {name}", lambda f=virtual, op=op: getattr(f(), op)())
    for op in ("add", "mul", "div", "pow", "eq"):
        call(f"{op} of {name}", lambda f=virtual, op=op: getattr(f(), op)(f()))
        call(f"{op} of {name} and 2", lambda f=virtual, op=op: getattr(f(), op)(2.0))
    call(f"linear of {name}", lambda f=virtual: F.linear(f(), engine.ones(2, min(f().shape[-1], 100))))
    call(f"pad of {name}", lambda f=virtual: F.pad(f(), (1, 1)))
    call(f"cat of {name}", lambda f=virtual: engine.cat([f(), f()]))
    call(f"cross_entropy of {name}", lambda f=virtual: F.cross_entropy(f(), zeros(3, dtype="int64")))
call("matmul 2^20", lambda: engine.ones(1, 1).expand(2**20, 1) @ engine.ones(1, 1).expand(1, 2**20))
call("conv2d of 2^31 images", lambda: F.conv2d(engine.ones(1, 1, 1, 1).expand(2**31, 1, 1, 1), zeros(1, 1, 1, 1)))
call("max_pool2d of 2^31 images", lambda: F.max_pool2d(engine.ones(1, 1, 1, 1).expand(2**31, 1, 1, 1), 1))

# ---- sizes, axes, indices, labels, probabilities

for v in (*INTS, *NONSENSE):
    t = repr(v)
    for make in (engine.zeros, engine.ones, engine.rand, engine.randn):
        call(f"{make.__name__} {t}", lambda f=make, v=v: f(v))
        call(f"{make.__name__} 3, {t}", lambda f=make, v=v: f(3, v))
    call(f"full {t}", lambda v=v: engine.full((2,), v))
    call(f"full uint8 {t}", lambda v=v: engine.full((2,), v, dtype="uint8"))
    call(f"tensor {t}", lambda v=v: engine.tensor(v))
    call(f"tensor int8 {t}", lambda v=v: engine.tensor(v, dtype="int8"))
    call(f"arange {t}", lambda v=v: engine.arange(v))
    call(f"arange step {t}", lambda v=v: engine.arange(0, 5, v))
    call(f"arange of {t}", lambda v=v: engine.arange(v, v + 3 if isinstance(v, int) else v))
    call(f"linspace {t}", lambda v=v: engine.linspace(0, 1, v))
    call(f"linspace to {t}", lambda v=v: engine.linspace(0, v, 3))
    call(f"logspace {t}", lambda v=v: engine.logspace(0, 1, 3, v))
    call(f"eye {t}", lambda v=v: engine.eye(v))
    call(f"eye 2, {t}", lambda v=v: engine.eye(2, v))
    call(f"bincount {t}", lambda v=v: engine.bincount(engine.tensor([v])))
    call(f"bincount minlength {t}", lambda v=v: engine.bincount(engine.tensor([1]), minlength=v))
    call(f"einsum {t}", lambda v=v: engine.einsum("i,i", engine.ones(2), v))
    call(f"meshgrid {t}", lambda v=v: engine.meshgrid(v, v))
    call(f"addmm {t}", lambda v=v: engine.addmm(engine.ones(2, 2), engine.ones(2, 2), engine.ones(2, 2), beta=v))
    call(f"finfo {t}", lambda v=v: engine.finfo(v) and None)
    call(f"randperm {t}", lambda v=v: engine.randperm(v))
    call(f"randint {t}", lambda v=v: engine.randint(v, (3,)))
    call(f"randint size {t}", lambda v=v: engine.randint(5, v))
    call(f"manual_seed {t}", lambda v=v: engine.manual_seed(v) and None)
    for shape in ((), (0,), (6,), (2, 3)):
        x = engine.ones(shape)
        for name in ("sum", "mean", "var", "max", "argmax", "amax", "softmax", "log_softmax", "logsumexp", "unsqueeze", "squeeze", "flatten",
                     "reshape", "view", "expand", "permute", "__getitem__", "add", "mul", "pow", "eq", "fill_", "div"):  # fmt: skip
            call(f"{name} {t} of {shape}", lambda x=x, name=name, v=v: getattr(x.clone(), name)(v))
        for name in ("prod", "std", "median", "norm", "all", "count_nonzero", "cumsum", "cumprod", "cummax", "sort", "argsort", "topk", "split", "unbind",
                     "flip", "roll", "rot90", "tril", "diag", "diagonal", "repeat", "tile", "repeat_interleave", "new_zeros", "stride",
                     "take_along_dim", "masked_fill", "to", "type"):  # fmt: skip
            call(f"{name} {t} of {shape}", lambda x=x, name=name, v=v: getattr(x.clone(), name)(v))
        for name in (
            "narrow",
            "select",
            "unflatten",
            "topk",
            "roll",
            "movedim",
            "repeat_interleave",
            "norm",
            "diagonal",
            "sort",
            "flatten",
        ):
            for args in ((v, 0), (0, v), (v, v), (0, v, 1), (0, 0, v)):
                call(f"{name} {args} of {shape}", lambda x=x, name=name, a=args: getattr(x, name)(*a))
        for name in ("gather", "index_select", "take", "scatter", "index_fill", "index_add"):
            call(f"{name} {t} of {shape}", lambda x=x, name=name, v=v: getattr(x, name)(v, engine.tensor([0]), 1))
            call(f"{name} 0, {t} of {shape}", lambda x=x, name=name, v=v: getattr(x, name)(0, v, 1))
        call(f"where it is {t} of {shape}", lambda x=x, v=v: x.scatter(0, engine.zeros(shape, dtype="int64"), v))
        call(f"reshape 2, {t} of {shape}", lambda x=x, v=v: x.reshape(2, v))
        call(f"expand {t}, 3 of {shape}", lambda x=x, v=v: x.expand(v, 3))
        call(f"transpose {t} of {shape}", lambda x=x, v=v: x.transpose(0, v))
        call(f"slice to {t} of {shape}", lambda x=x, v=v: x[:v])
        call(f"slice step {t} of {shape}", lambda x=x, v=v: x[::v])
        call(f"index list {t} of {shape}", lambda x=x, v=v: x[[v, 0]])
        call(f"pad {t} of {shape}", lambda x=x, v=v: F.pad(x, (v, 1)))
        call(f"pad crop {t} of {shape}", lambda x=x, v=v: F.pad(x, (1, v)))
        call(f"pad value {t} of {shape}", lambda x=x, v=v: F.pad(x, (1, 1), value=v))
        call(f"clamp {t} of {shape}", lambda x=x, v=v: x.clamp(v))
        call(f"cat {t} of {shape}", lambda x=x, v=v: engine.cat([x, x], v))
        call(f"stack {t} of {shape}", lambda x=x, v=v: engine.stack([x, x], v))
        call(f"dropout {t} of {shape}", lambda x=x, v=v: F.dropout(x, v))
        call(f"assign {t} of {shape}", lambda x=x, v=v: x.clone().__setitem__(0, v))
    if isinstance(v, int):
        labels = lambda v=v: engine.from_numpy(np.array([0, v, 1])) if -(2**63) <= v < 2**63 else engine.tensor(v)  # noqa: E731
        call(f"cross_entropy label {t}", lambda f=labels: F.cross_entropy(zeros(3, 4), f()))
        call(f"nll label {t}", lambda f=labels: F.nll_loss(zeros(3, 4), f()))
        call(f"index {t}", lambda f=labels: engine.ones(4, 2)[f()])
        call(f"normalize index {t}", lambda f=labels: normalized(f()))
    call(f"SGD lr {t}", lambda v=v: step(lambda p, lr: engine.optim.SGD(p, lr=v), zeros(2), zeros(2)))
    call(f"Adam betas {t}", lambda v=v: step(lambda p, lr: engine.optim.Adam(p, betas=(v, 0.5)), zeros(2), zeros(2)))
    call(f"gradient {t}", lambda v=v: engine.ones(2, requires_grad=True).backward(v))
for before, after in itertools.product((-4, -3, -1, 0, 2), repeat=2):
    inside = 3 + min(before, 0) + min(after, 0) >= 0
    call(
        f"pad {before}, {after} of 3",
        lambda p=(before, after): F.pad(zeros(2, 3), p),
        (2, 3 + before + after) if inside else None,
    )
for a, b in itertools.product(((), (0,), (3,), (3, 0), (0, 3), (3, 3), (2, 3, 3), (0, 3, 3), (1, 2, 3, 3)), repeat=2):
    call(f"matmul {a} {b}", lambda a=a, b=b: zeros(*a) @ zeros(*b))
    call(f"linear {a} {b}", lambda a=a, b=b: F.linear(zeros(*a), zeros(*b)))
    call(f"linear bias {a} {b}", lambda a=a, b=b: F.linear(zeros(2, 3), zeros(*a), zeros(*b)))
    call(f"add {a} {b}", lambda a=a, b=b: zeros(*a) + zeros(*b))
    call(
        f"cross_entropy {a} {b}",
        lambda a=a, b=b: F.cross_entropy(zeros(*a), zeros(*b, dtype="int64"), reduction="none"),
    )
    call(f"batch_norm {a} {b}", lambda a=a, b=b: F.batch_norm(zeros(*a), zeros(*b), zeros(*b)))
    call(f"cat {a} {b}", lambda a=a, b=b: engine.cat([zeros(*a), zeros(*b)]))
    call(f"sgd {a} {b}", lambda a=a, b=b: step(engine.optim.SGD, zeros(*a), zeros(*b)))
    call(f"adam {a} {b}", lambda a=a, b=b: step(engine.optim.Adam, zeros(*a), zeros(*b)))
    call(f"where {a} {b}", lambda a=a, b=b: engine.where(zeros(*a, dtype="bool"), zeros(*b), zeros(*a)))


def normalized(indices):
    from engine.ops.augment import normalize_images

    return normalize_images(zeros(3, 4, 4, dtype="uint8"), indices, mean=(0.5,), std=(0.5,))


def tensors(result):
    return [t for t in (result if isinstance(result, tuple) else (result,)) if isinstance(t, engine.Tensor)]


odd_windows.add_to(call, zeros, INTS, NONSENSE)


def main(backend):
    engine.use_backend(backend)
    warnings.simplefilter("ignore")  # of nan in casts and means of nothing: what matters here is what happens
    if backend == "cpu":
        from engine_ext import parallel

        parallel.set_threshold(0)
        engine.set_num_threads(3)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    counts = {}
    for name, f, shape in CALLS:
        print(name, end=" -> ", flush=True)
        began, outcome = time.perf_counter(), "ok"
        try:
            for t in tensors(f()):
                assert isinstance(t._array, np.ndarray) and all(n >= 0 for n in t.shape)
                if shape is not None and t.shape != shape:
                    outcome = f"FAULT: shape {t.shape}, expected {shape}"
                if t.numel() < 1000:
                    repr(t)
                    if t.requires_grad:
                        t.sum().backward()
        except ERRORS as error:
            outcome = type(error).__name__ if str(error) or isinstance(error, MemoryError) else "FAULT: no message"
        except BaseException as error:
            outcome = f"FAULT: {type(error).__name__}: {error}"
        if time.perf_counter() - began > SLOW:
            outcome = f"FAULT: took {time.perf_counter() - began:.1f} s"
        counts[outcome] = counts.get(outcome, 0) + 1
        print(outcome, flush=True)
    print("done", counts)


if __name__ == "__main__":
    main(sys.argv[1])
