"""Convolution, and its gradient by the input: images are staged so that every convolution has stride 1, then one of
five ways computes it (conv_ways.pyx); no matrix of patches is ever written out.

A staged image lies in planes of zeros wide enough for its padding, columns and rows that a stride takes together side
by side (stage.pxd). The input gradient is the same convolution with rotated, swapped weights; that of a strided one
falls into phases, outputs a stride apart, each with its own few taps, which are woven into one image at the end.
Behind a forward convolution, ReLU and 2x2 max pooling may follow while a band of outputs is in the cache. The
weight gradient is in conv_dw.pyx, explicit im2col in unfold.pyx.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

cimport numpy as cnp
from numpy cimport PyArray_DATA, PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K, Pool2d
from engine_ext.arrays cimport f32, is_f32
from engine_ext.conv_ways cimport (
    ACROSS,
    DIRECT,
    FLIPPED,
    PACKED,
    STRIPS,
    Convolution,
    Phase,
    Region,
    Way,
    compute_region,
    panel_start,
    region_scratch,
)
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_array, empty_f32, empty_images, piece
from engine_ext.parallel cimport enter, leave, threads_for
from engine_ext.pool cimport expect_2x2, windows_2x2
from engine_ext.stage cimport (
    SLACK,
    Axis,
    axis_as_is,
    axis_outputs,
    axis_phase,
    axis_place,
    horizontal,
    make_stage,
    stage_floats,
    tap_offset,
    vertical,
)

cnp.import_array()

cdef enum:
    STAGE_FLOATS = 1 << 17  # of images staged at a time, per thread
    BAND_FLOATS = 1 << 17   # of a band computed before it is woven or pooled
    TASKS = 16              # worth having, whatever the number of threads
    TASK = 1 << 16          # multiply-adds worth a task of their own


cdef int convolve(Convolution *f) except -1:
    """y = x * w + bias for the geometry f.q; fills the rest of `f` itself."""
    cdef Conv2d *q = &f.q
    if (q.uh > 1 and q.sh > 1) or (q.uw > 1 and q.sw > 1):
        raise ValueError("a convolution has a stride or an upsampled image, not both along one axis")
    f.down, f.along = vertical(q), horizontal(q)
    f.stage = make_stage(&f.down, &f.along)
    f.plane = stage_floats(&f.stage)
    f.rows = q.o // q.groups
    f.uh, f.uw = min(q.uh, q.oh), min(q.uw, q.ow)
    f.woven = f.uh * f.uw > 1
    f.hollow = f.woven and f.bias == NULL
    f.way = best_way(f)
    f.staged = not axis_as_is(&f.down) or not axis_as_is(&f.along) or (f.way == DIRECT and q.ow // f.uw < K.lanes)
    f.natural = q.uh == q.uw == 1 and not f.rotated and few_outside(q)
    f.weight_width = K.nr if f.way in (ACROSS, FLIPPED) else K.mr
    f.panels = ceil_div(f.rows, f.weight_width)
    cdef int64_t phases = f.uh * f.uw, taps = q.c // q.groups * q.kh * q.kw, wave = q.n, images, tasks, i, first
    cdef double work = <double>q.n * q.o * q.oh * q.ow * taps / (q.uh * q.uw)
    cdef int team = threads_for(work / 16 + <double>q.n * q.c * f.plane)
    cdef unsigned mode = 0
    cut(f, work)
    if f.staged:
        wave = max(min(q.n, team * max(STAGE_FLOATS // (q.c * f.plane), 1)), 1)
    cdef Block weights = borrow(q.groups * f.panels * taps * f.weight_width * sizeof(float))
    cdef Block tables = borrow(phases * sizeof(Phase) + (2 * taps + phases * q.kh) * sizeof(int64_t))
    cdef Block stage = borrow(wave * q.c * f.plane * sizeof(float) + SLACK) if f.staged else None
    cdef size_t outputs = ceil_div(f.panels, f.blocks) * f.weight_width * sizeof(float)
    f.woven_bytes = piece(phases * f.apart * outputs)
    f.band_bytes = piece(f.lines * f.uh * q.ow * outputs) if f.taps != NULL else 0
    cdef size_t step = f.woven_bytes + f.band_bytes + region_scratch(f)
    cdef Block scratch = borrow(step * team)
    f.phases = <Phase *>tables.data
    tabulate(f, <int64_t *>(f.phases + phases), <float *>weights.data)
    f.stages = <float *>stage.data if f.staged else NULL
    if f.hollow:
        memset(scratch.data, 0, step * team)
    for first in range(ceil_div(q.n, max(wave, 1))):
        f.first = first * wave
        images = min(wave, q.n - f.first)
        f.images = <const float *>f.stages if f.staged else f.x + f.first * q.c * f.plane
        f.images_end = f.images + images * q.c * f.plane + (SLACK // <int64_t>sizeof(float) if f.staged else 0)
        tasks = images * q.groups * f.bands * f.blocks
        with nogil, parallel(num_threads=team):
            mode = enter()
            if first == 0:
                for i in prange(0 if f.way == STRIPS else phases * q.groups * f.panels, schedule="static"):
                    pack_panel(f, i)
            if f.staged:
                for i in prange(images * q.c, schedule="static"):
                    K.stage_plane(&f.stage, f.x + (f.first * q.c + i) * q.h * q.w, f.stages + i * f.plane)
            for i in prange(tasks, schedule="static"):
                band_task(f, i, <char *>scratch.data + threadid() * step)
            leave(mode)
    return 0


cdef Way best_way(const Convolution *f) noexcept nogil:
    """The way of fewest vector operations, counted per image, group and phase; constants fitted to measurements."""
    cdef const Conv2d *q = &f.q
    cdef int64_t lanes = K.lanes, width = ceil_div(q.ow, f.uw), lines = ceil_div(q.oh, f.uh), pixels = lines * width
    cdef double taps = <double>(q.c // q.groups) * q.kh * q.kw / (q.uh * q.uw)
    cdef int64_t vectors = ceil_div(pixels, lanes) if width == f.stage.width else lines * ceil_div(width, lanes)
    cdef double packed = ceil_div(pixels, lanes) * taps * (f.rows + 6 + 6 * lanes // width)
    cdef double direct = vectors * f.rows * (taps + 6)
    cdef double across = ceil_div(f.rows, lanes) * (pixels * taps + lines * ceil_div(width, K.mr) * 9 * lanes)
    cdef double flipped = ceil_div(f.rows, lanes) * pixels * (taps + 8) + 3 * ceil_div(pixels, K.mr) * taps
    cdef double strips = ceil_div(pixels, lanes) * (taps + 3) * (f.rows + 1)
    cdef bint one_tap = q.kh == q.kw == 1 and (f.hollow or q.uh == q.uw == 1) and width == f.stage.width
    if one_tap and strips < min(min(packed, direct), across):
        return STRIPS
    if taps > 512 and width < 12 * ceil_div(width, K.mr):   # each weight, from the second cache, serves few pixels
        across *= 1.7
    if flipped < 0.95 * min(packed, min(direct, across)):
        return FLIPPED
    if across <= packed and across <= direct:
        return ACROSS
    return DIRECT if direct <= packed else PACKED


cdef bint few_outside(const Conv2d *q) noexcept nogil:
    """Whether hardly any window row lies outside of the image, in the padding above and below."""
    cdef int64_t inside = 0, i, before
    for i in range(q.kh):
        before = q.pt - i * q.dh        # the image row of tap i of output 0, negated
        inside += max(min(q.oh, ceil_div(q.h + before, q.sh)) - max(ceil_div(before, q.sh), 0), 0)
    return inside >= 0.94 * q.oh * q.kh


cdef void cut(Convolution *f, double work) noexcept nogil:
    """Bands of lines and blocks of row panels: numbers that depend on shapes alone, as sums over padding leave out
    window rows that no line of a tile needs."""
    cdef const Conv2d *q = &f.q
    cdef int64_t lines = ceil_div(q.oh, f.uh), width = ceil_div(q.ow, f.uw), images = max(q.n * q.groups, 1)
    cdef int64_t tasks = <int64_t>min(TASKS, work / TASK + 1)
    f.lines = max(ceil_div(lines, ceil_div(tasks, images)), min(lines, ceil_div(2 * K.nr, width)))
    if f.woven or f.taps != NULL:
        f.lines = min(f.lines, max(BAND_FLOATS // (f.rows * width * f.uh * f.uw), 1))
    if f.taps != NULL:
        f.lines = ceil_div(f.lines, 2) * 2
    f.bands = ceil_div(lines, f.lines)
    f.blocks = min(f.panels, ceil_div(tasks, images * f.bands))
    f.apart = f.lines * width if f.woven else 0


cdef void tabulate(Convolution *f, int64_t *table, float *weights) noexcept nogil:
    """Fills the phases: which taps each has, where those lie in the image and in the weights."""
    cdef const Conv2d *q = &f.q
    cdef const Axis *y = &f.down
    cdef const Axis *x = &f.along
    cdef int64_t channels = q.c // q.groups, window = q.kh * q.kw, step, first, a, b, c, i, j
    cdef Phase *p
    step = f.rows * window if f.rotated else window     # of the weights, from channel to channel
    for a in range(f.uh):
        for b in range(f.uw):
            p = f.phases + a * f.uw + b
            p.lines, p.width = axis_outputs(y, a), axis_outputs(x, b)
            p.places, p.rows, p.taps = table, 0, 0
            for i in range(q.kh):
                if axis_phase(y, i) == a:
                    p.places[p.rows] = axis_place(y, i)
                    p.rows += 1
            p.row_taps = 0
            for j in range(q.kw):
                p.row_taps += channels if axis_phase(x, j) == b else 0
            p.offsets = table + p.rows
            p.sources = p.offsets + p.rows * p.row_taps
            table = p.sources + p.rows * p.row_taps
            for first in range(channels if f.natural else 1):
                for i in range(q.kh):
                    if axis_phase(y, i) != a:
                        continue
                    for c in range(first, first + 1 if f.natural else channels):
                        for j in range(q.kw):
                            if axis_phase(x, j) != b:
                                continue
                            p.offsets[p.taps] = c * f.plane + tap_offset(y, x, i, j)
                            p.sources[p.taps] = c * step + (window - 1 - i * q.kw - j if f.rotated else i * q.kw + j)
                            p.taps += 1
            p.weights = weights
            weights += q.groups * f.panels * p.taps * f.weight_width


cdef void pack_panel(const Convolution *f, int64_t task) noexcept nogil:
    """One panel of weights: `task` counts (phase, group, panel)."""
    cdef const Conv2d *q = &f.q
    cdef int64_t panel = task % f.panels, group = task // f.panels % q.groups, window = q.kh * q.kw
    cdef const Phase *p = f.phases + task // f.panels // q.groups
    cdef int64_t channels = q.c // q.groups, row = panel_start(f, panel), step, base
    if f.rotated:   # w is [c, o / groups, kh, kw], c and o counting this convolution's inputs and outputs
        step, base = window, (group * channels * f.rows + row) * window
    else:
        step, base = channels * window, (group * f.rows + row) * channels * window
    cdef float *weights = p.weights + (group * f.panels + panel) * p.taps * f.weight_width
    cdef int64_t count = panel_start(f, panel + 1) - row
    if f.natural:
        K.pack_columns(weights, <int>f.weight_width, f.w + base, step, count, p.taps)
    else:
        K.pack_weights(weights, <int>f.weight_width, f.w + base, step, p.sources, count, p.taps)


cdef void band_task(
    const Convolution *f,
    int64_t task,           # counts (image of the wave, group, band, block)
    char *scratch,          # phases before they are woven; the band before it is pooled; what the way needs
) noexcept nogil:
    cdef const Conv2d *q = &f.q
    cdef int64_t block = task % f.blocks, band = task // f.blocks % f.bands
    cdef int64_t group = task // f.blocks // f.bands % q.groups, image = task // f.blocks // f.bands // q.groups
    cdef int64_t i, first, channels, line = band * f.lines, rows = min(f.lines * f.uh, q.oh - line * f.uh)
    cdef int64_t plane = q.oh * q.ow
    cdef Region t
    cdef float *y
    t.f, t.line0 = f, line
    t.panel0, t.panel1 = block * f.panels // f.blocks, (block + 1) * f.panels // f.blocks
    t.x = f.images + (image * q.c + group * (q.c // q.groups)) * f.plane + line * f.stage.width
    t.bias = f.bias + group * f.rows if f.bias != NULL else NULL
    t.w = f.w + group * f.rows * (q.c // q.groups)
    first = (f.first + image) * q.o + group * f.rows + panel_start(f, t.panel0)
    channels = panel_start(f, t.panel1) - panel_start(f, t.panel0)
    if f.taps != NULL:
        y, plane = <float *>(scratch + f.woven_bytes), rows * q.ow
    else:
        y = f.y + first * plane + line * f.uh * q.ow
    t.plane = f.uh * f.uw * f.apart if f.woven else plane
    for i in range(f.uh * f.uw):
        t.p = f.phases + i
        t.lines, t.width = min(f.lines, t.p.lines - line), t.p.width
        if t.lines <= 0 or t.width <= 0 or (f.hollow and t.p.taps == 0):
            continue
        t.y = <float *>scratch + i * f.apart if f.woven else y
        t.weights = t.p.weights + group * f.panels * t.p.taps * f.weight_width
        t.flat = t.width == f.stage.width
        if t.flat:
            t.width *= t.lines
            t.lines = 1
        compute_region(&t, scratch + f.woven_bytes + f.band_bytes)
    for i in range(channels if f.woven else 0):
        K.weave_plane(rows, q.ow, f.uh, f.uw, <float *>scratch + i * t.plane, f.apart, y + i * plane)
    if f.residual != NULL:
        add_residual(f, y, channels, rows * q.ow)
    if f.taps != NULL:
        pool_band(f, first, channels, line * f.uh, rows, y)


cdef void add_residual(const Convolution *f, float *y, int64_t channels, int64_t run) noexcept nogil:
    """That of `run` pixels of some channels, which are in the cache, and ReLU."""
    cdef int64_t _i, at = y - f.y
    for _i in range(channels):
        K.add_relu(run, f.y + at, f.residual + at, f.y + at)
        at += f.q.oh * f.q.ow


cdef void pool_band(const Convolution *f, int64_t first, int64_t channels, int64_t line, int64_t rows,
                    const float *band) noexcept nogil:
    """Some rows of planes `first` and on from band[channels][rows][ow], all planes at once where these are whole."""
    cdef Pool2d p
    cdef int64_t i, at, many = channels if rows == f.q.oh else 1
    windows_2x2(&p, f.q.n, channels, rows, f.q.ow)
    for i in range(channels // many):
        at = ((first + i) * (f.q.oh // 2) + line // 2) * p.ow
        K.relu_max_pool(&p, 0, many, 0, p.oh, band + i * rows * f.q.ow, f.y + at, f.taps + at)


cdef bint read_forward(Convolution *f, x, w, b, geom) except -1:
    """Fills what conv2d and conv2d_relu_pool begin with; whether dtypes and layouts are such that they compute it."""
    if not is_f32(x) or not is_f32(w) or not (b is None or is_f32(b)):
        return False
    read_conv2d(geom, &f.q)
    expect_shape("x", x, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.o, f.q.c // f.q.groups, f.q.kh, f.q.kw)
    if b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != f.q.o):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(f.q.o,)}")
    f.x, f.w, f.bias, f.rotated = f32(x), f32(w), NULL if b is None else f32(b), False
    f.residual, f.taps = NULL, NULL
    return True


def conv2d(x, w, b, geom, bint relu=False, residual=None):
    """Cross-correlation of x[n, c, h, w] with w[o, c / groups, kh, kw] plus b[o] or None -> [n, o, oh, ow].

    With `relu`, what is below 0 becomes 0; so it does behind a `residual` of that shape, which is added before. float32
    and C-contiguous, else NotImplemented; ValueError when the arrays do not have the geometry's sizes.
    """
    cdef Convolution f
    if not read_forward(&f, x, w, b, geom) or not (residual is None or is_f32(residual)):
        return NotImplemented
    y = empty_images(f.q.n, f.q.o, f.q.oh, f.q.ow)
    f.y, f.relu = f32(y), relu
    if residual is not None:
        expect_shape("the residual", residual, f.q.n, f.q.o, f.q.oh, f.q.ow)
        f.residual, f.relu = f32(residual), False   # the ReLU is add_residual's
    convolve(&f)
    return y


def conv2d_relu_pool(x, w, b, geom):
    """(max_pool2d(relu(conv2d)), taps) by windows of 2x2; taps 2 * i + j (uint8) of the first largest, 4 where none is.

    NotImplemented and ValueError as above, the latter for outputs smaller than a window, too.
    """
    cdef Convolution f
    cdef Pool2d p
    cdef Py_ssize_t[4] shape
    if not read_forward(&f, x, w, b, geom):
        return NotImplemented
    expect_2x2(f.q.oh, f.q.ow)
    windows_2x2(&p, f.q.n, f.q.o, f.q.oh, f.q.ow)
    shape[:] = [p.n, p.c, p.oh, p.ow]
    y, taps = empty_f32(4, shape), empty_array(4, shape, cnp.NPY_UINT8)
    f.y, f.taps, f.relu = f32(y), <uint8_t *>PyArray_DATA(<cnp.ndarray>taps), False     # the ReLU is pooling's
    convolve(&f)
    return y, taps


def conv2d_dx(g, w, geom):
    """Gradient of conv2d by its input: g[n, o, oh, ow], w[o, c / groups, kh, kw] -> [n, c, h, w].

    `geom` is the forward geometry. float32 and C-contiguous, else NotImplemented; ValueError when sizes do not agree.
    """
    cdef Convolution f      # the transposed one: its input is g, its output dx
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_conv2d(geom.transposed, &f.q)
    expect_shape("g", g, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.c, f.q.o // f.q.groups, f.q.kh, f.q.kw)
    dx = empty_images(f.q.n, f.q.o, f.q.oh, f.q.ow)
    f.x, f.w, f.y, f.rotated, f.relu = f32(g), f32(w), f32(dx), True, False
    f.bias, f.residual, f.taps = NULL, NULL, NULL
    convolve(&f)
    return dx


from engine_ext.conv_dw import channel_sum, conv2d_dw  # no-cython-lint
from engine_ext.unfold import conv2d_dw_unfold, conv2d_dx_fold, conv2d_unfold, fold, unfold  # no-cython-lint
