"""Convolution by explicit im2col: patches are written out as a matrix, which a matrix product reads.

The teaching and measuring counterpart of conv.pyx: the same results, more memory, each step visible.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.gemm cimport gemm
from engine_ext.geometry cimport expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_f32, empty_images
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()


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
    """conv.conv2d_dx by one product per image and group, and fold."""
    cdef Conv2d q
    cdef int64_t i, j, o, k, pixels
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_forward(geom, &q)
    o, k, pixels = q.o // q.groups, taps(&q) // q.groups, q.oh * q.ow
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("w", w, q.o, q.c // q.groups, q.kh, q.kw)
    dx = empty_images(q.n, q.c, q.h, q.w)
    cdef Block scratch = borrow(q.n * taps(&q) * pixels * sizeof(float))
    cdef float *cols = <float *>scratch.data
    for i in range(q.n):
        for j in range(q.groups):
            gemm(k, pixels, o, f32(w) + j * o * k, 1, k, f32(g) + (i * q.groups + j) * o * pixels, pixels, 1,
                 cols + (i * q.groups + j) * k * pixels, pixels, NULL, NULL, False)
    fold_images(&q, cols, f32(dx))
    return dx


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
