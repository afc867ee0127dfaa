/* Weight gradients without packed patches: sums over pixels of gradient times image, for all taps of a window at once. */

/* Registers for accumulators: half as many taps or outputs at a time where there are 16. */
#if LANES == 16 || defined(__aarch64__)
#define MANY_REGISTERS 1
#else
#define MANY_REGISTERS 0
#endif

/* Taps down, outputs across: sums[i * kw + j, :] += x[pixel + (i, j)] * g[pixel, :] for `down` window rows. */
INLINE void window_block(
    const int down, const int kw, const int vectors, const Conv2d *q,
    const float *x,         /* IN, at the first pixel and window row */
    int64_t width,          /* of an image row */
    const float *g,         /* IN [rows * ow][NR] */
    int64_t rows,
    float *sums)            /* IN, OUT [down * kw][NR] */
{
    vec acc[25][NV];
    const int64_t step = q->dw;
#pragma GCC unroll 25
    for (int t = 0; t < down * kw; t++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[t][v] = load(sums + t * NR + v * LANES);
    for (int64_t y = 0; y < rows; y++) {
        const float *line[5];
#pragma GCC unroll 5
        for (int i = 0; i < down; i++) line[i] = x + (y * q->sh + i * q->dh) * width;
        for (int64_t n = 0; n < q->ow; n++, g += NR) {
            vec across[NV];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) across[v] = load(g + v * LANES);
#pragma GCC unroll 25
            for (int t = 0; t < down * kw; t++) {
                vec tap = splat(line[t / kw][t % kw * step]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[t][v] += tap * across[v];
            }
#pragma GCC unroll 5
            for (int i = 0; i < down; i++) line[i] += q->sw;
        }
    }
#pragma GCC unroll 25
    for (int t = 0; t < down * kw; t++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) store(sums + t * NR + v * LANES, acc[t][v]);
}

/* One channel and 1..NR outputs; windows of 3x3 or 5x5. */
static void window_sums(const Conv2d *q, int64_t cols, const float *x, int64_t width, const float *g, int64_t rows,
                        float *sums)
{
    const int64_t line = q->dh * width;
#define WINDOW(down, kw, vectors, i, v) \
    window_block(down, kw, vectors, q, x + (i) * line, width, g + (v) * LANES, rows, sums + (i) * (kw) * NR + (v) * LANES)
    for (int64_t v = 0; v * LANES < cols;) {
#if MANY_REGISTERS
        if (q->kw == 5) WINDOW(5, 5, 1, 0, v), v++;
        else if (v * LANES + LANES < cols) WINDOW(3, 3, 2, 0, v), v += 2;
        else WINDOW(3, 3, 1, 0, v), v++;
#else
        if (q->kw == 5)
            for (int64_t i = 0; i < 4; i += 2) WINDOW(2, 5, 1, i, v);
        if (q->kw == 5) WINDOW(1, 5, 1, 4, v);
        else WINDOW(3, 3, 1, 0, v);
        v++;
#endif
    }
}

/* Lanes from `first` on: all bits, before: none. */
INLINE ivec lanes_from(int64_t first)
{
    return lane_numbers() >= (ivec){0} + (int32_t)first;
}

/* Pixels across: sums[r, j, :] += g[r, pixel] * x[pixel + offsets[j]], lane by lane, for image rows of at least LANES
 * pixels. The last vector of a row overlaps the one before it; what both have is masked. */
INLINE void dots_block(
    const int rows, const int taps,
    const int whole,        /* rows of whole vectors */
    int64_t lines, int64_t ow,
    const float *g,         /* IN [rows][plane], `lines` * ow of them */
    int64_t plane,
    const float *x,         /* IN, at the first pixel; image rows are `width` apart */
    int64_t width,
    const int64_t *offsets, /* IN [taps] */
    float *sums,            /* IN, OUT [rows][lds], taps * LANES of them */
    int64_t lds)
{
    vec acc[8][5];
    const float *tap[5];
    const ivec fresh = lanes_from((LANES - ow % LANES) % LANES);
#pragma GCC unroll 5
    for (int j = 0; j < taps; j++) tap[j] = x + offsets[j];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 5
        for (int j = 0; j < taps; j++) acc[r][j] = load(sums + r * lds + j * LANES);
    for (int64_t y = 0, row = 0; y < lines; y++, g += ow, row += width)
        for (int64_t p = 0; p < ow; p += LANES) {
            const int last = !whole && p + LANES > ow;
            const int64_t at = last ? ow - LANES : p;
            const ivec mask = last ? fresh : ~(ivec){0};
            vec across[5];
#pragma GCC unroll 5
            for (int j = 0; j < taps; j++) across[j] = load(tap[j] + row + at);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vec down = alone(load(g + r * plane + at));
                if (!whole) down = (vec)((ivec)down & mask);
#pragma GCC unroll 5
                for (int j = 0; j < taps; j++) acc[r][j] += down * across[j];
            }
        }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 5
        for (int j = 0; j < taps; j++) store(sums + r * lds + j * LANES, acc[r][j]);
}

