"""Gradients of a convolution by its weights and bias: sums over pixels and images.

The batch is cut into parts, each summed in order by one thread, and the parts are added in order; how many there are
depends on shapes alone, and so do the bits. Within a part, four ways:

STRIPS  windows of one tap: dw[o, c] = g[o, pixel] * x[c, pixel], strips of x transposed, g read as it is
PACKED  dw[o, tap] = g[o, pixel] * patch[pixel, tap], both packed into panels of the register tile
WINDOW  taps down and outputs across, g transposed into a panel, taps read from the image: windows of 3x3 and 5x5
DOTS    dot products along image rows, neither side packed: few input channels

STRIPS and DOTS read images staged for stride 1 (stage.pxd), the others only padded ones.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K, Stage, staged_height, staged_width
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_f32, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for
from engine_ext.stage cimport SLACK, Axis, axis_as_is, horizontal, make_stage, stage_floats, tap_offset, vertical

cnp.import_array()

cdef enum:
    PIXELS = 512            # pixels summed in one go,
    STRIP_PIXELS = 256      # and of a strip
    ADD = 1                 # as in product.c
    FAR = 4
    PARTS = 16              # partial sums over the batch, and tasks worth having
    PARTS_FLOATS = 1 << 22  # size of the partial sums, all together
    OUTPUTS = 8             # DOTS: outputs of a task when there are few images


cdef enum Way:
    STRIPS
    PACKED
    WINDOW
    DOTS


cdef struct Weights:
    # A weight gradient.
    Conv2d q
    const float *x
    const float *g
    float *dw
    float *sums             # [part][group], then [o][taps] or, for WINDOW, [panel][taps][NR]
    Way way
    Axis down, along
    Stage stage
    bint staged
    int64_t plane, width    # floats of a channel and of an image row, staged or not
    int64_t *offsets        # DOTS: [taps] from a pixel to its taps
    int64_t oh, ow          # output lines and pixels of one; STRIPS: each pixel a line
    int64_t rows, taps      # of one group: outputs, c / groups * kh * kw
    int64_t parts           # partial sums over the batch
    int64_t step            # floats of one part
    int64_t bundles, wide   # tasks of a part and group; of one: panels, strips, channels (WINDOW), outputs (DOTS)
    int64_t lines           # output rows summed in one go
    int64_t images          # PACKED: small images packed one behind the other
    size_t panel_bytes, window_bytes, scratch_bytes     # of a task: g, then patches or vector sums, then the image


cdef Way best_way(const Weights *t) noexcept nogil:
    """The way of fewest vector operations, counted per pixel and group; constants fitted to benchmarks."""
    cdef const Conv2d *q = &t.q
    cdef double lanes = K.lanes, channels = q.c // q.groups, across = ceil_div(t.rows, K.lanes)
    # Transposing a vector of planes; those a multiple of 4 KiB apart fall on the same few lines of the cache.
    cdef double transpose = (1.2 if q.oh * q.ow % 1024 == 0 else 0.45) * lanes
    cdef double packed = t.rows * (1.1 * ceil_div(t.taps, K.lanes) + 0.5) + 6 * channels * q.kh
    cdef double window = t.taps * across + transpose * across
    cdef double dots = 1.45 * t.rows * t.taps * ceil_div(q.ow, K.lanes) / q.ow
    if q.kh * q.kw == 1:
        return STRIPS
    if q.ow >= K.lanes and dots < packed and dots < window:
        return DOTS
    if q.kh == q.kw and q.kh in (3, 5) and window < packed:
        return WINDOW
    return PACKED


cdef void plan(Weights *t) noexcept nogil:
    """Cuts the work: every number here depends on shapes and the instruction set only."""
    cdef Conv2d *q = &t.q
    cdef int64_t channels = q.c // q.groups, panels, size, wanted
    t.rows, t.taps = q.o // q.groups, channels * q.kh * q.kw
    t.way = best_way(t)
    t.oh = q.oh * q.ow if t.way == STRIPS else q.oh
    t.ow = 1 if t.way == STRIPS else q.ow
    if t.way in (STRIPS, DOTS):
        t.down, t.along = vertical(q), horizontal(q)
        t.stage = make_stage(&t.down, &t.along)
        t.staged = not axis_as_is(&t.down) or not axis_as_is(&t.along)
    else:
        t.stage = Stage(q.h, q.w, q.pt, q.pl, 1, 1, 1, 1, staged_height(q), staged_width(q))
        t.staged = q.pt != 0 or q.pb != 0 or q.pl != 0 or q.pr != 0
    t.width, t.plane = t.stage.width, stage_floats(&t.stage)
    t.lines = max(min(PIXELS // t.ow, t.oh), 1)
    if t.way == STRIPS:     # nearly equal runs of whole vectors
        t.lines = ceil_div(ceil_div(t.oh, ceil_div(t.oh, STRIP_PIXELS)), K.lanes) * K.lanes
    t.images = max(min(PIXELS // (q.oh * q.ow), q.n), 1) if t.way == PACKED else 1
    size = t.lines * t.ow * t.images
    if t.way == PACKED:
        t.step = q.o * t.taps
        t.panel_bytes = piece(ceil_div(t.rows, K.mr) * K.mr * size * sizeof(float))
        t.window_bytes = piece(size * K.nr * sizeof(float) + SLACK)
    elif t.way == STRIPS:
        t.step = q.o * t.taps
        t.panel_bytes = 0
        t.window_bytes = piece(size * K.strip * sizeof(float))
    elif t.way == WINDOW:
        t.step = q.groups * ceil_div(t.rows, K.nr) * K.nr * t.taps
        t.panel_bytes = piece(size * K.nr * sizeof(float))
        t.window_bytes = 0
    else:
        t.step = q.o * t.taps
        t.panel_bytes = 0
        t.window_bytes = piece(t.rows * t.taps * K.lanes * sizeof(float))
    t.scratch_bytes = t.panel_bytes + t.window_bytes
    if t.staged:
        t.scratch_bytes += piece(t.images * channels * t.plane * sizeof(float) + SLACK)
    t.parts = max(min(min(q.n, PARTS), PARTS_FLOATS // t.step), 1)
    wanted = ceil_div(PARTS, t.parts * q.groups)
    if t.way in (STRIPS, PACKED):
        panels = ceil_div(t.taps, K.strip if t.way == STRIPS else K.nr)
        t.wide = ceil_div(panels, min(panels, wanted))
        t.bundles = ceil_div(panels, t.wide)
    elif t.way == WINDOW:
        panels = ceil_div(t.rows, K.nr)
        t.wide = max(ceil_div(channels, ceil_div(wanted, panels)), min(channels, 4))
        t.bundles = panels * ceil_div(channels, t.wide)
    else:
        t.wide = min(max(ceil_div(t.rows, wanted), OUTPUTS), t.rows)    # each task stages its images again
        t.bundles = ceil_div(t.rows, t.wide)


cdef int weight_gradient(Weights *t) except -1:
    plan(t)
    cdef Conv2d *q = &t.q
    cdef double flops = <double>q.n * q.oh * q.ow * q.o * t.taps
    cdef int team = threads_for(flops / 16 + <double>q.n * q.oh * q.ow * t.taps)
    cdef int64_t panels = ceil_div(t.rows, K.nr), i
    cdef unsigned mode = 0
    cdef bint direct = t.parts == 1 and t.way != WINDOW
    cdef Block offsets = borrow(t.taps * sizeof(int64_t))
    cdef Block scratch = borrow(t.scratch_bytes * team)
    cdef Block sums = None if direct else borrow(t.parts * t.step * sizeof(float))
    t.sums = t.dw if direct else <float *>sums.data
    t.offsets = <int64_t *>offsets.data
    for i in range(t.taps if t.way == DOTS else 0):
        t.offsets[i] = i // (q.kh * q.kw) * t.plane + tap_offset(&t.down, &t.along, i // q.kw % q.kh, i % q.kw)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(t.parts * q.groups * t.bundles, schedule="static"):
            sum_part(t, i, <char *>scratch.data + threadid() * t.scratch_bytes)
        if t.way == WINDOW:
            for i in prange(q.groups * panels, schedule="static"):
                K.sum_window_parts(t.sums + i * t.taps * K.nr, t.parts, t.step, t.taps,
                                   min(K.nr, t.rows - i % panels * K.nr),
                                   t.dw + (i // panels * t.rows + i % panels * K.nr) * t.taps, t.taps)
        elif not direct:
            for i in prange(ceil_div(t.step, 1024), schedule="static"):
                K.sum_columns(t.sums + i * 1024, t.parts, min(1024, t.step - i * 1024), t.step, t.dw + i * 1024)
        leave(mode)
    return 0


cdef void sum_part(
    const Weights *t,
    int64_t task,           # counts (part, group, bundle)
    char *scratch,
) noexcept nogil:
    """One bundle of one part: its images in order, each by groups of output rows."""
    cdef const Conv2d *q = &t.q
    cdef int64_t channels = q.c // q.groups, bundle = task % t.bundles, group = task // t.bundles % q.groups
    cdef int64_t part = task // t.bundles // q.groups, line, c, i, count, pixels = q.oh * q.ow
    cdef int64_t first = part * q.n // t.parts, last = (part + 1) * q.n // t.parts, image = first, step = q.h * q.w
    cdef float *panel = <float *>scratch
    cdef float *windows = <float *>(scratch + t.panel_bytes)
    cdef float *stage = <float *>(scratch + t.panel_bytes + t.window_bytes)
    cdef const float *x
    cdef const float *end = t.x + q.n * q.c * step
    cdef const float *g
    if t.staged:
        end = stage + t.images * channels * t.plane + SLACK // <int64_t>sizeof(float)
    if t.way == DOTS:
        memset(windows, 0, min(t.wide, t.rows - bundle * t.wide) * t.taps * K.lanes * sizeof(float))
    while image < last:
        count = min(t.images, last - image)
        x = t.x + (image * q.c + group * channels) * step
        g = t.g + (image * q.o + group * t.rows) * pixels
        if t.staged:
            for i in range(count):
                for c in range(channels):
                    K.stage_plane(&t.stage, x + (i * q.c + c) * step, stage + (i * channels + c) * t.plane)
            x = stage
        for line in range(ceil_div(t.oh, t.lines)):
            if t.way == PACKED:
                packed_lines(t, part, group, bundle, line * t.lines, count, x, end, g, image > first or line > 0,
                             panel, windows)
            elif t.way == STRIPS:
                strips_lines(t, part, group, bundle, line * t.lines, x, g, image > first or line > 0, windows)
            elif t.way == WINDOW:
                window_lines(t, part, group, bundle, line * t.lines, x, g, image > first or line > 0, panel)
            else:
                dots_lines(t, bundle, line * t.lines, x, g, windows)
        image += count
    if t.way == DOTS:
        K.sum_vectors(windows, min(t.wide, t.rows - bundle * t.wide) * t.taps,
                      t.sums + part * t.step + (group * t.rows + bundle * t.wide) * t.taps)


cdef void packed_lines(
    const Weights *t, int64_t part, int64_t group, int64_t bundle, int64_t line, int64_t images,
    const float *x, const float *end,   # IN, [images][c / groups][height][width]
    const float *g,                     # IN [images][o / groups][oh][ow]
    bint accumulate,
    float *panels,                      # scratch [row panels][pixels][MR]
    float *windows,                     # scratch [pixels][NR]
) noexcept nogil:
    cdef const Conv2d *q = &t.q
    cdef int64_t mr = K.mr, nr = K.nr, pixels = q.oh * q.ow, start = line * t.ow, r, j, i, count, row_panels
    cdef int64_t n = min(t.lines, t.oh - line) * t.ow, image = (q.c // q.groups if t.staged else q.c) * t.plane
    cdef float *sums = t.sums + part * t.step + group * t.rows * t.taps
    row_panels = ceil_div(t.rows, mr)
    for r in range(row_panels):
        for i in range(images):
            K.pack_columns(panels + (r * images + i) * n * mr, K.mr, g + (i * q.o + r * mr) * pixels + start, pixels,
                           min(mr, t.rows - r * mr), n)
    for j in range(bundle * t.wide, min((bundle + 1) * t.wide, ceil_div(t.taps, nr))):
        count = min(nr, t.taps - j * nr)
        for i in range(images):
            K.pack_windows(windows + i * n * nr, q, x + i * image, end, j * nr, count, start, n)
        for r in range(row_panels):
            K.gemm_tile(min(mr, t.rows - r * mr), count, images * n, panels + r * images * n * mr, windows, nr,
                        sums + r * mr * t.taps + j * nr, t.taps, NULL, NULL, accumulate)


cdef void strips_lines(
    const Weights *t, int64_t part, int64_t group, int64_t bundle, int64_t line,
    const float *x,                     # IN, the image [c / groups][oh * ow]
    const float *g,                     # IN [o / groups][oh * ow]
    bint accumulate,
    float *strip,                       # scratch [pixels][strip]
) noexcept nogil:
    cdef int64_t lanes = K.lanes, vectors = ceil_div(t.taps, lanes), strips = ceil_div(t.taps, K.strip), j, c, cols
    cdef int64_t n = min(t.lines, t.oh - line)
    cdef float *sums = t.sums + part * t.step + group * t.rows * t.taps
    for j in range(bundle * t.wide, min((bundle + 1) * t.wide, strips)):
        c = j * vectors // strips * lanes
        cols = min((j + 1) * vectors // strips * lanes, t.taps) - c
        K.transpose_strip(strip, x + c * t.plane + line, t.plane, cols, n)
        K.gemm_strip(t.rows, cols, n, g + line, t.oh, 1, strip, ceil_div(cols, lanes) * lanes, NULL, sums + c, t.taps,
                     NULL, NULL, FAR | (ADD if accumulate else 0))


cdef void window_lines(
    const Weights *t, int64_t part, int64_t group, int64_t bundle, int64_t line,
    const float *x,                     # IN, the image [c / groups][height][width]
    const float *g,                     # IN [o / groups][oh][ow]
    bint accumulate,
    float *panel,                       # scratch [pixels][NR]
) noexcept nogil:
    cdef const Conv2d *q = &t.q
    cdef int64_t nr = K.nr, pixels = q.oh * q.ow, channels = q.c // q.groups, c, lines = min(t.lines, q.oh - line)
    cdef int64_t panels = ceil_div(t.rows, nr), p = bundle % panels, cols = min(nr, t.rows - p * nr)
    cdef int64_t c0 = bundle // panels * t.wide, c1 = min(c0 + t.wide, channels), window = q.kh * q.kw
    cdef float *sums = t.sums + part * t.step + (group * panels + p) * t.taps * nr
    if not accumulate:
        memset(sums + c0 * window * nr, 0, (c1 - c0) * window * nr * sizeof(float))
    K.pack_columns(panel, K.nr, g + p * nr * pixels + line * q.ow, pixels, cols, lines * q.ow)
    for c in range(c0, c1):
        K.window_sums(q, cols, x + c * t.plane + line * q.sh * t.width, t.width, panel, lines, sums + c * window * nr)


cdef void dots_lines(
    const Weights *t, int64_t bundle, int64_t line,
    const float *x,                     # IN, the image [c / groups][height][width]
    const float *g,                     # IN [o / groups][oh][ow]
    float *sums,                        # IN, OUT [outputs][taps][LANES]
) noexcept nogil:
    cdef const Conv2d *q = &t.q
    cdef int64_t o0 = bundle * t.wide
    K.row_dots(min(t.wide, t.rows - o0), min(t.lines, q.oh - line), q.ow, g + (o0 * q.oh + line) * q.ow, q.oh * q.ow,
               x + line * t.width, t.width, t.offsets, t.taps, sums)


def conv2d_dw(g, x, geom):
    """Gradient of conv2d by its weights: g[n, o, oh, ow], x[n, c, h, w] -> [o, c / groups, kh, kw].

    float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have the geometry's sizes.
    """
    cdef Weights t
    if not is_f32(g) or not is_f32(x):
        return NotImplemented
    read_conv2d(geom, &t.q)
    if t.q.uh != 1 or t.q.uw != 1:
        raise ValueError(f"the weight gradient takes forward geometries only, got {geom.ints}")
    expect_shape("g", g, t.q.n, t.q.o, t.q.oh, t.q.ow)
    expect_shape("x", x, t.q.n, t.q.c, t.q.h, t.q.w)
    dw = empty_images(t.q.o, t.q.c // t.q.groups, t.q.kh, t.q.kw)
    if t.q.n == 0:
        dw.fill(0)
        return dw
    t.x, t.g, t.dw = f32(x), f32(g), f32(dw)
    weight_gradient(&t)
    return dw


def channel_sum(g, y=None):
    """g[n, c, ...] -> [c], the sum over all but the channels; float32, contiguous, else NotImplemented.

    With y, of that shape, of what a ReLU with that result lets through.
    """
    if not is_f32(g) or PyArray_NDIM(g) < 2 or not (y is None or is_f32(y)):
        return NotImplemented
    if y is not None and not cnp.PyArray_SAMESHAPE(<cnp.ndarray>g, <cnp.ndarray>y):
        raise ValueError(f"channel_sum: g has shape {g.shape}, y {y.shape}: expected the same")
    cdef int64_t n = PyArray_DIM(g, 0), c = PyArray_DIM(g, 1), plane = 1, i
    for i in range(2, PyArray_NDIM(g)):
        plane *= PyArray_DIM(g, i)
    cdef int team = threads_for(<double>n * c * plane)
    cdef unsigned mode = 0
    cdef Py_ssize_t[1] shape = [c]
    out = empty_f32(1, shape)
    cdef const float *src = f32(g)
    cdef const float *result = NULL if y is None else f32(y)
    cdef float *sums = f32(out)
    with nogil, parallel(num_threads=team):
        mode = enter()
        for i in prange(c, schedule="static"):
            sums[i] = sum_channel(src + i * plane, result + i * plane if result != NULL else NULL, n, c * plane, plane)
        leave(mode)
    return out


cdef float sum_channel(const float *g, const float *y, int64_t n, int64_t step, int64_t plane) noexcept nogil:
    cdef double total = 0
    cdef int64_t i
    for i in range(n):
        total += K.sum_run(g + i * step, y + i * step if y != NULL else NULL, plane)
    return <float>total
