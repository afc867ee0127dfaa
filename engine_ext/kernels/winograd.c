/* Winograd's convolution: F(4x4, 3x3) and F(2x2, 3x3), products of points of tiles instead of sums over taps.
 *
 * A tile of m x m outputs needs (m + 2) x (m + 2) inputs; both, and the weights, are transformed to as many positions,
 * where channels are summed by products. Points 0, +-5/8, +-3/2 and infinity: exact in binary, as cheap as 0, +-1, +-2 and
 * 2 to 4 times more accurate. Images stay NCHW outside; here vectors hold channels, so pixels are transposed on the way in
 * and out, through a stage [row][column][LANES].
 *
 * The point at infinity is in a tile's last output alone. Where a row of tiles would end behind the image, its last tiles have
 * an output less, and no products there.
 */
#include "windows.h"

#define NEAR (5.0f / 8)
#define FAR (3.0f / 2)
#define NEAR2 (NEAR * NEAR)
#define FAR2 (FAR * FAR)

/* --- where tiles are */

/* Tiles have m x m outputs, of 3x3 windows, and of 4x4 ones where m is 3; or FIVE: 2x2 of 5x5 ones. */
#define FIVE 5
INLINE int side_of(int m) { return m == FIVE ? 2 : m; }
INLINE int points_of(int m) { return m == 2 ? 4 : 6; }

/* The first output of a tile along an axis. */
INLINE int64_t tile_start(int64_t tile, int64_t whole, int64_t side) { return tile * side - max64(tile - whole, 0); }

/* Rows and columns of the rectangle whose tiles are whole. */
INLINE int64_t whole_rows(const Tiles *t) { return min64(max64(t->whole_rows - t->row, 0), t->rows); }
INLINE int64_t whole_cols(const Tiles *t) { return min64(max64(t->whole_cols - t->col, 0), t->cols); }

/* Where a tile's vectors lie: those of all images that end short along both axes, neither, ... in this order: short columns,
 * whole ones, short rows, both. What needs whole rows, or whole columns, or both is a run. */
INLINE int64_t tile_place(const Tiles *t, int64_t i, int64_t j)
{
    const int64_t down = whole_rows(t), across = whole_cols(t), below = t->rows - down, beside = t->cols - across;
    if (i < down && j >= across) return (t->image * down + i) * beside + j - across;
    if (i < down) return t->images * down * beside + (t->image * down + i) * across + j;
    if (j < across) return t->images * down * t->cols + (t->image * below + i - down) * across + j;
    return t->images * (t->rows * t->cols - below * beside) + (t->image * below + i - down) * beside + j - across;
}

/* --- pixels of planes to vectors of channels */

/* n neighbouring pixels of up to LANES planes, `plane` floats apart, to vectors in rows of `width`, `skip` floats between
 * the rows. Lanes from `channels` on are 0. */
static void stage_run(const float *x, int64_t plane, int64_t channels, int64_t n, float *stage, int64_t width, int64_t skip)
{
    int64_t column = 0;
    for (int64_t i = 0; i < n; i += LANES, x += LANES) {
        vec m[LANES];
        int64_t count = n - i < LANES ? n - i : LANES;
        if (count == LANES && channels == LANES)
#pragma GCC unroll 16
            for (int c = 0; c < LANES; c++) m[c] = load(x + c * plane);
        else
#pragma GCC unroll 16
            for (int c = 0; c < LANES; c++) m[c] = c < channels ? load_first(x + c * plane, count) : (vec){0};
        transpose(m);
#pragma GCC unroll 16
        for (int p = 0; p < LANES; p++) {
            if (p >= count) break;
            store(stage, m[p]);
            int wraps = ++column == width;
            stage += wraps ? LANES + skip : LANES;
            column = wraps ? 0 : column;
        }
    }
}

/* Zeros into n vectors. */
INLINE void clear(float *stage, int64_t n)
{
    for (int64_t i = 0; i < n; i++) store(stage + i * LANES, (vec){0});
}

