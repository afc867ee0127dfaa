"""Five ways to compute a band of a convolution of stride 1, serially.

PACKED, FLIPPED and STRIPS copy patches into panels for the register tiles of matrix products; DIRECT and ACROSS read
them from the image, tap by tap. Tiles hold outputs by pixels, or (ACROSS, FLIPPED) pixels by outputs, which they
transpose on their way out.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from engine_ext._isa cimport K
from engine_ext.geometry cimport ceil_div
from engine_ext.memory cimport piece
from engine_ext.stage cimport SLACK

cdef enum:
    DEPTH = 384     # taps of a panel of patches
    STRIP_DEPTH = 256   # channels of a strip of pixels
    ADD = 1         # as in product.c
    RELU = 2
    WIDE = 4        # panels of NR pixels, or as many pixels in others, that share a pass over the weights


cdef inline size_t panel_bytes() noexcept nogil:
    return piece(WIDE * K.nr * DEPTH * sizeof(float) + SLACK)


cdef size_t region_scratch(const Convolution *f) noexcept nogil:
    return panel_bytes() + (piece(WIDE * K.nr * f.panels * K.nr * sizeof(float)) if f.way == FLIPPED else 0)


cdef void compute_region(const Region *t, char *scratch) noexcept nogil:
    if t.f.way == ACROSS:
        across_region(t)
    elif t.f.way == DIRECT:
        direct_region(t)
    elif t.f.way == PACKED:
        packed_region(t, <float *>scratch)
    elif t.f.way == STRIPS:
        strips_region(t, <float *>scratch)
    else:
        flipped_region(t, <float *>scratch, <float *>(scratch + panel_bytes()))


cdef void window_rows(const Region *t, int64_t first, int64_t last, int64_t *start, int64_t *taps) noexcept nogil:
    """The taps that lines first .. last of the region need: window rows outside of the image are left out."""
    cdef const Phase *p = t.p
    cdef int64_t i = 0, j = p.rows, stride = t.f.q.sh, h = t.f.q.h
    if t.f.natural:
        start[0], taps[0] = 0, p.taps
        return
    if t.flat:
        first, last = 0, t.f.lines - 1
    while i < j and p.places[i] + (t.line0 + last) * stride < 0:
        i += 1
    while j > i and p.places[j - 1] + (t.line0 + first) * stride >= h:
        j -= 1
    start[0], taps[0] = i * p.row_taps, (j - i) * p.row_taps


cdef void direct_region(const Region *t) noexcept nogil:
    """Vectors along image rows; the last of a row overlaps the one before it."""
    cdef const Convolution *f = t.f
    cdef int64_t lanes = K.lanes, mr = K.mr, vectors = ceil_div(t.width, lanes), some = K.nr // lanes
    cdef int64_t last = t.lines * vectors, n, i, v, r, line = 0, column, start = 0, taps = 0
    cdef int64_t row0 = panel_start(f, t.panel0), row
    cdef int64_t at[4]
    cdef int64_t to[4]
    for i in range(ceil_div(last, some)):
        n = min(some, last - i * some)
        for v in range(n):
            line = (i * some + v) // vectors
            column = max(min((i * some + v) % vectors * lanes, t.width - lanes), 0)
            at[v], to[v] = line * f.stage.width + column, line * t.width + column
        window_rows(t, i * some // vectors, line, &start, &taps)
        for r in range(t.panel0, t.panel1):
            row = panel_start(f, r)
            K.direct_tile(panel_start(f, r + 1) - row, n, taps, t.weights + (r * t.p.taps + start) * mr, t.x,
                          t.p.offsets + start, at, to, min(lanes, t.width), t.y + (row - row0) * t.plane, t.plane,
                          t.bias + row if t.bias != NULL else NULL, f.relu)


cdef void across_region(const Region *t) noexcept nogil:
    """Lines in equal tiles of at most MR pixels, all outputs of each."""
    cdef const Convolution *f = t.f
    cdef int64_t nr = K.nr, tiles = ceil_div(t.width, K.mr), line, i, r, first, start = 0, taps = 0
    cdef int64_t row0 = panel_start(f, t.panel0), row
    for r in range(t.panel0, t.panel1):
        row = panel_start(f, r)
        for line in range(t.lines):
            window_rows(t, line, line, &start, &taps)
            for i in range(tiles):
                first = i * t.width // tiles
                K.across_tile((i + 1) * t.width // tiles - first, panel_start(f, r + 1) - row, taps,
                              t.x + line * f.stage.width + first, t.p.offsets + start,
                              t.weights + (r * t.p.taps + start) * nr,
                              t.y + (row - row0) * t.plane + line * t.width + first, t.plane,
                              t.bias + row if t.bias != NULL else NULL, f.relu)


cdef void packed_region(
    const Region *t,
    float *panels,          # scratch [WIDE][DEPTH][NR]
) noexcept nogil:
    """Panels of patches, a few at a time, and all outputs of them."""
    cdef const Convolution *f = t.f
    cdef int64_t mr = K.mr, nr = K.nr, pixels = t.lines * t.width, count = ceil_div(pixels, nr), bundle, j0, j1, j, r
    cdef int64_t start = 0, taps = 0, depths, i, k0, depth, row, row0 = panel_start(f, t.panel0)
    cdef float *y
    window_rows(t, 0, t.lines - 1, &start, &taps)
    depths = max(ceil_div(taps, DEPTH), 1)
    for bundle in range(ceil_div(count, WIDE)):
        j0, j1 = bundle * WIDE, min((bundle + 1) * WIDE, count)
        for i in range(depths):
            k0 = start + i * taps // depths
            depth = start + (i + 1) * taps // depths - k0
            for j in range(j0, j1):
                K.pack_patches(panels + (j - j0) * DEPTH * nr, nr, t.x, f.images_end, f.stage.width, t.p.offsets + k0,
                               t.width, depth, j * nr, min(nr, pixels - j * nr))
            for r in range(t.panel0, t.panel1):
                row = panel_start(f, r)
                y = t.y + (row - row0) * t.plane
                for j in range(j0, j1):
                    K.gemm_tile(panel_start(f, r + 1) - row, min(nr, pixels - j * nr), depth,
                                t.weights + (r * t.p.taps + k0) * mr, panels + (j - j0) * DEPTH * nr, nr, y + j * nr,
                                t.plane, t.bias + row if t.bias != NULL and i == 0 else NULL, NULL, i > 0)
    if f.relu:
        for r in range(panel_start(f, t.panel1) - row0):
            K.map_relu(pixels, t.y + r * t.plane, t.y + r * t.plane)


cdef void strips_region(
    const Region *t,
    float *panel,           # scratch [STRIP_DEPTH][strip]
) noexcept nogil:
    """Strips of pixels, all outputs of each."""
    cdef const Convolution *f = t.f
    cdef int64_t lanes = K.lanes, channels = f.q.c // f.q.groups, row = panel_start(f, t.panel0)
    cdef int64_t rows = panel_start(f, t.panel1) - row, vectors = ceil_div(t.width, lanes)
    cdef int64_t strips = ceil_div(t.width, K.strip), depths = ceil_div(channels, STRIP_DEPTH)
    cdef int64_t w_row = 1 if f.rotated else channels, w_channel = f.rows if f.rotated else 1
    cdef int64_t i, k, c, depth, column, columns
    cdef const float *bias
    for i in range(strips):
        column = i * vectors // strips * lanes
        columns = min((i + 1) * vectors // strips * lanes, t.width) - column
        for k in range(depths):
            c = k * channels // depths
            depth = (k + 1) * channels // depths - c
            bias = t.bias + row if t.bias != NULL and k == 0 else NULL
            K.gemm_strip(rows, columns, depth, t.w + row * w_row + c * w_channel, w_row, w_channel,
                         t.x + c * f.plane + column, f.plane, panel, t.y + column, t.plane, bias, NULL,
                         (ADD if k else 0) | (RELU if f.relu and k == depths - 1 else 0))


cdef void flipped_region(
    const Region *t,
    float *panels,          # scratch [tiles][DEPTH][MR], WIDE * NR pixels in all
    float *sums,            # scratch [WIDE * NR][panels][NR]
) noexcept nogil:
    """Equal panels of at most MR pixels, all outputs of each."""
    cdef const Convolution *f = t.f
    cdef int64_t mr = K.mr, nr = K.nr, pixels = t.lines * t.width, tiles = ceil_div(pixels, mr), some = WIDE * nr // mr
    cdef int64_t start = 0, taps = 0, depths, bundle, i, j, j0, j1, k0, depth, r, row, row0 = panel_start(f, t.panel0)
    cdef int64_t pixel, base, count, outputs, ld = f.panels * nr
    window_rows(t, 0, t.lines - 1, &start, &taps)
    depths = max(ceil_div(taps, DEPTH), 1)
    for bundle in range(ceil_div(tiles, some)):
        j0, j1 = bundle * some, min((bundle + 1) * some, tiles)
        base = j0 * pixels // tiles
        for i in range(depths):
            k0 = start + i * taps // depths
            depth = start + (i + 1) * taps // depths - k0
            for j in range(j0, j1):
                pixel = j * pixels // tiles
                K.pack_patches(panels + (j - j0) * DEPTH * mr, mr, t.x, f.images_end, f.stage.width, t.p.offsets + k0,
                               t.width, depth, pixel, (j + 1) * pixels // tiles - pixel)
            for r in range(t.panel0, t.panel1):
                outputs = ceil_div(panel_start(f, r + 1) - panel_start(f, r), K.lanes) * K.lanes
                for j in range(j0, j1):
                    pixel = j * pixels // tiles
                    K.gemm_tile((j + 1) * pixels // tiles - pixel, outputs, depth, panels + (j - j0) * DEPTH * mr,
                                t.weights + (r * t.p.taps + k0) * nr, nr, sums + (pixel - base) * ld + r * nr, ld,
                                NULL, NULL, i > 0)
        for r in range(t.panel0, t.panel1):
            row = panel_start(f, r)
            for j in range(j0, j1):
                pixel = j * pixels // tiles
                count = (j + 1) * pixels // tiles - pixel
                K.store_columns(count, panel_start(f, r + 1) - row, sums + (pixel - base) * ld + r * nr, ld,
                                t.y + (row - row0) * t.plane + pixel, t.plane,
                                t.bias + row if t.bias != NULL else NULL, f.relu)
