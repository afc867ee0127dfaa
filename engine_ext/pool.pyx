"""Max and average pooling of float32 images [N, C, H, W] and their gradients; threads over planes, and over the rows
of few of them.

`geom` is a Pool2dGeometry, or anything whose `ints` lists the fields of struct Pool2d. Arrays that disagree with it,
and sizes that cannot be, raise ValueError; other dtypes and layouts give NotImplemented.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport K, Pool2d
from engine_ext.arrays cimport f32, has_shape4, is_array, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport empty_array
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    FIELDS = 18
    ENOUGH = 32         # tasks that keep every thread busy
    SMALLEST = 8192     # elements of a task


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
    if max(<double>q.dh * (q.kh - 1), <double>q.dw * (q.kw - 1)) > 2.0**61:
        raise ValueError(f"pooling: a window that spreads so far is too large, got the geometry {ints}")
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


cdef struct Tasks:
    int64_t count
    int64_t planes, many        # all, and of a task
    int64_t rows, each          # of a plane, and of a task: all of them, or an even number


cdef Tasks split(const Pool2d *q, int64_t rows) noexcept nogil:
    """Several planes of `rows` rows a task, or a plane in pieces where there are few."""
    cdef Tasks t
    cdef int64_t plane = max(q.h * q.w, <int64_t>1), pieces = 1
    t.planes, t.rows, t.each = q.n * q.c, rows, rows
    t.many = max(SMALLEST // plane, <int64_t>1)
    if 0 < t.planes < ENOUGH and plane > SMALLEST:
        pieces = min(ceil_div(ENOUGH, t.planes), plane // SMALLEST + 1)
        t.each = (ceil_div(rows, pieces) + 1) // 2 * 2
        pieces = ceil_div(rows, t.each)
    t.count = ceil_div(t.planes, t.many) * pieces if rows else 0
    return t


cdef struct Task:
    int64_t first, last, row, rows


cdef inline Task task_of(const Tasks *t, int64_t number) noexcept nogil:
    cdef Task task
    cdef int64_t pieces = ceil_div(t.rows, t.each)
    task.first = number // pieces * t.many
    task.last = min(task.first + t.many, t.planes)
    task.row = number % pieces * t.each
    task.rows = min(t.each, t.rows - task.row)
    return task


cdef inline void check_x(Pool2d *q, object x, object geom) except *:
    unpack(geom, q)
    check_shape(x, "x", q.n, q.c, q.h, q.w)


cdef object largest(Pool2d *q, object x, bint rectified):
    y = new_planes(q, q.oh, q.ow)
    taps = new_planes(q, q.oh, q.ow, tap_type(q))
    cdef const float *px = f32(x)
    cdef float *py = f32(y)
    cdef void *pt = PyArray_DATA(<cnp.ndarray>taps)
    cdef Tasks tasks = split(q, q.oh)
    cdef Task t
    cdef int64_t u
    cdef int team = team_for(q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(tasks.count, schedule="static"):
            t = task_of(&tasks, u)
            if rectified:
                K.relu_max_pool(q, t.first, t.last, t.row, t.rows, px, py, pt)
            else:
                K.max_pool(q, t.first, t.last, t.row, t.rows, px, py, pt)
        leave(mode)
    return y, taps


cdef object spread_largest(Pool2d *q, object g, object taps):
    check_shape(g, "g", q.n, q.c, q.oh, q.ow)
    check_shape(taps, "taps", q.n, q.c, q.oh, q.ow)
    dx = new_planes(q, q.h, q.w)
    cdef const float *pg = f32(g)
    cdef float *to = f32(dx)
    cdef const void *pt = PyArray_DATA(<cnp.ndarray>taps)
    cdef Tasks tasks = split(q, q.h)
    cdef Task t
    cdef int64_t u
    cdef int team = team_for(q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(tasks.count, schedule="static"):
            t = task_of(&tasks, u)
            K.max_pool_dx(q, t.first, t.last, t.row, t.rows, pg, pt, to)
        leave(mode)
    return dx


def max_pool2d(x, geom):
    """(y[N, C, OH, OW], taps): the largest of each window, and which it was as i*kw + j (uint8, int32 above 256).

    The first of equals; a NaN wins. A window without any element gives -inf and tap 0.
    """
    cdef Pool2d q
    if not is_f32(x):
        return NotImplemented
    check_x(&q, x, geom)
    return largest(&q, x, False)


def max_pool2d_dx(g, taps, geom):
    """dx[N, C, H, W]: each of g[N, C, OH, OW] at the tap that won, added up where windows overlap."""
    cdef Pool2d q
    if not is_f32(g):
        return NotImplemented
    unpack(geom, &q)
    if not is_array(taps, tap_type(&q)):
        return NotImplemented
    return spread_largest(&q, g, taps)


cdef int expect_2x2(int64_t h, int64_t w) except -1:
    if h < 2 or w < 2:
        raise ValueError(f"pooling: images of {h}x{w} are smaller than the window of 2x2")
    return 0


cdef void windows_2x2(Pool2d *q, int64_t n, int64_t c, int64_t h, int64_t w) noexcept nogil:
    q.n, q.c, q.h, q.w, q.kh, q.kw, q.sh, q.sw = n, c, h, w, 2, 2, 2, 2
    q.pt = q.pb = q.pl = q.pr = q.divisor = q.count_pad = 0
    q.dh, q.dw, q.oh, q.ow = 1, 1, h // 2, w // 2


def relu_max_pool2d(x):
    """(y, taps) of max_pool2d(relu(x)) with 2x2 windows: taps 2*i + j, or 4 where nothing is above 0."""
    cdef Pool2d q
    if not is_f32(x) or PyArray_NDIM(<cnp.ndarray>x) != 4:
        return NotImplemented
    expect_2x2(PyArray_DIM(x, 2), PyArray_DIM(x, 3))
    windows_2x2(&q, PyArray_DIM(x, 0), PyArray_DIM(x, 1), PyArray_DIM(x, 2), PyArray_DIM(x, 3))
    return largest(&q, x, True)


def relu_max_pool2d_dx(g, taps, x_shape):
    """dx of `x_shape`: each of g at its tap, nowhere where that is 4."""
    cdef Pool2d q
    cdef int64_t n, c, h, w
    if not is_f32(g) or not is_array(taps, cnp.NPY_UINT8):
        return NotImplemented
    n, c, h, w = x_shape
    expect_2x2(h, w)
    windows_2x2(&q, n, c, h, w)
    return spread_largest(&q, g, taps)


def avg_pool2d(x, geom):
    """y[N, C, OH, OW]: the sum of each window over its divisor.

    The divisor is the geometry's own, or the size of the window inside the image (inside the padded image with
    count_include_pad).
    """
    cdef Pool2d q
    if not is_f32(x):
        return NotImplemented
    check_x(&q, x, geom)
    y = new_planes(&q, q.oh, q.ow)
    cdef const float *px = f32(x)
    cdef float *py = f32(y)
    cdef Tasks tasks = split(&q, q.oh)
    cdef Task t
    cdef int64_t u
    cdef int team = team_for(&q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(tasks.count, schedule="static"):
            t = task_of(&tasks, u)
            K.avg_pool(&q, t.first, t.last, t.row, t.rows, px, py)
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
    cdef Tasks tasks = split(&q, q.h)
    cdef Task t
    cdef int64_t u
    cdef int team = team_for(&q)
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for u in prange(tasks.count, schedule="static"):
            t = task_of(&tasks, u)
            K.avg_pool_dx(&q, t.first, t.last, t.row, t.rows, pg, to)
        leave(mode)
    return dx
