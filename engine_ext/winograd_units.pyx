"""Winograd's tiles: how images are cut into units of them, and what becomes of one unit, serially.

A unit's transforms fit a core's L2 cache. Its inputs are transformed, multiplied by weights, position by position, and
the products transformed into outputs, each step by a kernel of kernels/winograd*.c. Lanes of vectors are channels, or
tiles where there are many and they fill the lanes: see kernels/winograd_tiles.c. Bits are the same.
"""

from libc.stdint cimport int64_t

from engine_ext._isa cimport Conv2d, K, Tiles
from engine_ext.geometry cimport ceil_div

cdef enum:
    UNIT_FLOATS = 1 << 17   # inputs and products of a unit
    UNIT_TILES = 56         # at most
    STRIDED_FLOATS = 1 << 18    # the same with stride 2, where a tile has more of them
    FEW_TILES = 128         # at most so many (half with stride 2): weights are transformed where they are needed
    VECTORS_FLOATS = 3 << 16    # inputs and products of a unit with tiles in lanes: whole planes are read in runs
    TILE_VECTORS = 8        # of such a unit, at most: the kernel's


cdef void shape_tiles(Winograd *f) noexcept:
    """Fills in what tiles are like."""
    f.top = f.left = 0
    f.window = window_side(f.m) * window_side(f.m)
    if f.m != STRIDED:
        f.side = f.apart = 2 if f.m == FIVE else f.m
        f.overlap = window_side(f.m) - 1
        f.positions = f.points = (f.side + f.overlap) * (f.side + f.overlap)
        return
    f.side, f.apart, f.overlap, f.positions, f.points = 4, 8, 1, 81, 36
    if f.rotated:
        f.side, f.apart = 8, 4
        f.top, f.left = 2 - f.q.pt - f.q.pt % 2, 2 - f.q.pl - f.q.pt % 2


