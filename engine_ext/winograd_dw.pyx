"""The weight gradient of 3x3 convolutions by Winograd's F(3x3,4x4), or with stride 2, of 4x4 ones by F(4x4,3x3), and
of 5x5 ones by F(5x5,2x2): see kernels/winograd_dw.c, winograd_stride.c, winograd3.c and winograd5.c.

Tiles are transformed, pixels and gradients, chunk by chunk, and the products of a chunk added to the sums. Two ways:

TILES   the tiles are cut into parts, each summed in order by one thread out of its own cache; the parts are added in
        order. How many there are depends on shapes alone, and so do the bits.
WEIGHTS sums too large for copies, or few tiles: each thread has some blocks of outputs, or of inputs too, and
        transforms for itself what goes into them. That costs less than to fetch what others transformed, above all
        where two cores share no cache: there a thread alone was faster than two that shared.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t

cimport numpy as cnp

from engine_ext._isa cimport Conv2d, K, Runs, Tiles
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_plain, read_strided_3x3
from engine_ext.memory cimport Block, borrow, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    POINTS = 36                 # sums that make the weights
    PAD = 16                    # floats between positions: planes must not be 4096 bytes apart
    STAGE_TILES = 32            # transformed in one go
    PARTS = 16                  # at most
    PART_TILES = 96             # that make a part worth its sums
    PARTS_BYTES = 5 << 20       # of the sums of all parts
    OWN_BYTES = 600 << 10       # TILES: of a chunk in a thread's cache, but
    OWN_TILES = 32              # so many at least: sums that do not fit in are read and written for each chunk
    CHUNK_BYTES = 4 << 20       # WEIGHTS: of a chunk; or as large as the sums that it is added to, up to
    LARGEST_BYTES = 16 << 20
    LINE = 16                   # floats of a cache line


cdef struct Gradient:
    Conv2d q                    # c and o of one group
    int64_t x_image, g_image    # floats from image to image
    bint strided
    int64_t side                # gradients of a tile along an axis: 4, 3, 2 where windows are 3x3, 4x4, 5x5
    int64_t positions           # of a tile: with stride 2, several add to one sum
    const float *x
    const float *g
    float *dw
    float *v                    # of a chunk: [position][input block][tile][LANES]
    float *d                    # [position][output block][tile][LANES]
    float *u                    # sums: [part][point][output block][input block][LANES][LANES]
    int64_t down, across        # rows of tiles of an image, tiles of a row
    int64_t total               # rows of tiles of all images
    int64_t lines               # rows of tiles transformed in one go
    int64_t inputs, outputs     # blocks of channels
    int64_t parts               # partial sums over the tiles
    int64_t rows, tiles         # of a chunk, at most: rows of tiles, tiles
    int64_t block               # floats of a block of channels at one position
    int64_t v_step, d_step      # floats between positions
    int64_t square, u_block, u_step, u_part     # floats of the sums of two blocks; between outputs, positions, parts
    size_t v_bytes, d_bytes, stage_bytes


cdef void plan(Gradient *t) noexcept nogil:
    """Cuts the work: every number here depends on shapes and the instruction set only."""
    cdef const Conv2d *q = &t.q
    cdef int64_t lanes = K.lanes, row_bytes, chunk_bytes, most
    t.positions = 81 if t.strided else POINTS
    t.side = 7 - q.kh
    t.down, t.across = ceil_div(q.oh, t.side), ceil_div(q.ow, t.side)
    t.total = q.n * t.down
    t.lines = max(min(STAGE_TILES // t.across, t.down), 1)
    t.inputs, t.outputs = ceil_div(q.c, lanes), ceil_div(q.o, lanes)
    t.square = lanes * lanes
    t.u_block = t.inputs * t.square
    t.u_step = t.outputs * t.u_block + PAD
    t.u_part = POINTS * t.u_step
    most = min(min(PARTS, PARTS_BYTES // (t.u_part * <int64_t>sizeof(float))), t.total * t.across // PART_TILES)
    most = min(most, t.total)   # every part has a row of tiles: an empty one would leave its sums unwritten
    t.parts = 1
    while 2 * t.parts <= most:
        t.parts *= 2
    row_bytes = t.positions * t.across * (t.inputs + t.outputs) * lanes * sizeof(float)
    chunk_bytes = max(OWN_BYTES, OWN_TILES // t.across * row_bytes)
    if t.parts == 1:
        chunk_bytes = min(max(t.u_part * <int64_t>sizeof(float), CHUNK_BYTES), LARGEST_BYTES)
    t.rows = min(max(chunk_bytes // row_bytes, 1), ceil_div(t.total, t.parts))
    if t.parts == 1:
        t.rows = ceil_div(t.total, ceil_div(t.total, t.rows))
    else:               # whole images, which lie in one piece, or even shares of one
        t.rows = t.rows - t.rows % t.down if t.rows > t.down else ceil_div(t.down, ceil_div(t.down, t.rows))
    t.tiles = t.rows * t.across
    t.block = t.tiles * lanes
    t.v_step, t.d_step = t.inputs * t.block + PAD, t.outputs * t.block + PAD
    t.v_bytes, t.d_bytes = piece(t.positions * t.v_step * sizeof(float)), piece(t.positions * t.d_step * sizeof(float))
    if t.strided:
        t.stage_bytes = piece((8 * t.lines + 1) * (8 * t.across + 1) * lanes * sizeof(float))
    else:
        t.stage_bytes = piece((4 * t.lines + 2) * (4 * t.across + 2) * lanes * sizeof(float))


cdef int by_tiles(Gradient *t, int team) except -1:
    cdef size_t own = t.v_bytes + t.d_bytes + t.stage_bytes, u_bytes = piece(t.parts * t.u_part * sizeof(float))
    cdef Block scratch = borrow(u_bytes + team * own)
    cdef char *base = <char *>scratch.data + u_bytes
    cdef unsigned mode = 0
    cdef int64_t i
    t.u = <float *>scratch.data
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(t.parts, schedule="static"):
            sum_part(t, i, base + threadid() * own)
        for i in prange(t.inputs * t.outputs, schedule="static"):
            weights(t, i, t.u + i // t.inputs * t.u_block + i % t.inputs * t.square, t.u_step)
        leave(mode)
    return 0


cdef void sum_part(const Gradient *whole, int64_t part, char *scratch) noexcept nogil:
    """One part of the tiles, chunk by chunk."""
    cdef Gradient t = whole[0]
    cdef int64_t first = part * t.total // t.parts, last = (part + 1) * t.total // t.parts, start = first, rows, i
    cdef Runs upcoming[2]
    t.v, t.d, t.u = <float *>scratch, <float *>(scratch + t.v_bytes), t.u + part * t.u_part
    while start < last:
        rows = min(t.rows, last - start)
        if t.rows < t.down:
            rows = min(rows, t.down - start % t.down)
        for i in range(t.inputs + t.outputs):
            transform(&t, start, 0, rows, i, <float *>(scratch + t.v_bytes + t.d_bytes))
        find_upcoming(&t, start + rows, upcoming)
        sums(&t, t.inputs, t.outputs, rows * t.across, t.v, t.d, t.u, t.u_step, t.u_block, start > first,
             upcoming)
        start += rows


cdef void find_upcoming(const Gradient *t, int64_t start, Runs *upcoming) noexcept nogil:
    """The pixels and gradients of a chunk that begins at `start`: a cache line of gradients to a tile and channel."""
    cdef const Conv2d *q = &t.q
    cdef int64_t image = start // t.down, row = start % t.down, images = min(t.rows // t.down, q.n - image)
    upcoming[0] = Runs(t.x + image * t.x_image, t.tiles * LINE, 0)
    upcoming[1] = Runs(t.g + image * t.g_image, t.tiles * LINE, 0)
    if start >= t.total:
        return
    if images > 0 and q.groups == 1:
        upcoming[0].runs = ceil_div(images * t.x_image, upcoming[0].step)
        upcoming[1].runs = ceil_div(images * t.g_image, upcoming[1].step)
    elif images == 0 and not t.strided:     # some rows of an image
        upcoming[0] = Runs(upcoming[0].at + t.side * row * q.w, q.h * q.w, q.c)
        upcoming[1] = Runs(upcoming[1].at + t.side * row * q.ow, q.oh * q.ow, q.o)


cdef int by_weights(Gradient *t, int team) except -1:
    cdef int64_t pairs = ceil_div(t.outputs, 2), down = min(<int64_t>team, pairs)
    cdef int64_t across = min(ceil_div(team, down), t.inputs), i
    cdef bint once = t.rows == t.total
    cdef size_t own = t.v_bytes + t.d_bytes + max(t.stage_bytes, piece(POINTS * (2 * t.square + PAD) * sizeof(float)))
    cdef size_t u_bytes = 0 if once else piece(t.u_part * sizeof(float))
    cdef Block scratch = borrow(u_bytes + team * own)
    cdef char *base = <char *>scratch.data + u_bytes
    cdef unsigned mode = 0
    t.u = <float *>scratch.data if u_bytes else NULL
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(down * across, schedule="static"):
            rectangle(t, i // across * pairs // down * 2, min((i // across + 1) * pairs // down * 2, t.outputs),
                      i % across * t.inputs // across, (i % across + 1) * t.inputs // across, base + threadid() * own)
        leave(mode)
    return 0


cdef void rectangle(const Gradient *whole, int64_t top, int64_t bottom, int64_t left, int64_t right,
                    char *scratch) noexcept nogil:
    """The weights of blocks of outputs top .. bottom - 1 and blocks of inputs left .. right - 1."""
    cdef Gradient t = whole[0]
    cdef float *stage = <float *>(scratch + t.v_bytes + t.d_bytes)
    cdef float *u = t.u + top * t.u_block + left * t.square
    cdef int64_t start = 0, rows, i, o
    t.v, t.d = <float *>scratch, <float *>(scratch + t.v_bytes)
    while start < t.total:
        rows = min(t.rows, t.total - start)
        for i in range(left, right):
            transform(&t, start, 0, rows, i, stage)
        for o in range(top, bottom):
            transform(&t, start, 0, rows, t.inputs + o, stage)
        if t.u != NULL:
            sums(&t, right - left, bottom - top, rows * t.across, t.v + left * t.block, t.d + top * t.block,
                 u, t.u_step, t.u_block, start > 0, NULL)
        start += rows
    if t.u == NULL:
        for o in range(top // 2, ceil_div(bottom, 2)):
            for i in range(left, right):
                pair_weights(&t, 2 * o, i, stage)
        return
    for o in range(top, bottom):
        for i in range(left, right):
            weights(&t, o * t.inputs + i, t.u + o * t.u_block + i * t.square, t.u_step)


cdef void transform(const Gradient *t, int64_t start, int64_t row, int64_t rows, int64_t block,
                    float *stage) noexcept nogil:
    """Rows of tiles of a chunk that begins at `start`, from `row` on; one block of channels, pixels' or gradients'."""
    cdef const Conv2d *q = &t.q
    cdef Tiles tiles
    cdef int64_t lanes = K.lanes, stop = row + rows, c = block * lanes, o = (block - t.inputs) * lanes, image
    tiles.col, tiles.cols, tiles.whole_rows, tiles.whole_cols = 0, t.across, t.down, t.across
    tiles.image, tiles.images = 0, 1
    while row < stop:
        image = (start + row) // t.down
        tiles.row = (start + row) % t.down
        tiles.rows = min(min(t.down - tiles.row, stop - row), t.lines)
        if block < t.inputs and t.strided:
            K.winograd_stride_input(False, q, t.x + image * t.x_image + c * q.h * q.w, min(lanes, q.c - c), &tiles,
                                    stage, t.v + c * t.tiles + row * t.across * lanes, t.v_step)
        elif block < t.inputs and t.side == 3:
            K.winograd3_input(q, t.x + image * t.x_image + c * q.h * q.w, min(lanes, q.c - c), &tiles, stage,
                              t.v + c * t.tiles + row * t.across * lanes, t.v_step)
        elif block < t.inputs and t.side == 2:
            K.winograd5_input(q, t.x + image * t.x_image + c * q.h * q.w, min(lanes, q.c - c), &tiles, stage,
                              t.v + c * t.tiles + row * t.across * lanes, t.v_step)
        elif block < t.inputs:
            K.winograd4_input(q, t.x + image * t.x_image + c * q.h * q.w, min(lanes, q.c - c), &tiles, stage,
                              t.v + c * t.tiles + row * t.across * lanes, t.v_step)
        elif t.strided:
            K.winograd_stride_gradient(q, t.g + image * t.g_image + o * q.oh * q.ow, min(lanes, q.o - o), &tiles, stage,
                                       t.d + o * t.tiles + row * t.across * lanes, t.d_step)
        elif t.side == 3:
            K.winograd3_gradient(q, t.g + image * t.g_image + o * q.oh * q.ow, min(lanes, q.o - o), &tiles, stage,
                                 t.d + o * t.tiles + row * t.across * lanes, t.d_step)
        elif t.side == 2:
            K.winograd5_gradient(q, t.g + image * t.g_image + o * q.oh * q.ow, min(lanes, q.o - o), &tiles, stage,
                                 t.d + o * t.tiles + row * t.across * lanes, t.d_step)
        else:
            K.winograd_gradient(q, t.g + image * t.g_image + o * q.oh * q.ow, min(lanes, q.o - o), &tiles, stage,
                                t.d + o * t.tiles + row * t.across * lanes, t.d_step)
        row += tiles.rows


cdef void sums(const Gradient *t, int64_t inputs, int64_t outputs, int64_t tiles, const float *v, const float *d,
               float *u, int64_t u_step, int64_t u_block, bint accumulate, Runs *upcoming) noexcept nogil:
    """The sums over tiles at all points, for some blocks of channels."""
    if t.strided:
        K.winograd_stride_sums(inputs, outputs, tiles, v, t.v_step, d, t.d_step, t.block, u, u_step, u_block,
                               accumulate, upcoming)
    else:
        K.winograd_tile_sums(POINTS, inputs, outputs, tiles, v, t.v_step, d, t.d_step, t.block, u, u_step, u_block,
                             accumulate, upcoming)


cdef void pair_weights(const Gradient *t, int64_t o, int64_t i, float *u) noexcept nogil:
    """The weights of two blocks of outputs and one of inputs, from the only chunk."""
    cdef int64_t step = 2 * t.square + PAD, outputs = min(2, t.outputs - o), k
    sums(t, 1, outputs, t.tiles, t.v + i * t.block, t.d + o * t.block, u, step, t.square, False, NULL)
    for k in range(outputs):
        weights(t, (o + k) * t.inputs + i, u + k * t.square, step)


cdef void weights(const Gradient *t, int64_t task, const float *u, int64_t step) noexcept nogil:
    """The weights of a block of outputs and one of inputs."""
    cdef const Conv2d *q = &t.q
    cdef int64_t lanes = K.lanes, c = task % t.inputs * lanes, o = task // t.inputs * lanes
    cdef int64_t window = q.kh * q.kw
    cdef float *dw = t.dw + (o * q.c + c) * window
    if t.strided:
        K.winograd_stride_dw(u, step, t.parts, t.u_part, min(lanes, q.c - c), min(lanes, q.o - o), dw,
                             q.c * window)
    elif t.side == 3:
        K.winograd3_dw(u, step, t.parts, t.u_part, min(lanes, q.c - c), min(lanes, q.o - o), dw, q.c * window)
    elif t.side == 2:
        K.winograd5_dw(u, step, t.parts, t.u_part, min(lanes, q.c - c), min(lanes, q.o - o), dw, q.c * window)
    else:
        K.winograd_weights(u, step, t.parts, t.u_part, min(lanes, q.c - c), min(lanes, q.o - o), dw, q.c * window)


cdef object gradient(g, x, geom, int64_t window, bint strided):
    cdef Gradient t
    cdef Conv2d *q = &t.q
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    if strided:
        read_strided_3x3(geom, q)
    else:
        read_plain(geom, q, window)
    expect_shape("g", g, q.n, q.o, q.oh, q.ow)
    expect_shape("x", x, q.n, q.c, q.h, q.w)
    t.x_image, t.g_image = q.c * q.h * q.w, q.o * q.oh * q.ow
    q.c //= q.groups
    q.o //= q.groups
    dw = empty_images(q.o * q.groups, q.c, window, window)
    if q.n == 0:
        dw.fill(0)
        return dw
    t.x, t.g, t.dw, t.strided = f32(x), f32(g), f32(dw), strided
    plan(&t)
    cdef int team = threads_for(<double>q.n * q.oh * q.ow * q.o * q.c * window * window / 64)
    for _ in range(q.groups):
        if t.parts == 1:
            by_weights(&t, team)
        else:
            by_tiles(&t, team)
        t.x += q.c * q.h * q.w
        t.g += q.o * q.oh * q.ow
        t.dw += window * window * q.o * q.c
    return dw


def conv2d_dw(g, x, geom):
    """Gradient of conv2d by its weights: g[n, o, oh, ow], x[n, c, h, w] -> [o, c / groups, 3, 3].

    Windows of 3x3, stride 1 and no dilation: else ValueError, as when the arrays do not have the geometry's
    sizes. float32 and C-contiguous, else NotImplemented.
    """
    return gradient(g, x, geom, 3, False)


def conv2d3_dw(g, x, geom):
    """conv2d_dw of windows of 4x4."""
    return gradient(g, x, geom, 4, False)


def conv2d5_dw(g, x, geom):
    """conv2d_dw of windows of 5x5."""
    return gradient(g, x, geom, 5, False)


def conv2d_stride2_dw(g, x, geom):
    """conv2d_dw with stride 2."""
    return gradient(g, x, geom, 3, True)
