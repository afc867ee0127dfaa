/* Locally connected layers, whose every position has filters of its own: neighbouring positions are the lanes, and a
 * vector of outputs is a sum of products of vectors. Patches, weights and gradients lie in panels [row][term][LANES].
 */

#define LOCAL_RUNS 4        /* read by masks; from more on, pixels one by one */
#define LOCAL_ADDED 2       /* written by masks, likewise */
#define LOCAL_PLANES 64     /* visited for one tap, then for the next: their rows stay in the first cache */
#if LANES == 16 || defined(__aarch64__)
#define LOCAL_ROWS 6
#define LOCAL_COLS 4
#else
#define LOCAL_ROWS 3        /* 16 registers */
#define LOCAL_COLS 3
#endif

/* What one tap sees at a vector of positions: lanes whose pixels are neighbours are a run, that of lane l at `offset` + l;
 * where runs are many, each pixel by itself, that of lanes[i] at pixels[i]. Pixels in the padding are in none. */
typedef struct Sight {
    int runs, count;
    struct {
        int64_t offset;
        Lanes lanes;
    } run[LOCAL_RUNS];
    int32_t lane[LANES];
    int64_t pixel[LANES];
} Sight;

/* Of tap (i, j) at positions first .. first + count - 1. */
INLINE Sight sight_of(const Conv2d *q, int64_t i, int64_t j, int64_t first, int64_t count)
{
    Sight s = {0};
    for (int64_t lane = 0, next; lane < count; lane = next) {
        int64_t y = (first + lane) / q->ow, x = (first + lane) % q->ow;
        int64_t most = q->sw == 1 ? q->ow - x : 1; /* with a stride no two positions are neighbours */
        next = lane + (most < count - lane ? most : count - lane);
        int64_t row = y * q->sh - q->pt + i * q->dh, column = x * q->sw - q->pl + j * q->dw;
        int64_t begin = column < 0 ? lane - column : lane, end = q->w - column < next - lane ? q->w - column + lane : next;
        if (row < 0 || row >= q->h || begin >= end) continue;
        int64_t offset = row * q->w + column - lane;
        if (s.runs < LOCAL_RUNS) {
            s.run[s.runs].offset = offset;
            s.run[s.runs].lanes = lanes_between(begin, end);
        }
        s.runs++;
        for (int64_t l = begin; l < end; l++, s.count++) {
            s.lane[s.count] = (int32_t)l;
            s.pixel[s.count] = offset + l;
        }
    }
    return s;
}

/* The patches of `count` positions: panel[image][channel, tap][LANES], images `pitch` floats apart; x[images][c][h][w]. */
static void local_patches(const Conv2d *q, int64_t images, int64_t first, int64_t count, const float *x, float *panel,
                          int64_t pitch)
{
    int64_t taps = q->kh * q->kw, pixels = q->h * q->w, few = (LOCAL_PLANES + q->c - 1) / q->c;
    for (int64_t start = 0; start < images; start += few)
        for (int64_t tap = 0; tap < taps; tap++) {
            const Sight s = sight_of(q, tap / q->kw, tap % q->kw, first, count);
            for (int64_t image = start; image < images && image < start + few; image++) {
                const float *plane = x + image * q->c * pixels;
                float *to = panel + image * pitch + tap * LANES;
                for (int64_t c = 0; c < q->c; c++, plane += pixels, to += taps * LANES) {
                    vec v = {0};
                    if (s.runs <= LOCAL_RUNS)
                        for (int r = 0; r < s.runs; r++) v += load_lanes(plane + s.run[r].offset, s.run[r].lanes, 0.0f);
                    store(to, v);
                    if (s.runs > LOCAL_RUNS)
                        for (int l = 0; l < s.count; l++) to[s.lane[l]] = plane[s.pixel[l]];
                }
            }
        }
}

/* The transpose: the patches of channels channel .. channel + channels - 1 are added to dx[images][c][h][w]. */
static void local_add_patches(const Conv2d *q, int64_t images, int64_t channel, int64_t channels, int64_t first,
                              int64_t count, const float *panel, int64_t pitch, float *dx)
{
    int64_t taps = q->kh * q->kw, pixels = q->h * q->w, few = (LOCAL_PLANES + channels - 1) / channels;
    for (int64_t start = 0; start < images; start += few)
        for (int64_t tap = 0; tap < taps; tap++) {
            const Sight s = sight_of(q, tap / q->kw, tap % q->kw, first, count);
            for (int64_t image = start; image < images && image < start + few; image++) {
                float *plane = dx + (image * q->c + channel) * pixels;
                const float *from = panel + image * pitch + tap * LANES;
                for (int64_t c = 0; c < channels; c++, plane += pixels, from += taps * LANES) {
                    if (s.runs <= LOCAL_ADDED)
                        for (int r = 0; r < s.runs; r++) {
                            float *at = plane + s.run[r].offset;
                            store_lanes(at, load_lanes(at, s.run[r].lanes, 0.0f) + load(from), s.run[r].lanes);
                        }
                    else for (int l = 0; l < s.count; l++) plane[s.pixel[l]] += from[s.lane[l]];
                }
            }
        }
}

