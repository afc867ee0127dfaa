"""Depthwise convolution and its gradients: every output channel sees one input channel.

No matrix product is in it: planes are convolved one by one, in strips of vectors. See kernels/depthwise.c.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    TASKS = 32              # weight gradient: tasks worth having,
    RUN_FLOATS = 1 << 15    # and floats that one reads in a row: where it jumps, the processor does not look ahead;
    RUN_PLANES = 64         # their sums should fit a near cache
    TASK_FLOATS = 1 << 14   # of a task of planes


cdef int read_depthwise(object geom, Conv2d *q) except -1:
    read_conv2d(geom, q)
    cdef bint plain = q.groups == q.c and q.kh == q.kw and q.sh == q.sw and q.dh == q.dw and q.uh == 1 and q.uw == 1
    if not plain or not (q.sh == 1 and q.kh in (3, 5, 7) or q.sh == 2 and q.kh in (3, 5) and q.dh == 1):
        raise ValueError(f"not a depthwise convolution with a window and stride of kernels/depthwise.c: {geom.ints}")
    return 0


cdef double work(const Conv2d *q) noexcept nogil:
    """Elementary operations: the planes read and written, and the products."""
    return <double>q.n * (q.o * q.oh * q.ow * (1 + q.kh * q.kw / 8.0) + q.c * q.h * q.w)


cdef int convolve(const Conv2d *q, bint back, const float *x, const float *w, const float *bias, bint relu,
                  float *y) except -1:
    """y = x * w + bias, cut at 0 with `relu`; `back`: the input gradient at stride 1, of the transposed geometry."""
    cdef int64_t pairs = max(q.o, q.c), fan = pairs // min(q.o, q.c), units = q.n * (pairs // fan), i
    cdef int64_t run = max(TASK_FLOATS // (q.h * q.w + fan * q.oh * q.ow + 1), 1)
    cdef int team = threads_for(work(q))
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(ceil_div(units, run), schedule="static"):
            K.depthwise_planes(q, i * run * fan, min((i + 1) * run, units) * fan, pairs, fan, back, x, w, bias, relu,
                               y)
        leave(mode)
    return 0


cdef int spread(const Conv2d *q, const float *g, const float *w, float *dx) except -1:
    cdef int64_t fan = q.o // q.c, units = q.n * q.c, i
    cdef int64_t run = max(TASK_FLOATS // (q.h * q.w + fan * q.oh * q.ow + 1), 1)
    cdef int team = threads_for(work(q))
    cdef unsigned mode = 0
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(ceil_div(units, run), schedule="static"):
            K.depthwise_spread(q, i * run * fan, min((i + 1) * run, units) * fan, g, w, dx)
        leave(mode)
    return 0


def conv2d(x, w, b, geom, bint relu=False):
    """Depthwise cross-correlation of x[n, c, h, w] with w[o, 1, kh, kw] plus b[o] or None -> [n, o, oh, ow].

    With `relu`, what is below 0 becomes 0.
    float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have the geometry's sizes, or the
    geometry is not one of read_depthwise.
    """
    cdef Conv2d q
    if not is_f32(x) or not is_f32(w) or not (b is None or is_f32(b)):
        return NotImplemented
    read_depthwise(geom, &q)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    expect_shape("w", w, q.o, 1, q.kh, q.kw)
    if b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != q.o):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(q.o,)}")
    y = empty_images(q.n, q.o, q.oh, q.ow)
    convolve(&q, False, f32(x), f32(w), NULL if b is None else f32(b), relu, f32(y))
    return y


def conv2d_dx(g, w, geom):
    """Gradient of conv2d by its input: g[n, o, oh, ow], w[o, 1, kh, kw] -> [n, c, h, w]; `geom` is the forward one."""
    cdef Conv2d q, back
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_depthwise(geom, &q)
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("w", w, q.o, 1, q.kh, q.kw)
    dx = empty_images(q.n, q.c, q.h, q.w)
    if q.sh == 1:
        read_conv2d(geom.transposed, &back)
        expect_shape("g", g, back.n, back.c, back.h, back.w)
        expect_shape("dx", dx, back.n, back.o, back.oh, back.ow)
        convolve(&back, True, f32(g), f32(w), NULL, False, f32(dx))
    else:
        spread(&q, f32(g), f32(w), f32(dx))
    return dx


cdef int weight_gradient(const Conv2d *q, const float *x, const float *g, float *dw) except -1:
    """Sums of vectors of pixels per block of outputs and part of the batch; both depend on shapes alone."""
    cdef int64_t window = q.kh * q.kw, i
    cdef int64_t block = max(ceil_div(q.o, TASKS), min(min(q.o, RUN_PLANES), RUN_FLOATS // (q.h * q.w + q.oh * q.ow)))
    cdef int64_t blocks = ceil_div(q.o, block), parts = max(min(q.n, ceil_div(TASKS, blocks)), 1)
    cdef size_t step = piece(block * window * K.lanes * sizeof(float))
    cdef int team = threads_for(work(q))
    cdef unsigned mode = 0
    cdef Block scratch = borrow(step * team)
    cdef Block partial = borrow(parts * q.o * window * sizeof(float))
    cdef float *sums = <float *>partial.data if parts > 1 else dw
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(parts * blocks, schedule="static"):
            sum_part(q, i // blocks, parts, i % blocks * block, block, x, g, sums,
                     <float *>(<char *>scratch.data + threadid() * step))
        if parts > 1:
            for i in prange(ceil_div(q.o * window, 1024), schedule="static"):
                K.sum_columns(sums + i * 1024, parts, min(1024, q.o * window - i * 1024), q.o * window, dw + i * 1024)
        leave(mode)
    return 0


cdef void sum_part(const Conv2d *q, int64_t part, int64_t parts, int64_t first, int64_t block, const float *x,
                   const float *g, float *sums, float *vectors) noexcept nogil:
    """One part of the batch, image by image, for outputs first .. first + block."""
    cdef int64_t last = min(first + block, q.o), n = (last - first) * q.kh * q.kw, image
    memset(vectors, 0, n * K.lanes * sizeof(float))
    for image in range(part * q.n // parts, (part + 1) * q.n // parts):
        K.depthwise_weight_sums(q, first, last, x + image * q.c * q.h * q.w, g + image * q.o * q.oh * q.ow, vectors)
    K.sum_vectors(vectors, n, sums + (part * q.o + first) * q.kh * q.kw)


def conv2d_dw(g, x, geom):
    """Gradient of conv2d by its weights: g[n, o, oh, ow], x[n, c, h, w] -> [o, 1, kh, kw]."""
    cdef Conv2d q
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    read_depthwise(geom, &q)
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    dw = empty_images(q.o, 1, q.kh, q.kw)
    weight_gradient(&q, f32(x), f32(g), f32(dw))
    return dw
