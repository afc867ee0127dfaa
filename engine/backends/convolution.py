"""The algorithms of convolution, in one visible place: which there are, when each is correct, when it wins.

For each direction a table, best first: the first row that applies and wins is taken. *applies* is about
correctness, *wins* about speed: its numbers are from `python -m benchmarks versus --only algorithms`, which prints where
they are still right. `forced("im2col")` pins one by name, for tests, teaching and benchmarks.
`ENGINE_VERBOSE=1` (read at import) prints a line per convolution: its geometry, the rows refused and why, the row taken.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

import numpy as np
from engine_ext._isa import isa

from engine_ext import conv, depthwise, halves, phases, pointwise, unfold, winograd, winograd_dw

WORTH_KEEPING = (
    1 << 20
)  # bytes of weights: transformed they are four times that, and reading more takes as long as anew
verbose = os.environ.get("ENGINE_VERBOSE") == "1"


@dataclass(frozen=True)
class Algorithm:
    """One way to compute a direction: `kernel(array, array, [bias,] geom)`, and the tolerances it is held to.

    `relative` bounds |error| by relative * RMS of the output, against float64; `winograd`: set_winograd(False) leaves it
    out. Input gradient only:
    onto      the kernel takes one more argument: what the gradient is added to, and written on
    Forward only:
    relu      the kernel takes one more argument: whether to end in ReLU
    residual  the kernel takes one more argument behind relu: what is added before a ReLU, or None
    pooled    kernel(x, w, b, geom) of conv2d_relu_pool, or None
    prepare   prepare(w, geom): what `kernel` behind all these, and `pooled`, take in place of transforming w again, or None
    """

    name: str
    kernel: object
    applies: object
    wins: object
    relative: float = 1e-5
    winograd: bool = False
    relu: bool = False
    residual: bool = False
    pooled: object = None
    prepare: object = None
    onto: bool = False


def always(geom):
    return True


def never(geom):
    return False


def crops_nothing(geom):
    """No side of negative padding, which a transposed convolution with much output padding has."""
    return min(geom.padding) >= 0


def plain_3x3(geom):
    """A window of 3x3 that neither strides nor spreads."""
    return geom.stride == geom.dilation == geom.upsample == (1, 1) and geom.kh == geom.kw == 3


def plain_5x5(geom):
    """The same of 5x5."""
    return geom.stride == geom.dilation == geom.upsample == (1, 1) and geom.kh == geom.kw == 5


def strided_3x3(geom):
    """A window of 3x3 with stride 2."""
    two = geom.stride == (2, 2) and geom.dilation == geom.upsample == (1, 1)
    return two and geom.kh == geom.kw == 3 and crops_nothing(geom)


def strided_3x3_back(geom):
    """Tiles of the input gradient begin with the odd rows and columns, or with the even ones."""
    return strided_3x3(geom) and (geom.padding[0] - geom.padding[2]) % 2 == 0


def fills_tiles4(geom, height, width):
    """Whether tiles of 4x4 outputs need clearly fewer products than those of 2x2: not so on maps of 1 and 2, nor with
    fewer than 64 channels, where tiles do not end short (engine_ext/winograd_units.pyx), of 5 and 6. Nor of a single
    image of these: transforming its weights to more points takes longer."""
    ends_short = geom.n > 1 and min(geom.c, geom.o) >= 64 * geom.groups
    needed = {}
    for m in (4, 2):
        tiles = -(-height // m), -(-width // m)
        spare = [min(t * m - n, t) if ends_short else 0 for t, n in zip(tiles, (height, width), strict=True)]
        needed[m] = ((m + 2) * tiles[0] - spare[0]) * ((m + 2) * tiles[1] - spare[1])
    return needed[4] < 0.9 * needed[2]


def channels(geom):
    """Inputs and outputs of a group."""
    return geom.c // geom.groups, geom.o // geom.groups


def by_isa(avx512, narrower):
    """The threshold for the vectors in use: what was measured with AVX2 holds for the baseline, too."""
    return avx512 if isa() == "avx512" else narrower


def channels_from(avx512, narrower, alone=0, pairs=0):
    """Of a geometry: whether its groups have so many channels on either side, or `alone` ones with AVX-512 where there is
    one image, whose few tiles have to pay for transformed weights; and so many pairs of an input and an output."""

    def wins(geom):
        c, o = channels(geom)
        fewest = by_isa(max(avx512, alone) if geom.n == 1 else avx512, narrower)
        return min(c, o) >= fewest and c * o >= pairs

    return wins


enough_channels = channels_from(4, 8, alone=12)
enough_channels_dx = channels_from(8, 8, alone=12)


def wins4(geom):
    return enough_channels(geom) and fills_tiles4(geom, geom.oh, geom.ow)


def wins4_dx(geom):
    return enough_channels_dx(geom) and fills_tiles4(geom, geom.h, geom.w)


def wide_strided(geom):
    """A window of 5x5 to 8x8 with stride 2."""
    two = geom.stride == (2, 2) and geom.dilation == geom.upsample == (1, 1)
    return two and (geom.kh + 1) // 2 == (geom.kw + 1) // 2 in (3, 4)


def wins_in_halves_dw(geom):
    """Not of an input or two, nor of one small image."""
    c, o = channels(geom)
    fewest = 16 if geom.kh >= 7 or c >= 16 else by_isa(32, 16)
    return c >= 3 and o >= fewest and geom.n * geom.oh * geom.ow >= 512


def wins_in_halves(geom):
    """With AVX-512 taking apart a few channels of a few pixels costs more than is saved."""
    return wins_in_halves_dw(geom) and geom.n * geom.oh * geom.ow * min(channels(geom)) > by_isa(1 << 14, 0)


def dilated_3x3(geom):
    (dh, dw), (sh, sw) = geom.dilation, geom.stride
    plain = (geom.kh, geom.kw) == (3, 3) and geom.groups == sh == sw == 1 and geom.upsample == (1, 1)
    return plain and 1 < dh * dw and dh <= geom.oh and dw <= geom.ow


enough_phases = channels_from(32, 16)


def wins_in_phases(geom):
    forward, back = geom.phases, geom.input_phases
    return enough_phases(geom) and fills_tiles4(geom, forward.oh, forward.ow) and fills_tiles4(geom, back.h, back.w)


def is_depthwise(geom):
    """One input channel to an output, and windows that depthwise.c knows."""
    if geom.groups != geom.c or geom.kh != geom.kw or geom.upsample != (1, 1):
        return False
    if geom.stride == (2, 2):
        return geom.kh in (3, 5) and geom.dilation == (1, 1)
    return geom.stride == (1, 1) and geom.kh in (3, 5, 7) and geom.dilation[0] == geom.dilation[1]


def wins_by_planes(geom):
    """Of a single input with 3x3 windows only: behind larger ones pooling is usual, which im2col does as it goes."""
    return geom.groups > 1 or (geom.kh == 3 and geom.stride == (1, 1) and geom.o <= by_isa(32, 16))


def wins_by_planes_dx(geom):
    return geom.groups > 1 or geom.o < 32


def several_groups(geom):
    return geom.groups > 1


def spreads(geom):
    """Few inputs of many outputs; or so much wider than the gradient it comes from that sums over its padding cost more
    than patches that are added up, 6 being what a patch's value costs beside a product."""
    c, o = channels(geom)
    gathered = geom.stride == geom.upsample == (1, 1) and geom.kw in (3, 5, 7)
    return gathered and ((c <= 4 and o >= 16) or geom.h * geom.w * o > 1.3 * geom.oh * geom.ow * (o + 6))


