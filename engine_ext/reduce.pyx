"""Sums and means of float32 arrays over axes that lie side by side, and arrays of one number.

A reduction is [outer, n, inner] -> [outer, inner]. The n terms are cut into parts whose number depends on the shape
alone; the sums of parts are added in order, so that results do not depend on the number of threads.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM, PyArray_SIZE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport Block, borrow, empty_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    PART = 32768            # elements of a part, about
    STRIP = 64              # columns of a task
    MOST = 32               # dimensions

cdef struct Reduction:
    int64_t outer, n, inner
    double divisor


cdef bint read(object a, tuple axes, Reduction *r, bint keepdims, Py_ssize_t *shape, int *ndim) except -1:
    """Whether the axes lie side by side, ones of size 1 aside; `r` and the shape of the result."""
    cdef int i, axis, last = -1, first = MOST, dims = PyArray_NDIM(<cnp.ndarray>a)
    cdef bint reduced[MOST]
    if dims > MOST:
        return False
    for i in range(dims):
        reduced[i] = False
    for axis in axes:
        if not 0 <= axis < dims:
            raise ValueError(f"axis {axis} is out of range for an array of {dims} dimensions")
        reduced[axis] = True
        if PyArray_DIM(<cnp.ndarray>a, axis) != 1:
            first, last = min(first, axis), max(last, axis)
    r.outer = r.n = r.inner = 1
    ndim[0] = 0
    for i in range(dims):
        if reduced[i]:
            r.n *= PyArray_DIM(<cnp.ndarray>a, i)
        elif i < first:
            r.outer *= PyArray_DIM(<cnp.ndarray>a, i)
        elif i > last:
            r.inner *= PyArray_DIM(<cnp.ndarray>a, i)
        elif PyArray_DIM(<cnp.ndarray>a, i) != 1:
            return False
        if keepdims or not reduced[i]:
            shape[ndim[0]] = 1 if reduced[i] else PyArray_DIM(<cnp.ndarray>a, i)
            ndim[0] += 1
    return True


cdef object reduced(object a, tuple axes, bint keepdims, bint mean):
    cdef Reduction r
    cdef Py_ssize_t shape[MOST]
    cdef int ndim
    if not is_f32(a) or not PyArray_SIZE(<cnp.ndarray>a) or not read(a, axes, &r, keepdims, shape, &ndim):
        return NotImplemented
    y = empty_f32(ndim, shape)
    r.divisor = <double>r.n if mean else 1
    if r.inner == 1:
        along_rows(&r, f32(a), f32(y))
    else:
        along_columns(&r, f32(a), f32(y))
    return y


cdef int along_rows(Reduction *r, const float *a, float *y) except -1:
    """inner is 1: every sum is of n floats in a row."""
    cdef int64_t parts = ceil_div(r.n, PART), t, i, j
    cdef int64_t many = max(PART // r.n, <int64_t>1)     # short rows of a task
    cdef int team = threads_for(<double>r.outer * r.n)
    cdef unsigned mode = 0
    cdef Block block
    cdef double *sums
    cdef double total
    if parts == 1:
        with nogil, parallel(num_threads=team):
            mode = enter()
            for t in prange(ceil_div(r.outer, many), schedule="static"):
                for i in range(t * many, min((t + 1) * many, r.outer)):
                    y[i] = <float>(K.sum_run(a + i * r.n, NULL, r.n) / r.divisor)
            leave(mode)
        return 0
    block = borrow(r.outer * parts * sizeof(double))
    sums = <double *>block.data
    with nogil:
        with parallel(num_threads=team):
            mode = enter()
            for t in prange(r.outer * parts, schedule="static"):
                i = t % parts * PART
                sums[t] = K.sum_run(a + t // parts * r.n + i, NULL, min(<int64_t>PART, r.n - i))
            leave(mode)
        for i in range(r.outer):
            total = 0
            for j in range(parts):
                total += sums[i * parts + j]
            y[i] = <float>(total / r.divisor)
    return 0


cdef int along_columns(Reduction *r, const float *a, float *y) except -1:
    """Columns in strips, and where they are long, parts of them."""
    cdef int64_t rows = max(PART // r.inner, <int64_t>STRIP), parts = ceil_div(r.n, rows)
    cdef int64_t strips = ceil_div(r.inner, STRIP), i
    cdef int team = threads_for(<double>r.outer * r.n * r.inner)
    cdef unsigned mode = 0
    cdef Block block
    cdef float *sums = y
    if parts > 1:
        block = borrow(r.outer * parts * r.inner * sizeof(float))
        sums = <float *>block.data
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(r.outer * parts * strips, schedule="static"):
            strip(a, r.n, r.inner, rows, parts, strips, i, sums)
        if parts > 1:
            for i in prange(r.outer * strips, schedule="static"):
                strip(sums, parts, r.inner, parts, 1, strips, i, y)
        leave(mode)
    if r.divisor != 1:
        scale(r, y)
    return 0


cdef inline void strip(
    const float *a,         # IN [outer, n, inner]
    int64_t n,
    int64_t inner,
    int64_t rows,           # of a part
    int64_t parts,
    int64_t strips,
    int64_t task,           # (outer, part, strip)
    float *sums,            # OUT [outer, parts, inner]
) noexcept nogil:
    cdef int64_t column = task % strips * STRIP, whole = task // strips
    cdef int64_t part = whole % parts, first = part * rows
    K.sum_columns(a + (whole // parts * n + first) * inner + column, min(rows, n - first),
                  min(<int64_t>STRIP, inner - column), inner, sums + whole * inner + column)


cdef void scale(Reduction *r, float *y) noexcept nogil:
    cdef int64_t i
    cdef float divisor = <float>r.divisor
    for i in range(r.outer * r.inner):
        y[i] /= divisor


def sum(a, tuple axes not None, bint keepdims):
    """The sum over `axes`, which are not negative; float32 and contiguous, axes side by side, else NotImplemented."""
    return reduced(a, axes, keepdims, False)


def mean(a, tuple axes not None, bint keepdims):
    """The mean over `axes`, as `sum`."""
    return reduced(a, axes, keepdims, True)
