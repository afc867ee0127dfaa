"""Convolution by explicit im2col: patches are written out as a matrix, which a matrix product reads.

Forward and weight gradient are the teaching and measuring counterparts of conv.pyx: the same results, more memory, each
step visible. The input gradient also wins where images are much larger than their gradients.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.gemm cimport gemm
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_f32, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    TASKS = 16      # worth having, whatever the number of threads


cdef inline int64_t taps(const Conv2d *q) noexcept nogil:
    """Rows of one image's patch matrix: c * kh * kw."""
    return q.c * q.kh * q.kw


cdef inline bint is_forward(const Conv2d *q) noexcept nogil:
    """Whether images are neither upsampled nor cropped."""
    return q.uh == 1 and q.uw == 1 and min(q.pt, q.pb, q.pl, q.pr) >= 0


cdef int read_forward(object geom, Conv2d *q) except -1:
    read_conv2d(geom, q)
    if not is_forward(q):
        raise ValueError(f"explicit im2col takes forward geometries only, got {geom.ints}")
    return 0


cdef void unfold_images(const Conv2d *q, const float *x, float *cols) noexcept:
    cdef int64_t i, rows = q.n * q.c
    cdef int team = threads_for(<double>q.n * taps(q) * q.oh * q.ow)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(rows, schedule="static"):
            K.unfold_plane(q, x + i * q.h * q.w, cols + i * q.kh * q.kw * q.oh * q.ow)
        leave(mode)


cdef void fold_images(const Conv2d *q, const float *cols, float *x) noexcept:
    cdef int64_t i, rows = q.n * q.c
    cdef int team = threads_for(<double>q.n * taps(q) * q.oh * q.ow)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(rows, schedule="static"):
            K.fold_plane(q, cols + i * q.kh * q.kw * q.oh * q.ow, x + i * q.h * q.w)
        leave(mode)


def unfold(x, geom):
    """x[n, c, h, w] -> the patches [n, c * kh * kw, oh * ow].

    Contiguous float32 and a forward geometry, else NotImplemented.
    """
    cdef Conv2d q
    if not is_f32(x):
        return NotImplemented
    read_conv2d(geom, &q)
    if not is_forward(&q):
        return NotImplemented
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    cdef Py_ssize_t[3] shape = [q.n, taps(&q), q.oh * q.ow]
    cols = empty_f32(3, shape)
    unfold_images(&q, f32(x), f32(cols))
    return cols


def fold(cols, geom):
    """Patches [n, c * kh * kw, oh * ow] added up where they came from -> [n, c, h, w]; else as unfold."""
    cdef Conv2d q
    if not is_f32(cols):
        return NotImplemented
    read_conv2d(geom, &q)
    if not is_forward(&q):
        return NotImplemented
    if (PyArray_NDIM(cols) != 3 or PyArray_DIM(cols, 0) != q.n or PyArray_DIM(cols, 1) != taps(&q)
            or PyArray_DIM(cols, 2) != q.oh * q.ow):
        raise ValueError(f"cols has shape {cols.shape}, the geometry says {(q.n, taps(&q), q.oh * q.ow)}")
    x = empty_images(q.n, q.c, q.h, q.w)
    fold_images(&q, f32(cols), f32(x))
    return x


def conv2d_unfold(x, w, b, geom):
    """conv.conv2d by unfold and one product per image and group."""
    cdef Conv2d q
    cdef int64_t i, g, o, k, pixels
    if not is_f32(x) or not is_f32(w) or not (b is None or is_f32(b)):
        return NotImplemented
    read_forward(geom, &q)
    o, k, pixels = q.o // q.groups, taps(&q) // q.groups, q.oh * q.ow
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    expect_shape("w", w, q.o, q.c // q.groups, q.kh, q.kw)
    if b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != q.o):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(q.o,)}")
    y = empty_images(q.n, q.o, q.oh, q.ow)
    cdef Block scratch = borrow(q.n * taps(&q) * pixels * sizeof(float))
    cdef float *cols = <float *>scratch.data
    unfold_images(&q, f32(x), cols)
    for i in range(q.n):
        for g in range(q.groups):
            gemm(o, pixels, k, f32(w) + g * o * k, k, 1, cols + (i * q.groups + g) * k * pixels, pixels, 1,
                 f32(y) + (i * q.groups + g) * o * pixels, pixels, f32(b) + g * o if b is not None else NULL, NULL,
                 False)
    return y


