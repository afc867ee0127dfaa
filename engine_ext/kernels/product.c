/* Matrix products as gemm.pyx splits them: strips of columns, dot products for few rows, and sums of parts of k.
 *
 * A strip reads a where it lies, by broadcasts: six rows are at most six streams of memory, so that only b is ever
 * packed, and only where its rows are not whole vectors in good places. The tile is low and wide for that; it reaches
 * what the higher one of gemm.c does. Packing is the first tile's by-product: its multiply-adds hide the stores.
 */

enum { ADD = 1, RELU = 2, FAR = 4 };    /* a set of these: the sum is added to c; then cut at 0; a is not in a cache */


/* Columns and rows of a block of b^T: LANES x LANES of them, or `count` columns and `steps` rows. */
INLINE void transpose_block(const int whole, float *d, int64_t width, const float *s, int64_t ldb, int64_t count,
                            int64_t steps)
{
    vec m[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++, s += ldb) {
        if (whole) {
            __asm__("" : "+r"(s));      /* or gcc computes sixteen addresses first, and spills them */
            __builtin_prefetch(s + 2 * LANES);      /* columns are often pages apart, as in pack.c */
        }
        m[i] = whole ? load(s) : i < count ? load_first(s, steps) : (vec){0};
    }
    transpose(m);
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++, d += width) {
        if (whole) __asm__("" : "+r"(d));
        if (whole || i < steps) store(d, m[i]);
    }
}

/* A strip of b for gemm_strip, [k][width] with width the columns rounded up to whole vectors, from a b that is
 * contiguous along k, column j at b + j * ldb. */
static void transpose_strip(float *strip, const float *b, int64_t ldb, int64_t cols, int64_t k)
{
    int64_t width = (cols + LANES - 1) / LANES * LANES;
    for (int64_t p = 0; p < k; p += LANES, strip += LANES * width)
        for (int64_t j = 0; j < cols; j += LANES) {
            const float *s = b + j * ldb + p;
            if (p + LANES <= k && j + LANES <= cols) transpose_block(1, strip + j, width, s, ldb, LANES, LANES);
            else transpose_block(0, strip + j, width, s, ldb, cols - j, k - p);
        }
}

enum { NEAR_TILE, FAR_TILE, PACKING_TILE };     /* a is in a cache; is not; b is packed on the way */

/* c[rows, cols] of a strip: `vectors` vectors wide, `last` columns in the last of them. */
INLINE void strip_tile(
    const int kind, const int rows, const int vectors, int64_t last, int64_t k,
    const float *a, int64_t a_row, int64_t a_col,
    const float *b, int64_t ldb, float *packed,
    float *c, int64_t ldc, const float *row_bias, const float *col_bias, int how)
{
#define OF(v) ((v) == vectors - 1 ? last : LANES)   /* columns in a vector */
    vec acc[STRIP_ROWS][STRIP_VECTORS];
    const float *ahead = c;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++, ahead += ldc)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(ahead + v * LANES, 1);
            acc[r][v] = (vec){0};
        }
    __asm__("" : "+r"(c));      /* or gcc keeps these addresses in memory until the end */
    const float *below = a + rows * a_row;      /* the next tile's rows, asked for in time: each is but a few lines */
    for (int64_t p = 0; p < k;) {
        const int64_t stop = kind == FAR_TILE && k - p > LANES ? p + LANES : k;
        if (kind == FAR_TILE) {
            const float *line = below;
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++, line += a_row) {
                __asm__("" : "+r"(line));
                __builtin_prefetch(line);
            }
            below += LANES * a_col;
        }
        for (; p < stop; p++, a += a_col, b += ldb) {
            vec across[STRIP_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                if (kind == PACKING_TILE) {
                    /* Rows are often a page apart (a plane of 32x32 is one), and the processor does not look ahead
                     * across pages: the next strip is asked for here. */
                    __builtin_prefetch(b + (vectors + v) * LANES);
                    across[v] = load_first(b + v * LANES, OF(v));
                    store(packed + v * LANES, across[v]);
                } else across[v] = load(b + v * LANES);
            if (kind == PACKING_TILE) packed += vectors * LANES;
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vec down = splat(a[r * a_row]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += down * across[v];
            }
        }
    }
    if (row_bias)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] += splat(row_bias[r]);
    if (col_bias)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] += load_first(col_bias + v * LANES, OF(v));
    if (how & ADD)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] += load_first(c + r * ldc + v * LANES, OF(v));
    if (how & RELU)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] = rectify(acc[r][v]);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++, c += ldc)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) store_first(c + v * LANES, acc[r][v], OF(v));
