"""Random numbers by counting (Philox4x32-10, see engine/generator.py): fills arrays in pieces, which are the tasks.

A `key` is (seed, stream). An element depends on the key and its own number alone, so pieces and threads do not matter;
integers are those of the reference bit for bit.
"""

from cython.parallel cimport parallel, prange
from libc.math cimport nextafter, nextafterf, rint
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_SIZE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.memory cimport empty_array, empty_like_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    PIECE = 16384       # elements of a task, a multiple of what the kernels make at a time

cdef enum Kind:
    WORDS, UNIFORM_F32, UNIFORM_F64, NORMAL_F32, NORMAL_F64, INTEGERS, DROPOUT

cdef struct Draw:
    Kind kind
    uint64_t seed, stream
    double low, width, top      # of uniform draws; mean and std of normal ones are low and width
    uint64_t lowest, range      # of integers
    uint32_t threshold          # of words of elements that dropout keeps
    float scale
    const float *x


cdef Draw drawn(Kind kind, key) except *:
    cdef Draw d
    d.kind, d.seed, d.stream = kind, key[0], key[1]
    return d


cdef void fill(const Draw *d, void *y, int64_t n, double cost) noexcept nogil:
    cdef int64_t t, tasks = (n + PIECE - 1) // PIECE
    cdef int team = threads_for(cost * n)
    cdef unsigned mode = 0
    with parallel(num_threads=team):
        mode = enter()
        for t in prange(tasks, schedule="static"):
            fill_piece(d, y, t * PIECE, min(<int64_t>PIECE, n - t * PIECE))
        leave(mode)


cdef void fill_piece(
    const Draw *d,
    void *y,            # OUT the whole array, of which n elements from `first` on are written
    int64_t first,
    int64_t n,
) noexcept nogil:
    if d.kind == WORDS:
        K.random_words(d.seed, d.stream, first, n, <uint32_t *>y + first)
    elif d.kind == UNIFORM_F32:
        K.uniform_f32(d.seed, d.stream, first, n, <float>d.low, <float>d.width, <float>d.top, <float *>y + first)
    elif d.kind == UNIFORM_F64:
        K.uniform_f64(d.seed, d.stream, first, n, d.low, d.width, d.top, <double *>y + first)
    elif d.kind == NORMAL_F32:
        K.normal_f32(d.seed, d.stream, first, n, d.low, d.width, <float *>y + first)
    elif d.kind == NORMAL_F64:
        K.normal_f64(d.seed, d.stream, first, n, d.low, d.width, <double *>y + first)
    elif d.kind == INTEGERS:
        K.integers(d.seed, d.stream, first, n, d.lowest, d.range, <int64_t *>y + first)
    else:
        K.dropout(d.seed, d.stream, first, n, d.threshold, d.scale, d.x + first, <float *>y + first)


cdef object filled(Draw *d, shape, int typenum, double cost):
    """A new array of this shape, filled."""
    cdef Py_ssize_t sizes[32]
    cdef int i, ndim = len(shape)
    if ndim > 32:
        raise ValueError(f"at most 32 dimensions, got {ndim}")
    try:
        for i in range(ndim):
            sizes[i] = shape[i]
    except OverflowError:
        raise MemoryError(f"cannot allocate an array of shape {tuple(shape)}") from None
    y = empty_array(ndim, sizes, typenum)
    cdef void *data = PyArray_DATA(<cnp.ndarray>y)
    cdef int64_t n = PyArray_SIZE(<cnp.ndarray>y)
    with nogil:
        fill(d, data, n, cost)
    return y


cdef int float_type(dtype) except -1:
    """NPY_FLOAT32 or NPY_FLOAT64; NPY_NOTYPE for others."""
    cdef int typenum = (<cnp.dtype>cnp.dtype(dtype)).type_num
    return typenum if typenum == cnp.NPY_FLOAT32 or typenum == cnp.NPY_FLOAT64 else cnp.NPY_NOTYPE


def random_words(n, key):
    """The first n words of a draw, uint32 [n]."""
    cdef Draw d = drawn(WORDS, key)
    return filled(&d, (n,), cnp.NPY_UINT32, 4)


def uniform(shape, double low, double high, key, dtype):
    """low + (high - low) * u for u in [0, 1) of 24 bits (float32) or 53 (float64); less than high."""
    cdef int typenum = float_type(dtype)
    cdef Draw d = drawn(UNIFORM_F32 if typenum == cnp.NPY_FLOAT32 else UNIFORM_F64, key)
    if typenum == cnp.NPY_NOTYPE:
        return NotImplemented
    d.low, d.width, d.top = low, high - low, high
    if typenum == cnp.NPY_FLOAT32:
        d.low, d.width, d.top = <float>low, <float>(high - low), <float>high
        if low < high:
            d.top = nextafterf(<float>high, <float>low)
    elif low < high:
        d.top = nextafter(high, low)
    return filled(&d, shape, typenum, 6)


def normal(shape, double mean, double std, key, dtype):
    """mean + std * z for normal numbers z (Box and Muller 1958), computed in double."""
    cdef int typenum = float_type(dtype)
    cdef Draw d = drawn(NORMAL_F32 if typenum == cnp.NPY_FLOAT32 else NORMAL_F64, key)
    if typenum == cnp.NPY_NOTYPE:
        return NotImplemented
    d.low, d.width = mean, std
    return filled(&d, shape, typenum, 16)


def integers(shape, low, high, key):
    """int64 from low to high - 1: low + floor(number * (high - low) / 2^64) for 64-bit numbers."""
    cdef Draw d = drawn(INTEGERS, key)
    d.lowest, d.range = low % 2**64, (high - low) % 2**64
    return filled(&d, shape, cnp.NPY_INT64, 10)


def dropout(x, double p, key):
    """x * 1 / (1 - p) where the word of an element is at least p * 2^32, else x * 0."""
    if not is_f32(x):
        return NotImplemented
    cdef Draw d = drawn(DROPOUT, key)
    d.threshold = <uint32_t>min(rint(p * 4294967296.0), <double>UINT32_MAX)
    d.scale = 0 if p == 1 else 1 / (1 - p)
    d.x = f32(x)
    y = empty_like_f32(x)
    cdef float *to = f32(y)
    cdef int64_t n = PyArray_SIZE(<cnp.ndarray>x)
    with nogil:
        fill(&d, to, n, 6)
    return y
