"""Softmax and cross-entropy over the last axis of float32 arrays, and their gradients; threads over rows.

Other dtypes, layouts and axes give NotImplemented, sizes that disagree ValueError, a label outside its classes
IndexError.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM, PyArray_SIZE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_array, is_f32
from engine_ext.memory cimport empty_f32, empty_like_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    BLOCK = 4096                # elements of a task, about
    EXPONENTIAL = 6             # cost of an element with its exponential, in additions

ctypedef void (*Rows)(int64_t rows, int64_t n, const float *x, float *y) noexcept nogil
ctypedef void (*Rows2)(int64_t rows, int64_t n, const float *g, const float *y, float *dx) noexcept nogil


cdef bint is_last(object a, object axis) except -1:
    """Whether `axis` is the last one of a, which has one."""
    cdef Py_ssize_t n = PyArray_NDIM(<cnp.ndarray>a), at = axis
    return n > 0 and (at == -1 or at == n - 1)


cdef inline int64_t rows_per_task(int64_t n) noexcept nogil:
    return max(BLOCK // max(n, 1), <int64_t>1)


cdef object map_rows(Rows f, x, axis):
    if not is_f32(x) or not is_last(x, axis):
        return NotImplemented
    y = empty_like_f32(x)
    cdef int64_t n = PyArray_DIM(<cnp.ndarray>x, PyArray_NDIM(<cnp.ndarray>x) - 1)
    cdef int64_t rows = PyArray_SIZE(<cnp.ndarray>x) // n if n else 0
    cdef int64_t t, many = rows_per_task(n)
    cdef const float *px = f32(x)
    cdef float *py = f32(y)
    cdef int team = threads_for(<double>EXPONENTIAL * rows * n)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for t in prange((rows + many - 1) // many, schedule="static"):
            f(min(many, rows - t * many), n, px + t * many * n, py + t * many * n)
        leave(mode)
    return y


cdef object map_rows_dx(Rows2 f, g, y, axis):
    if not (is_f32(g) and is_f32(y)) or not is_last(y, axis):
        return NotImplemented
    if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>g, <cnp.ndarray>y):
        raise ValueError(f"softmax: the gradient has shape {g.shape}, the output {y.shape}: expected the same")
    dx = empty_like_f32(g)
    cdef int64_t n = PyArray_DIM(<cnp.ndarray>g, PyArray_NDIM(<cnp.ndarray>g) - 1)
    cdef int64_t rows = PyArray_SIZE(<cnp.ndarray>g) // n if n else 0
    cdef int64_t t, many = rows_per_task(n)
    cdef const float *pg = f32(g)
    cdef const float *py = f32(y)
    cdef float *to = f32(dx)
    cdef int team = threads_for(<double>EXPONENTIAL * rows * n)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for t in prange((rows + many - 1) // many, schedule="static"):
            f(min(many, rows - t * many), n, pg + t * many * n, py + t * many * n, to + t * many * n)
        leave(mode)
    return dx


def softmax(x, axis):
    """exp(x) over its sum along the last axis."""
    return map_rows(K.softmax_rows, x, axis)


def log_softmax(x, axis):
    """x less the logarithm of the sum of exp(x) along the last axis."""
    return map_rows(K.log_softmax_rows, x, axis)


def softmax_dx(g, y, axis):
    """y * (g - sum(g * y)) along the last axis; y is softmax's output."""
    return map_rows_dx(K.softmax_dx_rows, g, y, axis)


def log_softmax_dx(g, y, axis):
    """g - exp(y) * sum(g) along the last axis; y is log_softmax's output."""
    return map_rows_dx(K.log_softmax_dx_rows, g, y, axis)


# ----- Cross-entropy -----

cdef const int64_t *checked_labels(object labels, int64_t rows, int64_t n) except? NULL:
    """The labels' data; ValueError on their shape, IndexError on the first outside 0..n-1."""
    if PyArray_NDIM(<cnp.ndarray>labels) != 1 or PyArray_DIM(<cnp.ndarray>labels, 0) != rows:
        raise ValueError(f"cross_entropy: labels have shape {labels.shape}, expected ({rows},), one for each row")
    cdef const int64_t *data = <const int64_t *>PyArray_DATA(<cnp.ndarray>labels)
    cdef int64_t bad = K.bad_label(rows, n, data)
    if bad >= 0:
        raise IndexError(f"cross_entropy: label {data[bad]} at position {bad} is out of range for {n} classes "
                         f"(expected 0 to {n - 1})")
    return data