#undef OF
}

#define STRIP_ARGUMENTS int64_t last, int64_t k, const float *a, int64_t a_row, int64_t a_col, const float *b, \
    int64_t ldb, float *packed, float *c, int64_t ldc, const float *row_bias, const float *col_bias, int how
#define STRIP_FORM(kind, rows, vectors) \
    static void kind##_##rows##_##vectors(STRIP_ARGUMENTS) \
    { strip_tile(kind, rows, vectors, last, k, a, a_row, a_col, b, ldb, packed, c, ldc, row_bias, col_bias, how); }
#if STRIP_VECTORS == 4
#define STRIP_FORMS(kind, rows) \
    STRIP_FORM(kind, rows, 1) STRIP_FORM(kind, rows, 2) STRIP_FORM(kind, rows, 3) STRIP_FORM(kind, rows, 4)
#define STRIP_NAMES(kind, rows) {kind##_##rows##_1, kind##_##rows##_2, kind##_##rows##_3, kind##_##rows##_4},
#else
#define STRIP_FORMS(kind, rows) STRIP_FORM(kind, rows, 1) STRIP_FORM(kind, rows, 2)
#define STRIP_NAMES(kind, rows) {kind##_##rows##_1, kind##_##rows##_2},
#endif
#define EACH_HEIGHT(F, kind) F(kind, 1) F(kind, 2) F(kind, 3) F(kind, 4) F(kind, 5) F(kind, 6)

EACH_HEIGHT(STRIP_FORMS, NEAR_TILE)
EACH_HEIGHT(STRIP_FORMS, FAR_TILE)
EACH_HEIGHT(STRIP_FORMS, PACKING_TILE)
static void (*const strips[][STRIP_ROWS][STRIP_VECTORS])(STRIP_ARGUMENTS) = {
    {EACH_HEIGHT(STRIP_NAMES, NEAR_TILE)},
    {EACH_HEIGHT(STRIP_NAMES, FAR_TILE)},
    {EACH_HEIGHT(STRIP_NAMES, PACKING_TILE)},
};

/* A strip of 1..STRIP_COLS columns: all rows, in tiles of nearly equal height. */
static void gemm_strip(
    int64_t rows, int64_t cols, int64_t k,
    const float *a, int64_t a_row, int64_t a_col,   /* IN, element (r, p) at r * a_row + p * a_col */
    const float *b, int64_t ldb,                    /* IN [k][ldb], whole vectors are read unless packed */
    float *packed,                                  /* scratch [k][cols rounded up to whole vectors], or NULL */
    float *c, int64_t ldc,                          /* OUT [rows][ldc]; IN too when adding */
    const float *row_bias, const float *col_bias,   /* IN [rows], [cols], or NULL */
    int how)
{
    int64_t vectors = (cols + LANES - 1) / LANES, last = cols - (vectors - 1) * LANES;
    int kind = packed ? PACKING_TILE : how & FAR ? FAR_TILE : NEAR_TILE;
    int64_t tiles = (rows + STRIP_ROWS - 1) / STRIP_ROWS, low = rows / tiles, high = rows % tiles;
    for (int64_t i = 0; i < tiles; i++) {
        int64_t n = low + (i < high);
        strips[kind][n - 1][vectors - 1](last, k, a, a_row, a_col, b, ldb, packed, c, ldc, row_bias, col_bias, how);
        if (kind == PACKING_TILE) {
            kind = how & FAR ? FAR_TILE : NEAR_TILE;
            b = packed;
            ldb = vectors * LANES;
        }
        a += n * a_row;
        c += n * ldc;
        if (row_bias) row_bias += n;
    }
}