/* Outputs of a block, by its taps: accumulators fit the registers, and their rows the address registers. */
#if MANY_REGISTERS
#define DOT_ROWS(taps) ((taps) == 5 ? 5 : 8)
#else
#define DOT_ROWS(taps) ((taps) == 5 ? 2 : 4)
#endif

/* 1..rows outputs and all taps; blocks of outputs outside, so that their gradients stay in the first cache. */
static void row_dots(int64_t rows, int64_t lines, int64_t ow, const float *g, int64_t plane, const float *x, int64_t width,
                     const int64_t *offsets, int64_t taps, float *sums)
{
    const int64_t some = taps % 5 == 0 && taps % 3 ? 5 : 3, most = DOT_ROWS(some);
    const int64_t blocks = (rows + most - 1) / most;
    for (int64_t i = 0; i < blocks; i++) {      /* nearly equal: one of few outputs is slow */
        const int64_t r = i * rows / blocks, block = (i + 1) * rows / blocks - r;
        for (int64_t j = 0, n; j < taps; j += n) {
            n = taps - j >= some ? some : 1;
#define DOTS_OF(rows, some, whole) \
    dots_block(rows, some, whole, lines, ow, g + r * plane, plane, x, width, offsets + j, sums + (r * taps + j) * LANES, \
               taps * LANES)
#define DOTS_CASE(rows, some) \
    case rows: \
        if (ow % LANES) DOTS_OF(rows, some, 0); \
        else DOTS_OF(rows, some, 1); \
        break;
            if (n == 5)
                switch (block) { DOTS_CASE(1, 5) DOTS_CASE(2, 5) DOTS_CASE(3, 5) DOTS_CASE(4, 5) DOTS_CASE(5, 5) }
            else if (n == 3)
                switch (block) {
                    DOTS_CASE(1, 3) DOTS_CASE(2, 3) DOTS_CASE(3, 3)
                    DOTS_CASE(4, 3) DOTS_CASE(5, 3) DOTS_CASE(6, 3) DOTS_CASE(7, 3) DOTS_CASE(8, 3)
                }
            else
                switch (block) {
                    DOTS_CASE(1, 1) DOTS_CASE(2, 1) DOTS_CASE(3, 1)
                    DOTS_CASE(4, 1) DOTS_CASE(5, 1) DOTS_CASE(6, 1) DOTS_CASE(7, 1) DOTS_CASE(8, 1)
                }
        }
    }
}

/* Sums over the lanes of n vectors. */
static void sum_vectors(const float *vectors, int64_t n, float *sums)
{
    for (int64_t i = 0; i < n; i += LANES) {
        vec m[LANES];
#pragma GCC unroll 16
        for (int j = 0; j < LANES; j++) m[j] = i + j < n ? load(vectors + (i + j) * LANES) : (vec){0};
        store_first(sums + i, sum_across(m), n - i);
    }
}

/* Parts [taps][NR], `step` floats apart, added in order and transposed: dw[r][ldw], cols rows of it. */
static void sum_window_parts(const float *parts, int64_t count, int64_t step, int64_t taps, int64_t cols, float *dw,
                             int64_t ldw)
{
    for (int64_t from = 0; from < cols; from += LANES)
        for (int64_t t = 0; t < taps; t += LANES) {
            vec m[LANES];
            int64_t n = taps - t < LANES ? taps - t : LANES, outputs = cols - from < LANES ? cols - from : LANES;
            for (int i = 0; i < LANES; i++) {
                m[i] = (vec){0};
                for (int64_t p = 0; p < (i < n ? count : 0); p++) m[i] += load(parts + p * step + (t + i) * NR + from);
            }
            transpose(m);
            for (int64_t r = 0; r < outputs; r++) store_first(dw + (from + r) * ldw + t, m[r], n);
        }
}
