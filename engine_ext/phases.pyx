"""Dilated convolutions of 3x3 windows as plain ones: a dilation of d takes an image apart into d * d smaller images.

Each is convolved by Winograd's algorithm; the copies there and back weigh little beside what it saves.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp

from engine_ext._isa cimport Conv2d, K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport empty_images
from engine_ext.parallel cimport enter, leave, threads_for

from engine_ext import winograd, winograd_dw

cnp.import_array()


cdef int read_dilated(object geom, Conv2d *q) except -1:
    read_conv2d(geom, q)
    if (q.kh != 3 or q.kw != 3 or q.sh != 1 or q.sw != 1 or q.groups != 1 or q.uh != 1 or q.uw != 1
            or q.dh > q.oh or q.dw > q.ow):
        raise ValueError(f"not a dilated convolution of 3x3 windows with stride and groups of 1: {geom.ints}")
    return 0


cdef object split(object images, const Conv2d *q, int64_t c, int64_t h, int64_t w, int64_t top, int64_t left,
                  int64_t rows, int64_t columns):
    """images[n, c, h, w] -> [n * dh * dw, c, rows, columns]: pixel (0, 0) of a phase is (-top, -left) of the image."""
    cdef object parts = empty_images(q.n * q.dh * q.dw, c, rows, columns)
    cdef const float *x = f32(images)
    cdef float *y = f32(parts)
    cdef int64_t i, plane = rows * columns, phases = q.dh * q.dw
    cdef int team = threads_for(2.0 * q.n * c * h * w)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(q.n * c, schedule="static"):
            K.split_plane(h, w, top, left, q.dh, q.dw, x + i * h * w, rows, columns,
                          y + (i // c * phases * c + i % c) * plane, c * plane)
        leave(mode)
    return parts


cdef object merge(object parts, const Conv2d *q):
    """[n * dh * dw, o, ...], the outputs of the phases -> [n, o, oh, ow]."""
    cdef int64_t c = q.o, h = q.oh, w = q.ow, rows = ceil_div(h, q.dh), columns = ceil_div(w, q.dw)
    expect_shape("parts", parts, q.n * q.dh * q.dw, c, rows, columns)
    cdef object images = empty_images(q.n, c, h, w)
    cdef const float *y = f32(parts)
    cdef float *x = f32(images)
    cdef int64_t i, plane = rows * columns, phases = q.dh * q.dw
    cdef int team = threads_for(2.0 * q.n * c * h * w)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(q.n * c, schedule="static"):
            K.merge_plane(h, w, q.dh, q.dw, y + (i // c * phases * c + i % c) * plane, c * plane, rows, columns,
                          x + i * h * w)
        leave(mode)
    return images


cdef object split_input(object x, const Conv2d *q):
    """With its padding."""
    return split(x, q, q.c, q.h, q.w, q.pt, q.pl, ceil_div(q.oh, q.dh) + 2, ceil_div(q.ow, q.dw) + 2)


def conv2d(x, w, b, geom):
    """Cross-correlation of x[n, c, h, w] with w[o, c, 3, 3], dilated, plus b[o] or None -> [n, o, oh, ow].

    float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have the geometry's sizes.
    """
    cdef Conv2d q
    if not is_f32(x) or not is_f32(w) or not (b is None or is_f32(b)):
        return NotImplemented
    read_dilated(geom, &q)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    return merge(winograd.conv2d4(split_input(x, &q), w, b, geom.phases), &q)


def conv2d_dx(g, w, geom):
    """Gradient of conv2d by its input: g[n, o, oh, ow], w[o, c, 3, 3] -> [n, c, h, w]; `geom` is the forward one."""
    cdef Conv2d q, back
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_dilated(geom, &q)
    read_conv2d(geom.transposed, &back)
    expect_shape("g", g, back.n, back.c, back.h, back.w)
    return merge(winograd.conv2d4_dx(split_input(g, &back), w, geom.input_phases), &back)


def conv2d_dw(g, x, geom):
    """Gradient of conv2d by its weights: g[n, o, oh, ow], x[n, c, h, w] -> [o, c, 3, 3]."""
    cdef Conv2d q
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    read_dilated(geom, &q)
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    rows, columns = ceil_div(q.oh, q.dh), ceil_div(q.ow, q.dw)
    return winograd_dw.conv2d_dw(split(g, &q, q.o, q.oh, q.ow, 0, 0, rows, columns), split_input(x, &q), geom.phases)