/* c = (c +) the sum of `count` parts, in order, + biases; c[rows][ldc], the parts `step` apart, [rows][cols] each. */
static void gemm_parts(const float *parts, int64_t count, int64_t step, int64_t rows, int64_t cols, float *c, int64_t ldc,
                       const float *row_bias, const float *col_bias, int how)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < cols; j += LANES) {
            const float *part = parts + r * cols + j;
            float *y = c + r * ldc + j;
            int64_t n = cols - j;
            vec sum = load_first(part, n);
            for (int64_t i = 1; i < count; i++) sum += load_first(part + i * step, n);
            if (row_bias) sum += splat(row_bias[r]);
            if (col_bias) sum += load_first(col_bias + j, n);
            if (how & ADD) sum += load_first(y, n);
            store_first(y, how & RELU ? rectify(sum) : sum, n);
        }
}

/* c[r, j] = sum_p a[r, p] * b[j, p] + bias for 1..FEW rows of a and DOTS rows of b, all contiguous along p. */
#define FEW 4
#if LANES == 16
#define DOTS 4
#else
#define DOTS 2      /* 16 registers */
#endif

INLINE void dot_block(
    const int rows, const int dots, int64_t k,
    const float *a,         /* IN [rows][lda] */
    int64_t lda,
    const float *b,         /* IN [dots][ldb] */
    int64_t ldb,
    float *sums)            /* OUT [rows][DOTS] */
{
    vec acc[FEW][DOTS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < dots; j++) acc[r][j] = (vec){0};
    int64_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        vec down[FEW];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) down[r] = load(a + r * lda + p);
#pragma GCC unroll 4
        for (int j = 0; j < dots; j++) {
            vec across = load(b + j * ldb + p);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) acc[r][j] += down[r] * across;
        }
    }
    if (p < k)
#pragma GCC unroll 4
        for (int j = 0; j < dots; j++) {
            vec across = load_first(b + j * ldb + p, k - p);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) acc[r][j] += load_first(a + r * lda + p, k - p) * across;
        }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < dots; j++) sums[r * DOTS + j] = sum_lanes(acc[r][j]);
}

static void gemm_dot(
    int64_t rows, int64_t cols, int64_t k,
    const float *a, int64_t lda,                    /* IN [rows][lda], 1..4 rows */
    const float *b, int64_t ldb,                    /* IN [cols][ldb] */
    float *c, int64_t c_row, int64_t c_col,         /* OUT, element (r, j) at r * c_row + j * c_col */
    const float *row_bias, const float *col_bias,   /* IN [rows], [cols], or NULL */
    int how)
{
    float sums[FEW * DOTS];
    for (int64_t j = 0; j < cols; j += DOTS, b += DOTS * ldb) {
        int64_t n = cols - j < DOTS ? cols - j : DOTS;
#define DOT_CASE(rows) case rows: \
        if (n == DOTS) dot_block(rows, DOTS, k, a, lda, b, ldb, sums); \
        else for (int64_t i = 0; i < n; i++) dot_block(rows, 1, k, a, lda, b + i * ldb, ldb, sums + i); \
        break;
        switch (rows) { DOT_CASE(1) DOT_CASE(2) DOT_CASE(3) DOT_CASE(4) }
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < n; i++) {
                float *y = c + r * c_row + (j + i) * c_col;
                float sum = sums[r * DOTS + i] + (row_bias ? row_bias[r] : 0.0f) + (col_bias ? col_bias[j + i] : 0.0f);
                if (how & ADD) sum += *y;
                *y = how & RELU && sum <= 0.0f ? 0.0f : sum;
            }
    }
}