FORWARD = (
    # planes one by one, in strips of vectors
    Algorithm("depthwise", depthwise.conv2d, is_depthwise, wins_by_planes, relu=True),
    Algorithm("winograd4", winograd.conv2d4, plain_3x3, wins4, 1.5e-5, True,
              relu=True, residual=True, pooled=winograd.conv2d4_relu_pool,
              prepare=lambda w, geom: winograd.transform_weights(w, 4, geom.groups)),
    Algorithm("winograd2", winograd.conv2d2, plain_3x3, enough_channels, 1e-5, True, relu=True, residual=True,
              prepare=lambda w, geom: winograd.transform_weights(w, 2, geom.groups)),
    Algorithm("winograd5", winograd.conv2d5, plain_5x5, channels_from(12, 6), 1.5e-5, True,
              relu=True, residual=True, pooled=winograd.conv2d5_relu_pool,
              prepare=lambda w, geom: winograd.transform_weights(w, 5, geom.groups)),
    Algorithm("winograd_stride2", winograd.conv2d_stride2, strided_3x3, channels_from(16, 16), 1e-5, True,
              relu=True, prepare=lambda w, geom: winograd.transform_weights(w, 8, geom.groups)),
    # even and odd rows and columns as channels, then windows half as large
    Algorithm("halves", halves.conv2d, wide_strided, wins_in_halves, 1.5e-5, True, relu=True, residual=True),
    # images taken apart by their dilation, then winograd4
    Algorithm("phases", phases.conv2d, dilated_3x3, wins_in_phases, 1.5e-5, True),
    # patches packed straight into the panels of the matrix product
    Algorithm("im2col", conv.conv2d, always, always, relu=True, residual=True, pooled=conv.conv2d_relu_pool),
    # patches written out as a matrix first: to force, teach and measure
    Algorithm("im2col_explicit", unfold.conv2d_unfold, crops_nothing, never),
)  # fmt: skip
INPUT_GRADIENT = (
    Algorithm("depthwise", depthwise.conv2d_dx, is_depthwise, wins_by_planes_dx),
    Algorithm("winograd4", winograd.conv2d4_dx, plain_3x3, wins4_dx, 1.5e-5, True, onto=True),
    Algorithm("winograd2", winograd.conv2d2_dx, plain_3x3, enough_channels_dx, 1e-5, True, onto=True),
    Algorithm("winograd5", winograd.conv2d5_dx, plain_5x5, channels_from(12, 8), 1.5e-5, True, onto=True),
    Algorithm("winograd_stride2", winograd.conv2d_stride2_dx, strided_3x3_back, channels_from(16, 16), 1e-5, True),
    Algorithm("phases", phases.conv2d_dx, dilated_3x3, wins_in_phases, 1.5e-5, True),
    # products first, patches of an image added up behind them
    Algorithm("im2col_explicit", unfold.conv2d_dx_fold, crops_nothing, spreads),
    Algorithm("im2col", conv.conv2d_dx, always, always),
)
WEIGHT_GRADIENT = (
    Algorithm("depthwise", depthwise.conv2d_dw, is_depthwise, several_groups),
    Algorithm("winograd4", winograd_dw.conv2d_dw, plain_3x3, channels_from(8, 8, pairs=144), 5e-5, True),
    Algorithm("winograd5", winograd_dw.conv2d5_dw, plain_5x5, channels_from(12, 6, pairs=64), 5e-5, True),
    Algorithm("winograd_stride2", winograd_dw.conv2d_stride2_dw, strided_3x3, channels_from(16, 16), 2e-5, True),
    Algorithm("halves", halves.conv2d_dw, wide_strided, wins_in_halves_dw, 5e-5, True),
    Algorithm("phases", phases.conv2d_dw, dilated_3x3, wins_in_phases, 5e-5, True),
    Algorithm("im2col", conv.conv2d_dw, always, always),
    Algorithm("im2col_explicit", unfold.conv2d_dw_unfold, crops_nothing, never),
)
TABLES = {"forward": FORWARD, "dx": INPUT_GRADIENT, "dw": WEIGHT_GRADIENT}


