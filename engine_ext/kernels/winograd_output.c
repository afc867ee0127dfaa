/* The second half of Winograd's convolution: products over channels at each position, and outputs from them.
 *
 * Behind the outputs come bias, ReLU and max pooling by 2x2, whose windows a tile holds whole; or something added, as a
 * network's shortcut is, and ReLU.
 */

/* --- products */

#define TERMS 64    /* channels of one accumulator: shorter sums, half the rounding error */

/* m[rows][vectors] (+)= a[channel][rows] * b[channel][vectors]. Rows of `a` are lanes of blocks of channels, `block` floats
 * apart, or, `turned`, the other way round: channels 2 * LANES apart, of neighbouring rows. */
INLINE void product_tile(const int turned, const int rows, const int vectors, int64_t channels, const float *a,
                         int64_t block, const float *b, float *m, int accumulate)
{
    vec acc[MR][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int i = 0; i < vectors; i++) acc[r][i] = (vec){0};
    for (; channels > 0; channels -= LANES, a += block) {
        int64_t n = channels < LANES ? channels : LANES;
        for (int64_t c = 0; c < n; c++, b += 2 * LANES) {
            vec across[2];
#pragma GCC unroll 2
            for (int i = 0; i < vectors; i++) across[i] = load(b + i * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec down = splat(turned ? a[c * 2 * LANES + r] : a[r * LANES + c]);
#pragma GCC unroll 2
                for (int i = 0; i < vectors; i++) acc[r][i] += down * across[i];
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int i = 0; i < vectors; i++) {
            float *sum = m + (r * 2 + i) * LANES;
            store(sum, accumulate ? acc[r][i] + load(sum) : acc[r][i]);
        }
}

#define PRODUCT_ARGUMENTS int64_t channels, const float *a, int64_t block, const float *b, float *m, int add
#define PRODUCT(turned, rows, vectors) \
    static void product_##turned##_##rows##_##vectors(PRODUCT_ARGUMENTS) \
    { product_tile(turned, rows, vectors, channels, a, block, b, m, add); }
#define PRODUCTS(rows) PRODUCT(0, rows, 1) PRODUCT(0, rows, 2) PRODUCT(1, rows, 1) PRODUCT(1, rows, 2)
#define PRODUCT_NAMES(rows) {{product_0_##rows##_1, product_0_##rows##_2}, {product_1_##rows##_1, product_1_##rows##_2}},
#if MR == 14
#define EVEN_ROWS(F) F(2) F(4) F(6) F(8) F(10) F(12) F(14)
#elif MR == 8
#define EVEN_ROWS(F) F(2) F(4) F(6) F(8)
#elif MR == 6
#define EVEN_ROWS(F) F(2) F(4) F(6)
#else
#define EVEN_ROWS(F) F(2) F(4)
#endif
EVEN_ROWS(PRODUCTS)
static void (*const products[MR / 2][2][2])(PRODUCT_ARGUMENTS) = {EVEN_ROWS(PRODUCT_NAMES)};

/* Rows of a product tile, even: as many for all tiles as can be. */
INLINE int64_t rows_of(int64_t count)
{
    int64_t pieces = (count + MR - 1) / MR;
    return ((count + pieces - 1) / pieces + 1) / 2 * 2;
}

/* m = (m +) v * u at one position, for tiles that have what it is for: the last output row, the last column. Tiles go in
 * pairs: their places begin at an even one and end before one, and m has room for as many. */
INLINE void position_products(int last_row, int last_col, const Tiles *t, int64_t channels, int64_t outs, const float *v,
                              int64_t block, const float *u, float *m, int accumulate)
{
    const int64_t down = whole_rows(t), across = whole_cols(t), beside = t->images * down * (t->cols - across);
    const int64_t first = last_col ? beside / 2 * 2 : 0;
    const int64_t end = last_row   ? t->images * down * t->cols
                        : last_col ? beside + t->images * t->rows * across
                                   : t->images * t->rows * t->cols;
    if (first >= end) return;
    const int64_t rows = rows_of(end - first);
    for (int64_t i = first; i < end; i += rows) {
        int64_t here = end - i < rows ? end - i : rows;
        for (int64_t c = 0; c < channels; c += TERMS)
            products[(here - 1) / 2][0][outs > LANES](channels - c < TERMS ? channels - c : TERMS,
                                                      v + c / LANES * block + i * LANES, block, u + c * 2 * LANES,
                                                      m + i * 2 * LANES, accumulate || c > 0);
    }
}

/* The same at every position. v and m have room for an even number of tiles. */
static void winograd_products(
    int64_t points,                         /* along an axis: the last is that at infinity */
    const Tiles *t,                         /* of all images */
    int64_t channels, int64_t outs,
    const float *v, int64_t v_step,         /* IN [position][channel block][tile_place][LANES] */
    int64_t block,                          /* floats between the channel blocks of v */
    const float *u, int64_t u_step,         /* IN [position][channel][2 * LANES] */
    float *m, int64_t m_step,               /* OUT [position][tile_place][2 * LANES], the first outs (rounded up to vectors) */
    int accumulate)
{
    for (int64_t i = 0; i < points; i++)
        for (int64_t j = 0; j < points; j++, v += v_step, u += u_step, m += m_step)
            position_products(i == points - 1, j == points - 1, t, channels, outs, v, block, u, m, accumulate);
}

/* The same with tiles in lanes: one or two vectors of them at each position. */
static void winograd_tiles_products(
    int64_t vectors, int64_t channels, int64_t outs,
    const float *v, int64_t v_step,         /* IN [position][channel][2 * LANES] */
    const float *u, int64_t u_step,         /* IN [position][channel][2 * LANES] */
    float *m, int64_t m_step)               /* OUT [position][out][2 * LANES] */
{
    int64_t rows = rows_of(outs);
    for (int64_t p = 0; p < 36; p++, v += v_step, u += u_step, m += m_step)
        for (int64_t o = 0; o < outs; o += rows) {
            int64_t here = outs - o < rows ? outs - o : rows;
            for (int64_t c = 0; c < channels; c += TERMS)
                products[(here - 1) / 2][1][vectors - 1](channels - c < TERMS ? channels - c : TERMS, u + c * 2 * LANES + o,
                                                         2 * LANES * LANES, v + c * 2 * LANES, m + o * 2 * LANES, c > 0);
        }
}

/* --- outputs: A^T m A */

/* Six positions to four pixels. */
INLINE void output_line4(const vec m[6], vec y[4])
{
    vec near = m[1] + m[2], far = m[3] + m[4], near_odd = m[1] - m[2], far_odd = m[3] - m[4];
    y[0] = m[0] + near + far;
    y[1] = NEAR * near_odd + alone(FAR * far_odd);
    y[2] = NEAR2 * near + alone(FAR2 * far);
    y[3] = NEAR * NEAR2 * near_odd + alone(FAR * FAR2 * far_odd) + m[5];
}

/* Six positions to three pixels: windows of four. */
INLINE void output_line3(const vec m[6], vec y[4])
{
    vec near = m[1] + m[2], far = m[3] + m[4], near_odd = m[1] - m[2], far_odd = m[3] - m[4];
    y[0] = m[0] + near + far;
    y[1] = NEAR * near_odd + alone(FAR * far_odd);
    y[2] = NEAR2 * near + alone(FAR2 * far) + m[5];
}

INLINE void output_line2(const vec m[6], vec y[4])
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
}

/* Six positions to two pixels: windows of five. */
INLINE void output_line5(const vec m[6], vec y[4])
{
    y[0] = m[0] + (m[1] + m[2]) + (m[3] + m[4]);
    y[1] = NEAR * (m[1] - m[2]) + alone(FAR * (m[3] - m[4])) + m[5];
}

INLINE void output_line(const int m, const vec positions[6], vec y[4])
{
    if (m == 4) output_line4(positions, y);
    else if (m == 3) output_line3(positions, y);
    else if (m == FIVE) output_line5(positions, y);
    else output_line2(positions, y);
}

/* The pixels of a tile from its positions, `step` apart. */
INLINE void output_tile(const int m, const float *positions, int64_t step, vec bias, vec y[4][4])
{
    const int side = side_of(m), points = points_of(m);
    vec columns[4][6];
#pragma GCC unroll 6
    for (int j = 0; j < points; j++) {
        vec line[6], four[4];
#pragma GCC unroll 6
        for (int i = 0; i < points; i++) line[i] = load(positions + (i * points + j) * step);
        output_line(m, line, four);
#pragma GCC unroll 4
        for (int i = 0; i < side; i++) columns[i][j] = four[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < side; i++) {
        output_line(m, columns[i], y[i]);
#pragma GCC unroll 4
        for (int j = 0; j < side; j++) y[i][j] += bias;
    }
}

/* Vectors of channels back to planes: pixels `done` .. `count` of a stage [pixel][LANES], plus those of `added` (or NULL),
 * which lie as y's do; whole vectors only, unless they are the last ones. Returns how many are done. */
static int64_t unstage_run(const float *stage, int64_t done, int64_t count, int last, int relu, const float *added, float *y,
                           int64_t plane, int64_t outs)
{
    while (done + LANES <= count || (last && done < count)) {
        vec m[LANES];
#pragma GCC unroll 16
        for (int p = 0; p < LANES; p++) m[p] = load(stage + (done + p) * LANES);
        transpose(m);
        if (added)
#pragma GCC unroll 16
            for (int o = 0; o < LANES; o++)
                if (o < outs) m[o] += load_first(added + o * plane + done, count - done);
        if (relu)
#pragma GCC unroll 16
            for (int o = 0; o < LANES; o++) m[o] = rectify(m[o]);
        if (count - done >= LANES && outs == LANES)
#pragma GCC unroll 16
            for (int o = 0; o < LANES; o++) store(y + o * plane + done, m[o]);
        else
#pragma GCC unroll 16
            for (int o = 0; o < LANES; o++)
                if (o < outs) store_first(y + o * plane + done, m[o], count - done);
        done += LANES;
    }
    return done;
}

/* The same for the taps of pooling, as bytes. */
static int64_t unstage_taps(const float *stage, int64_t done, int64_t count, int last, uint8_t *taps, int64_t plane,
                            int64_t outs)
{
    while (done + LANES <= count || (last && done < count)) {
        vec m[LANES];
#pragma GCC unroll 16
        for (int p = 0; p < LANES; p++) m[p] = load(stage + (done + p) * LANES);
        transpose(m);
#pragma GCC unroll 16
        for (int o = 0; o < LANES; o++)
            if (o < outs) store_bytes(taps + o * plane + done, (ivec)m[o], count - done);
        done += LANES;
    }
    return done;
}

INLINE void output(const int m, const int pool, const Conv2d *q, const Tiles *t, const float *positions, int64_t step,
                   int64_t outs, const float *bias, const float *added, int relu, float *stage, float *y, uint8_t *taps)
{
    const int whole = side_of(m), side = pool ? whole / 2 : whole;  /* of a tile, of what it gives */
    int64_t oh = pool ? q->oh / 2 : q->oh, ow = pool ? q->ow / 2 : q->ow;
#define TILE_ROW(i) (tile_start(t->row + (i), t->whole_rows, whole) * side / whole)
#define TILE_COLUMN(j) (tile_start(t->col + (j), t->whole_cols, whole) * side / whole)
    int64_t top = TILE_ROW(0), left = TILE_COLUMN(0);
    int64_t height = min64(oh, TILE_ROW(t->rows)) - top, width = min64(ow, TILE_COLUMN(t->cols)) - left;
    int64_t done = 0, taps_done = 0;
    float *tap_stage = stage + t->rows * t->cols * side * side * LANES + LANES * LANES;
    vec b = bias ? load_first(bias, outs) : (vec){0};
    if (height <= 0 || width <= 0) return;
    y += top * ow + left;
    if (added) added += top * ow + left;
    if (pool) taps += top * ow + left;
    for (int64_t i = 0; i < t->rows; i++) {
        const int64_t row = TILE_ROW(i) - top, rows = min64(height, TILE_ROW(i + 1) - top) - row;
        for (int64_t j = 0; j < t->cols; j++) {
            vec pixels[4][4];
            ivec at[2][2];
            const int64_t column = TILE_COLUMN(j) - left, columns = min64(width, TILE_COLUMN(j + 1) - left) - column;
            if (!pool || j % 4 == 0)    /* a share of the lines written behind this row: 3 to 8 % on data in no cache */
#pragma GCC unroll 16
                for (int o = 0; o < LANES; o++) __builtin_prefetch(y + o * oh * ow + row * ow + j * side * side, 1);
            output_tile(m, positions + tile_place(t, i, j) * 2 * LANES, step, b, pixels);
            if (pool)
#pragma GCC unroll 2
                for (int k = 0; k < side; k++)
#pragma GCC unroll 2
                    for (int l = 0; l < side; l++) {
                        const vec window[4] = {pixels[2 * k][2 * l], pixels[2 * k][2 * l + 1],
                                               pixels[2 * k + 1][2 * l], pixels[2 * k + 1][2 * l + 1]};
                        pixels[k][l] = largest_rectified(window, &at[k][l]);
                    }
#pragma GCC unroll 4
            for (int k = 0; k < side; k++) {
                if (k >= rows) break;
                int64_t place = ((row + k) * width + column) * LANES;
#pragma GCC unroll 4
                for (int l = 0; l < side; l++) {
                    if (l >= columns) break;
                    store(stage + place + l * LANES, pixels[k][l]);
                    if (pool) store(tap_stage + place + l * LANES, (vec)at[k][l]);
                }
            }
        }
        if (width == ow) {      /* whole rows are one run */
            int64_t ready = (row + rows) * width;
            done = unstage_run(stage, done, ready, ready == height * width, relu, added, y, oh * ow, outs);
            if (pool) taps_done = unstage_taps(tap_stage, taps_done, ready, ready == height * width, taps, oh * ow, outs);
            continue;
        }
        for (int64_t k = row; k < row + rows; k++) {
            unstage_run(stage + k * width * LANES, 0, width, 1, relu, added ? added + k * ow : NULL, y + k * ow, oh * ow,
                        outs);
            if (pool) unstage_taps(tap_stage + k * width * LANES, 0, width, 1, taps + k * ow, oh * ow, outs);
        }
    }
#undef TILE_ROW
#undef TILE_COLUMN
}

/* Outputs of a rectangle of tiles of one image, up to LANES channels. */
static void winograd4_output(
    const Conv2d *q,        /* oh and ow count */
    const Tiles *t,
    const float *m, int64_t step,   /* IN [position][tile_place], tiles 2 * LANES apart */
    int64_t outs,           /* 1 .. LANES */
    const float *bias,      /* IN [outs] or NULL */
    const float *added,     /* IN, as y, or NULL */
    int relu,
    float *stage,           /* scratch [tiles * 16 + LANES][LANES], twice for pooling */
    float *y)               /* OUT, the first of `outs` planes */
{
    output(4, 0, q, t, m, step, outs, bias, added, relu, stage, y, NULL);
}

static void winograd2_output(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                             const float *bias, const float *added, int relu, float *stage, float *y)
{
    output(2, 0, q, t, m, step, outs, bias, added, relu, stage, y, NULL);
}

/* The same behind ReLU and max pooling by 2x2: planes of oh / 2 x ow / 2, and the tap of each maximum. */
static void winograd4_output_pool(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                  const float *bias, float *stage, float *y, uint8_t *taps)
{
    output(4, 1, q, t, m, step, outs, bias, NULL, 0, stage, y, taps);
}
