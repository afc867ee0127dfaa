"""Winograd's convolution of 3x3 windows, and its gradient by the input: how tiles are spread over threads and memory.

Images are cut into units of tiles whose transforms fit a core's L2 cache. With many tiles, weights are transformed
first; then a thread takes a unit through input transform, products and outputs. With few, all inputs are transformed
first; then a thread takes 32 outputs (2 * LANES), of all tiles, and transforms their weights as it needs them: those
of hundreds of channels are larger than the caches. A result's bits do not depend on either. Groups are convolutions one
after the other.

Windows with stride 2 go the same way, in tiles of their own: see kernels/winograd_stride.c.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t, uint8_t

cimport cython
cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K, Tiles
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d, read_plain_3x3, read_strided_3x3
from engine_ext.memory cimport Block, borrow, empty_array, empty_f32, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    LINE = 16               # floats of a cache line
    UNIT_FLOATS = 1 << 17   # inputs and products of a unit
    UNIT_TILES = 56         # at most
    STRIDED_FLOATS = 1 << 18    # the same with stride 2, where a tile has more of them
    FEW_TILES = 128         # at most so many (half with stride 2): weights are transformed where they are needed
    CHUNK = 64              # input channels whose weights are transformed at a time: the kernel's TERMS
    STRIDED = 8             # in place of m: windows with stride 2, tiles of 4x4 outputs, going back 8x8


cdef struct Winograd:
    # A convolution of x[n, c, h, w] to y[n, o, oh, ow]; the input gradient is one of the output's gradient.
    Conv2d q                # c and o of one group
    int64_t x_image, y_image    # floats from image to image
    int m                   # a tile has m x m outputs, or STRIDED
    int64_t side            # outputs of a tile along an axis
    int64_t apart, overlap  # inputs from tile to tile, and what the last has more
    int64_t top, left       # outputs of the first tile that lie outside of the image
    int64_t positions       # products of a tile
    int64_t points          # weights they are with
    const float *x
    const float *w
    int64_t out_step, in_step   # floats between the outputs, the inputs of w
    bint rotated            # taps backwards
    const float *bias       # or NULL
    const float *residual   # added to y, or NULL
    bint relu
    float *y
    uint8_t *taps           # or NULL: of the max pooling behind
    int64_t blocks, outs    # of LANES inputs; of 2 * LANES outputs
    int64_t rows, cols      # tiles of an image
    int64_t unit_images, unit_rows, unit_cols   # of a unit: images, or a rectangle of one
    int64_t units, tiles    # units; tiles of the largest, even
    bint few                # tiles in all
    int64_t v_step, u_step, m_step  # floats between positions
    int64_t v_size, u_size, m_size  # floats of a unit's inputs, of 2 * LANES outputs' weights, of a unit's products
    int64_t stage_size
    float *u                # [outputs / (2 * LANES)][position][c][2 * LANES]
    float *v                # few tiles: [unit][position][block][tile][LANES]


cdef inline int64_t odd_lines(int64_t floats) noexcept nogil:
    """At least so many, an odd number of cache lines: planes at this distance lie in different sets of the cache."""
    return (ceil_div(floats, LINE) | 1) * LINE


@cython.final
cdef class Weights:
    """Transformed weights of a forward convolution, to be used again."""
    cdef Block block
    cdef readonly int m, lanes
    cdef readonly tuple shape
    cdef readonly int64_t groups


cdef void shape_tiles(Winograd *f) noexcept:
    """Fills in what tiles are like."""
    f.top = f.left = 0
    if f.m != STRIDED:
        f.side, f.apart, f.overlap = f.m, f.m, 2
        f.positions = f.points = (f.m + 2) * (f.m + 2)
        return
    f.side, f.apart, f.overlap, f.positions, f.points = 4, 8, 1, 81, 36
    if f.rotated:
        f.side, f.apart = 8, 4
        f.top, f.left = 2 - f.q.pt - f.q.pt % 2, 2 - f.q.pl - f.q.pt % 2


cdef void plan(Winograd *f, int team) noexcept:
    """Fills in how the work is cut, which follows from f.q, the tiles and the number of threads."""
    cdef Conv2d *q = &f.q
    cdef int64_t lanes = K.lanes, wanted = UNIT_TILES, row_units, per_image, shares = team
    f.blocks, f.outs = ceil_div(q.c, lanes), ceil_div(q.o, 2 * lanes)
    f.rows, f.cols = ceil_div(q.oh + f.top, f.side), ceil_div(q.ow + f.left, f.side)
    per_image = f.rows * f.cols
    f.few = q.n * per_image <= (FEW_TILES // 2 if f.m == STRIDED else FEW_TILES)
    if f.few:
        shares = ceil_div(team, min(f.outs, f.blocks))
    else:
        wanted = STRIDED_FLOATS if f.m == STRIDED else UNIT_FLOATS
        wanted = max(min(wanted // (f.positions * (f.blocks + 2) * lanes), UNIT_TILES), 1)
    f.unit_images, f.unit_rows, f.unit_cols = 1, 1, f.cols
    if 2 * per_image <= wanted:
        f.unit_images = max(min(wanted // per_image, ceil_div(q.n, shares)), 1)
        f.unit_rows = f.rows
    elif f.cols <= wanted:
        row_units = ceil_div(f.rows, max(wanted // f.cols, 1))
        if q.n * row_units < shares:
            row_units = min(shares, f.rows)
        f.unit_rows = ceil_div(f.rows, row_units)
    else:
        f.unit_cols = ceil_div(f.cols, ceil_div(f.cols, wanted))
    f.units = ceil_div(q.n, f.unit_images) * ceil_div(f.rows, f.unit_rows) * ceil_div(f.cols, f.unit_cols)
    f.tiles = ceil_div(f.unit_images * f.unit_rows * f.unit_cols, 2) * 2
    f.v_step = odd_lines(f.blocks * f.tiles * lanes)
    f.m_step = odd_lines(f.tiles * 2 * lanes)
    f.u_step = odd_lines(q.c * 2 * lanes)
    f.v_size, f.u_size, f.m_size = f.positions * f.v_step, f.points * f.u_step, f.positions * f.m_step
    f.stage_size = max((f.unit_rows * f.apart + f.overlap) * (f.unit_cols * f.apart + f.overlap),
                       2 * (f.unit_rows * f.unit_cols * f.side * f.side + lanes)) * lanes


cdef Winograd of_group(const Winograd *whole, int64_t group) noexcept nogil:
    """The convolution of one group."""
    cdef Winograd f = whole[0]
    cdef int64_t o = group * f.q.o, y = group * (f.y_image // f.q.groups)
    f.x += group * (f.x_image // f.q.groups)
    f.w += 9 * f.q.c * o
    f.y += y
    f.bias = f.bias + o if f.bias != NULL else NULL
    f.residual = f.residual + y if f.residual != NULL else NULL
    f.taps = f.taps + y if f.taps != NULL else NULL
    f.u = f.u + group * f.outs * f.u_size if f.u != NULL else NULL
    return f


cdef inline int64_t unit_tiles(const Winograd *f, int64_t unit, Tiles *t, int64_t *images) noexcept nogil:
    """The rectangle of a unit and its number of images; returns the first image."""
    cdef int64_t across = ceil_div(f.cols, f.unit_cols), down = ceil_div(f.rows, f.unit_rows)
    cdef int64_t first = unit // (across * down) * f.unit_images
    t.col, t.row = unit % across * f.unit_cols, unit // across % down * f.unit_rows
    t.cols, t.rows = min(f.unit_cols, f.cols - t.col), min(f.unit_rows, f.rows - t.row)
    images[0] = min(f.unit_images, f.q.n - first)
    return first


cdef void transform_input(const Winograd *f, int64_t unit, int64_t block, float *stage, float *v) noexcept nogil:
    """One block of channels of a unit."""
    cdef Tiles t
    cdef int64_t images, lanes = K.lanes, plane = f.q.h * f.q.w, i
    cdef int64_t first = unit_tiles(f, unit, &t, &images), channels = min(lanes, f.q.c - block * lanes)
    cdef const float *x
    v += block * f.tiles * lanes
    for i in range(images):
        x = f.x + (first + i) * f.x_image + block * lanes * plane
        if f.m == STRIDED:
            K.winograd_stride_input(f.rotated, &f.q, x, channels, &t, stage, v + i * t.rows * t.cols * lanes, f.v_step)
        elif f.m == 4:
            K.winograd4_input(&f.q, x, channels, &t, stage, v + i * t.rows * t.cols * lanes, f.v_step)
        else:
            K.winograd2_input(&f.q, x, channels, &t, stage, v + i * t.rows * t.cols * lanes, f.v_step)


cdef void transform_weights_of(
    const Winograd *f, int64_t half, int64_t first, int64_t channels,
    float *u, int64_t step,     # OUT, at the first of these channels
) noexcept nogil:
    """Weights of LANES outputs, the half-th, and some input channels."""
    cdef int64_t outs = min(<int64_t>K.lanes, f.q.o - half * K.lanes)
    cdef const float *w = f.w + half * K.lanes * f.out_step + first * f.in_step
    u += half % 2 * K.lanes
    if outs <= 0:
        return
    if f.m == STRIDED:
        K.winograd_stride_weights(w, f.out_step, f.in_step, f.rotated, outs, channels, u, step)
    elif f.m == 4:
        K.winograd4_weights(w, f.out_step, f.in_step, f.rotated, outs, channels, u, step)
    else:
        K.winograd2_weights(w, f.out_step, f.in_step, f.rotated, outs, channels, u, step)


cdef void weight_task(const Winograd *whole, int64_t group, int64_t task) noexcept nogil:
    """Weights of LANES outputs and LANES inputs: `task` counts (half block of outputs, block of inputs)."""
    cdef Winograd f = of_group(whole, group)
    cdef int64_t half = task // f.blocks, first = task % f.blocks * K.lanes
    transform_weights_of(&f, half, first, min(<int64_t>K.lanes, f.q.c - first),
                         f.u + half // 2 * f.u_size + first * 2 * K.lanes, f.u_step)


cdef void multiply(const Winograd *f, int64_t unit, int64_t block, int64_t first, int64_t channels, const float *v,
                   const float *u, int64_t u_step, float *products) noexcept nogil:
    """Products of a unit by some input channels, for one block of outputs; added to those of the channels before."""
    cdef Tiles t
    cdef int64_t images, lanes = K.lanes, outs = min(2 * lanes, f.q.o - block * 2 * lanes)
    unit_tiles(f, unit, &t, &images)
    v += first * f.tiles
    if f.m == STRIDED:
        K.winograd_stride_products(images * t.rows * t.cols, channels, outs, v, f.v_step, f.tiles * lanes, u, u_step,
                                   products, f.m_step, first > 0)
    else:
        K.winograd_products(f.positions, images * t.rows * t.cols, channels, outs, v, f.v_step, f.tiles * lanes, u,
                            u_step, products, f.m_step, first > 0)


cdef void write_output(const Winograd *f, int64_t unit, int64_t block, const float *products,
                       float *stage) noexcept nogil:
    """A unit's outputs from their products, for one block of outputs."""
    cdef Tiles t
    cdef int64_t images, lanes = K.lanes, i, half, o, outs
    cdef int64_t first = unit_tiles(f, unit, &t, &images)
    cdef int64_t plane = (f.q.oh // 2) * (f.q.ow // 2) if f.taps != NULL else f.q.oh * f.q.ow
    cdef const float *bias
    cdef const float *added
    cdef const float *m
    for i in range(images):
        for half in range(2):
            o = (2 * block + half) * lanes
            outs = min(lanes, f.q.o - o)
            if outs <= 0:
                break
            bias = f.bias + o if f.bias != NULL else NULL
            m = products + (i * t.rows * t.cols * 2 + half) * lanes
            o = (first + i) * f.y_image + o * plane
            added = f.residual + o if f.residual != NULL else NULL
            if f.taps != NULL:
                K.winograd4_output_pool(&f.q, &t, m, f.m_step, outs, bias, stage, f.y + o, f.taps + o)
            elif f.m == STRIDED:
                K.winograd_stride_output(f.rotated, &f.q, &t, m, f.m_step, outs, bias, f.relu, stage, f.y + o)
            elif f.m == 4:
                K.winograd4_output(&f.q, &t, m, f.m_step, outs, bias, added, f.relu, stage, f.y + o)
            else:
                K.winograd2_output(&f.q, &t, m, f.m_step, outs, bias, added, f.relu, stage, f.y + o)


cdef void unit_task(const Winograd *whole, int64_t group, int64_t unit, float *scratch) noexcept nogil:
    """A unit of a group from its pixels to its outputs."""
    cdef Winograd f = of_group(whole, group)
    cdef float *v = scratch + f.stage_size
    cdef float *products = v + f.v_size
    cdef int64_t i
    for i in range(f.blocks):
        transform_input(&f, unit, i, scratch, v)
    for i in range(f.outs):
        multiply(&f, unit, i, 0, f.q.c, v, f.u + i * f.u_size, f.u_step, products)
        write_output(&f, unit, i, products, scratch)


cdef void outputs_task(const Winograd *f, int64_t block, int64_t first, int64_t last, float *scratch) noexcept nogil:
    """One block of outputs of the units first .. last, whose inputs are transformed."""
    cdef int64_t step = f.u_step, unit, part, start, channels
    cdef float *chunk = scratch + f.stage_size
    cdef float *products = chunk + f.points * odd_lines(CHUNK * 2 * K.lanes)
    cdef const float *u
    for part in range(ceil_div(f.q.c, CHUNK)):
        start = part * CHUNK
        channels = min(<int64_t>CHUNK, f.q.c - start)
        if f.u != NULL:
            u = f.u + block * f.u_size + start * 2 * K.lanes
        else:
            u, step = chunk, odd_lines(CHUNK * 2 * K.lanes)
            transform_weights_of(f, 2 * block, start, channels, chunk, step)
            transform_weights_of(f, 2 * block + 1, start, channels, chunk, step)
        for unit in range(first, last):
            multiply(f, unit, block, start, channels, f.v + unit * f.v_size, u, step,
                     products + (unit - first) * f.m_size)
    for unit in range(first, last):
        write_output(f, unit, block, products + (unit - first) * f.m_size, scratch)


cdef int convolve(Winograd *f, Weights prepared) except -1:
    cdef Conv2d *q = &f.q
    cdef int64_t plane = (q.oh // 2) * (q.ow // 2) if f.taps != NULL else q.oh * q.ow
    f.x_image, f.y_image = q.c * q.h * q.w, q.o * plane
    q.c //= q.groups
    q.o //= q.groups
    f.out_step = 9 if f.rotated else 9 * q.c
    f.in_step = 9 * q.o if f.rotated else 9
    shape_tiles(f)
    cdef int64_t tiles = q.n * ceil_div(q.oh, f.side) * ceil_div(q.ow, f.side)
    cdef double work = <double>tiles * f.positions * (<double>q.c * q.o / 16 + q.c + q.o) + 9.0 * q.c * q.o
    cdef int team = threads_for(work * q.groups)
    plan(f, team)
    f.u = <float *>prepared.block.data if prepared is not None and prepared.lanes == K.lanes else NULL
    return few_tiles(f, team) if f.few else many_tiles(f, team)


cdef int many_tiles(Winograd *f, int team) except -1:
    cdef int64_t weights_of_group = ceil_div(f.q.o, K.lanes) * f.blocks, i
    cdef size_t step = piece((f.stage_size + f.v_size + f.m_size) * sizeof(float))
    cdef bint transforms = f.u == NULL
    cdef Block weights = borrow(f.q.groups * f.outs * f.u_size * sizeof(float)) if transforms else None
    cdef Block scratch = borrow(step * team)
    cdef unsigned mode = 0
    if transforms:
        f.u = <float *>weights.data
    with nogil, parallel(num_threads=team):
        mode = enter()
        if transforms:
            for i in prange(f.q.groups * weights_of_group, schedule="static"):
                weight_task(f, i // weights_of_group, i % weights_of_group)
        for i in prange(f.q.groups * f.units, schedule="static"):
            unit_task(f, i // f.units, i % f.units, piece_of(scratch.data, step))
        leave(mode)
    return 0


cdef int few_tiles(const Winograd *whole, int team) except -1:
    cdef Winograd f
    cdef int64_t ranges = min(ceil_div(team, whole.outs), whole.units), group, i
    cdef int64_t weights = whole.points * odd_lines(CHUNK * 2 * K.lanes)
    cdef int64_t products = ceil_div(whole.units, max(ranges, 1)) * whole.m_size
    cdef size_t step = piece((whole.stage_size + weights + products) * sizeof(float))
    cdef Block inputs = borrow(whole.units * whole.v_size * sizeof(float))
    cdef Block scratch = borrow(step * team)
    cdef unsigned mode = 0
    for group in range(whole.q.groups):
        f = of_group(whole, group)
        f.v = <float *>inputs.data
        with nogil, parallel(num_threads=team):
            mode = enter()
            for i in prange(f.units * f.blocks, schedule="static"):
                transform_input(&f, i // f.blocks, i % f.blocks, piece_of(scratch.data, step),
                                f.v + i // f.blocks * f.v_size)
            for i in prange(f.outs * ranges, schedule="static"):
                outputs_task(&f, i // ranges, i % ranges * f.units // ranges, (i % ranges + 1) * f.units // ranges,
                             piece_of(scratch.data, step))
            leave(mode)
    return 0


cdef inline float *piece_of(void *scratch, size_t step) noexcept nogil:
    """The calling thread's scratch."""
    return <float *>(<char *>scratch + threadid() * step)


cdef object forward(int m, x, w, b, geom, bint relu, residual, bint pool, Weights prepared):
    cdef Winograd f
    if not (is_f32(x) and is_f32(w) and (b is None or is_f32(b)) and (residual is None or is_f32(residual))):
        return NotImplemented
    if m == STRIDED:
        read_strided_3x3(geom, &f.q)
    else:
        read_plain_3x3(geom, &f.q)
    expect_shape("x", x, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.o, f.q.c // f.q.groups, f.q.kh, f.q.kw)
    if b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != f.q.o):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(f.q.o,)}")
    if residual is not None:
        expect_shape("the residual", residual, f.q.n, f.q.o, f.q.oh, f.q.ow)
    if prepared is not None and (prepared.m, prepared.shape, prepared.groups) != (m, w.shape, f.q.groups):
        raise ValueError(f"prepared are weights {prepared.shape}, {prepared.groups} groups, for tiles of {prepared.m}")
    cdef Py_ssize_t[4] shape = [f.q.n, f.q.o, f.q.oh, f.q.ow]
    if pool and min(f.q.oh, f.q.ow) < 2:
        raise ValueError(f"pooling by 2x2 needs outputs of at least that, got {f.q.oh} x {f.q.ow}")
    if pool:
        shape[2] //= 2
        shape[3] //= 2
    y = empty_f32(4, shape)
    taps = empty_array(4, shape, cnp.NPY_UINT8) if pool else None
    f.m, f.x, f.w, f.y, f.bias, f.relu = m, f32(x), f32(w), f32(y), NULL if b is None else f32(b), relu
    f.residual = NULL
    if residual is not None:
        f.residual, f.relu = f32(residual), True
    f.taps = <uint8_t *>PyArray_DATA(taps) if pool else NULL
    f.rotated = False
    convolve(&f, prepared)
    return (y, taps) if pool else y


cdef object backward(int m, g, w, geom):
    cdef Winograd f     # of the transposed convolution: its input is g, its output dx
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    if m == STRIDED:
        read_strided_3x3(geom, &f.q)
        if (f.q.pt - f.q.pl) % 2:
            raise ValueError(f"padding above and on the left must both be even or odd, got {geom.ints}")
        read_conv2d(geom.transposed, &f.q)
    else:
        read_plain_3x3(geom.transposed, &f.q)
    expect_shape("g", g, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.c, f.q.o // f.q.groups, f.q.kh, f.q.kw)
    dx = empty_images(f.q.n, f.q.o, f.q.oh, f.q.ow)
    f.m, f.x, f.w, f.y, f.relu = m, f32(g), f32(w), f32(dx), False
    f.bias, f.residual, f.taps = NULL, NULL, NULL
    f.rotated = True
    convolve(&f, None)
    return dx


def conv2d4(x, w, b, geom, bint relu=False, residual=None, Weights prepared=None):
    """Cross-correlation of x[n, c, h, w] with w[o, c, 3, 3] plus b[o] or None -> [n, o, oh, ow], by F(4x4, 3x3).

    `relu` clips it at 0, as does a `residual` of that shape, which is added before; `prepared` are the weights as
    transform_weights gives them. float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have
    the geometry's sizes.
    """
    return forward(4, x, w, b, geom, relu, residual, False, prepared)


def conv2d2(x, w, b, geom, bint relu=False, residual=None, Weights prepared=None):
    """conv2d4 by F(2x2, 3x3)."""
    return forward(2, x, w, b, geom, relu, residual, False, prepared)


def conv2d4_relu_pool(x, w, b, geom, Weights prepared=None):
    """(max_pool2d(relu(conv2d4)), taps) by windows of 2x2; taps 2 * i + j of the first largest, 4 where none is."""
    return forward(4, x, w, b, geom, True, None, True, prepared)


def conv2d4_dx(g, w, geom):
    """Gradient of conv2d by its input: g[n, o, oh, ow], w[o, c, 3, 3] -> [n, c, h, w], by F(4x4, 3x3).

    `geom` is the forward geometry. float32 and C-contiguous, else NotImplemented; ValueError when sizes do not agree.
    """
    return backward(4, g, w, geom)


def conv2d2_dx(g, w, geom):
    """conv2d4_dx by F(2x2, 3x3)."""
    return backward(2, g, w, geom)


def conv2d_stride2(x, w, b, geom, bint relu=False, Weights prepared=None):
    """conv2d4 with stride 2."""
    return forward(STRIDED, x, w, b, geom, relu, None, False, prepared)


def conv2d_stride2_dx(g, w, geom):
    """conv2d4_dx with stride 2."""
    return backward(STRIDED, g, w, geom)


def transform_weights(w, int m=4, int64_t groups=1):
    """Weights w[o, c / groups, 3, 3] as tiles of m x m outputs (8: stride 2) need them, for the instruction set in use.

    They are `prepared` above, a copy: they do not follow w. float32 and C-contiguous, else NotImplemented.
    """
    cdef Winograd f
    cdef Weights prepared = Weights.__new__(Weights)
    cdef unsigned mode = 0
    cdef int64_t i
    if not is_f32(w):
        return NotImplemented
    if m not in (2, 4, STRIDED) or PyArray_NDIM(w) != 4 or w.shape[2:] != (3, 3) or min(w.shape[:2]) < 1:
        raise ValueError(f"weights [o, c, 3, 3] and tiles of 2, 4 or 8 expected, got {w.shape} and {m}")
    if groups < 1 or PyArray_DIM(w, 0) % groups:
        raise ValueError(f"groups must divide the outputs, got {groups} and weights {w.shape}")
    f.m, f.w, f.rotated = m, f32(w), False
    f.q.o, f.q.c, f.q.groups = PyArray_DIM(w, 0) // groups, PyArray_DIM(w, 1), groups
    f.x = f.y = f.bias = f.residual = NULL
    f.taps = NULL
    f.x_image = f.y_image = 0
    shape_tiles(&f)
    f.blocks, f.outs = ceil_div(f.q.c, K.lanes), ceil_div(f.q.o, 2 * K.lanes)
    f.u_step = odd_lines(f.q.c * 2 * K.lanes)
    f.u_size = f.points * f.u_step
    f.out_step, f.in_step = 9 * f.q.c, 9
    prepared.m, prepared.lanes, prepared.shape, prepared.groups = m, K.lanes, w.shape, groups
    prepared.block = borrow(groups * f.outs * f.u_size * sizeof(float))
    f.u = <float *>prepared.block.data
    cdef int64_t tasks = ceil_div(f.q.o, K.lanes) * f.blocks
    cdef int team = threads_for(<double>groups * f.q.o * f.q.c * f.points)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(groups * tasks, schedule="static"):
            weight_task(&f, i // tasks, i % tasks)
        leave(mode)
    return prepared