class _Switch:
    winograd = os.environ.get("ENGINE_WINOGRAD") != "0"


_switch = _Switch()


def get_winograd():
    """Whether convolutions may take Winograd's algorithms."""
    return _switch.winograd


def set_winograd(enabled):
    """Let convolutions take Winograd's algorithms where these are faster, as they do from the start, or keep them to
    direct ones and matrix products: slower, with about a quarter of the rounding error.

    For all threads; ENGINE_WINOGRAD=0 in the environment starts without.
    """
    if not isinstance(enabled, bool):
        raise TypeError(f"set_winograd(): enabled must be a bool, got {enabled!r}")
    _switch.winograd = enabled


class _Forced(threading.local):
    name = None


_forced = _Forced()


class forced:
    """`with forced("im2col"):` every convolution of this thread uses that algorithm; ValueError where it does not apply."""

    def __init__(self, name):
        names = {a.name for table in TABLES.values() for a in table}
        if name not in names:
            raise ValueError(f"unknown convolution algorithm {name!r}; there are {', '.join(sorted(names))}")
        self.name = name

    def __enter__(self):
        self.before, _forced.name = _forced.name, self.name

    def __exit__(self, *_):
        _forced.name = self.before


def choose(direction, geom):
    """The algorithm for `direction` ("forward", "dx", "dw") of a convolution of this geometry."""
    if _forced.name is not None or verbose:
        return _found(direction, geom)
    taken, key = geom.taken, (direction, isa(), _switch.winograd)
    if key not in taken:
        taken[key] = _found(direction, geom)
    return taken[key]


