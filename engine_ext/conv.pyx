"""Convolution, and its gradient by the input, by implicit im2col: no matrix of patches is ever written out.

y[o, pixel] = w[o, tap] * patch[tap, pixel]: panels of w are packed once; patches are packed per group of pixels, or, at
stride 1, read from the image itself. The input gradient is the same with rotated, swapped weights over the (upsampled,
padded) gradient of the output. Padded or upsampled images are first staged: copied into planes of zeros, so that
nothing below knows borders. The weight gradient is in conv_dw.pyx, explicit im2col in unfold.pyx.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int64_t

cimport numpy as cnp
from numpy cimport PyArray_DIM, PyArray_NDIM

from engine_ext._isa cimport Conv2d, K, staged_height, staged_width
from engine_ext.arrays cimport f32, is_f32
from engine_ext.geometry cimport ceil_div, expect_shape, read_conv2d
from engine_ext.memory cimport Block, borrow, empty_f32, piece
from engine_ext.parallel cimport enter, leave, threads_for

cnp.import_array()

cdef enum:
    DEPTH = 384             # taps of a forward panel
    WIDE = 4                # forward: column panels that share a pass over the weights
    STAGE_FLOATS = 1 << 18  # of images staged at a time, per thread
    SLACK = 256             # bytes behind a panel or stage that packing may touch


cdef inline bint is_staged(const Conv2d *q) noexcept nogil:
    """Whether the image needs a staged copy: padding, cropping or upsampling."""
    return q.pt != 0 or q.pb != 0 or q.pl != 0 or q.pr != 0 or q.uh != 1 or q.uw != 1


cdef enum Way:
    PACKED      # patches are packed; tiles of outputs by pixels
    DIRECT      # patches are read from the image; tiles of outputs by pixels, those beyond the right border in vain
    ACROSS      # patches are read from the image; tiles of pixels by outputs


cdef struct Forward:
    # A forward product over the images first .. first + images.
    Conv2d q
    const float *x
    const float *w
    const float *bias
    float *y
    float *weights          # packed: [group][depth block][panel][depth][weight_width]
    int64_t weight_width    # MR, or NR where outputs lie across
    float *stage            # staged images, or NULL
    const float *images     # staged or x itself: image `first`
    const float *images_end  # nothing at or beyond it is read
    int64_t plane           # floats of a channel there
    int64_t rows, taps      # of one group's product: outputs, c / groups * kh * kw
    int64_t depth, depths   # taps of a panel, and how many panels deep
    int64_t panels, wide    # column panels of an image, of a task
    int64_t first
    bint rotated            # weights as the input gradient needs them
    Way way
    int64_t *offsets        # from a pixel to its taps
    int64_t width           # floats of an image row, staged or not
    int64_t columns         # pixels of an image that are computed: DIRECT, whole rows but the last


cdef int convolve(Forward *f) except -1:
    """y = x * w + bias for the geometry f.q; fills the rest of `f` itself."""
    cdef Conv2d *q = &f.q
    cdef int64_t row_panels, wave, tasks, images, i, first
    cdef double flops = <double>q.n * q.o * q.oh * q.ow * (q.c // q.groups) * q.kh * q.kw
    cdef int team = threads_for(flops / 16 + <double>q.n * (q.c // q.groups) * q.kh * q.kw * q.oh * q.ow)
    cdef unsigned mode = 0
    cdef bint staged = is_staged(q)
    f.rows, f.taps = q.o // q.groups, q.c // q.groups * q.kh * q.kw
    f.width = staged_width(q)
    f.way = best_way(f)
    f.columns = (q.oh - 1) * f.width + q.ow if f.way == DIRECT else q.oh * q.ow
    f.depths = ceil_div(f.taps, DEPTH) if f.way == PACKED else 1
    f.depth = ceil_div(f.taps, f.depths)
    f.weight_width = K.nr if f.way == ACROSS else K.mr
    row_panels = ceil_div(f.rows, f.weight_width)
    f.panels = q.oh if f.way == ACROSS else ceil_div(f.columns, K.nr)
    f.wide = max(min(WIDE, q.n * q.groups * f.panels // (4 * team)), 1)
    f.plane = staged_height(q) * staged_width(q)
    wave = q.n      # images staged at a time
    if staged:
        wave = max(min(q.n, team * max(STAGE_FLOATS // (q.c * f.plane), 1)), 1)
    cdef Block weights = borrow(q.groups * row_panels * f.taps * f.weight_width * sizeof(float))
    cdef Block stage = borrow(wave * q.c * f.plane * sizeof(float) + SLACK) if staged else None
    cdef size_t step = piece(f.wide * K.nr * f.depth * sizeof(float) + SLACK)
    cdef Block panels = borrow(step * team)
    cdef Block offsets = borrow(f.taps * sizeof(int64_t))
    f.offsets = <int64_t *>offsets.data
    for i in range(f.taps):
        f.offsets[i] = i // (q.kh * q.kw) * f.plane + i // q.kw % q.kh * q.dh * f.width + i % q.kw * q.dw
    f.weights = <float *>weights.data
    f.stage = <float *>stage.data if staged else NULL
    for first in range(ceil_div(q.n, max(wave, 1))):
        f.first = first * wave
        images = min(wave, q.n - f.first)
        f.images = <const float *>f.stage if staged else f.x + f.first * q.c * f.plane
        f.images_end = f.images + images * q.c * f.plane + (SLACK // <int64_t>sizeof(float) if staged else 0)
        tasks = images * q.groups * ceil_div(f.panels, f.wide)
        with nogil, parallel(num_threads=team):
            mode = enter()
            if first == 0:
                for i in prange(q.groups * f.depths * row_panels, schedule="static"):
                    pack_weights(f, i)
            if staged:
                for i in prange(images * q.c, schedule="static"):
                    K.stage_plane(q, f.x + (f.first * q.c + i) * q.h * q.w, f.stage + i * f.plane)
            for i in prange(tasks, schedule="static"):
                if f.way == ACROSS:
                    across_task(f, i)
                elif f.way == DIRECT:
                    direct_task(f, i, <float *>(<char *>panels.data + threadid() * step))
                else:
                    packed_task(f, i, <float *>(<char *>panels.data + threadid() * step))
            leave(mode)
    return 0


cdef Way best_way(const Forward *f) noexcept nogil:
    """The way of fewest vector operations, counted per image and group; constants fitted to measurements."""
    cdef const Conv2d *q = &f.q
    cdef int64_t lanes = K.lanes, pixels = q.oh * q.ow
    cdef int64_t packed = ceil_div(pixels, lanes) * f.taps * (f.rows + 6 + 6 * lanes // q.ow)
    cdef int64_t direct = ceil_div((q.oh - 1) * f.width + q.ow, lanes) * f.rows * (f.taps + 8)
    cdef int64_t across = ceil_div(f.rows, lanes) * (pixels * f.taps + q.oh * ceil_div(q.ow, K.mr) * 9 * lanes)
    if q.sw == 1 and across <= packed and (across <= direct or q.sh != 1):
        return ACROSS
    return DIRECT if q.sh == 1 and q.sw == 1 and direct <= packed else PACKED


cdef void pack_weights(const Forward *f, int64_t task) noexcept nogil:
    """One panel of weights: `task` counts (group, depth block, row panel)."""
    cdef const Conv2d *q = &f.q
    cdef int64_t mr = f.weight_width, row_panels = ceil_div(f.rows, mr), r = task % row_panels
    cdef int64_t block = task // row_panels % f.depths, group = task // row_panels // f.depths
    cdef int64_t start = block * f.depth, depth = min(f.depth, f.taps - start), count = min(mr, f.rows - r * mr)
    cdef int64_t window = q.kh * q.kw, per_group = row_panels * mr
    cdef float *panel = f.weights + group * per_group * f.taps + start * per_group + r * depth * mr
    if f.rotated:   # rows are inputs of the forward weights [c, o / groups, kh, kw], c counting this product's channels
        K.pack_rotated(panel, mr, f.w + (group * (q.c // q.groups) * f.rows + r * mr) * window, f.rows * window, window,
                       count, start, depth)
    else:
        K.pack_columns(panel, mr, f.w + (group * f.rows + r * mr) * f.taps + start, f.taps, count, depth)


cdef void packed_task(
    const Forward *f,
    int64_t task,           # counts (image of the wave, group, group of column panels)
    float *panels,          # scratch [wide][depth][NR]
) noexcept nogil:
    cdef const Conv2d *q = &f.q
    cdef int64_t mr = K.mr, nr = K.nr, row_panels = ceil_div(f.rows, mr), pixels = q.oh * q.ow
    cdef int64_t bundles = ceil_div(f.panels, f.wide), bundle = task % bundles
    cdef int64_t group = task // bundles % q.groups, image = task // bundles // q.groups
    cdef int64_t j0 = bundle * f.wide, j1 = min(j0 + f.wide, f.panels), block, depth, start, j, r
    cdef const float *x = f.images + (image * q.c + group * (q.c // q.groups)) * f.plane
    cdef float *y = f.y + ((f.first + image) * q.o + group * f.rows) * pixels
    cdef const float *w
    for block in range(f.depths):
        start = block * f.depth
        depth = min(f.depth, f.taps - start)
        w = f.weights + group * row_panels * mr * f.taps + start * row_panels * mr
        for j in range(j0, j1):
            K.pack_patches(panels + (j - j0) * f.depth * nr, q, x, f.images_end, start, depth, j * nr,
                           min(nr, pixels - j * nr))
        for r in range(row_panels):
            for j in range(j0, j1):
                K.gemm_tile(min(mr, f.rows - r * mr), min(nr, pixels - j * nr), depth, w + r * depth * mr,
                            panels + (j - j0) * f.depth * nr, nr, y + r * mr * pixels + j * nr, pixels,
                            f.bias + group * f.rows + r * mr if f.bias != NULL and block == 0 else NULL, NULL,
                            block > 0)


cdef void direct_task(
    const Forward *f,
    int64_t task,           # counts (image of the wave, group, group of column panels)
    float *panel,           # scratch [taps][NR]
) noexcept nogil:
    """As packed_task, with patches read from the image; packed only where vectors would overrun the memory."""
    cdef const Conv2d *q = &f.q
    cdef int64_t mr = K.mr, nr = K.nr, pixels = q.oh * q.ow
    cdef int64_t bundles = ceil_div(f.panels, f.wide), bundle = task % bundles
    cdef int64_t group = task // bundles % q.groups, image = task // bundles // q.groups
    cdef int64_t j0 = bundle * f.wide, j1 = min(j0 + f.wide, f.panels), j, r, rows, cols, start, pixel
    cdef const float *x = f.images + (image * q.c + group * (q.c // q.groups)) * f.plane
    cdef const float *last = f.images_end - f.offsets[f.taps - 1] - nr      # the last pixel whose vectors fit
    cdef float *y = f.y + ((f.first + image) * q.o + group * f.rows) * pixels
    cdef const float *w
    cdef const float *bias
    for r in range(ceil_div(f.rows, mr)):
        w = f.weights + (group * ceil_div(f.rows, mr) + r) * mr * f.taps
        bias = f.bias + group * f.rows + r * mr if f.bias != NULL else NULL
        rows = min(mr, f.rows - r * mr)
        for j in range(j0, j1):
            start, cols = j * nr, min(nr, f.columns - j * nr)
            if x + start <= last:
                K.direct_tile(rows, cols, f.taps, w, x + start, f.offsets, y + r * mr * pixels, pixels, bias,
                              start // f.width, start % f.width, f.width, q.ow)
                continue
            pixel = start // f.width * q.ow + min(start % f.width, q.ow)
            start += cols
            cols = start // f.width * q.ow + min(start % f.width, q.ow) - pixel
            if cols > 0:
                K.pack_patches(panel, q, x, f.images_end, 0, f.taps, pixel, cols)
                K.gemm_tile(rows, cols, f.taps, w, panel, nr, y + r * mr * pixels + pixel, pixels, bias, NULL, False)


cdef void across_task(
    const Forward *f,
    int64_t task,           # counts (image of the wave, group, group of output rows)
) noexcept nogil:
    """Output rows in equal tiles of at most MR pixels, all outputs of each."""
    cdef const Conv2d *q = &f.q
    cdef int64_t nr = K.nr, pixels = q.oh * q.ow, bundles = ceil_div(f.panels, f.wide), bundle = task % bundles
    cdef int64_t group = task // bundles % q.groups, image = task // bundles // q.groups
    cdef int64_t tiles = ceil_div(q.ow, K.mr), i, start, stop, r, row
    cdef const float *x = f.images + (image * q.c + group * (q.c // q.groups)) * f.plane
    cdef float *y = f.y + ((f.first + image) * q.o + group * f.rows) * pixels
    cdef const float *w
    for r in range(ceil_div(f.rows, nr)):
        w = f.weights + (group * ceil_div(f.rows, nr) + r) * nr * f.taps
        for row in range(bundle * f.wide, min((bundle + 1) * f.wide, q.oh)):
            for i in range(tiles):
                start, stop = i * q.ow // tiles, (i + 1) * q.ow // tiles
                K.across_tile(stop - start, min(nr, f.rows - r * nr), f.taps, x + row * q.sh * f.width + start,
                              f.offsets, w, y + r * nr * pixels + row * q.ow + start, pixels,
                              f.bias + group * f.rows + r * nr if f.bias != NULL else NULL)


def conv2d(x, w, b, geom):
    """Cross-correlation of x[n, c, h, w] with w[o, c / groups, kh, kw] plus b[o] or None -> [n, o, oh, ow].

    float32 and C-contiguous, else NotImplemented; ValueError when the arrays do not have the geometry's sizes.
    """
    cdef Forward f
    if not is_f32(x) or not is_f32(w) or not (b is None or is_f32(b)):
        return NotImplemented
    read_conv2d(geom, &f.q)
    expect_shape("x", x, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.o, f.q.c // f.q.groups, f.q.kh, f.q.kw)
    if b is not None and (PyArray_NDIM(b) != 1 or PyArray_DIM(b, 0) != f.q.o):
        raise ValueError(f"b has shape {b.shape}, the geometry says {(f.q.o,)}")
    y = empty_images(f.q.n, f.q.o, f.q.oh, f.q.ow)
    f.x, f.w, f.y, f.bias, f.rotated = f32(x), f32(w), f32(y), NULL if b is None else f32(b), False
    convolve(&f)
    return y


def conv2d_dx(g, w, geom):
    """Gradient of conv2d by its input: g[n, o, oh, ow], w[o, c / groups, kh, kw] -> [n, c, h, w].

    `geom` is the forward geometry. float32 and C-contiguous, else NotImplemented; ValueError when sizes do not agree.
    """
    cdef Forward f      # of the transposed convolution: its input is g, its output dx
    if not is_f32(g) or not is_f32(w):
        return NotImplemented
    read_conv2d(geom.transposed, &f.q)
    expect_shape("g", g, f.q.n, f.q.c, f.q.h, f.q.w)
    expect_shape("w", w, f.q.c, f.q.o // f.q.groups, f.q.kh, f.q.kw)
    dx = empty_images(f.q.n, f.q.o, f.q.oh, f.q.ow)
    f.x, f.w, f.y, f.bias, f.rotated = f32(g), f32(w), f32(dx), NULL, True
    convolve(&f)
    return dx


cdef object empty_images(int64_t n, int64_t c, int64_t h, int64_t w):
    cdef Py_ssize_t[4] shape = [n, c, h, w]
    return empty_f32(4, shape)


from engine_ext.conv_dw import channel_sum, conv2d_dw  # no-cython-lint
from engine_ext.unfold import conv2d_dw_unfold, conv2d_dx_fold, conv2d_unfold, fold, unfold  # no-cython-lint
