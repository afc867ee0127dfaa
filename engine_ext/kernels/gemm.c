/* The register tile that matrix products and packed convolutions share, and sums.
 *
 * c[rows, cols] = (c +) a[k, rows] * b[k, cols] + bias. Panels of a are packed [k][MR]; those of b [k][NR], or rows of a
 * matrix ldb apart. The accumulators must stay in registers: every trip count inside is a constant after inlining.
 */

/* The columns that no whole vector covers: from a buffer [rows][NR] to c. */
static __attribute__((noinline)) void store_edge(int64_t rows, int64_t cols, const float *edge, float *c, int64_t ldc,
                                                 const float *col_bias, int accumulate)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < cols; j++) {
            float sum = edge[r * NR + j] + (col_bias ? col_bias[j] : 0.0f);
            c[r * ldc + j] = accumulate ? c[r * ldc + j] + sum : sum;
        }
}

INLINE void tile(
    const int rows, const int vectors, int64_t cols, int64_t k,
    const float *a,         /* IN [k][MR], rows of them used */
    const float *b,         /* IN [k][ldb], vectors * LANES of them read */
    int64_t ldb,
    float *c,               /* OUT [rows][ldc], cols of them; IN too when accumulating */
    int64_t ldc,
    const float *row_bias,  /* IN [rows] or NULL */
    const float *col_bias,  /* IN [cols] or NULL */
    int accumulate)
{
    vec acc[MR][NV];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        __builtin_prefetch(c + r * ldc, 1);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[r][v] = (vec){0};
    }
    for (int64_t p = 0; p < k; p++, a += MR, b += ldb) {
        vec across[NV];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) across[v] = load(b + v * LANES);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vec down = splat(a[r]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] += down * across[v];
        }
    }
    if (row_bias)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] += splat(row_bias[r]);
    if (cols == vectors * LANES) {
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
    float edge[MR * NR];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) store(edge + r * NR + v * LANES, acc[r][v]);
    store_edge(rows, cols, edge, c, ldc, col_bias, accumulate);
}

#define TILE_ARGUMENTS int64_t cols, int64_t k, const float *a, const float *b, int64_t ldb, float *c, int64_t ldc, \
    const float *row_bias, const float *col_bias, int accumulate
#define TILE(rows, vectors) \
    static void tile_##rows##_##vectors(TILE_ARGUMENTS) \
    { tile(rows, vectors, cols, k, a, b, ldb, c, ldc, row_bias, col_bias, accumulate); }
#if NV == 3
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define TILE_NAMES(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3},
#else
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#define TILE_NAMES(rows) {tile_##rows##_1, tile_##rows##_2},
#endif
#if MR == 14
#define EACH_ROWS(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#elif MR == 8
#define EACH_ROWS(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8)
#elif MR == 6
#define EACH_ROWS(F) F(1) F(2) F(3) F(4) F(5) F(6)
#else
#define EACH_ROWS(F) F(1) F(2) F(3) F(4)
#endif

EACH_ROWS(TILES)
static void (*const tiles[MR][NV])(TILE_ARGUMENTS) = {EACH_ROWS(TILE_NAMES)};

/* One tile of 1..MR rows and 1..NR columns: computes those rows only, and as many vectors as the columns need. */
static void gemm_tile(int64_t rows, int64_t cols, int64_t k, const float *a, const float *b, int64_t ldb,
                      float *c, int64_t ldc, const float *row_bias, const float *col_bias, int accumulate)
{
    tiles[rows - 1][(cols - 1) / LANES](cols, k, a, b, ldb, c, ldc, row_bias, col_bias, accumulate);
}

/* Sums of the columns of g[rows][ld], cols of them, in a fixed order: blocks of rows, then the blocks. */
static void sum_columns(const float *g, int64_t rows, int64_t cols, int64_t ld, float *sums)
{
    enum { BLOCK = 64, WIDE = 4 };
    int64_t j = 0;
    for (; j + WIDE * LANES <= cols; j += WIDE * LANES) {
        vec total[WIDE] = {{0}};
        for (int64_t i = 0; i < rows; i += BLOCK) {
            int64_t stop = i + BLOCK < rows ? i + BLOCK : rows;
            vec sum[WIDE] = {{0}};
            for (int64_t r = i; r < stop; r++)
#pragma GCC unroll 4
                for (int v = 0; v < WIDE; v++) sum[v] += load(g + r * ld + j + v * LANES);
#pragma GCC unroll 4
            for (int v = 0; v < WIDE; v++) total[v] += sum[v];
        }
#pragma GCC unroll 4
        for (int v = 0; v < WIDE; v++) store(sums + j + v * LANES, total[v]);
    }
    for (; j < cols; j += LANES) {
        vec total = {0};
        for (int64_t i = 0; i < rows; i += BLOCK) {
            int64_t stop = i + BLOCK < rows ? i + BLOCK : rows;
            vec sum = {0};
            for (int64_t r = i; r < stop; r++) sum += load_first(g + r * ld + j, cols - j);
            total += sum;
        }
        store_first(sums + j, total, cols - j);
    }
}

/* x, or 0 where y is not above 0: what a ReLU that gave y lets through; y may be NULL. */
INLINE vec passing(const float *y, int64_t n, vec x)
{
    return y ? choose(load_first(y, n) <= splat(0.0f), splat(0.0f), x) : x;
}

INLINE double summed(const float *x, const float *y, int64_t n)
{
    enum { BLOCK = 4096 };
    double total = 0.0;
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t stop = start + BLOCK < n ? start + BLOCK : n, i = start;
        vec acc[4] = {{0}};
        for (; i + 4 * LANES <= stop; i += 4 * LANES)
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++)
                acc[v] += passing(y ? y + i + v * LANES : NULL, LANES, load(x + i + v * LANES));
        for (; i < stop; i += LANES)
            acc[0] += passing(y ? y + i : NULL, stop - i, load_first(x + i, stop - i));
        total += sum_lanes((acc[0] + acc[1]) + (acc[2] + acc[3]));
    }
    return total;
}

/* Sum of n floats in a fixed order; where y is given of those that are under a y above 0. */
static double sum_run(const float *x, const float *y, int64_t n)
{
    return y ? summed(x, y, n) : summed(x, NULL, n);
}
