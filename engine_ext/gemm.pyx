"""Matrix products: panels packed by all threads together, output tiles split over them.

Every output element is summed by one thread over the same blocks of K in the same order, so its bits do not depend on
the number of threads. Operands are read by strides; none is copied as a whole.
"""

from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_CheckExact, PyArray_DATA, PyArray_DIM, PyArray_DIMS, PyArray_NDIM, PyArray_STRIDE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport Block, borrow, empty_f32
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    DEPTH = 384             # rows of K in a panel: an A panel fits the first cache
    HEIGHT = 2016           # rows of A packed at a time, a multiple of every MR but one
    WIDTH = 4096            # columns of B packed at a time
    GROUP_ROWS = 10         # row panels and column panels of one task: both fit the second cache
    GROUP_COLS = 4
    FEW = 4                 # rows up to which packing does not pay


cdef int gemm(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row, int64_t a_col,   # IN [m, k], strides in floats
    const float *b, int64_t b_row, int64_t b_col,   # IN [k, n]
    float *c, int64_t c_row,                        # OUT [m, n], rows c_row apart; IN too when accumulating
    const float *row_bias, const float *col_bias,   # IN [m], [n], or NULL
    bint accumulate,
) except -1:
    """c = (c +) a @ b + biases; each operand has unit stride in one direction (or size 1 there)."""
    if m == 0 or n == 0:
        return 0
    if m <= FEW and b_row == 1 and a_col == 1:
        dots(m, n, k, a, a_row, b, b_col, c, c_row, 1, row_bias, col_bias, accumulate)
    elif n <= FEW and a_col == 1 and b_row == 1:
        dots(n, m, k, b, b_col, a, a_row, c, 1, c_row, col_bias, row_bias, accumulate)
    elif b_col == 1 and (m <= FEW or k == 1):
        few(m, n, k, a, a_row, a_col, b, b_row, c, c_row, row_bias, col_bias, accumulate)
    else:
        packed(m, n, k, a, a_row, a_col, b, b_row, b_col, c, c_row, row_bias, col_bias, accumulate)
    return 0


cdef void dots(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row, const float *b, int64_t b_col,   # IN, both contiguous along k
    float *c, int64_t c_row, int64_t c_col,                         # OUT
    const float *row_bias, const float *col_bias, bint accumulate,
) noexcept:
    """Few rows, weights contiguous along k: dot products, each weight read once."""
    cdef int team = threads_for(<double>m * n * k / 8)
    cdef int64_t chunk = 4 * ceil_div(n, 4 * 4 * team), i
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(ceil_div(n, chunk), schedule="static"):
            K.gemm_dot(m, min(chunk, n - i * chunk), k, a, a_row, b + i * chunk * b_col, b_col, c + i * chunk * c_col,
                       c_row, c_col, row_bias, col_bias + i * chunk if col_bias != NULL else NULL, accumulate)
        leave(mode)


cdef void few(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row, int64_t a_col, const float *b, int64_t b_row,
    float *c, int64_t c_row,
    const float *row_bias, const float *col_bias, bint accumulate,
) noexcept:
    """Few rows or an outer product, b contiguous along n: strips of columns, b read once per FEW rows."""
    cdef int team = threads_for(<double>m * n * k / 8)
    cdef int64_t blocks = ceil_div(m, FEW), chunk = n if blocks >= team else 64 * ceil_div(n, 64 * 2 * team)
    cdef int64_t strips = ceil_div(n, chunk), i, row, col
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(blocks * strips, schedule="static"):
            row = i // strips * FEW
            col = i % strips * chunk
            K.gemm_few(min(FEW, m - row), min(chunk, n - col), k, a + row * a_row, a_row, a_col, b + col, b_row,
                       c + row * c_row + col, c_row, row_bias + row if row_bias != NULL else NULL,
                       col_bias + col if col_bias != NULL else NULL, accumulate)
        leave(mode)


cdef struct Product:
    # One block of a product: panels of a and b, and the part of c they give.
    int64_t m, n, k
    const float *a
    int64_t a_row, a_col
    const float *b
    int64_t b_row, b_col
    float *c
    int64_t c_row
    const float *row_bias
    const float *col_bias
    bint accumulate
    float *a_panels         # [row panels][k][MR]
    float *b_panels         # [column panels][k][NR]
    int64_t group_rows, group_cols      # panels of one task


