"""Max and average pooling of float32 images [N, C, H, W] and their gradients; threads over the planes.

`geom` is a Pool2dGeometry, or anything whose `ints` lists the fields of struct Pool2d. Arrays that disagree with it,
and sizes that cannot be, raise ValueError; other dtypes and layouts give NotImplemented.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DATA

from engine_ext._isa cimport K, Pool2d
from engine_ext.arrays cimport f32, has_shape4, is_array, is_f32
from engine_ext.memory cimport empty_array
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    FIELDS = 18


cdef int unpack(object geom, Pool2d *q) except -1:
    """Fill q; ValueError if its numbers could lead a kernel out of bounds."""
    cdef tuple ints = geom.ints
    cdef int64_t *field = <int64_t *>q
    cdef int i
    if len(ints) != FIELDS:
        raise ValueError(f"a pooling geometry has {FIELDS} numbers, got {len(ints)}")
    for i in range(FIELDS):
        field[i] = ints[i]
        if i < 16 and not 0 <= field[i] <= <int64_t>1 << 61:
            raise ValueError(f"pooling: number {i} of the geometry {ints} is out of range")
    if min(q.kh, q.kw, q.sh, q.sw, q.dh, q.dw) < 1:
        raise ValueError(f"pooling: kernel, stride and dilation must be at least 1, got the geometry {ints}")
    if <double>q.kh * q.kw >= 2.0**31:
        raise ValueError(f"pooling: a window of {q.kh}x{q.kw} is too large")
    if (not fits(q.h, q.kh, q.sh, q.pt, q.pb, q.dh, q.oh)) or (not fits(q.w, q.kw, q.sw, q.pl, q.pr, q.dw, q.ow)):
        raise ValueError(f"pooling: the output size does not follow from the geometry {ints}")
    return 0


cdef bint fits(double size, double k, double stride, double before, double after, double dilation, double out):
    """Whether exactly `out` windows fit: each starts before the image ends and reaches beyond the padding."""
    cdef double reach = dilation * (k - 1), padded = size + before + after
    return (out >= 1 and (out - 1) * stride < size + before and before <= reach
            and out * stride + reach >= padded)


cdef void check_shape(object a, str what, int64_t n, int64_t c, int64_t h, int64_t w) except *:
    if not has_shape4(a, n, c, h, w):
        raise ValueError(f"pooling: {what} has shape {a.shape}, the geometry says {(n, c, h, w)}")


cdef object new_planes(Pool2d *q, int64_t h, int64_t w, int typenum=cnp.NPY_FLOAT32):
    cdef Py_ssize_t shape[4]
    shape[:] = [q.n, q.c, h, w]
    return empty_array(4, shape, typenum)


cdef inline int tap_type(Pool2d *q):
    return cnp.NPY_INT32 if q.kh * q.kw > 256 else cnp.NPY_UINT8


cdef inline int team_for(Pool2d *q) noexcept nogil:
    cdef double taps = <double>q.oh * q.ow * q.kh * q.kw + q.h * q.w
    return threads_for(taps * q.n * q.c)


def max_pool2d(x, geom):
    """(y[N, C, OH, OW], taps): the largest of each window, and which it was as i*kw + j (uint8, int32 above 256).

    The first of equals; a NaN wins. A window without any element gives -inf and tap 0.
    """
    cdef Pool2d q
    if not is_f32(x):
        return NotImplemented
    unpack(geom, &q)
    check_shape(x, "x", q.n, q.c, q.h, q.w)
    y = new_planes(&q, q.oh, q.ow)
    taps = new_planes(&q, q.oh, q.ow, tap_type(&q))
    cdef const float *px = f32(x)
    cdef float *py = f32(y)
    cdef char *pt = <char *>PyArray_DATA(<cnp.ndarray>taps)
    cdef int64_t p, from_step = q.h * q.w, to_step = q.oh * q.ow, tap_size = cnp.PyArray_ITEMSIZE(<cnp.ndarray>taps)
    cdef int team = team_for(&q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for p in prange(q.n * q.c, schedule="static"):
            K.max_pool_plane(&q, px + p * from_step, py + p * to_step, pt + p * to_step * tap_size)
        leave(mode)
    return y, taps


def max_pool2d_dx(g, taps, geom):
    """dx[N, C, H, W]: each of g[N, C, OH, OW] at the tap that won, added up where windows overlap."""
    cdef Pool2d q
    if not is_f32(g):
        return NotImplemented
    unpack(geom, &q)
    if not is_array(taps, tap_type(&q)):
        return NotImplemented
    check_shape(g, "g", q.n, q.c, q.oh, q.ow)
    check_shape(taps, "taps", q.n, q.c, q.oh, q.ow)
    dx = new_planes(&q, q.h, q.w)
    cdef const float *pg = f32(g)
    cdef float *to = f32(dx)
    cdef const char *pt = <const char *>PyArray_DATA(<cnp.ndarray>taps)
    cdef int64_t p, from_step = q.oh * q.ow, to_step = q.h * q.w, tap_size = cnp.PyArray_ITEMSIZE(<cnp.ndarray>taps)
    cdef int team = team_for(&q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for p in prange(q.n * q.c, schedule="static"):
            K.max_pool_plane_dx(&q, pg + p * from_step, pt + p * from_step * tap_size, to + p * to_step)
        leave(mode)
    return dx


def avg_pool2d(x, geom):
    """y[N, C, OH, OW]: the sum of each window over its divisor.

    The divisor is the geometry's own, or the size of the window inside the image (inside the padded image with
    count_include_pad).
    """
    cdef Pool2d q
    if not is_f32(x):
        return NotImplemented
    unpack(geom, &q)
    check_shape(x, "x", q.n, q.c, q.h, q.w)
    y = new_planes(&q, q.oh, q.ow)
    cdef const float *px = f32(x)
    cdef float *py = f32(y)
    cdef int64_t p, from_step = q.h * q.w, to_step = q.oh * q.ow
    cdef int team = team_for(&q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for p in prange(q.n * q.c, schedule="static"):
            K.avg_pool_plane(&q, px + p * from_step, py + p * to_step)
        leave(mode)
    return y


def avg_pool2d_dx(g, geom):
    """dx[N, C, H, W] of avg_pool2d from g[N, C, OH, OW]."""
    cdef Pool2d q
    if not is_f32(g):
        return NotImplemented
    unpack(geom, &q)
    check_shape(g, "g", q.n, q.c, q.oh, q.ow)
    dx = new_planes(&q, q.h, q.w)
    cdef const float *pg = f32(g)
    cdef float *to = f32(dx)
    cdef int64_t p, from_step = q.oh * q.ow, to_step = q.h * q.w
    cdef int team = team_for(&q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for p in prange(q.n * q.c, schedule="static"):
            K.avg_pool_plane_dx(&q, pg + p * from_step, to + p * to_step)
        leave(mode)
    return dx
