"""Matrix products: tasks of some rows and a strip of columns each, split over the threads.

Every task packs the part of b that it needs for itself; a is read where it lies (product.c). Few outputs of long sums
are split along k as well, in a number of parts that depends on the shape alone, and the parts added in order: every
output is summed in the same order whatever the number of threads. Operands are read by strides; none is copied as a
whole.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport INT64_MAX, int64_t

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
    HEIGHT = 512            # rows of a task, at most,
    LOWEST = 12             # and at least, where there are more
    UNPACKED = 24           # rows up to which whole strips of b are not copied
    FEW = 4                 # rows that gemm_dot takes
    LOW = 6                 # rows of a task of whole rows: those of gemm_strip's tile
    LARGE = 1 << 19         # outputs that the second cache does not hold
    DOT_COLUMNS = 16        # columns of a task of dot products
    STREAMS = 8             # rows of b read side by side where each is read once, or c is larger than they are
    STREAM_STRIPS = 72      # strips of a task then
    BLOCK = 64              # outputs of a product with fewer than PARTS blocks of BLOCK x BLOCK are split along k
    PARTS = 16
    PART_ROWS = 8           # rows of a task that adds up parts
    SUM_COLUMNS = 64        # columns, and fewest rows, of a task of column_sum
    SUM_ROWS = 512


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
    cdef double moved = <double>q.batch * ((q.m + q.n) * q.k + q.m * q.n / 2)
    cdef int team = threads_for(work / (8 if q.m <= FEW else 16) + moved)
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
        q.wide = max(min(STREAM_STRIPS, q.strips // team), 1)
    elif q.k <= STREAMS and q.b_col == 1 and q.m * q.n >= LARGE:     # strips of c would be short writes far apart
        q.wide, q.heights = q.strips, ceil_div(q.m, LOW)
    else:
        q.depth = max(ceil_div(ceil_div(share, max(ceil_div(share, DEPTH), 1)), 16) * 16, 16)
        q.copy = q.b_col != 1 or q.m > UNPACKED
        q.heights = best_heights(q, team)
    return q.batch * q.parts * q.heights * ceil_div(q.strips, q.wide)


cdef int64_t best_heights(const Product *q, int team) noexcept nogil:
    """The fewest groups of rows that share the work evenly; packing counts as so many rows, again in each group."""
    cdef int64_t packing = 0 if not q.copy else 2 if q.b_col == 1 else 6
    cdef int64_t heights = ceil_div(q.m, HEIGHT), best = heights, time, least = INT64_MAX
    while True:
        time = ceil_div(q.batch * q.parts * q.strips * heights, team) * (ceil_div(q.m, heights) + packing)
        if time < least:
            best, least = heights, time
        heights *= 2
        if q.m // heights < LOWEST:
            return best


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
    if q.b_col == 1:
        K.gemm_strip(rows, cols, depth, a, q.a_row, q.a_col, b, q.b_row, panel if q.copy or width != cols else NULL, c,
                     c_row, row_bias, col_bias, how)
    else:
        K.transpose_strip(panel, b, q.b_col, cols, depth)
        K.gemm_strip(rows, cols, depth, a, q.a_row, q.a_col, panel, width, NULL, c, c_row, row_bias, col_bias, how)


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


cdef bint read_batch(cnp.ndarray a, cnp.ndarray b, int dims, Py_ssize_t *shape, int64_t *a_step,
                     int64_t *b_step) noexcept:
    """The leading sizes of a product of `dims` dimensions, broadcast, and each operand's strides in floats, 0 where it
    is broadcast; false where they do not fit, or a stride is no whole number of floats."""
    cdef int a_first = PyArray_NDIM(a) - dims, b_first = PyArray_NDIM(b) - dims, i
    cdef Py_ssize_t m, n
    for i in range(dims - 2):
        m = PyArray_DIM(a, a_first + i) if a_first + i >= 0 else 1
        n = PyArray_DIM(b, b_first + i) if b_first + i >= 0 else 1
        if m != n and m != 1 and n != 1:
            return False
        shape[i] = n if m == 1 else m
        a_step[i] = PyArray_STRIDE(a, a_first + i) if m != 1 else 0
        b_step[i] = PyArray_STRIDE(b, b_first + i) if n != 1 else 0
        if a_step[i] % 4 or b_step[i] % 4:
            return False
        a_step[i] //= 4
        b_step[i] //= 4
    return True


cdef bint merge_rows(Product *q, int count, const Py_ssize_t *shape, const int64_t *a_step,
                     const int64_t *b_step) noexcept:
    """A batch of a with one b is one product of more rows, where the rows of a go on evenly; whether it was done."""
    cdef int64_t row = q.a_row, rows = q.m
    cdef int i
    for i in range(count - 1, -1, -1):
        if shape[i] == 1:
            continue
        if rows == 1:
            row = a_step[i]
        if b_step[i] != 0 or a_step[i] != row * rows:
            return False
        rows *= shape[i]
    if row != 1 and q.a_col != 1:
        return False
    q.a_row, q.m, q.batch = row, rows, 1
    return True


def matmul(a, b):
    """a[..., M, K] @ b[..., K, N], leading sizes broadcast; float32, unit stride in one of the last two of each.

    NotImplemented for other arrays; ValueError when the inner sizes differ.
    """
    cdef Matrix x, y
    cdef Product q
    cdef int i, dims, side
    cdef int64_t index, rest
    cdef Py_ssize_t[32] shape
    cdef int64_t[2][32] steps
    cdef int64_t *at
    cdef Block places
    if not PyArray_CheckExact(a) or not PyArray_CheckExact(b):
        return NotImplemented
    dims = max(PyArray_NDIM(a), PyArray_NDIM(b))
    if (PyArray_NDIM(a) < 2 or PyArray_NDIM(b) < 2 or dims > 32
            or not read_matrix(a, PyArray_NDIM(a) - 2, &x) or not read_matrix(b, PyArray_NDIM(b) - 2, &y)
            or not read_batch(a, b, dims, shape, steps[0], steps[1])):
        return NotImplemented
    if x.cols != y.rows:
        raise ValueError(f"matmul: the inner sizes of {a.shape} and {b.shape} differ: {x.cols} and {y.rows}")
    shape[dims - 2], shape[dims - 1] = x.rows, y.cols
    out = empty_f32(dims, shape)
    q.m, q.n, q.k, q.batch = x.rows, y.cols, x.cols, 1
    q.a, q.a_row, q.a_col, q.a_at = x.data, x.row, x.col, NULL
    q.b, q.b_row, q.b_col, q.b_at = y.data, y.row, y.col, NULL
    q.c, q.c_row, q.c_col, q.c_step = f32(out), q.n, 1, q.m * q.n
    q.row_bias, q.col_bias, q.how = NULL, NULL, 0
    for i in range(dims - 2):
        q.batch *= shape[i]
    if q.batch > 1 and not merge_rows(&q, dims - 2, shape, steps[0], steps[1]):
        places = borrow(2 * q.batch * sizeof(int64_t))
        at = <int64_t *>places.data
        q.a_at, q.b_at = at, at + q.batch
        for side in range(2):
            for index in range(q.batch):
                rest, at[0] = index, 0
                for i in range(dims - 3, -1, -1):
                    at[0] += rest % shape[i] * steps[side][i]
                    rest //= shape[i]
                at += 1
    multiply(&q)
    return out


def linear(x, w, b):
    """x[..., K] @ w[O, K].T + b[O] (b may be None) -> [..., O]; float32, x contiguous, unit stride in one of w's.

    NotImplemented for other arrays; ValueError when the sizes do not fit.
    """
    return affine(x, w, b, 0)


def linear_relu(x, w, b):
    """relu(linear(x, w, b))."""
    return affine(x, w, b, RELU)


cdef object affine(object x, object w, object b, int how):
    cdef Matrix weights
    cdef int i, dims
    cdef int64_t rows = 1
    cdef Py_ssize_t[32] shape
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
         weights.rows, NULL, NULL if b is None else f32(b), how)
    return out


def column_sum(g):
    """g[M, N] -> [N], the sum of each column; float32, contiguous, else NotImplemented."""
    if not is_f32(g) or PyArray_NDIM(g) != 2:
        return NotImplemented
    cdef int64_t rows = PyArray_DIM(g, 0), cols = PyArray_DIM(g, 1), strips = ceil_div(cols, SUM_COLUMNS), task
    cdef int64_t parts = max(min(PARTS // max(strips, 1), rows // SUM_ROWS), 1)
    cdef int team = threads_for(<double>rows * cols)
    cdef unsigned mode = 0
    out = empty_f32(1, <const Py_ssize_t *>PyArray_DIMS(g) + 1)
    cdef const float *src = f32(g)
    cdef Block block = borrow(parts * cols * sizeof(float)) if parts > 1 else None
    cdef float *sums = <float *>block.data if parts > 1 else f32(out)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for task in prange(parts * strips, schedule="static"):
            sum_task(src, rows, cols, parts, task // strips, task % strips * SUM_COLUMNS, sums)
        leave(mode)
    if parts > 1:
        K.gemm_parts(sums, parts, cols, 1, cols, f32(out), cols, NULL, NULL, 0)
    return out


cdef void sum_task(const float *g, int64_t rows, int64_t cols, int64_t parts, int64_t part, int64_t col,
                   float *sums) noexcept nogil:
    cdef int64_t start = part * rows // parts, stop = (part + 1) * rows // parts
    K.sum_columns(g + start * cols + col, stop - start, min(SUM_COLUMNS, cols - col), cols, sums + part * cols + col)