/* Vectors of `count` lanes from far apart as a panel [rows][terms][LANES], rows `pitch` floats apart. The vectors behind
 * them are wanted next, and no stride of pages is foreseen by the processor. */
static void local_pack(int64_t rows, int64_t terms, int64_t count, const float *a, int64_t a_row, int64_t a_term,
                       float *panel, int64_t pitch)
{
    for (int64_t r = 0; r < rows; r++, a += a_row, panel += pitch)
        for (int64_t t = 0; t < terms; t++) {
            __builtin_prefetch(a + t * a_term + LANES, 0, 2);
            store(panel + t * LANES, load_first(a + t * a_term, count));
        }
}

INLINE void local_tile(const int rows, const int cols, int64_t count, int64_t terms, const float *a, int64_t a_row,
                       const float *b, int64_t b_col, int64_t b_term, float *c, int64_t c_row, int64_t c_col,
                       const float *bias, int64_t bias_row, int accumulate)
{
    vec acc[LOCAL_ROWS][LOCAL_COLS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) acc[r][j] = (vec){0};
    for (int64_t t = 0; t < terms; t++, a += LANES, b += b_term) {
        vec across[LOCAL_COLS];
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) across[j] = load(b + j * b_col);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vec down = load(a + r * a_row);
#pragma GCC unroll 4
            for (int j = 0; j < cols; j++) acc[r][j] += down * across[j];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        vec more = bias ? load_first(bias + r * bias_row, count) : (vec){0};
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            float *to = c + r * c_row + j * c_col;
            vec sum = acc[r][j] + more;
            store_first(to, accumulate ? sum + load_first(to, count) : sum, count);
        }
    }
}

#define LOCAL_ARGUMENTS int64_t count, int64_t terms, const float *a, int64_t a_row, const float *b, int64_t b_col, \
    int64_t b_term, float *c, int64_t c_row, int64_t c_col, const float *bias, int64_t bias_row, int accumulate
#define LOCAL_FORM(rows, cols) \
    static void local_##rows##_##cols(LOCAL_ARGUMENTS) \
    { local_tile(rows, cols, count, terms, a, a_row, b, b_col, b_term, c, c_row, c_col, bias, bias_row, accumulate); }
#if LOCAL_COLS == 4
#define LOCAL_FORMS(rows) LOCAL_FORM(rows, 1) LOCAL_FORM(rows, 2) LOCAL_FORM(rows, 3) LOCAL_FORM(rows, 4)
#define LOCAL_NAMES(rows) {local_##rows##_1, local_##rows##_2, local_##rows##_3, local_##rows##_4},
#define EACH_LOCAL(F) F(1) F(2) F(3) F(4) F(5) F(6)
#else
#define LOCAL_FORMS(rows) LOCAL_FORM(rows, 1) LOCAL_FORM(rows, 2) LOCAL_FORM(rows, 3)
#define LOCAL_NAMES(rows) {local_##rows##_1, local_##rows##_2, local_##rows##_3},
#define EACH_LOCAL(F) F(1) F(2) F(3)
#endif

EACH_LOCAL(LOCAL_FORMS)
static void (*const local_tiles[LOCAL_ROWS][LOCAL_COLS])(LOCAL_ARGUMENTS) = {EACH_LOCAL(LOCAL_NAMES)};

/* c[r][j] = (c[r][j] +) sum_t a[r][t] * b[j][t] + bias[r], vectors of which `count` lanes are stored. */
static void local_products(
    int64_t rows, int64_t cols, int64_t count, int64_t terms,
    const float *a, int64_t a_row,                      /* IN [rows][terms][LANES], rows a_row floats apart */
    const float *b, int64_t b_col, int64_t b_term,      /* IN vector (j, t) at j * b_col + t * b_term */
    float *c, int64_t c_row, int64_t c_col,             /* OUT vector (r, j) at r * c_row + j * c_col; IN too if accumulate */
    const float *bias, int64_t bias_row,                /* IN vector r at r * bias_row, or NULL */
    int accumulate)
{
    int64_t row_tiles = (rows + LOCAL_ROWS - 1) / LOCAL_ROWS, col_tiles = (cols + LOCAL_COLS - 1) / LOCAL_COLS;
    for (int64_t i = 0; i < row_tiles; i++) {
        int64_t row = i * rows / row_tiles, high = (i + 1) * rows / row_tiles - row;
        for (int64_t k = 0; k < col_tiles; k++) {
            int64_t col = k * cols / col_tiles, wide = (k + 1) * cols / col_tiles - col;
            local_tiles[high - 1][wide - 1](count, terms, a + row * a_row, a_row, b + col * b_col, b_col, b_term,
                                            c + row * c_row + col * c_col, c_row, c_col,
                                            bias ? bias + row * bias_row : NULL, bias_row, accumulate);
        }
    }
}
