"""Element-wise kernels on float32 arrays: arithmetic, activations and their derivatives.

Arrays must be C-contiguous; anything else gives NotImplemented. Work is split at multiples of BLOCK elements, so
that an element is computed by the same code whatever the number of threads. Subnormal numbers count as 0.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM, PyArray_SIZE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.memory cimport empty_like_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    BLOCK = 16384               # elements of a task
    DIVISION = 3                # cost of one, in additions
    EXPONENTIAL = 4

ctypedef void (*Rows)(int64_t rows, int64_t n, const float *a, const float *b, float *y) noexcept nogil
ctypedef void (*Number)(int64_t n, const float *a, float s, float *y) noexcept nogil
ctypedef void (*Map)(int64_t n, const float *a, float *y) noexcept nogil
ctypedef void (*Map2)(int64_t n, const float *a, const float *b, float *y) noexcept nogil


# ----- Where results go -----

cdef inline bint overlaps(object y, object a):
    """Whether y shares memory with a, other than starting where a does with the same size."""
    cdef char *p = <char *>PyArray_DATA(<cnp.ndarray>y)
    cdef char *q = <char *>PyArray_DATA(<cnp.ndarray>a)
    cdef Py_ssize_t size_p = PyArray_SIZE(<cnp.ndarray>y) * sizeof(float)
    cdef Py_ssize_t size_q = PyArray_SIZE(<cnp.ndarray>a) * sizeof(float)
    return p < q + size_q and q < p + size_p and not (p == q and size_p == size_q)


cdef inline bint same_shape(object a, object b):
    cdef int i, n = PyArray_NDIM(<cnp.ndarray>a)
    if n != PyArray_NDIM(<cnp.ndarray>b):
        return False
    for i in range(n):
        if PyArray_DIM(<cnp.ndarray>a, i) != PyArray_DIM(<cnp.ndarray>b, i):
            return False
    return True


cdef inline object target(object out, object like):
    """The array to write: a new one shaped as `like`, or `out` if a kernel can write it, else None."""
    if out is None:
        return empty_like_f32(like)
    if is_f32(out) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out) and same_shape(out, like) and not overlaps(out, like):
        return out
    return None


# ----- Arithmetic -----

cdef void run_rows(
    Rows f,
    const float *a,     # IN [rows, n]
    const float *b,     # IN [n]
    float *y,           # OUT [rows, n]
    int64_t rows,
    int64_t n,
    double cost,
) noexcept nogil:
    # A task is several rows, or a piece of one.
    cdef int64_t many = BLOCK // n if n < BLOCK else 1
    cdef int64_t pieces = (n + BLOCK - 1) // BLOCK
    cdef int64_t tasks = (rows + many - 1) // many * pieces
    cdef int64_t t
    cdef int team = threads_for(cost * rows * n)
    cdef unsigned mode = 0
    with parallel(num_threads=team):
        mode = enter()
        for t in prange(tasks, schedule="static"):
            rows_task(f, a, b, y, rows, n, many, pieces, t)
        leave(mode)


cdef inline void rows_task(Rows f, const float *a, const float *b, float *y, int64_t rows, int64_t n, int64_t many,
                           int64_t pieces, int64_t t) noexcept nogil:
    cdef int64_t row = t // pieces * many, column = t % pieces * BLOCK
    cdef int64_t at = row * n + column
    f(min(many, rows - row), min(<int64_t>BLOCK, n - column), a + at, b + column, y + at)


cdef void run_number(
    Number f,
    const float *a,     # IN [n]
    float s,
    float *y,           # OUT [n]
    int64_t n,
    double cost,
) noexcept nogil:
    cdef int64_t t, tasks = (n + BLOCK - 1) // BLOCK
    cdef int team = threads_for(cost * n)
    cdef unsigned mode = 0
    with parallel(num_threads=team):
        mode = enter()
        for t in prange(tasks, schedule="static"):
            f(min(<int64_t>BLOCK, n - t * BLOCK), a + t * BLOCK, s, y + t * BLOCK)
        leave(mode)


cdef void run_map2(
    Map2 f,
    const float *a,     # IN [n]
    const float *b,     # IN [n]
    float *y,           # OUT [n]
    int64_t n,
):
    cdef int64_t t, tasks = (n + BLOCK - 1) // BLOCK
    cdef int team = threads_for(n)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for t in prange(tasks, schedule="static"):
            f(min(<int64_t>BLOCK, n - t * BLOCK), a + t * BLOCK, b + t * BLOCK, y + t * BLOCK)
        leave(mode)


cdef object number(Number f, a, float s, out, double cost):
    y = target(out, a)
    if y is None:
        return NotImplemented
    cdef float *py = f32(y)
    cdef const float *pa = f32(a)
    cdef int64_t n = PyArray_SIZE(<cnp.ndarray>a)
    with nogil:
        run_number(f, pa, s, py, n, cost)
    return y


cdef inline bint ends_with(object a, object b):
    """Whether the last dimensions of a are those of b."""
    cdef int i, skip = PyArray_NDIM(<cnp.ndarray>a) - PyArray_NDIM(<cnp.ndarray>b)
    if skip < 0:
        return False
    for i in range(PyArray_NDIM(<cnp.ndarray>b)):
        if PyArray_DIM(<cnp.ndarray>a, i + skip) != PyArray_DIM(<cnp.ndarray>b, i):
            return False
    return True


cdef object arithmetic(Rows f, Number right, Number left, a, b, out, double cost=1):
    """a op b with b shaped as the last dimensions of a, or one of both a number or an array of one element."""
    cdef int64_t na, nb
    if not is_f32(a):
        if is_f32(b) and (type(a) is float or type(a) is int):
            return number(left, b, a, out, cost)
        return NotImplemented
    if not is_f32(b):
        if type(b) is float or type(b) is int:
            return number(right, a, b, out, cost)
        return NotImplemented
    na, nb = PyArray_SIZE(<cnp.ndarray>a), PyArray_SIZE(<cnp.ndarray>b)
    if not ends_with(a, b):
        if nb == 1 and PyArray_NDIM(<cnp.ndarray>b) <= PyArray_NDIM(<cnp.ndarray>a):
            return number(right, a, f32(b)[0], out, cost)
        if na == 1 and PyArray_NDIM(<cnp.ndarray>a) <= PyArray_NDIM(<cnp.ndarray>b):
            return number(left, b, f32(a)[0], out, cost)
        return NotImplemented
    y = target(out, a)
    if y is None or (out is not None and overlaps(y, b)):
        return NotImplemented
    cdef const float *pa = f32(a)
    cdef const float *pb = f32(b)
    cdef float *py = f32(y)
    if nb == 1 and na > 1:
        with nogil:
            run_number(right, pa, pb[0], py, na, cost)
    elif na:
        with nogil:
            run_rows(f, pa, pb, py, na // nb, nb, cost)
    return y


def add(a, b, out=None):
    """a + b. `b` may be shaped as the last dimensions of `a`, or either be a number or have one element."""
    return arithmetic(K.add_rows, K.add_right, K.add_left, a, b, out)


def sub(a, b, out=None):
    """a - b, shapes as in `add`."""
    return arithmetic(K.sub_rows, K.sub_right, K.sub_left, a, b, out)


def mul(a, b, out=None):
    """a * b, shapes as in `add`."""
    return arithmetic(K.mul_rows, K.mul_right, K.mul_left, a, b, out)


def div(a, b, out=None):
    """a / b, shapes as in `add`."""
    return arithmetic(K.div_rows, K.div_right, K.div_left, a, b, out, DIVISION)


def add_relu(a, b, out=None):
    """relu(a + b) of arrays of one shape."""
    if not (is_f32(a) and is_f32(b) and same_shape(a, b)):
        return NotImplemented
    y = target(out, a)
    if y is None or overlaps(y, b):
        return NotImplemented
    run_map2(K.add_relu, f32(a), f32(b), f32(y), PyArray_SIZE(<cnp.ndarray>a))
    return y


# ----- Functions of one array -----

cdef void run_map(
    Map f,
    const float *a,     # IN [n]
    float *y,           # OUT [n]
    int64_t n,
    double cost,
) noexcept nogil:
    cdef int64_t t, tasks = (n + BLOCK - 1) // BLOCK
    cdef int team = threads_for(cost * n)
    cdef unsigned mode = 0
    with parallel(num_threads=team):
        mode = enter()
        for t in prange(tasks, schedule="static"):
            f(min(<int64_t>BLOCK, n - t * BLOCK), a + t * BLOCK, y + t * BLOCK)
        leave(mode)


cdef object map_array(Map f, a, out, double cost=1):
    if not is_f32(a):
        return NotImplemented
    y = target(out, a)
    if y is None:
        return NotImplemented
    cdef float *py = f32(y)
    cdef const float *pa = f32(a)
    cdef int64_t n = PyArray_SIZE(<cnp.ndarray>a)
    with nogil:
        run_map(f, pa, py, n, cost)
    return y


def neg(a, out=None):
    """-a."""
    return map_array(K.map_neg, a, out)


def exp(a, out=None):
    """e to the a; inf from 88.73 on, 0 below -87.34 (subnormal results are flushed)."""
    return map_array(K.map_exp, a, out, EXPONENTIAL)


def log(a, out=None):
    """Natural logarithm; -inf at 0 and subnormals, NaN below."""
    return map_array(K.map_log, a, out, EXPONENTIAL)


def sqrt(a, out=None):
    """Square root, correctly rounded."""
    return map_array(K.map_sqrt, a, out, DIVISION)


def sigmoid(a, out=None):
    """1 / (1 + exp(-a)); 0 below -87.34."""
    return map_array(K.map_sigmoid, a, out, EXPONENTIAL)


def tanh(a, out=None):
    """Hyperbolic tangent."""
    return map_array(K.map_tanh, a, out, EXPONENTIAL)


def relu(a, out=None):
    """max(a, 0); NaN stays NaN."""
    return map_array(K.map_relu, a, out)


# ----- Their gradients from g and the output y -----

cdef object map_gradient(Map2 f, g, y):
    if not (is_f32(g) and is_f32(y)):
        return NotImplemented
    if not same_shape(g, y):
        raise ValueError(f"the gradient has shape {g.shape}, the output {y.shape}: expected the same")
    dx = empty_like_f32(g)
    run_map2(f, f32(g), f32(y), f32(dx), PyArray_SIZE(<cnp.ndarray>g))
    return dx


def relu_dx(g, y):
    """g where y > 0 (or is NaN), else 0."""
    return map_gradient(K.relu_dx, g, y)


def sigmoid_dx(g, y):
    """g * y * (1 - y)."""
    return map_gradient(K.sigmoid_dx, g, y)


def tanh_dx(g, y):
    """g * (1 - y * y)."""
    return map_gradient(K.tanh_dx, g, y)
