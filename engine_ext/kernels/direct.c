/* Tiles of convolutions of stride 1 whose patches are not packed but read from the image, tap by tap.
 *
 * c[rows, cols] = a[k, rows] * b[k, cols] + bias, where rows of one operand lie where a list of offsets says. The
 * accumulators must stay in registers: every trip count inside is a constant after inlining. Sums longer than
 * LONGEST_SUM are added up from parts, which keeps their rounding errors small.
 */

#define LONGEST_SUM 384

/* Fewer than LANES floats, exactly. */
INLINE void copy_few(float *d, const float *s, int64_t n)
{
#if LANES == 16
    store_first(d, load_first(s, n), n);
#else   /* masked stores of AVX2 are microcode on many CPUs */
    if (n >= 4) {
        quad first = *(const quad *)s, last = *(const quad *)(s + n - 4);
        *(quad *)d = first;
        *(quad *)(d + n - 4) = last;
    } else {
        if (n > 0) d[0] = s[0];
        if (n > 1) d[1] = s[1];
        if (n > 2) d[2] = s[2];
    }
#endif
}

/* A run of n floats, exactly. */
INLINE void copy_run(float *d, const float *s, int64_t n)
{
    if (n < LANES) {
        copy_few(d, s, n);
        return;
    }
    for (int64_t i = 0; i + LANES < n; i += LANES) store(d + i, load(s + i));
    store(d + n - LANES, load(s + n - LANES));
}

/* The first n lanes, or all. */
INLINE void store_part(float *p, vec v, int64_t n)
{
    if (n >= LANES) store(p, v);
    else {
#if LANES == 16
        store_first(p, v, n);
#else
        float lanes[LANES];
        store(lanes, v);
        copy_few(p, lanes, n);
#endif
    }
}


/* Outputs down, pixels across. */
INLINE void direct(
    const int rows, const int vectors, int64_t k,
    const float *a,         /* IN [k][MR], rows of them used */
    const float *image,
    const int64_t *offsets, /* IN [k] */
    const int64_t *at,      /* IN [vectors], from `image` to the first pixel of each vector */
    const int64_t *to,      /* IN [vectors], from c to its first output */
    int64_t lanes,
    float *c, int64_t ldc,
    const float *bias, int relu)
{
    vec acc[MR][NV];
    float parts[MR * NR];
    const float *from[NV];
    int64_t done = 0;
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) from[v] = image + at[v];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + r * ldc + to[v], 1);
    do {
        int64_t steps = k - done > LONGEST_SUM ? LONGEST_SUM : k - done;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] = (vec){0};
        for (int64_t p = 0; p < steps; p++, a += MR) {
            const int64_t offset = *offsets++;
            vec across[NV];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) across[v] = load(from[v] + offset);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec down = splat(a[r]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += down * across[v];
            }
        }
        if (done)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += load(parts + r * NR + v * LANES);
        done += steps;
        if (done < k)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) store(parts + r * NR + v * LANES, acc[r][v]);
    } while (done < k);
    if (bias)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] += splat(bias[r]);
    if (relu)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] = rectify(acc[r][v]);
    if (lanes == LANES)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) store(c + r * ldc + to[v], acc[r][v]);
    else
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) store_part(c + r * ldc + to[v], acc[r][v], lanes);
}

/* A tile of 1..MR pixels by outputs, from a buffer [rows][ld] to planes: c[j * ldc + r]. */
static __attribute__((noinline)) void store_columns(int64_t rows, int64_t cols, const float *tile, int64_t ld, float *c,
                                                    int64_t ldc, const float *bias, int relu)
{
    for (int64_t j = 0; j < cols; j += LANES) {
        vec m[LANES];
        int64_t n = cols - j < LANES ? cols - j : LANES;
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++) m[r] = r < rows ? load(tile + r * ld + j) : (vec){0};
        transpose(m);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (i < n) {
                vec sum = bias ? m[i] + splat(bias[j + i]) : m[i];
                store_part(c + (j + i) * ldc, relu ? rectify(sum) : sum, rows);
            }
    }
}

/* Pixels down, outputs across. */
INLINE void across(
    const int rows, const int vectors, int64_t cols, int64_t k,
    const float *image,
    const int64_t *offsets, /* IN [k] */
    const float *b,         /* IN [k][NR], vectors * LANES of them read */
    float *c, int64_t ldc,
    const float *bias, int relu)
{
    vec acc[MR][NV];
    float sums[MR * NR];
    int64_t done = 0;
    do {
        int64_t steps = k - done > LONGEST_SUM ? LONGEST_SUM : k - done;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r][v] = (vec){0};
        for (int64_t p = 0; p < steps; p++, b += NR) {
            const float *pixel = image + *offsets++;
            vec outputs[NV];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) outputs[v] = load(b + v * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec down = splat(pixel[r]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += down * outputs[v];
            }
        }
        if (done)
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[r][v] += load(sums + r * NR + v * LANES);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) store(sums + r * NR + v * LANES, acc[r][v]);
        done += steps;
    } while (done < k);
    store_columns(rows, cols, sums, NR, c, ldc, bias, relu);
}

#define DIRECT_ARGUMENTS int64_t k, const float *a, const float *image, const int64_t *offsets, const int64_t *at, \
    const int64_t *to, int64_t lanes, float *c, int64_t ldc, const float *bias, int relu
#define ACROSS_ARGUMENTS int64_t cols, int64_t k, const float *image, const int64_t *offsets, const float *b, float *c, \
    int64_t ldc, const float *bias, int relu

#define DIRECT(rows, vectors) \
    static void direct_##rows##_##vectors(DIRECT_ARGUMENTS) \
    { direct(rows, vectors, k, a, image, offsets, at, to, lanes, c, ldc, bias, relu); } \
    static void across_##rows##_##vectors(ACROSS_ARGUMENTS) \
    { across(rows, vectors, cols, k, image, offsets, b, c, ldc, bias, relu); }
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

/* 1..MR outputs of 1..NV vectors of pixels, each vector anywhere in the image and the output. Vectors are read whole,
 * `lanes` of each are stored. */
static void direct_tile(
    int64_t rows, int64_t vectors, int64_t k,
    const float *a,         /* IN [k][MR] */
    const float *image,
    const int64_t *offsets, /* IN [k], from a pixel to its taps */
    const int64_t *at,      /* IN [vectors], from `image` to the first pixel of each vector */
    const int64_t *to,      /* IN [vectors], from c to its first output */
    int64_t lanes,
    float *c, int64_t ldc,  /* OUT [rows][ldc], planes of the output */
    const float *bias,      /* IN [rows] or NULL */
    int relu)
{
    directs[rows - 1][vectors - 1](k, a, image, offsets, at, to, lanes, c, ldc, bias, relu);
}

/* 1..NR outputs of 1..MR neighbouring pixels: none is computed in vain, but the tile is transposed on its way out. */
static void across_tile(
    int64_t rows, int64_t cols, int64_t k,
    const float *image,     /* IN, at the first pixel */
    const int64_t *offsets, /* IN [k], from a pixel to its taps */
    const float *w,         /* IN [k][NR] */
    float *c, int64_t ldc,  /* OUT, output j of pixel r at c[j * ldc + r] */
    const float *bias,      /* IN [cols] or NULL */
    int relu)
{
    acrosses[rows - 1][(cols - 1) / LANES](cols, k, image, offsets, w, c, ldc, bias, relu);
}
