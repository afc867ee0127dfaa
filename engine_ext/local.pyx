"""Locally connected layers, convolutions whose filters are not shared: forward and both gradients.

The lanes of a vector are positions side by side, so that weights [o, c, kh, kw, oh, ow] are read as they lie and no
arithmetic is needed between lanes. Of a vector of positions at a time, patches of all images and the weights of a few
outputs are laid out in panels, whose products are summed in tiles of registers (kernels/local.c). Forward and weight
gradient are split over positions and outputs, the input gradient over images and channels.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t
from libc.string cimport memset

cimport numpy as cnp

from engine_ext._isa cimport Conv2d, K
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_f32, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    PATCH_FLOATS = 1 << 18      # of a vector of positions that are laid out at a time; fewer images then,
    FEWEST_IMAGES = 16          # but so many, as weights are read again for each group of images
    ROWS = 12                   # outputs, or taps, whose weights are laid out at a time
    TASKS = 4                   # for each thread


cdef struct Local:
    # a layer, and how it is split
    Conv2d q
    int64_t taps, positions     # c * kh * kw; oh * ow
    int64_t vectors             # of positions
    int64_t images              # laid out at a time
    int64_t shares              # of the outputs (forward, weight gradient), or of the channels (input gradient)
    int team


cdef int read_local(object geom, Local *q) except -1:
    read_conv2d(geom, &q.q)
    if q.q.groups != 1 or q.q.uh != 1 or q.q.uw != 1:
        raise ValueError(f"a locally connected layer has neither groups nor upsampled images, got {geom.ints}")
    q.taps, q.positions = q.q.c * q.q.kh * q.q.kw, q.q.oh * q.q.ow
    if <double>q.taps * q.q.o * q.positions > 2.0**58:
        raise ValueError(f"sizes of a locally connected layer are too large: {geom.ints}")
    q.vectors = ceil_div(q.positions, K.lanes)
    cdef int64_t most = max(PATCH_FLOATS // (q.taps * K.lanes), <int64_t>FEWEST_IMAGES)
    q.images = ceil_div(q.q.n, max(ceil_div(q.q.n, most), <int64_t>1))
    q.team = threads_for(<double>q.q.n * q.taps * q.q.o * q.positions / 16)
    q.shares = max(min(ceil_div(q.q.o, ROWS), ceil_div(TASKS * q.team, q.vectors)), <int64_t>1)
    return 0


cdef int expect_weights(str name, object w, const Local *q) except -1:
    cdef tuple shape = (q.q.o, q.q.c, q.q.kh, q.q.kw, q.q.oh, q.q.ow)
    if w.shape != shape:
        raise ValueError(f"{name} has shape {w.shape}, the geometry says {shape}")
    return 0


cdef inline int64_t pitch(int64_t terms) noexcept nogil:
    """Floats from row to row of a panel: an odd number of vectors, lest rows fall into the same places of a cache."""
    return (terms | 1) * K.lanes


cdef inline int64_t lanes_of(const Local *q, int64_t vector) noexcept nogil:
    return min(K.lanes, q.positions - vector * K.lanes)


def locally_connected2d(x, w, b, geom):
    """x[n, c, h, w] with filters w[o, c, kh, kw, oh, ow] for each position, plus b[o, oh, ow] or None: [n, o, oh, ow].

    float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have the geometry's sizes.
    """
    cdef Local q
    cdef int64_t task
    cdef unsigned mode = 0
    if not is_f32(x) or not is_f32(w) or not (b is None or is_f32(b)):
        return NotImplemented
    read_local(geom, &q)
    expect_shape("x", x, q.q.n, q.q.c, q.q.h, q.q.w)
    expect_weights("w", w, &q)
    if b is not None and b.shape != (q.q.o, q.q.oh, q.q.ow):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(q.q.o, q.q.oh, q.q.ow)}")
    y = empty_images(q.q.n, q.q.o, q.q.oh, q.q.ow)
    if q.q.n == 0:
        return y
    cdef const float *images = f32(x)
    cdef const float *weights = f32(w)
    cdef const float *bias = NULL if b is None else f32(b)
    cdef float *out = f32(y)
    cdef size_t patches = piece(q.images * pitch(q.taps) * sizeof(float))
    cdef size_t step = patches + piece(ROWS * pitch(q.taps) * sizeof(float))
    cdef Block scratch = borrow(q.team * step)
    with nogil, parallel(num_threads=q.team):
        mode = enter()
        for task in prange(q.vectors * q.shares, schedule="static"):
            forward(&q, task, images, weights, bias, out, <float *>(<char *>scratch.data + threadid() * step),
                    <float *>(<char *>scratch.data + threadid() * step + patches))
        leave(mode)
    return y


cdef void forward(const Local *q, int64_t task, const float *x, const float *w, const float *b, float *y,
                  float *patches, float *panel) noexcept nogil:
    """`task` counts (vector of positions, share of the outputs)."""
    cdef int64_t vector = task // q.shares, share = task % q.shares, at = vector * K.lanes, count = lanes_of(q, vector)
    cdef int64_t first = share * q.q.o // q.shares, last = (share + 1) * q.q.o // q.shares
    cdef int64_t image = 0, images, o, rows
    while image < q.q.n:
        images = min(q.images, q.q.n - image)
        K.local_patches(&q.q, images, at, count, x + image * q.q.c * q.q.h * q.q.w, patches, pitch(q.taps))
        o = first
        while o < last:
            rows = min(<int64_t>ROWS, last - o)
            K.local_pack(rows, q.taps, count, w + o * q.taps * q.positions + at, q.taps * q.positions, q.positions,
                         panel, pitch(q.taps))
            K.local_products(rows, images, count, q.taps, panel, pitch(q.taps), patches, pitch(q.taps), K.lanes,
                             y + (image * q.q.o + o) * q.positions + at, q.positions, q.q.o * q.positions,
                             b + o * q.positions + at if b != NULL else NULL, q.positions, False)
            o += rows
        image += images


def locally_connected2d_dw(g, x, geom):
    """Gradient by the weights: g[n, o, oh, ow], x[n, c, h, w] -> [o, c, kh, kw, oh, ow]; else as forward."""
    cdef Local q
    cdef int64_t task
    cdef unsigned mode = 0
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    read_local(geom, &q)
    expect_shape("g", g, q.q.n, q.q.o, q.q.oh, q.q.ow)
    expect_shape("x", x, q.q.n, q.q.c, q.q.h, q.q.w)
    cdef Py_ssize_t[6] shape = [q.q.o, q.q.c, q.q.kh, q.q.kw, q.q.oh, q.q.ow]
    dw = empty_f32(6, shape)
    cdef const float *gradient = f32(g)
    cdef const float *images = f32(x)
    cdef float *out = f32(dw)
    cdef size_t patches = piece(q.images * pitch(q.taps) * sizeof(float))
    cdef size_t step = patches + piece(ROWS * pitch(q.images) * sizeof(float))
    if q.q.n == 0:
        memset(out, 0, q.q.o * q.taps * q.positions * sizeof(float))
        return dw
    cdef Block scratch = borrow(q.team * step)
    with nogil, parallel(num_threads=q.team):
        mode = enter()
        for task in prange(q.vectors * q.shares, schedule="static"):
            weight_gradient(&q, task, gradient, images, out,
                            <float *>(<char *>scratch.data + threadid() * step),
                            <float *>(<char *>scratch.data + threadid() * step + patches))
        leave(mode)
    return dw


cdef void weight_gradient(const Local *q, int64_t task, const float *g, const float *x, float *dw, float *patches,
                          float *panel) noexcept nogil:
    """`task` counts (vector of positions, share of the outputs); groups of images are added in their order."""
    cdef int64_t vector = task // q.shares, share = task % q.shares, at = vector * K.lanes, count = lanes_of(q, vector)
    cdef int64_t first = share * q.q.o // q.shares, last = (share + 1) * q.q.o // q.shares
    cdef int64_t image = 0, images, o, rows
    while image < q.q.n:
        images = min(q.images, q.q.n - image)
        K.local_patches(&q.q, images, at, count, x + image * q.q.c * q.q.h * q.q.w, patches, pitch(q.taps))
        o = first
        while o < last:
            rows = min(<int64_t>ROWS, last - o)
            K.local_pack(rows, images, count, g + (image * q.q.o + o) * q.positions + at, q.positions,
                         q.q.o * q.positions, panel, pitch(images))
            K.local_products(rows, q.taps, count, images, panel, pitch(images), patches, K.lanes, pitch(q.taps),
                             dw + o * q.taps * q.positions + at, q.taps * q.positions, q.positions, NULL, 0, image > 0)
            o += rows
        image += images


def locally_connected2d_dx(g, w, geom):
    """Gradient by the input: g[n, o, oh, ow], w[o, c, kh, kw, oh, ow] -> [n, c, h, w]; else as forward."""
    cdef Local q
    cdef int64_t task, groups, channels
    cdef unsigned mode = 0
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_local(geom, &q)
    expect_shape("g", g, q.q.n, q.q.o, q.q.oh, q.q.ow)
    expect_weights("w", w, &q)
    dx = empty_images(q.q.n, q.q.c, q.q.h, q.q.w)
    if q.q.n == 0:
        return dx
    memset(f32(dx), 0, q.q.n * q.q.c * q.q.h * q.q.w * sizeof(float))
    # Every pixel's terms are added in the order of positions and taps, whatever the groups of images and channels.
    # Over channels where they share evenly, as every weight is read once then, else over images first.
    q.shares = q.team if q.q.c % q.team == 0 or q.q.c >= TASKS * q.team else 1
    groups = max(min(ceil_div(q.team, q.shares), q.q.n // FEWEST_IMAGES), ceil_div(q.q.n, q.images))
    q.shares = min(q.q.c, max(q.shares, ceil_div(q.team, groups)))
    q.images = ceil_div(q.q.n, groups)
    channels = ceil_div(q.q.c, q.shares)
    cdef const float *gradient = f32(g)
    cdef const float *weights = f32(w)
    cdef float *out = f32(dx)
    cdef size_t gradients = piece(q.images * pitch(q.q.o) * sizeof(float))
    cdef size_t patches = gradients + piece(q.images * pitch(channels * q.q.kh * q.q.kw) * sizeof(float))
    cdef size_t step = patches + piece(ROWS * pitch(q.q.o) * sizeof(float))
    cdef Block scratch = borrow(q.team * step)
    with nogil, parallel(num_threads=q.team):
        mode = enter()
        for task in prange(groups * q.shares, schedule="static"):
            input_gradient(&q, task, groups, gradient, weights, out,
                           <float *>(<char *>scratch.data + threadid() * step),
                           <float *>(<char *>scratch.data + threadid() * step + gradients),
                           <float *>(<char *>scratch.data + threadid() * step + patches))
        leave(mode)
    return dx


cdef void input_gradient(const Local *q, int64_t task, int64_t groups, const float *g, const float *w, float *dx,
                         float *gradients, float *patches, float *panel) noexcept nogil:
    """`task` counts (group of images, share of the channels)."""
    cdef int64_t group = task // q.shares, share = task % q.shares, window = q.q.kh * q.q.kw
    cdef int64_t image = group * q.q.n // groups, images = (group + 1) * q.q.n // groups - image
    cdef int64_t channel = share * q.q.c // q.shares, channels = (share + 1) * q.q.c // q.shares - channel
    cdef int64_t taps = channels * window, vector, at, count, tap, rows
    for vector in range(q.vectors):
        at, count = vector * K.lanes, lanes_of(q, vector)
        K.local_pack(images, q.q.o, count, g + image * q.q.o * q.positions + at, q.q.o * q.positions, q.positions,
                     gradients, pitch(q.q.o))
        tap = 0
        while tap < taps:
            rows = min(<int64_t>ROWS, taps - tap)
            K.local_pack(rows, q.q.o, count, w + (channel * window + tap) * q.positions + at, q.positions,
                         q.taps * q.positions, panel, pitch(q.q.o))
            K.local_products(rows, images, K.lanes, q.q.o, panel, pitch(q.q.o), gradients, pitch(q.q.o), K.lanes,
                             patches + tap * K.lanes, K.lanes, pitch(taps), NULL, 0, False)
            tap += rows
        K.local_add_patches(&q.q, images, channel, channels, at, count, patches, pitch(taps),
                            dx + image * q.q.c * q.q.h * q.q.w)
