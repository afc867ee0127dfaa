"""Convolutions of 5x5 to 8x8 windows with stride 2 as plain ones by Winograd's algorithms: the even and odd rows and
columns of an image are four channels, a window is four windows of half the size.

Of 147 products for each output of a network's first layer, 7x7 over three channels, 48 are left. The copies weigh
little: such layers have few channels.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp

from engine_ext._isa cimport Conv2d, K, Stage
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport empty_images
from engine_ext.parallel cimport enter, leave, threads_for
from engine_ext.stage cimport Axis, horizontal, make_stage, stage_floats, vertical

from engine_ext import winograd, winograd_dw

cnp.import_array()


cdef int read_halves(object geom, Conv2d *q) except -1:
    """Fills `q`; returns the size of half a window, 3 or 4."""
    read_conv2d(geom, q)
    cdef int64_t half = ceil_div(q.kh, 2)
    if half != ceil_div(q.kw, 2) or half not in (3, 4) or max(max(q.dh, q.dw), max(q.uh, q.uw)) > 1 or not (
            q.sh == q.sw == 2):
        raise ValueError(f"expected windows of 5x5 to 8x8 with stride 2 and dilation of 1, got {geom.ints}")
    return <int>half


cdef object stage_planes(object planes, const Stage *s, int64_t n, int64_t c):
    """planes[n, c, h, w] -> [n, 4 * c, height, width]: even columns of even rows, odd ones, and those of odd rows."""
    cdef object staged = empty_images(n, 4 * c, s.height, s.width)
    cdef const float *x = f32(planes)
    cdef float *y = f32(staged)
    cdef int64_t i, floats = stage_floats(s)
    cdef int team = threads_for(<double>n * c * floats)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(n * c, schedule="static"):
            K.stage_plane(s, x + i * s.h * s.w, y + i * floats)
        leave(mode)
    return staged


cdef object stage_input(object x, const Conv2d *q):
    """With its padding."""
    cdef Axis down = vertical(q), along = horizontal(q)
    cdef Stage s = make_stage(&down, &along)
    return stage_planes(x, &s, q.n, q.c)


def conv2d(x, w, b, geom, bint relu=False, residual=None):
    """Cross-correlation of x[n, c, h, w] with w[o, c / groups, kh, kw] plus b[o] or None -> [n, o, oh, ow].

    `relu` and `residual` as in winograd.conv2d4. float32 and C-contiguous, else NotImplemented; ValueError when the
    arrays do not have the geometry's sizes.
    """
    cdef Conv2d q
    cdef Stage s
    if not is_f32(x) or not is_f32(w):
        return NotImplemented
    cdef int half = read_halves(geom, &q)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    expect_shape("w", w, q.o, q.c // q.groups, q.kh, q.kw)
    s = Stage(q.kh, q.kw, 0, 0, 2, 2, 2, 2, half, half)
    halves = stage_planes(w, &s, q.o, q.c // q.groups)
    kernel = winograd.conv2d4 if half == 3 else winograd.conv2d3
    return kernel(stage_input(x, &q), halves, b, geom.halves, relu, residual)


def conv2d_dw(g, x, geom):
    """Gradient of conv2d by its weights: g[n, o, oh, ow], x[n, c, h, w] -> [o, c / groups, kh, kw]."""
    cdef Conv2d q
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    cdef int half = read_halves(geom, &q)
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    halves = (winograd_dw.conv2d_dw if half == 3 else winograd_dw.conv2d3_dw)(g, stage_input(x, &q), geom.halves)
    dw = empty_images(q.o, q.c // q.groups, q.kh, q.kw)
    cdef const float *parts = f32(halves)
    cdef float *to = f32(dw)
    cdef int64_t i
    for i in range(q.o * (q.c // q.groups)):
        K.merge_plane(q.kh, q.kw, 2, 2, parts + i * 4 * half * half, half * half, half, half, to + i * q.kh * q.kw)
    return dw