def conv2d_dx_fold(g, w, geom):
    """conv.conv2d_dx by products of weights with images, whose patches are added up while they are in the cache."""
    cdef Conv2d q
    cdef int64_t task
    cdef unsigned mode = 0
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_forward(geom, &q)
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("w", w, q.o, q.c // q.groups, q.kh, q.kw)
    dx = empty_images(q.n, q.c, q.h, q.w)
    cdef const float *gradient = f32(g)
    cdef const float *weights = f32(w)
    cdef float *out = f32(dx)
    cdef int64_t channels = q.c // q.groups, blocks = max(min(channels, ceil_div(TASKS, max(q.n * q.groups, 1))), 1)
    cdef int team = threads_for(<double>q.n * taps(&q) * q.oh * q.ow * (q.o // q.groups) / 16)
    cdef size_t patches = piece(ceil_div(channels, blocks) * q.kh * q.kw * q.oh * q.ow * sizeof(float))
    cdef size_t step = patches + piece(q.o // q.groups * K.strip * sizeof(float))
    cdef Block scratch = borrow(step * team)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for task in prange(q.n * q.groups * blocks, schedule="static"):
            fold_task(&q, task, blocks, gradient, weights, out, <float *>(<char *>scratch.data + threadid() * step),
                      <float *>(<char *>scratch.data + threadid() * step + patches))
        leave(mode)
    return dx


cdef void fold_task(
    const Conv2d *q, int64_t task, int64_t blocks,      # counts (image, group, block of channels)
    const float *g, const float *w, float *dx, float *patches, float *panel,
) noexcept nogil:
    cdef int64_t image = task // blocks // q.groups, group = task // blocks % q.groups, block = task % blocks
    cdef int64_t channels = q.c // q.groups, outputs = q.o // q.groups, window = q.kh * q.kw, pixels = q.oh * q.ow
    cdef int64_t first = block * channels // blocks, count = (block + 1) * channels // blocks - first, col = 0, cols, i
    g += (image * q.o + group * outputs) * pixels
    w += (group * outputs * channels + first) * window
    dx += (image * q.c + group * channels + first) * q.h * q.w
    while col < pixels:
        cols = min(K.strip, pixels - col)
        K.gemm_strip(count * window, cols, outputs, w, 1, channels * window, g + col, pixels, panel, patches + col,
                     pixels, NULL, NULL, 0)
        col += cols
    for i in range(count):
        K.fold_plane(q, patches + i * window * pixels, dx + i * q.h * q.w)


def conv2d_dw_unfold(g, x, geom):
    """conv.conv2d_dw by unfold and products added up image by image."""
    cdef Conv2d q
    cdef int64_t i, j, o, k, pixels
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    read_forward(geom, &q)
    o, k, pixels = q.o // q.groups, taps(&q) // q.groups, q.oh * q.ow
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    dw = empty_images(q.o, q.c // q.groups, q.kh, q.kw)
    dw.fill(0)
    cdef Block scratch = borrow(q.n * taps(&q) * pixels * sizeof(float))
    cdef float *cols = <float *>scratch.data
    unfold_images(&q, f32(x), cols)
    for i in range(q.n):
        for j in range(q.groups):
            gemm(o, k, pixels, f32(g) + (i * q.groups + j) * o * pixels, pixels, 1,
                 cols + (i * q.groups + j) * k * pixels, 1, pixels, f32(dw) + j * o * k, k, NULL, NULL, True)
    return dw
