/* Tiles of convolutions whose patches are not packed but read from the image, tap by tap.
 *
 * c[rows, cols] = a[k, rows] * b[k, cols] + bias, where rows of one operand lie where a list of offsets says. The
 * accumulators must stay in registers: every trip count inside is a constant after inlining.
 */

#define LONGEST_SUM 384

/* A run of n floats, exactly, by two overlapping vectors where it can. */
INLINE void copy_run(float *d, const float *s, int64_t n)
{
    if (n >= LANES) {
        for (int64_t i = 0; i + LANES < n; i += LANES) store(d + i, load(s + i));
        store(d + n - LANES, load(s + n - LANES));
    } else if (n >= 8) {
        octet first = *(const octet *)s, last = *(const octet *)(s + n - 8);
        *(octet *)d = first;
        *(octet *)(d + n - 8) = last;
    } else if (n >= 4) {
        quad first = *(const quad *)s, last = *(const quad *)(s + n - 4);
        *(quad *)d = first;
        *(quad *)(d + n - 4) = last;
    } else
        for (int64_t i = 0; i < n; i++) d[i] = s[i];
}

/* Where the columns of a direct tile belong: they are `cols` pixels from (y, x) on of an image `width` wide, of which
 * the first `ow` of each row are the output's. */
typedef struct Runs {
    int64_t cols, y, x, width, ow;
} Runs;

/* The pixels that belong to the output, from a buffer [rows][NR] to planes c[rows][ldc]. */
static __attribute__((noinline)) void store_runs(int64_t rows, const float *edge, float *c, int64_t ldc, const Runs *runs)
{
    int64_t y = runs->y, x = runs->x;
    for (int64_t j = 0; j < runs->cols; j += runs->width - x, x = 0, y++) {
        int64_t n = runs->ow - x < runs->cols - j ? runs->ow - x : runs->cols - j;
        for (int64_t r = 0; r < (n > 0 ? rows : 0); r++) copy_run(c + r * ldc + y * runs->ow + x, edge + r * NR + j, n);
    }
}

/* A tile of pixels by outputs, from a buffer [rows][NR] to planes: c[j * ldc + r]. */
static __attribute__((noinline)) void store_columns(int64_t rows, int64_t cols, const float *edge, float *c, int64_t ldc,
                                                    const float *bias)
{
    for (int64_t j = 0; j < cols; j += LANES) {
        vec m[LANES];
        int64_t n = cols - j < LANES ? cols - j : LANES;
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++) m[r] = r < rows ? load(edge + r * NR + j) : (vec){0};
        transpose(m);
        float columns[LANES * LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) store(columns + i * LANES, m[i]);
        for (int64_t i = 0; i < n; i++) {
            if (bias) store(columns + i * LANES, load(columns + i * LANES) + splat(bias[j + i]));
            copy_run(c + (j + i) * ldc, columns + i * LANES, rows);
        }
    }
}

INLINE void direct(
    const int rows, const int vectors, int64_t cols, int64_t k,
    const float *a,         /* IN [k][MR], rows of them used */
    const int64_t *a_offsets,   /* IN [k] or NULL: row p of a is a_offsets[p] floats on, not p * MR */
    const float *b,         /* IN [k][ldb], vectors * LANES of them read */
    const int64_t *b_offsets,   /* IN [k] or NULL: row p of b is b_offsets[p] floats on, not p * ldb */
    int64_t ldb,
    float *c,               /* OUT [rows][ldc], cols of them; IN too when accumulating */
    int64_t ldc,
    const float *row_bias,  /* IN [rows] or NULL */
    const float *col_bias,  /* IN [cols] or NULL */
    int accumulate,
    const Runs *runs)       /* with b_offsets: where the columns go */
{
    const int gathers = a_offsets || b_offsets;
    vec acc[MR][NV];
    float edge[MR * NR];    /* of tiles that are not stored as they are */
    int64_t done = 0;
    do {    /* packed panels are short; longer sums are added up from parts, which keeps their rounding errors small */
        int64_t steps = gathers && k - done > LONGEST_SUM ? LONGEST_SUM : k - done;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            if (!a_offsets) __builtin_prefetch(c + r * ldc, 1);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] = (vec){0};
        }
        for (int64_t p = 0; p < steps; p++) {
            vec across[NV];
            const float *left = a_offsets ? a + *a_offsets++ : a, *row = b_offsets ? b + *b_offsets++ : b;
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) across[v] = load(row + v * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec down = splat(left[r]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += down * across[v];
            }
            if (!a_offsets) a += MR;
            if (!b_offsets) b += ldb;
        }
        if (done)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += load(edge + r * NR + v * LANES);
        else if (row_bias)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += splat(row_bias[r]);
        if (gathers || cols != vectors * LANES)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) store(edge + r * NR + v * LANES, acc[r][v]);
        done += steps;
    } while (gathers && done < k);
    if (!gathers && cols == vectors * LANES) {
        if (col_bias)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += load(col_bias + v * LANES);
        if (accumulate)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += load(c + r * ldc + v * LANES);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) store(c + r * ldc + v * LANES, acc[r][v]);
        return;
    }
    if (a_offsets) store_columns(rows, cols, edge, c, ldc, col_bias);
    else if (b_offsets) store_runs(rows, edge, c, ldc, runs);
    else store_edge(rows, cols, edge, c, ldc, col_bias, accumulate);
}