/* The pixels of a box to a stage [height][width][LANES]; zeros where the box leaves the image. */
static void stage_box(
    const float *x, int64_t rows, int64_t cols,     /* IN, the first of `channels` planes [rows][cols] */
    int64_t channels,
    int64_t top, int64_t left, int64_t height, int64_t width,   /* the box; its corner may lie outside */
    float *stage)
{
    int64_t y0 = top < 0 ? -top : 0, y1 = rows - top < height ? rows - top : height;
    int64_t x0 = left < 0 ? -left : 0, x1 = cols - left < width ? cols - left : width;
    if (y0 >= y1 || x0 >= x1) {
        clear(stage, height * width);
        return;
    }
    clear(stage, y0 * width);
    clear(stage + y1 * width * LANES, (height - y1) * width);
    for (int64_t y = y0; y < y1; y++) {
        clear(stage + y * width * LANES, x0);
        clear(stage + (y * width + x1) * LANES, width - x1);
    }
    x += (top + y0) * cols + left + x0;
    stage += (y0 * width + x0) * LANES;
    if (x1 - x0 == cols) {      /* whole rows are one run */
        stage_run(x, rows * cols, channels, (y1 - y0) * cols, stage, cols, (width - cols) * LANES);
        return;
    }
    for (int64_t y = y0; y < y1; y++, x += cols, stage += width * LANES)
        stage_run(x, rows * cols, channels, x1 - x0, stage, x1 - x0, 0);
}

/* --- inputs: B^T d B */

/* One row of six points to six positions, `step` floats apart. */
INLINE void input_line4(const vec d[6], float *v, int64_t step)
{
    store(v, d[4] - (NEAR2 + FAR2) * d[2] + NEAR2 * FAR2 * d[0]);
    vec even = d[4] - FAR2 * d[2], odd = alone(NEAR * d[3] - NEAR * FAR2 * d[1]);
    store(v + step, even + odd);
    store(v + 2 * step, even - odd);
    even = d[4] - NEAR2 * d[2], odd = alone(FAR * d[3] - FAR * NEAR2 * d[1]);
    store(v + 3 * step, even + odd);
    store(v + 4 * step, even - odd);
    store(v + 5 * step, d[5] - (NEAR2 + FAR2) * d[3] + NEAR2 * FAR2 * d[1]);
}

/* Rows of positions as they come from the columns: those of 0 and infinity alone, those of +-p in pairs. */
INLINE void input_tile4(const float *d, int64_t row, float *v, int64_t step)
{
#define D(i, j) load(d + (i) * row + (j) * LANES)
    vec a[6], b[6];
#pragma GCC unroll 2
    for (int end = 0; end < 2; end++) {
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++)
            a[j] = D(end + 4, j) - (NEAR2 + FAR2) * D(end + 2, j) + NEAR2 * FAR2 * D(end, j);
        input_line4(a, v + end * 30 * step, step);
    }
#pragma GCC unroll 2
    for (int far = 0; far < 2; far++) {
        const float point = far ? FAR : NEAR, other2 = far ? NEAR2 : FAR2;
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            vec even = D(4, j) - other2 * D(2, j), odd = alone(point * D(3, j) - point * other2 * D(1, j));
            a[j] = even + odd;
            b[j] = even - odd;
        }
        input_line4(a, v + (6 + 12 * far) * step, step);
        input_line4(b, v + (12 + 12 * far) * step, step);
    }
#undef D
}

INLINE void input_line2(const vec d[4], float *v, int64_t step)
{
    store(v, d[0] - d[2]);
    store(v + step, d[1] + d[2]);
    store(v + 2 * step, d[2] - d[1]);
    store(v + 3 * step, d[1] - d[3]);
}

