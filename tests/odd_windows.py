"""Odd calls of transposed convolution, patches, pooling, padding and resizing; part of odd_calls.py."""

import itertools

import engine
import engine.nn.functional as F
from engine import nn

WINDOWS = {  # name -> (function, its plain arguments, the arguments that take odd values)
    "conv1d": (lambda x, w, **o: F.conv1d(x((1, 2, 9)), w((3, 2, 3)), **o), {}, "stride padding dilation groups"),
    "conv_transpose1d": (lambda x, w, **o: F.conv_transpose1d(x((1, 2, 9)), w((2, 3, 3)), **o), {}, "stride padding output_padding groups dilation"),
    "conv_transpose2d": (lambda x, w, **o: F.conv_transpose2d(x((1, 2, 5, 6)), w((2, 3, 3, 2)), **o), {}, "stride padding output_padding groups dilation"),
    "unfold": (lambda x, w, **o: F.unfold(x((1, 2, 5, 6)), **o), {"kernel_size": 2}, "kernel_size dilation padding stride"),
    "fold": (lambda x, w, **o: F.fold(x((1, 8, 20)), **o), {"output_size": (5, 6), "kernel_size": 2}, "output_size kernel_size dilation padding stride"),
    "max_pool1d": (lambda x, w, **o: F.max_pool1d(x((1, 2, 9)), **o), {"kernel_size": 2}, "kernel_size stride padding dilation ceil_mode"),
    "max_pool2d indices": (lambda x, w, **o: F.max_pool2d(x((1, 2, 5, 6)), return_indices=True, **o), {"kernel_size": 2}, "kernel_size stride padding dilation"),
    "avg_pool1d": (lambda x, w, **o: F.avg_pool1d(x((1, 2, 9)), **o), {"kernel_size": 2}, "kernel_size stride padding ceil_mode"),
    "lp_pool2d": (lambda x, w, **o: F.lp_pool2d(x((1, 2, 5, 6)), **o), {"norm_type": 2.0, "kernel_size": 2}, "kernel_size stride"),
    "adaptive_avg_pool1d": (lambda x, w, **o: F.adaptive_avg_pool1d(x((1, 2, 9)), **o), {}, "output_size"),
    "adaptive_avg_pool2d": (lambda x, w, **o: F.adaptive_avg_pool2d(x((1, 2, 5, 6)), **o), {}, "output_size"),
    "adaptive_max_pool1d": (lambda x, w, **o: F.adaptive_max_pool1d(x((1, 2, 9)), **o), {}, "output_size"),
    "adaptive_max_pool2d": (lambda x, w, **o: F.adaptive_max_pool2d(x((1, 2, 5, 6)), return_indices=True, **o), {}, "output_size"),
    "interpolate": (lambda x, w, **o: F.interpolate(x((1, 2, 5, 6)), **o), {}, "size scale_factor"),
    "interpolate bilinear": (lambda x, w, **o: F.interpolate(x((1, 2, 5, 6)), mode="bilinear", **o), {}, "size scale_factor"),
    "interpolate area": (lambda x, w, **o: F.interpolate(x((1, 2, 5, 6)), mode="area", **o), {}, "size scale_factor"),
    "pixel_shuffle": (lambda x, w, **o: F.pixel_shuffle(x((1, 4, 2, 2)), **o), {}, "upscale_factor"),
    "pixel_unshuffle": (lambda x, w, **o: F.pixel_unshuffle(x((1, 4, 2, 2)), **o), {}, "downscale_factor"),
    "channel_shuffle": (lambda x, w, **o: F.channel_shuffle(x((1, 4, 2, 2)), **o), {}, "groups"),
    "Conv1d": (lambda x, w, **o: nn.Conv1d(**{"in_channels": 2, "out_channels": 2, "kernel_size": 3, **o})(x((1, 2, 9))), {}, "kernel_size stride padding dilation groups out_channels"),
    "ConvTranspose2d": (lambda x, w, **o: nn.ConvTranspose2d(2, 2, **{"kernel_size": 3, **o})(x((1, 2, 5, 6))), {}, "kernel_size stride padding output_padding dilation groups"),
    "output_size": (lambda x, w, **o: nn.ConvTranspose2d(2, 2, 3, 2)(x((1, 2, 5, 6)), **o), {}, "output_size"),
}  # fmt: skip