cdef int64_t short_tiles(const Winograd *f, int64_t tiles, int64_t outputs) noexcept:
    """How many of the tiles along an axis have an output less. Not more than the last where windows are pooled or lanes
    may be tiles, which lie 4 apart; nor where few channels make products cheap: bits do not depend on pooling there."""
    cdef int64_t most = tiles
    if f.m == 4 and (f.taps != NULL or f.q.ow % 4 == 0 or min(f.q.c, f.q.o) < 64):
        most = 1
    return min((tiles * f.side - outputs) // (2 if f.side == 8 else 1), most)


cdef bint worth_vectors(const Winograd *f, int team) noexcept:
    """Whether lanes are to be tiles, where they can be: two, four ... LANES fill a row."""
    cdef const Conv2d *q = &f.q
    cdef int64_t lanes = K.lanes, channels = q.c + q.o, pairs = ceil_div(q.n * f.rows * f.cols, 2 * lanes)
    if f.m != 4 or f.taps != NULL or q.pt != 1 or q.pl != 1 or q.oh != q.h or q.ow != q.w or q.w != 4 * f.cols:
        return False
    if f.cols < 2 or f.cols > lanes or f.cols & (f.cols - 1):
        return False
    if 7 * ceil_div(pairs, team) * team > 8 * pairs:    # threads would wait for the last unit
        return False
    if lanes == 16:
        return f.cols <= 4 or f.cols * channels <= 512  # 1.02 to 1.2 times as fast; beyond, 0.9 to 1.05
    return channels <= 256 and (f.cols == 2 or (f.cols == 4 and channels >= 96))    # AVX2: 1.1 to 1.3; beyond, 0.8 to 1


cdef void plan_vectors(Winograd *f, int team) noexcept:
    """Cuts the work into units of pairs of vectors of tiles."""
    cdef Conv2d *q = &f.q
    cdef int64_t lanes = K.lanes, pairs = ceil_div(q.n * f.rows * f.cols, 2 * lanes), pair, most
    f.v_step = f.u_step = odd_lines(q.c * 2 * lanes)
    f.m_step = odd_lines(min(q.o + 1, 2 * lanes) * 2 * lanes)
    pair = f.positions * (f.v_step + f.m_step)
    most = min(min(VECTORS_FLOATS // pair, TILE_VECTORS // 2), ceil_div(f.rows * f.cols, 2 * lanes))
    most = max(min(most, pairs // (4 * team)), 1)
    f.vectors = 2 * most
    f.units = ceil_div(pairs, most)
    f.v_size, f.u_size, f.m_size = most * f.positions * f.v_step, f.points * f.u_step, most * f.positions * f.m_step
    f.stage_size = 0


cdef void plan(Winograd *f, int team) noexcept:
    """Fills in how the work is cut, which follows from f.q, the tiles and the number of threads."""
    cdef Conv2d *q = &f.q
    cdef int64_t lanes = K.lanes, wanted = UNIT_TILES, row_units, per_image, shares = team
    f.blocks, f.outs = ceil_div(q.c, lanes), ceil_div(q.o, 2 * lanes)
    f.rows, f.cols = ceil_div(q.oh + f.top, f.side), ceil_div(q.ow + f.left, f.side)
    f.whole_rows = f.rows - short_tiles(f, f.rows, q.oh + f.top)
    f.whole_cols = f.cols - short_tiles(f, f.cols, q.ow + f.left)
    per_image = f.rows * f.cols
    f.vectors = 0
    f.few = q.n * per_image <= (FEW_TILES // 2 if f.m == STRIDED else FEW_TILES)
    if f.few:
        shares = ceil_div(team, min(f.outs, f.blocks))
    else:
        if worth_vectors(f, team):
            plan_vectors(f, team)
            return
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
    f.w += f.window * f.q.c * o
    f.y += y
    f.bias = f.bias + o if f.bias != NULL else NULL
    f.residual = f.residual + y if f.residual != NULL else NULL
    f.taps = f.taps + y if f.taps != NULL else NULL
    f.u = f.u + group * f.outs * f.u_size if f.u != NULL else NULL
    return f


cdef inline int64_t unit_tiles(const Winograd *f, int64_t unit, Tiles *t) noexcept nogil:
    """The rectangle of a unit, whose `image` is the first of its images; returns which that is."""
    cdef int64_t across = ceil_div(f.cols, f.unit_cols), down = ceil_div(f.rows, f.unit_rows)
    cdef int64_t first = unit // (across * down) * f.unit_images
    t.col, t.row = unit % across * f.unit_cols, unit // across % down * f.unit_rows
    t.cols, t.rows = min(f.unit_cols, f.cols - t.col), min(f.unit_rows, f.rows - t.row)
    t.whole_rows, t.whole_cols = f.whole_rows, f.whole_cols
    t.image, t.images = 0, min(f.unit_images, f.q.n - first)
    return first


cdef void transform_input(const Winograd *f, int64_t unit, int64_t block, float *stage, float *v) noexcept nogil:
    """One block of channels of a unit."""
    cdef Tiles t
    cdef int64_t lanes = K.lanes, plane = f.q.h * f.q.w
    cdef int64_t first = unit_tiles(f, unit, &t), channels = min(lanes, f.q.c - block * lanes)
    cdef const float *x
    v += block * f.tiles * lanes
    for t.image in range(t.images):
        x = f.x + (first + t.image) * f.x_image + block * lanes * plane
        if f.m == STRIDED:
            K.winograd_stride_input(f.rotated, &f.q, x, channels, &t, stage, v, f.v_step)
        elif f.m == 3:
            K.winograd3_input(&f.q, x, channels, &t, stage, v, f.v_step)
        elif f.m == FIVE:
            K.winograd5_input(&f.q, x, channels, &t, stage, v, f.v_step)
        elif f.m == 4:
            K.winograd4_input(&f.q, x, channels, &t, stage, v, f.v_step)
        else:
            K.winograd2_input(&f.q, x, channels, &t, stage, v, f.v_step)


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
    elif f.m == 3:
        K.winograd3_weights(w, f.out_step, outs, channels, u, step)
    elif f.m == FIVE:
        K.winograd5_weights(w, f.out_step, f.in_step, f.rotated, outs, channels, u, step)
    elif f.m == 4:
        K.winograd4_weights(w, f.out_step, f.in_step, f.rotated, outs, channels, u, step)
    else:
        K.winograd2_weights(w, f.out_step, f.in_step, f.rotated, outs, channels, u, step)


cdef void weight_task(const Winograd *whole, int64_t group, int64_t task) noexcept nogil:
    """block_weights of a group."""
    cdef Winograd f = of_group(whole, group)
    block_weights(&f, task)


cdef void block_weights(const Winograd *f, int64_t task) noexcept nogil:
    """Weights of LANES outputs and LANES inputs: `task` counts (half block of outputs, block of inputs)."""
    cdef int64_t half = task // f.blocks, first = task % f.blocks * K.lanes
    transform_weights_of(f, half, first, min(<int64_t>K.lanes, f.q.c - first),
                         f.u + half // 2 * f.u_size + first * 2 * K.lanes, f.u_step)


cdef void multiply(const Winograd *f, int64_t unit, int64_t block, int64_t first, int64_t channels, const float *v,
                   const float *u, int64_t u_step, float *products) noexcept nogil:
    """Products of a unit by some input channels, for one block of outputs; added to those of the channels before."""
    cdef Tiles t
    cdef int64_t lanes = K.lanes, outs = min(2 * lanes, f.q.o - block * 2 * lanes)
    unit_tiles(f, unit, &t)
    v += first * f.tiles
    if f.m == STRIDED:
        K.winograd_stride_products(&t, channels, outs, v, f.v_step, f.tiles * lanes, u, u_step, products, f.m_step,
                                   first > 0)
    else:
        K.winograd_products(f.side + f.overlap, &t, channels, outs, v, f.v_step, f.tiles * lanes, u, u_step, products,
                            f.m_step, first > 0)


cdef void write_output(const Winograd *f, int64_t unit, int64_t block, const float *products,
                       float *stage) noexcept nogil:
    """A unit's outputs from their products, for one block of outputs."""
    cdef Tiles t
    cdef int64_t lanes = K.lanes, half, o, outs
    cdef int64_t first = unit_tiles(f, unit, &t)
    cdef int64_t plane = (f.q.oh // 2) * (f.q.ow // 2) if f.taps != NULL else f.q.oh * f.q.ow
    cdef const float *bias
    cdef const float *added
    cdef const float *m
    for t.image in range(t.images):
        for half in range(2):
            o = (2 * block + half) * lanes
            outs = min(lanes, f.q.o - o)
            if outs <= 0:
                break
            bias = f.bias + o if f.bias != NULL else NULL
            m = products + half * lanes
            o = (first + t.image) * f.y_image + o * plane
            added = f.residual + o if f.residual != NULL else NULL
            if f.taps != NULL and f.m == FIVE:
                K.winograd5_output_pool(&f.q, &t, m, f.m_step, outs, bias, stage, f.y + o, f.taps + o)
            elif f.taps != NULL:
                K.winograd4_output_pool(&f.q, &t, m, f.m_step, outs, bias, stage, f.y + o, f.taps + o)
            elif f.m == STRIDED:
                K.winograd_stride_output(f.rotated, &f.q, &t, m, f.m_step, outs, bias, f.relu, stage, f.y + o)
            elif f.m == 3:
                K.winograd3_output(&f.q, &t, m, f.m_step, outs, bias, added, f.relu, stage, f.y + o)
            elif f.m == FIVE:
                K.winograd5_output(&f.q, &t, m, f.m_step, outs, bias, added, f.relu, stage, f.y + o)
            elif f.m == 4:
                K.winograd4_output(&f.q, &t, m, f.m_step, outs, bias, added, f.relu, stage, f.y + o)
            else:
                K.winograd2_output(&f.q, &t, m, f.m_step, outs, bias, added, f.relu, stage, f.y + o)


cdef void vectors_task(const Winograd *f, int64_t unit, float *v, float *products) noexcept nogil:
    """A unit with tiles in lanes."""
    cdef int64_t lanes = K.lanes, first = unit * f.vectors * lanes, o = 0, i, outs, at
    cdef int64_t vectors = min(f.vectors, ceil_div(f.q.n * f.rows * f.cols - first, lanes))
    cdef int64_t v_pair = f.positions * f.v_step, m_pair = f.positions * f.m_step
    K.winograd_tiles_input(&f.q, f.x, f.x_image, first, f.cols, vectors, v, f.v_step, v_pair)
    while o < f.q.o:
        outs = min(2 * lanes, f.q.o - o)
        for i in range(ceil_div(vectors, 2)):
            K.winograd_tiles_products(min(2, vectors - 2 * i), f.q.c, outs, v + i * v_pair, f.v_step,
                                      f.u + o // (2 * lanes) * f.u_size, f.u_step, products + i * m_pair, f.m_step)
        at = o * f.q.h * f.q.w
        K.winograd_tiles_output(&f.q, first, f.cols, vectors, products, f.m_step, m_pair, outs,
                                f.bias + o if f.bias != NULL else NULL,
                                f.residual + at if f.residual != NULL else NULL, f.relu, f.y + at, f.y_image)
        o += outs


cdef void unit_tasks(const Winograd *whole, int64_t first, int64_t last, float *u, float *scratch) noexcept nogil:
    """Units of all groups, counted through; each group's weights are transformed to `u` where they are not yet."""
    cdef Winograd f
    cdef int64_t task, group = -1, i
    for task in range(first, last):
        if task // whole.units != group:
            group = task // whole.units
            f = of_group(whole, group)
            if f.u == NULL:
                f.u = u
                for i in range(ceil_div(f.q.o, K.lanes) * f.blocks):
                    block_weights(&f, i)
        unit_task(&f, task % whole.units, scratch)


cdef void unit_task(const Winograd *f, int64_t unit, float *scratch) noexcept nogil:
    """A unit from its pixels to its outputs."""
    cdef float *v = scratch + f.stage_size
    cdef float *products = v + f.v_size
    cdef int64_t i
    if f.vectors:
        vectors_task(f, unit, v, products)
        return
    for i in range(f.blocks):
        transform_input(f, unit, i, scratch, v)
    for i in range(f.outs):
        multiply(f, unit, i, 0, f.q.c, v, f.u + i * f.u_size, f.u_step, products)
        write_output(f, unit, i, products, scratch)


cdef void outputs_tasks(const Winograd *whole, int64_t ranges, int64_t first, int64_t last, float *v,
                        float *scratch) noexcept nogil:
    """Blocks of outputs of ranges of units, counted through; inputs are transformed to `v` where they are not yet."""
    cdef Winograd f = whole[0]
    cdef int64_t task, part, ready = -1, start, stop, unit, i
    f.v = v if whole.v == NULL else whole.v
    for task in range(first, last):
        part = task // f.outs
        start, stop = part * f.units // ranges, (part + 1) * f.units // ranges
        if whole.v == NULL and part != ready:
            ready = part
            for unit in range(start, stop):
                for i in range(f.blocks):
                    transform_input(&f, unit, i, scratch, f.v + unit * f.v_size)
        outputs_task(&f, task % f.outs, start, stop, scratch)


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