def cross_entropy(x, labels):
    """(losses[M], probabilities[M, N]) of scores x[M, N] and labels[M], int64; IndexError on a label outside 0..N-1."""
    if not has_rows(x) or not is_array(labels, cnp.NPY_INT64):
        return NotImplemented
    cdef Py_ssize_t rows = PyArray_DIM(<cnp.ndarray>x, 0), n = PyArray_DIM(<cnp.ndarray>x, 1)
    cdef const int64_t *pl = checked_labels(labels, rows, n)
    losses, probabilities = empty_f32(1, &rows), empty_like_f32(x)
    cdef const float *px = f32(x)
    cdef float *py = f32(losses)
    cdef float *pp = f32(probabilities)
    cdef int64_t t, many = rows_per_task(n)
    cdef int team = threads_for(<double>EXPONENTIAL * rows * n)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for t in prange((rows + many - 1) // many, schedule="static"):
            K.cross_entropy_rows(min(many, rows - t * many), n, px + t * many * n, pl + t * many, py + t * many,
                                 pp + t * many * n)
        leave(mode)
    return losses, probabilities


def cross_entropy_dx(g, probabilities, labels):
    """dx[M, N] = g[M] times (probabilities - one at the label)."""
    if not (is_f32(g) and has_rows(probabilities) and is_array(labels, cnp.NPY_INT64)):
        return NotImplemented
    cdef int64_t rows = PyArray_DIM(<cnp.ndarray>probabilities, 0)
    if PyArray_NDIM(<cnp.ndarray>g) != 1 or PyArray_DIM(<cnp.ndarray>g, 0) != rows:
        raise ValueError(f"cross_entropy: the gradient has shape {g.shape}, expected ({rows},)")
    return rows_dx(f32(g), 1, probabilities, labels)


def cross_entropy_total(x, labels, bint mean):
    """(the mean of cross_entropy's losses, or their sum; probabilities[M, N])."""
    found = cross_entropy(x, labels)
    if found is NotImplemented:
        return NotImplemented
    losses, probabilities = found
    cdef int64_t rows = PyArray_DIM(<cnp.ndarray>losses, 0)
    total = empty_f32(0, NULL)
    f32(total)[0] = <float>(K.sum_run(f32(losses), NULL, rows) / (rows if mean else 1))
    return total, probabilities


def cross_entropy_total_dx(g, probabilities, labels, bint mean):
    """dx[M, N] from the gradient of cross_entropy_total, which has one element."""
    if not (is_f32(g) and has_rows(probabilities) and is_array(labels, cnp.NPY_INT64)):
        return NotImplemented
    if PyArray_SIZE(<cnp.ndarray>g) != 1:
        raise ValueError(f"cross_entropy: the gradient has shape {g.shape}, expected one element")
    cdef float share = f32(g)[0] / (PyArray_DIM(<cnp.ndarray>probabilities, 0) if mean else 1)
    return rows_dx(&share, 0, probabilities, labels)


cdef inline bint has_rows(object a):
    return is_f32(a) and PyArray_NDIM(<cnp.ndarray>a) == 2


cdef object rows_dx(const float *g, int64_t step, probabilities, labels):
    """dx[M, N] for gradients that are `step` apart."""
    cdef int64_t rows = PyArray_DIM(<cnp.ndarray>probabilities, 0), n = PyArray_DIM(<cnp.ndarray>probabilities, 1)
    cdef const int64_t *pl = checked_labels(labels, rows, n)
    dx = empty_like_f32(probabilities)
    cdef const float *pp = f32(probabilities)
    cdef float *to = f32(dx)
    cdef int64_t t, many = rows_per_task(n)
    cdef int team = threads_for(<double>rows * n)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for t in prange((rows + many - 1) // many, schedule="static"):
            K.cross_entropy_dx_rows(min(many, rows - t * many), n, g + t * many * step, step, pp + t * many * n,
                                    pl + t * many, to + t * many * n)
        leave(mode)
    return dx