cdef int packed(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row, int64_t a_col, const float *b, int64_t b_row, int64_t b_col,
    float *c, int64_t c_row,
    const float *row_bias, const float *col_bias, bint accumulate,
) except -1:
    """The general product: blocks of (n, k, m), panels shared by the team."""
    cdef int team = threads_for(<double>m * n * k / 16 + <double>(m + n) * k)
    cdef int64_t mr = K.mr, nr = K.nr
    cdef int64_t depths = max(ceil_div(k, DEPTH), 1), depth = ceil_div(k, depths)
    cdef int64_t height = min(HEIGHT // mr * mr, ceil_div(m, mr) * mr)
    cdef int64_t width = min(WIDTH // nr * nr, ceil_div(n, nr) * nr), row_panels, col_panels
    cdef size_t a_size = (height * depth * sizeof(float) + 4095 & ~<size_t>4095) + 64
    cdef Block scratch = borrow(a_size + width * depth * sizeof(float))
    cdef int64_t i, j, p, task, tasks, a_tasks
    cdef unsigned mode = 0
    cdef Product q
    cdef Product *block = &q
    q.a_panels = <float *>scratch.data
    q.b_panels = <float *>(<char *>scratch.data + a_size)
    q.a_row, q.a_col, q.b_row, q.b_col, q.c_row = a_row, a_col, b_row, b_col, c_row
    q.group_rows, q.group_cols = GROUP_ROWS, GROUP_COLS
    row_panels, col_panels = ceil_div(min(m, height), mr), ceil_div(min(n, width), nr)
    while (q.group_rows * q.group_cols > 1
            and ceil_div(row_panels, q.group_rows) * ceil_div(col_panels, q.group_cols) < 3 * team):
        if q.group_rows > q.group_cols:
            q.group_rows = ceil_div(q.group_rows, 2)
        else:
            q.group_cols = ceil_div(q.group_cols, 2)
    for j in range(ceil_div(n, width)):
        for p in range(depths):
            for i in range(ceil_div(m, height)):
                q.m, q.n, q.k = min(height, m - i * height), min(width, n - j * width), min(depth, k - p * depth)
                q.a = a + i * height * a_row + p * depth * a_col
                q.b = b + p * depth * b_row + j * width * b_col
                q.c = c + i * height * c_row + j * width
                q.row_bias = row_bias + i * height if row_bias != NULL and p == 0 else NULL
                q.col_bias = col_bias + j * width if col_bias != NULL and p == 0 else NULL
                q.accumulate = accumulate or p > 0
                a_tasks = ceil_div(q.m, mr)
                tasks = ceil_div(a_tasks, q.group_rows) * ceil_div(ceil_div(q.n, nr), q.group_cols)
                with nogil, parallel(num_threads=team):
                    mode = enter()
                    for task in prange(a_tasks + (ceil_div(q.n, nr) if i == 0 else 0), schedule="static"):
                        if task < a_tasks:
                            pack_a(block, task)
                        else:
                            pack_b(block, task - a_tasks)
                    for task in prange(tasks, schedule="static"):
                        multiply(block, task)
                    leave(mode)
    return 0


cdef void pack_a(const Product *q, int64_t panel) noexcept nogil:
    cdef int64_t mr = K.mr, rows = min(mr, q.m - panel * mr)
    cdef const float *src = q.a + panel * mr * q.a_row
    if q.a_row == 1:
        K.pack_rows(q.a_panels + panel * q.k * mr, K.mr, src, q.a_col, rows, q.k)
    else:
        K.pack_columns(q.a_panels + panel * q.k * mr, K.mr, src, q.a_row, rows, q.k)


cdef void pack_b(const Product *q, int64_t panel) noexcept nogil:
    cdef int64_t nr = K.nr, cols = min(nr, q.n - panel * nr)
    cdef const float *src = q.b + panel * nr * q.b_col
    if q.b_col == 1:
        K.pack_rows(q.b_panels + panel * q.k * nr, K.nr, src, q.b_row, cols, q.k)
    else:
        K.pack_columns(q.b_panels + panel * q.k * nr, K.nr, src, q.b_col, cols, q.k)


cdef void multiply(const Product *q, int64_t task) noexcept nogil:
    """The tiles of one task: an A panel stays in the first cache while the task's B panels pass by."""
    cdef int64_t mr = K.mr, nr = K.nr, i, j
    cdef int64_t groups = ceil_div(ceil_div(q.m, mr), q.group_rows)
    cdef int64_t i0 = task % groups * q.group_rows, j0 = task // groups * q.group_cols
    for i in range(i0, min(i0 + q.group_rows, ceil_div(q.m, mr))):
        for j in range(j0, min(j0 + q.group_cols, ceil_div(q.n, nr))):
            K.gemm_tile(min(mr, q.m - i * mr), min(nr, q.n - j * nr), q.k,
                        q.a_panels + i * q.k * mr, q.b_panels + j * q.k * nr, nr,
                        q.c + i * mr * q.c_row + j * nr, q.c_row,
                        q.row_bias + i * mr if q.row_bias != NULL else NULL,
                        q.col_bias + j * nr if q.col_bias != NULL else NULL, q.accumulate)


cdef struct Matrix:
    float *data
    int64_t rows, cols, row, col    # sizes, and strides in floats


cdef bint read_matrix(object array, int first, Matrix *x) noexcept:
    """Whether dimensions `first`, `first` + 1 of a float32 array have unit stride in one of them; fills `x`."""
    cdef cnp.ndarray a = array
    if (cnp.PyArray_TYPE(a) != cnp.NPY_FLOAT32 or not cnp.PyArray_ISALIGNED(a) or not cnp.PyArray_ISNOTSWAPPED(a)
            or PyArray_STRIDE(a, first) % 4 or PyArray_STRIDE(a, first + 1) % 4):
        return False
    x.data = <float *>PyArray_DATA(a)
    x.rows, x.cols = PyArray_DIM(a, first), PyArray_DIM(a, first + 1)
    x.row, x.col = PyArray_STRIDE(a, first) // 4, PyArray_STRIDE(a, first + 1) // 4
    if x.rows <= 1:     # a stride that is never used is whatever suits
        x.row = x.cols if x.col == 1 else 1
    if x.cols <= 1:
        x.col = x.rows if x.row == 1 else 1
    return x.row == 1 or x.col == 1


def matmul(a, b):
    """a[M, K] @ b[K, N], or batches of such with equal leading sizes; float32, unit stride in one of the last two.

    NotImplemented for other arrays; ValueError when the sizes do not fit.
    """
    cdef Matrix x, y
    cdef int i, dims
    cdef int64_t batch = 1, index, rest, place, x_offset, y_offset
    cdef Py_ssize_t shape[32]
    if not PyArray_CheckExact(a) or not PyArray_CheckExact(b):
        return NotImplemented
    dims = PyArray_NDIM(a)
    if (dims < 2 or PyArray_NDIM(b) != dims or dims > 32
            or not read_matrix(a, dims - 2, &x) or not read_matrix(b, dims - 2, &y)):
        return NotImplemented
    for i in range(dims - 2):
        if PyArray_DIM(a, i) != PyArray_DIM(b, i) or PyArray_STRIDE(a, i) % 4 or PyArray_STRIDE(b, i) % 4:
            return NotImplemented
        shape[i] = PyArray_DIM(a, i)
        batch *= shape[i]
    if x.cols != y.rows:
        raise ValueError(f"matmul: the inner sizes of {a.shape} and {b.shape} differ: {x.cols} and {y.rows}")
    shape[dims - 2], shape[dims - 1] = x.rows, y.cols
    out = empty_f32(dims, shape)
    for index in range(batch):
        rest, x_offset, y_offset = index, 0, 0
        for i in range(dims - 3, -1, -1):
            place = rest % shape[i]
            rest //= shape[i]
            x_offset += place * (PyArray_STRIDE(a, i) // 4)
            y_offset += place * (PyArray_STRIDE(b, i) // 4)
        gemm(x.rows, y.cols, x.cols, x.data + x_offset, x.row, x.col, y.data + y_offset, y.row, y.col,
             f32(out) + index * x.rows * y.cols, y.cols, NULL, NULL, False)
    return out


def linear(x, w, b):
    """x[..., K] @ w[O, K].T + b[O] (b may be None) -> [..., O]; float32, x contiguous, unit stride in one of w's.

    NotImplemented for other arrays; ValueError when the sizes do not fit.
    """
    cdef Matrix weights
    cdef int i, dims
    cdef int64_t rows = 1
    cdef Py_ssize_t shape[32]
    if (not is_f32(x) or not PyArray_CheckExact(w) or PyArray_NDIM(w) != 2 or not read_matrix(w, 0, &weights)
            or not (b is None or is_f32(b))):
        return NotImplemented
    dims = PyArray_NDIM(x)
    if dims == 0 or dims > 32:
        return NotImplemented
    if (PyArray_DIM(x, dims - 1) != weights.cols
            or (b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != weights.rows))):
        raise ValueError(f"linear: x {x.shape}, w {w.shape} and b {None if b is None else b.shape} do not fit together")
    for i in range(dims - 1):
        shape[i] = PyArray_DIM(x, i)
        rows *= shape[i]
    shape[dims - 1] = weights.rows
    out = empty_f32(dims, shape)
    gemm(rows, weights.rows, weights.cols, f32(x), weights.cols, 1, weights.data, weights.col, weights.row, f32(out),
         weights.rows, NULL, NULL if b is None else f32(b), False)
    return out


def column_sum(g):
    """g[M, N] -> [N], the sum of each column; float32, contiguous, else NotImplemented."""
    if not is_f32(g) or PyArray_NDIM(g) != 2:
        return NotImplemented
    cdef int64_t rows = PyArray_DIM(g, 0), cols = PyArray_DIM(g, 1), chunk = 64, i
    cdef int team = threads_for(<double>rows * cols)
    cdef unsigned mode = 0
    out = empty_f32(1, <const Py_ssize_t *>PyArray_DIMS(g) + 1)
    cdef const float *src = f32(g)
    cdef float *sums = f32(out)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(ceil_div(cols, chunk), schedule="static"):
            K.sum_columns(src + i * chunk, rows, min(chunk, cols - i * chunk), cols, sums + i * chunk)
        leave(mode)
    return out
