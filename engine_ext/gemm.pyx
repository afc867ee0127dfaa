"""Matrix products: tasks of some rows and a strip of columns each, split over the threads.

Every task packs the part of b that it needs for itself; a is read where it lies (product.c). Few outputs of long sums
are split along k as well, in a number of parts that depends on the shape alone, and the parts added in order: every
output is summed in the same order whatever the number of threads. Operands are read by strides; none is copied as a
whole.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_CheckExact, PyArray_DATA, PyArray_DIM, PyArray_DIMS, PyArray_NDIM, PyArray_STRIDE

from engine_ext._isa cimport K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport Block, borrow, empty_f32, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:             # as in product.c
    ADD = 1
    RELU = 2

cdef enum:
    DEPTH = 256             # terms of k summed at a time, and rows of a packed strip of b
    HEIGHT = 256            # rows of a task, at most
    FEW = 4                 # rows that gemm_dot takes
    DOT_COLUMNS = 16        # columns of a task of dot products
    STREAMS = 8             # rows of b read side by side where each is read once
    STREAM_STRIPS = 16      # strips of a task then
    BLOCK = 64              # outputs of a product with fewer than PARTS blocks of BLOCK x BLOCK are split along k
    PARTS = 16
    PART_ROWS = 8           # rows of a task that adds up parts


cdef struct Product:
    # c = (c +) a @ b + biases, a batch of them; and how it is split.
    int64_t m, n, k, batch
    const float *a
    int64_t a_row, a_col
    const float *b
    int64_t b_row, b_col
    float *c
    int64_t c_row, c_col, c_step    # products of a batch lie c_step apart
    const int64_t *a_at             # where the matrices of a batch begin, or NULL
    const int64_t *b_at
    const float *row_bias
    const float *col_bias
    int how                         # ADD, RELU of product.c
    bint dots                       # by dot products: a and b contiguous along k, few rows
    bint copy                       # strips of b are packed even where they are whole vectors already
    int64_t parts, depth            # of k; depth: terms summed at a time
    int64_t heights, strips, wide   # groups of rows; strips of columns, `wide` of them in a task
    float *sums                     # [batch][parts][m][n] where there are several parts


cdef int gemm(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row, int64_t a_col,   # IN [m, k], strides in floats
    const float *b, int64_t b_row, int64_t b_col,   # IN [k, n]
    float *c, int64_t c_row,                        # OUT [m, n], rows c_row apart; IN too when adding
    const float *row_bias, const float *col_bias,   # IN [m], [n], or NULL
    int how,
) except -1:
    """c = (c +) a @ b + biases; each operand has unit stride in one direction (or size 1 there)."""
    cdef Product q
    q.m, q.n, q.k, q.batch = m, n, k, 1
    q.a, q.a_row, q.a_col, q.a_at = a, a_row, a_col, NULL
    q.b, q.b_row, q.b_col, q.b_at = b, b_row, b_col, NULL
    q.c, q.c_row, q.c_col, q.c_step = c, c_row, 1, 0
    q.row_bias, q.col_bias, q.how = row_bias, col_bias, how
    return multiply(&q)


cdef int multiply(Product *q) except -1:
    """The product; fills the rest of `q` itself."""
    if q.m == 0 or q.n == 0 or q.batch == 0:
        return 0
    if q.m > FEW and (q.n <= FEW and q.a_col == 1 and q.b_row == 1 or q.n == 1 and q.c_row == 1):
        turn(q)
    cdef double work = <double>q.batch * q.m * q.n * q.k
    cdef int team = threads_for(work / (8 if q.m <= FEW else 16) + <double>q.batch * (q.m + q.n) * q.k)
    cdef int64_t tasks = plan(q, team), rows = ceil_div(q.m, PART_ROWS), task
    cdef bint packs = not q.dots and (q.copy or q.n % K.lanes)
    cdef size_t step = piece(q.depth * K.strip * sizeof(float))
    cdef Block panels = borrow(team * step) if packs else None
    cdef Block sums = borrow(q.batch * q.parts * q.m * q.n * sizeof(float)) if q.parts > 1 else None
    cdef char *scratch = <char *>panels.data if packs else NULL
    cdef unsigned mode = 0
    q.sums = <float *>sums.data if q.parts > 1 else NULL
    with nogil, parallel(num_threads=team):
        mode = enter()
        for task in prange(tasks, schedule="static"):
            multiply_task(q, task, <float *>(scratch + threadid() * step))
        if q.parts > 1:
            for task in prange(q.batch * rows, schedule="static"):
                add_parts(q, task // rows, task % rows * PART_ROWS)
        leave(mode)
    return 0


cdef void turn(Product *q) noexcept nogil:
    """The same product transposed: few columns become few rows."""
    q.m, q.n = q.n, q.m
    q.a, q.b = q.b, q.a
    q.a_at, q.b_at = q.b_at, q.a_at
    q.a_row, q.a_col, q.b_row, q.b_col = q.b_col, q.b_row, q.a_col, q.a_row
    q.c_row, q.c_col = q.c_col, q.c_row
    q.row_bias, q.col_bias = q.col_bias, q.row_bias


cdef int64_t plan(Product *q, int team) noexcept nogil:
    """Decides the split; the number of tasks. Parts and depth, which order the sums, know nothing of the team."""
    cdef int64_t blocks = q.batch * ceil_div(q.m, BLOCK) * ceil_div(q.n, BLOCK), share
    cdef bint once = q.m <= FEW and q.b_col == 1
    q.dots = q.m <= FEW and q.a_col == 1 and q.b_row == 1
    q.strips = ceil_div(q.n, DOT_COLUMNS if q.dots else K.strip)
    q.heights = q.wide = q.parts = 1
    q.copy = False
    q.depth = q.k
    if q.dots:
        return q.batch * q.strips
    q.parts = max(min(PARTS // blocks, q.k // DEPTH), 1)
    share = ceil_div(q.k, q.parts)
    if once:
        q.depth = STREAMS
        q.wide = max(min(STREAM_STRIPS, q.strips // (2 * team)), 1)
    else:
        q.depth = max(ceil_div(ceil_div(share, max(ceil_div(share, DEPTH), 1)), 16) * 16, 16)
        q.copy = q.b_col != 1 or q.m > 24
        q.heights = ceil_div(q.m, HEIGHT)
        while q.batch * q.parts * q.heights * q.strips < 4 * team and q.m // q.heights >= 64:
            q.heights *= 2
    return q.batch * q.parts * q.heights * ceil_div(q.strips, q.wide)


cdef void multiply_task(const Product *q, int64_t task, float *panel) noexcept nogil:
    """`task` counts (product of the batch, part of k, group of rows, group of strips)."""
    cdef int64_t lanes = K.lanes, groups = ceil_div(q.strips, q.wide), group = task % groups
    cdef int64_t height = task // groups % q.heights, part = task // groups // q.heights % q.parts
    cdef int64_t index = task // groups // q.heights // q.parts
    cdef int64_t row = height * q.m // q.heights, rows = (height + 1) * q.m // q.heights - row
    cdef int64_t share = ceil_div(ceil_div(q.k, q.parts), q.depth) * q.depth if q.parts > 1 else q.k
    cdef int64_t start = min(part * share, q.k), stop = min(start + share, q.k), first = start
    cdef int64_t vectors = ceil_div(q.n, lanes), depth, i, col, cols, c_row = q.c_row
    cdef const float *a = q.a + (q.a_at[index] if q.a_at != NULL else 0) + row * q.a_row
    cdef const float *b = q.b + (q.b_at[index] if q.b_at != NULL else 0)
    cdef float *c = q.c + index * q.c_step + row * q.c_row
    cdef const float *row_bias = q.row_bias + row if q.row_bias != NULL else NULL
    cdef const float *col_bias = q.col_bias
    cdef int how = q.how
    if q.dots:
        col = group * DOT_COLUMNS
        K.gemm_dot(q.m, min(DOT_COLUMNS, q.n - col), q.k, a, q.a_row, b + col * q.b_col, q.b_col, c + col * q.c_col,
                   q.c_row, q.c_col, row_bias, col_bias + col if col_bias != NULL else NULL, how)
        return
    if q.parts > 1:
        c = q.sums + ((index * q.parts + part) * q.m + row) * q.n
        c_row, row_bias, col_bias, how = q.n, NULL, NULL, 0
    while True:
        depth = min(q.depth, stop - start)
        for i in range(group * q.wide, min((group + 1) * q.wide, q.strips)):
            col = i * vectors // q.strips * lanes
            cols = min((i + 1) * vectors // q.strips * lanes, q.n) - col
            strip(q, rows, cols, depth, a + start * q.a_col, b + start * q.b_row + col * q.b_col, c + col, c_row,
                  row_bias if start == first else NULL, col_bias + col if col_bias != NULL and start == first else NULL,
                  (how & ADD if start == first else ADD) | (how & RELU if start + depth == stop else 0), panel)
        start += depth
        if start >= stop:
            return


cdef void strip(
    const Product *q, int64_t rows, int64_t cols, int64_t depth, const float *a, const float *b, float *c,
    int64_t c_row, const float *row_bias, const float *col_bias, int how, float *panel,
) noexcept nogil:
    cdef int64_t width = ceil_div(cols, K.lanes) * K.lanes
    if q.b_col == 1 and width == cols and not q.copy:
        K.gemm_strip(rows, cols, depth, a, q.a_row, q.a_col, b, q.b_row, c, c_row, row_bias, col_bias, how)
        return
    if q.b_col == 1:
        K.pack_strip(panel, b, q.b_row, cols, depth)
    else:
        K.transpose_strip(panel, b, q.b_col, cols, depth)
    K.gemm_strip(rows, cols, depth, a, q.a_row, q.a_col, panel, width, c, c_row, row_bias, col_bias, how)


cdef void add_parts(const Product *q, int64_t index, int64_t row) noexcept nogil:
    K.gemm_parts(q.sums + (index * q.parts * q.m + row) * q.n, q.parts, q.m * q.n, min(PART_ROWS, q.m - row), q.n,
                 q.c + index * q.c_step + row * q.c_row, q.c_row, q.row_bias + row if q.row_bias != NULL else NULL,
                 q.col_bias, q.how)


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
             f32(out) + index * x.rows * y.cols, y.cols, NULL, NULL, 0)
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
         weights.rows, NULL, NULL if b is None else f32(b), 0)
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
