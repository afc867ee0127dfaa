"""Reads a Conv2dGeometry into the C struct and checks it: what C is told about sizes is true, or ValueError is raised.

engine/geometry.py gives the friendly messages; here it only matters that no array is ever walked beyond its end.
"""

from libc.stdint cimport int64_t

cimport numpy as cnp

from engine_ext._isa cimport Conv2d, staged_height, staged_width
from engine_ext.arrays cimport has_shape4

cnp.import_array()

cdef extern from *:
    bint add_overflows "__builtin_saddll_overflow"(long long a, long long b, long long *sum) noexcept nogil
    bint mul_overflows "__builtin_smulll_overflow"(long long a, long long b, long long *product) noexcept nogil

cdef int64_t LARGEST = <int64_t>1 << 40     # of a single size: sums of a few cannot overflow


cdef int read_conv2d(object geom, Conv2d *q) except -1:
    cdef tuple ints = geom.ints
    if len(ints) != 20:
        raise ValueError(f"a convolution's geometry has 20 sizes, got {len(ints)}")
    cdef int64_t *field = <int64_t *>q      # the struct is these numbers in this order
    cdef int i
    for i in range(20):
        field[i] = ints[i]
        if not -LARGEST <= field[i] <= LARGEST:
            raise ValueError(f"sizes of a convolution must be below 2**40, got {ints}")
    if (min(q.n, q.h, q.w) < 0
            or min(q.c, q.o, q.kh, q.kw, q.sh, q.sw, q.dh, q.dw, q.groups, q.uh, q.uw, q.oh, q.ow) < 1):
        raise ValueError(f"sizes of a convolution must be positive, got {ints}")
    if q.c % q.groups or q.o % q.groups:
        raise ValueError(f"groups must divide the channels, got {ints}")
    _expect_output(q.h, q.uh, q.pt, q.pb, q.kh, q.dh, q.sh, q.oh, ints)
    _expect_output(q.w, q.uw, q.pl, q.pr, q.kw, q.dw, q.sw, q.ow, ints)
    cdef bint fits = (_fits(q.n, q.c, q.h, q.w) and _fits(q.n, q.o, q.oh, q.ow)
                      and _fits(q.n, q.c, staged_height(q), staged_width(q)) and _fits(q.o, q.c, q.kh, q.kw)
                      and _fits(q.n, q.c, q.kh, q.kw, q.oh, q.ow))
    if not fits:
        raise ValueError(f"sizes of a convolution are too large: {ints}")
    return 0


cdef int read_plain(object geom, Conv2d *q, int64_t size) except -1:
    read_conv2d(geom, q)
    if q.kh != size or q.kw != size or max(max(q.sh, q.sw), max(q.dh, q.dw), max(q.uh, q.uw)) != 1:
        raise ValueError(f"expected {size}x{size} windows with stride and dilation of 1, got {geom.ints}")
    return 0


cdef int read_strided_3x3(object geom, Conv2d *q) except -1:
    read_conv2d(geom, q)
    cdef bint strided = q.sh == q.sw == 2 and max(max(q.dh, q.dw), max(q.uh, q.uw)) == 1
    if q.kh != 3 or q.kw != 3 or not strided or min(min(q.pt, q.pb), min(q.pl, q.pr)) < 0:
        raise ValueError(f"expected 3x3 windows with stride 2, dilation of 1 and no cropping, got {geom.ints}")
    return 0


cdef int _expect_output(int64_t size, int64_t up, int64_t before, int64_t after, int64_t kernel, int64_t dilation,
                        int64_t stride, int64_t out, object ints) except -1:
    cdef long long staged = 0, span = 0
    if (mul_overflows(size - 1, up, &staged) or add_overflows(staged, 1 + before + after, &staged)
            or mul_overflows(kernel - 1, dilation, &span) or add_overflows(span, 1, &span)
            or staged < span or (staged - span) // stride + 1 != out):
        raise ValueError(f"sizes of a convolution do not agree with one another: {ints}")
    return 0


cdef inline bint _grow(long long *total, int64_t size) noexcept:
    """total *= size, unless that is too large."""
    return not mul_overflows(total[0], max(size, <int64_t>1), total) and total[0] <= <long long>1 << 58


cdef bint _fits(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e=1, int64_t f=1) noexcept:
    """Whether the product of sizes can be walked; that of the others, too, when one is 0."""
    cdef long long total = 1
    return (_grow(&total, a) and _grow(&total, b) and _grow(&total, c) and _grow(&total, d) and _grow(&total, e)
            and _grow(&total, f))


cdef int expect_shape(str name, object array, Py_ssize_t d0, Py_ssize_t d1, Py_ssize_t d2, Py_ssize_t d3) except -1:
    if not has_shape4(array, d0, d1, d2, d3):
        raise ValueError(f"{name} has shape {array.shape}, the geometry says {(d0, d1, d2, d3)}")
    return 0