INLINE void input_tile2(const float *d, int64_t row, float *v, int64_t step)
{
#define D(i, j) load(d + (i) * row + (j) * LANES)
    vec a[4][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        a[0][j] = D(0, j) - D(2, j);
        a[1][j] = D(1, j) + D(2, j);
        a[2][j] = D(2, j) - D(1, j);
        a[3][j] = D(1, j) - D(3, j);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) input_line2(a[i], v + 4 * i * step, step);
#undef D
}

INLINE void input(const int m, const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage, float *v,
                  int64_t step)
{
    const int side = side_of(m), points = points_of(m);
    const int64_t top = tile_start(t->row, t->whole_rows, side), left = tile_start(t->col, t->whole_cols, side);
    const int64_t height = tile_start(t->row + t->rows - 1, t->whole_rows, side) - top + points;
    const int64_t width = tile_start(t->col + t->cols - 1, t->whole_cols, side) - left + points, row = width * LANES;
    stage_box(x, q->h, q->w, channels, top - q->pt, left - q->pl, height, width, stage);
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++) {
            const float *d = stage + (tile_start(t->row + i, t->whole_rows, side) - top) * row +
                             (tile_start(t->col + j, t->whole_cols, side) - left) * LANES;
            float *to = v + tile_place(t, i, j) * LANES;
            if (m == 2) input_tile2(d, row, to, step);
            else input_tile4(d, row, to, step);
        }
}

/* Transforms the inputs of a rectangle of tiles of one image, up to LANES channels of it. A tile of m x m outputs has
 * (m + 2)^2 positions. Whatever the padding: inputs beyond the image are 0. */
static void winograd4_input(
    const Conv2d *q,        /* h, w, pt and pl count */
    const float *x,         /* IN, the first of `channels` planes */
    int64_t channels,       /* 1 .. LANES; lanes beyond become 0 */
    const Tiles *t,
    float *stage,           /* scratch [t->rows * 4 + 2][t->cols * 4 + 2][LANES] */
    float *v,               /* OUT [position 6 * i + j][tile_place][LANES] */
    int64_t step)           /* floats between positions: an odd number of lines, or they share sets of the cache */
{
    input(4, q, x, channels, t, stage, v, step);
}

static void winograd2_input(const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage, float *v,
                            int64_t step)
{
    input(2, q, x, channels, t, stage, v, step);
}

/* --- weights: G g G^T */

/* Three weights to six positions. */
INLINE void weight_line4(const vec g[3], vec u[6])
{
    const float near = 1 / (2 * NEAR2 * (NEAR2 - FAR2)), far = 1 / (2 * FAR2 * (FAR2 - NEAR2));
    u[0] = g[0] * (1 / (NEAR2 * FAR2));
    vec even = near * g[0] + near * NEAR2 * g[2], odd = near * NEAR * g[1];
    u[1] = even + odd;
    u[2] = even - odd;
    even = far * g[0] + far * FAR2 * g[2], odd = far * FAR * g[1];
    u[3] = even + odd;
    u[4] = even - odd;
    u[5] = g[2];
}

INLINE void weight_line2(const vec g[3], vec u[4])
{
    vec even = 0.5f * g[0] + 0.5f * g[2];
    u[0] = g[0];
    u[1] = even + 0.5f * g[1];
    u[2] = even - 0.5f * g[1];
    u[3] = g[2];
}

/* Stride 2, in place of m: the outer weights at +-CLOSE, +-WIDE and infinity, and the inner one (winograd_stride.c). */
#define STRIDED 8
#define CLOSE (1.0f / 2)
#define WIDE (5.0f / 4)
#define CLOSE2 (CLOSE * CLOSE)
#define WIDE2 (WIDE * WIDE)
INLINE void weight_line_stride(const vec g[3], vec u[6])
{
    const float close = 1 / (2 * CLOSE * (CLOSE2 - WIDE2)), wide = 1 / (2 * WIDE * (WIDE2 - CLOSE2));
    u[0] = close * CLOSE * g[2] + close * g[0];
    u[1] = close * CLOSE * g[2] - close * g[0];
    u[2] = wide * WIDE * g[2] + wide * g[0];
    u[3] = wide * WIDE * g[2] - wide * g[0];
    u[4] = g[2];
    u[5] = g[1];
}