#define DIRECT_ARGUMENTS int64_t k, const float *a, const float *b, const int64_t *offsets, float *c, int64_t ldc, \
    const float *row_bias, const Runs *runs
#define ACROSS_ARGUMENTS int64_t cols, int64_t k, const float *a, const int64_t *offsets, const float *b, float *c, \
    int64_t ldc, const float *col_bias

#define DIRECT(rows, vectors) \
    static void direct_##rows##_##vectors(DIRECT_ARGUMENTS) \
    { direct(rows, vectors, 0, k, a, NULL, b, offsets, 0, c, ldc, row_bias, NULL, 0, runs); } \
    static void across_##rows##_##vectors(ACROSS_ARGUMENTS) \
    { direct(rows, vectors, cols, k, a, offsets, b, NULL, NR, c, ldc, NULL, col_bias, 0, NULL); }
#if NV == 3
#define DIRECTS(rows) DIRECT(rows, 1) DIRECT(rows, 2) DIRECT(rows, 3)
#define DIRECT_NAMES(rows) {direct_##rows##_1, direct_##rows##_2, direct_##rows##_3},
#define ACROSS_NAMES(rows) {across_##rows##_1, across_##rows##_2, across_##rows##_3},
#else
#define DIRECTS(rows) DIRECT(rows, 1) DIRECT(rows, 2)
#define DIRECT_NAMES(rows) {direct_##rows##_1, direct_##rows##_2},
#define ACROSS_NAMES(rows) {across_##rows##_1, across_##rows##_2},
#endif

EACH_ROWS(DIRECTS)
static void (*const directs[MR][NV])(DIRECT_ARGUMENTS) = {EACH_ROWS(DIRECT_NAMES)};
static void (*const acrosses[MR][NV])(ACROSS_ARGUMENTS) = {EACH_ROWS(ACROSS_NAMES)};

/* A tile of a convolution with stride 1 whose patches are not packed but read from the image: tap p of every pixel is
 * offsets[p] floats on. Columns are `cols` pixels from (y, x) on, counted over whole image rows of `width`; those beyond
 * the output's `ow` columns are computed and dropped. */
static void direct_tile(
    int64_t rows, int64_t cols, int64_t k,
    const float *a,         /* IN [k][MR] */
    const float *image,     /* IN, at pixel (y, x); up to LANES - 1 floats more than cols are read */
    const int64_t *offsets, /* IN [k] */
    float *c, int64_t ldc,  /* OUT [rows][ldc], planes of the output */
    const float *row_bias,
    int64_t y, int64_t x, int64_t width, int64_t ow)
{
    Runs runs = {cols, y, x, width, ow};
    directs[rows - 1][(cols - 1) / LANES](k, a, image, offsets, c, ldc, row_bias, &runs);
}

/* A tile of a convolution whose rows are 1..MR neighbouring pixels, read from the image, and whose columns are 1..NR
 * outputs: no pixel is computed in vain, but the tile is transposed on its way out. Horizontal stride 1. */
static void across_tile(
    int64_t rows, int64_t cols, int64_t k,
    const float *image,     /* IN, at the first pixel */
    const int64_t *offsets, /* IN [k], from a pixel to its taps */
    const float *w,         /* IN [k][NR] */
    float *c, int64_t ldc,  /* OUT, output j of pixel r at c[j * ldc + r] */
    const float *bias)      /* IN [cols] or NULL */
{
    acrosses[rows - 1][(cols - 1) / LANES](cols, k, image, offsets, w, c, ldc, bias);
}