def add_to(call, zeros, integers, nonsense):
    """Register the calls: `call(name, function, shape)`, `zeros(*shape)`, odd integers and odd other values."""
    make = lambda shape: zeros(*shape)  # noqa: E731
    for name, (f, plain, keys) in WINDOWS.items():
        for key in keys.split():
            for v in (*integers, *nonsense, *((v, 1) for v in integers), *((1, v) for v in integers)):
                call(f"{name} {key}={v!r}", lambda f=f, o={**plain, key: v}: f(make, make, **o))
    for a, b in itertools.combinations(("stride", "padding", "dilation", "output_padding"), 2):
        for v in (2**16, 2**30, 2**31, 2**40, 2**61):
            call(
                f"conv_transpose2d {a}={b}={v}",
                lambda o={a: v, b: v}: F.conv_transpose2d(make((1, 1, 2, 2)), make((1, 1, 2, 2)), **o),
            )
    for x in itertools.product((0, 1, 3), repeat=3):
        for w in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 3), (3, 2, 2)):
            call(f"conv1d x {x} w {w}", lambda x=x, w=w: F.conv1d(make(x), make(w)))
            call(f"conv_transpose1d x {x} w {w}", lambda x=x, w=w: F.conv_transpose1d(make(x), make(w), stride=2))
        for name in ("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d"):
            call(f"{name} {x}", lambda x=x, f=getattr(F, name): f(make(x), 2))
    for x in itertools.product((0, 1, 3), repeat=4):
        for size in (0, 1, 2, 5):
            call(f"adaptive_avg_pool2d {x} {size}", lambda x=x, s=size: F.adaptive_avg_pool2d(make(x), s))
            call(f"adaptive_max_pool2d {x} {size}", lambda x=x, s=size: F.adaptive_max_pool2d(make(x), s, True))
            for mode in ("nearest", "nearest-exact", "bilinear", "area"):
                call(f"interpolate {mode} {x} {size}", lambda x=x, s=size, m=mode: F.interpolate(make(x), s, mode=m))
        call(f"unfold {x}", lambda x=x: F.unfold(make(x), 2, padding=1))
        call(f"conv_transpose2d {x}", lambda x=x: F.conv_transpose2d(make(x), make((x[1], 2, 2, 2))))
    for mode in ("reflect", "replicate", "circular"):
        for shape in ((3,), (2, 3), (0, 3), (2, 0), (1, 2, 3), (1, 2, 3, 4), (0, 1, 3, 0), (1,) * 5):
            for v in (*integers, *nonsense, 1, 2, -2, -3):
                for pad in ((v, 1), (1, v), (v, 1, 1, v), v):
                    call(f"pad {mode} {shape} {pad!r}", lambda s=shape, p=pad, m=mode: F.pad(make(s), p, m))
    for v in (*integers, *nonsense, 3):
        for key in ("kernel_size", "stride", "padding", "output_size"):
            call(f"max_unpool2d {key}={v!r}", lambda o={"kernel_size": 2, key: v}: F.max_unpool2d(
                make((1, 1, 2, 2)), engine.zeros(1, 1, 2, 2, dtype="int64"), **o))  # fmt: skip
        if isinstance(v, int) and -(2**63) <= v < 2**63:
            call(f"max_unpool2d index {v}", lambda v=v: F.max_unpool2d(make((1, 1, 1, 1)), engine.tensor([[[[v]]]]), 2))
    for shape in ((1, 1, 2**31, 1), (2**31, 1, 1, 1), (1, 1, 1, 2**40)):
        virtual = lambda shape=shape: engine.ones(1, 1, 1, 1).expand(*shape)  # noqa: E731
        for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d", "interpolate", "max_pool2d", "avg_pool2d", "unfold"):
            call(f"{name} of {shape}", lambda v=virtual, f=getattr(F, name): f(v(), 3))
        call(f"pad of {shape}", lambda v=virtual: F.pad(v(), (1, 1, 1, 1), "replicate"))
        call(f"pixel_unshuffle of {shape}", lambda v=virtual: F.pixel_unshuffle(v(), 2))