INLINE void weight_line(const int m, const vec g[3], vec u[6])
{
    if (m == STRIDED) weight_line_stride(g, u);
    else if (m == 4) weight_line4(g, u);
    else weight_line2(g, u);
}

/* Taps [9][LANES] of one input channel to its row at each position; `turn` -1 reads the taps backwards. */
INLINE void weight_tile(const int m, const float *taps, int turn, float *u, int64_t step)
{
    const int points = m == 2 ? 4 : 6;
    vec columns[6][3];
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) {
        vec g[3], line[6];
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) g[i] = load(taps + turn * (3 * i + j) * LANES);
        weight_line(m, g, line);
#pragma GCC unroll 6
        for (int i = 0; i < points; i++) columns[i][j] = line[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < points; i++) {
        vec line[6];
        weight_line(m, columns[i], line);
#pragma GCC unroll 6
        for (int j = 0; j < points; j++) store(u + (i * points + j) * step, line[j]);
    }
}

/* Taps [channel][tap][LANES] of some channels, whose taps lie together for each output. */
static __attribute__((noinline)) void taps_of_channels(float *taps, const float *w, int64_t out_step, int64_t outs,
                                                       int64_t channels)
{
    copy_columns(taps, LANES, w, out_step, outs, 9 * channels);
}

/* Taps [tap][LANES] of one channel, whose outputs lie together. */
static __attribute__((noinline)) void taps_of_outputs(float *taps, const float *w, int64_t outs)
{
#pragma GCC unroll 2
    for (int t = 0; t < 8; t += LANES) {
        vec m[LANES];
#pragma GCC unroll 16
        for (int o = 0; o < LANES; o++) m[o] = o < outs ? load_first(w + o * 9 + t, 9 - t) : (vec){0};
        transpose(m);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (t + i < 9) store(taps + (t + i) * LANES, m[i]);
    }
    if (LANES < 9)
        for (int64_t o = 0; o < outs; o++) taps[8 * LANES + o] = w[o * 9 + 8];
}

INLINE void weights(const int m, const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                    int64_t channels, float *u, int64_t step)
{
    float taps[9 * LANES * LANES];
    memset(taps, 0, sizeof taps);
    for (int64_t c = 0; c < channels; c++, u += 2 * LANES) {
        if (rotated) {
            if (c + 4 < channels)   /* channels are pages apart */
                for (int i = 0; i < 9 * LANES; i += 16) __builtin_prefetch(w + (c + 4) * in_step + i);
            taps_of_outputs(taps, w + c * in_step, outs);
            weight_tile(m, taps + 8 * LANES, -1, u, step);
            continue;
        }
        if (c % LANES == 0)
            taps_of_channels(taps, w + c * in_step, out_step, outs, channels - c < LANES ? channels - c : LANES);
        weight_tile(m, taps + c % LANES * 9 * LANES, 1, u, step);
    }
}

/* Transforms the weights of up to LANES outputs and some input channels. */
static void winograd4_weights(
    const float *w,         /* IN, tap t of output o, channel c at o * out_step + c * in_step + t */
    int64_t out_step, int64_t in_step,
    int rotated,            /* the taps backwards, as the input gradient needs them; out_step is 9, else in_step is */
    int64_t outs, int64_t channels,
    float *u,               /* OUT [position][channel], rows 2 * LANES apart */
    int64_t step)           /* floats between positions */
{
    weights(4, w, out_step, in_step, rotated, outs, channels, u, step);
}

static void winograd2_weights(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                              int64_t channels, float *u, int64_t step)
{
    weights(2, w, out_step, in_step, rotated, outs, channels, u, step);
}
