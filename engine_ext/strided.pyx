"""Copies and sums of float32 arrays into parts of others, of any strides: what slices, paddings and transposed arrays
need; and arrays full of one number."""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_CheckExact, PyArray_DATA, PyArray_DIM, PyArray_NDIM, PyArray_SIZE, PyArray_STRIDE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.parallel cimport threads_for

cnp.import_array()

cdef enum:
    DIMENSIONS = 64             # NumPy's limit
    ENOUGH = 4096               # elements; NumPy's own loop is as fast with fewer
    BLOCK = 8192                # elements of a task

cdef struct Copy:
    int outer                   # dimensions but the last two
    int64_t[DIMENSIONS] shape, to_step, from_step   # of the outer ones; steps in floats
    int64_t rows, columns       # of the last two
    int64_t to_row, to_column, from_row, from_column
    int64_t row_blocks, column_blocks, height, width    # tasks of a plane, and the size of one
    float *to
    const float *source


cdef bint is_floats(object a) noexcept:
    """Whether `a` is a float32 array of any strides that are whole floats."""
    cdef int i
    if not (PyArray_CheckExact(a) and cnp.PyArray_TYPE(<cnp.ndarray>a) == cnp.NPY_FLOAT32
            and cnp.PyArray_ISALIGNED(<cnp.ndarray>a) and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>a)):
        return False
    for i in range(PyArray_NDIM(<cnp.ndarray>a)):
        if PyArray_STRIDE(<cnp.ndarray>a, i) % <Py_ssize_t>sizeof(float):
            return False
    return True


cdef bint is_basic(object index):
    """Whether an index gives a view: numbers, slices, None and ... alone."""
    if not isinstance(index, tuple):
        index = (index,)
    for item in index:
        if not (item is None or item is Ellipsis or type(item) is slice or type(item) is int):
            return False
    return True


cdef void extent(object a, char **low, char **high):
    """The first byte of an array's elements, and the first behind them."""
    cdef int i
    cdef Py_ssize_t reach
    low[0] = high[0] = <char *>PyArray_DATA(<cnp.ndarray>a)
    high[0] += sizeof(float)
    for i in range(PyArray_NDIM(<cnp.ndarray>a)):
        reach = PyArray_STRIDE(<cnp.ndarray>a, i) * (PyArray_DIM(<cnp.ndarray>a, i) - 1)
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach


cdef bint apart(object a, object b):
    """Whether the memory between first and last element of one is outside of the other's."""
    cdef char *low_a
    cdef char *high_a
    cdef char *low_b
    cdef char *high_b
    extent(a, &low_a, &high_a)
    extent(b, &low_b, &high_b)
    return high_a <= low_b or high_b <= low_a


cdef Copy plan(object to, object source):
    cdef Copy q
    cdef int i, n = PyArray_NDIM(<cnp.ndarray>to)
    q.outer, q.rows, q.to_row, q.from_row = max(n - 2, 0), 1, 0, 0
    q.to, q.source = <float *>PyArray_DATA(<cnp.ndarray>to), <const float *>PyArray_DATA(<cnp.ndarray>source)
    for i in range(q.outer):
        q.shape[i] = PyArray_DIM(<cnp.ndarray>to, i)
        q.to_step[i] = PyArray_STRIDE(<cnp.ndarray>to, i) // <Py_ssize_t>sizeof(float)
        q.from_step[i] = PyArray_STRIDE(<cnp.ndarray>source, i) // <Py_ssize_t>sizeof(float)
    if n > 1:
        q.rows = PyArray_DIM(<cnp.ndarray>to, n - 2)
        q.to_row = PyArray_STRIDE(<cnp.ndarray>to, n - 2) // <Py_ssize_t>sizeof(float)
        q.from_row = PyArray_STRIDE(<cnp.ndarray>source, n - 2) // <Py_ssize_t>sizeof(float)
    q.columns = PyArray_DIM(<cnp.ndarray>to, n - 1)
    q.to_column = PyArray_STRIDE(<cnp.ndarray>to, n - 1) // <Py_ssize_t>sizeof(float)
    q.from_column = PyArray_STRIDE(<cnp.ndarray>source, n - 1) // <Py_ssize_t>sizeof(float)
    q.width = min(q.columns, <int64_t>BLOCK)
    q.height = min(q.rows, max(<int64_t>BLOCK // q.width, <int64_t>1))
    q.row_blocks, q.column_blocks = ceil_div(q.rows, q.height), ceil_div(q.columns, q.width)
    return q


cdef void copy_block(const Copy *q, int64_t task, bint add) noexcept nogil:
    """`task` counts (outer dimensions, block of rows, block of columns)."""
    cdef int64_t column = task % q.column_blocks * q.width
    cdef int64_t row = task // q.column_blocks % q.row_blocks * q.height
    cdef int64_t plane = task // q.column_blocks // q.row_blocks
    cdef int64_t to = row * q.to_row + column * q.to_column, source = row * q.from_row + column * q.from_column
    cdef int i
    for i in range(q.outer - 1, -1, -1):
        to += plane % q.shape[i] * q.to_step[i]
        source += plane % q.shape[i] * q.from_step[i]
        plane //= q.shape[i]
    K.copy_plane(min(q.height, q.rows - row), min(q.width, q.columns - column), q.source + source, q.from_row,
                 q.from_column, q.to + to, q.to_row, q.to_column, add)


def assign(a, index, value):
    """a[index] = value, for an index of numbers and slices (or ...) and a value of just that shape.

    Large float32 arrays that share no memory, else NotImplemented.
    """
    return write(a, index, value, False)


def add_part(a, index, value):
    """a[index] += value, as `assign`."""
    return write(a, index, value, True)


cdef object write(object a, object index, object value, bint add):
    cdef Copy q
    cdef int64_t i, tasks, size
    if not (is_floats(value) and is_floats(a)) or PyArray_SIZE(<cnp.ndarray>value) < ENOUGH or not is_basic(index):
        return NotImplemented
    part = a if index is Ellipsis else a[index]
    if not (is_floats(part) and cnp.PyArray_SAMESHAPE(<cnp.ndarray>part, <cnp.ndarray>value)
            and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>part) and apart(part, value)):
        return NotImplemented
    q = plan(part, value)
    size = PyArray_SIZE(<cnp.ndarray>value)
    tasks = size // (q.rows * q.columns) * q.row_blocks * q.column_blocks
    cdef int team = threads_for(size)
    with nogil, parallel(num_threads=team):
        for i in prange(tasks, schedule="static"):
            copy_block(&q, i, add)


def fill(a, float value):
    """a[...] = value for large, contiguous float32 arrays, else NotImplemented."""
    if not is_f32(a) or PyArray_SIZE(<cnp.ndarray>a) < ENOUGH:
        return NotImplemented
    cdef float *to = f32(a)
    cdef int64_t size = PyArray_SIZE(<cnp.ndarray>a), i, j
    cdef int team = threads_for(size)
    with nogil, parallel(num_threads=team):
        for i in prange(ceil_div(size, BLOCK), schedule="static"):
            for j in range(i * BLOCK, min((i + 1) * BLOCK, size)):
                to[j] = value