def _found(direction, geom):
    refused = []
    for a in TABLES[direction]:
        if _forced.name is None:
            reason = "does not apply" if not a.applies(geom) else "" if a.wins(geom) else "does not win"
            reason = reason or ("is switched off" if a.winograd and not _switch.winograd else "")
        elif a.name == _forced.name and not a.applies(geom):
            raise ValueError(f"convolution algorithm {a.name!r} was forced but does not apply to {geom}")
        else:
            reason = "" if a.name == _forced.name else f"{_forced.name} is forced"
        if not reason:
            if verbose:
                _explain(direction, geom, refused, a)
            return a
        refused.append(f"{a.name} {reason}")
    raise ValueError(f"convolution algorithm {_forced.name!r} was forced, but {direction} has none of that name")


def _explain(direction, geom, refused, taken):
    g = geom
    print(
        f"engine: conv2d {direction} {g.n}x{g.c}x{g.h}x{g.w} -> {g.o}x{g.oh}x{g.ow} kernel {g.kh}x{g.kw} stride {g.stride} "
        f"padding {g.padding} dilation {g.dilation} groups {g.groups}: {taken.name}"
        + "".join(f"; {r}" for r in refused),
        file=sys.stderr,
    )


def _dense(a):
    """The array, or a contiguous copy of a float32 one that is not."""
    copied = isinstance(a, np.ndarray) and a.dtype == np.float32 and not a.flags.carray
    return np.array(a, order="C") if copied else a


def _computed(kernel, *arguments):
    """kernel(*arguments), of contiguous copies where it takes no others: the reference would take a hundred times as
    long as copying."""
    y = kernel(*arguments)
    if y is NotImplemented:
        dense = [_dense(a) for a in arguments]
        if any(d is not a for d, a in zip(dense, arguments, strict=True)):
            return kernel(*dense)
    return y


def forward(x, w, b, geom):
    """conv2d by the chosen algorithm."""
    return _computed(choose("forward", geom).kernel, x, w, b, geom)


def forward_relu(x, w, b, geom):
    """conv2d_relu by the chosen algorithm, where it can end so."""
    a = choose("forward", geom)
    return _computed(a.kernel, x, w, b, geom, True) if a.relu else NotImplemented


def forward_relu_pool(x, w, b, geom):
    """conv2d_relu_pool by the chosen algorithm, where it can end so."""
    a = choose("forward", geom)
    return _computed(a.pooled, x, w, b, geom) if a.pooled else NotImplemented


def inference(x, w, b, geom, relu, pool, residual, kept):
    """conv2d_inference by the chosen algorithm, where it can end so; weights that it prepares are kept by its name."""
    a = choose("forward", geom)
    if not (a.pooled if pool else a.relu) or (residual is not None and not a.residual):
        return NotImplemented
    arguments = [x, w, b, geom]
    if not pool:
        arguments += (relu, residual) if a.residual else (relu,)
    if a.prepare and w.nbytes <= WORTH_KEEPING:
        key = a.name, isa()
        prepared = kept.get(key)
        if prepared is None:
            prepared = kept[key] = _computed(a.prepare, w, geom)
        if prepared is NotImplemented:
            return NotImplemented
        arguments.append(prepared)
    y = _computed(a.pooled if pool else a.kernel, *arguments)
    return y[0] if pool and y is not NotImplemented else y


def input_gradient(g, w, geom, onto=None):
    """conv2d_dx by the chosen algorithm; images without pixels are no output that one can have."""
    if not geom.h or not geom.w:
        return NotImplemented
    a = choose("dx", geom)
    if onto is None:
        return _computed(a.kernel, g, w, geom)
    if a.onto:
        return _computed(a.kernel, g, w, geom, onto)
    dx = _computed(a.kernel, g, w, geom)
    return dx if dx is NotImplemented else pointwise.add(onto, dx, onto)


def weight_gradient(g, x, geom):
    """conv2d_dw by the chosen algorithm."""
    return _computed(choose("dw", geom).kernel, g, x, geom)
