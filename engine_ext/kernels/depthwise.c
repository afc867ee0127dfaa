/* Depthwise convolution and its gradients: each output channel sees one input channel.
 *
 * A plane is cut into strips of a vector of output columns, and a strip is walked from top to bottom with the windows'
 * sums in registers (depthwise_strip.h): no padded copies, and a row of the image is loaded once for all windows that see
 * it. Windows of 3x3 and 5x5 at stride 1 and 2, of 7x7 at stride 1. Of a small map, vectors of 16 lanes hold several rows
 * (depthwise_rows.h).
 */

/* What a strip sees of a plane. With a dilation of d the rows fall into d phases, each a plane of its own. */
typedef struct Strip {
    int64_t h, line;            /* rows of the image, and floats between them */
    int64_t oh, out_line;       /* the same of the output */
    int64_t top;                /* rows of padding above; negative: rows that are not seen */
    int64_t x_at, y_at;         /* first pixel of the strip: floats from the plane's start */
    int64_t step;               /* floats between the taps of a row */
    int64_t count;              /* columns */
    int64_t ahead, out_ahead;   /* floats to what the next pass over all strips needs, or 0 */
    Lanes seen[7];              /* those inside the image, of each tap, or (stride 2) of each of three vectors in a row */
    Lanes there;                /* those of the columns */
} Strip;

#define NEAR_FLOATS 4096   /* floats of image and output worth working on together: half of the nearest cache */
#define PASS_FLOATS 16384  /* floats of the image, in the next cache */

INLINE int64_t clip(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

INLINE void taps_of_stride_1(const int k, const int masked, const Strip *t, const float *x, vec *across)
{
#pragma GCC unroll 7
    for (int b = 0; b < k; b++)
        across[b] = masked ? load_lanes(x + b * t->step, t->seen[b], 0.0f) : alone(load(x + b * t->step));
}

/* Tap b of column j is float 2 * j + b of three vectors in a row: every second of the first two, moved by b / 2. */
#define LATER(j, b) ((j) + (b) / 2 < LANES ? (j) + (b) / 2 : LANES + 2 * ((j) + (b) / 2 - LANES) + (b) % 2)
INLINE void taps_of_stride_2(const int k, const int masked, const int exact, const Strip *t, const float *x, vec *across)
{
    vec run[3];
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++)
        run[i] = masked ? load_lanes(x + i * LANES, t->seen[i], 0.0f) : load(x + i * LANES);
    across[0] = evens(run[0], run[1]);
    across[1] = odds(run[0], run[1]);
    across[2] = SHUFFLE_BY(across[0], run[2], LATER, 2);
    if (k > 3) {
        across[3] = SHUFFLE_BY(across[1], run[2], LATER, 3);
        across[4] = SHUFFLE_BY(across[0], run[2], LATER, 4);
    }
    if (masked && exact && t->count < LANES) /* a zero times what lies beyond the last window might be no zero */
#pragma GCC unroll 7
        for (int b = 0; b < k; b++) across[b] = first_lanes(across[b], t->count);
}

/* `exact`: what is beyond the strip's columns is 0. */
INLINE void taps_in_row(
    const int k, const int stride, const int masked, const int exact, const Strip *t, const float *x, vec *across)
{
    if (stride == 1) taps_of_stride_1(k, masked, t, x, across);
    else taps_of_stride_2(k, masked, exact, t, x, across);
}

#include "depthwise_strip.h"
#if LANES == 16
#include "depthwise_rows.h"
#endif

/* Output rows of a pass over all strips of a plane, so that neighbouring strips find the image in a near cache. */
INLINE int64_t rows_of_pass(const Conv2d *q)
{
    const int64_t row = q->sh * (q->w ? q->w : 1), most = PASS_FLOATS / row > 8 ? PASS_FLOATS / row : 8;
    const int64_t passes = (q->oh + most - 1) / most;
    return (q->oh + passes - 1) / passes;
}

/* Rows `from` and on of phase `phase` of the dilation, whose window rows begin with number `first`. */
static void strip_rows(const Conv2d *q, int64_t phase, int64_t from, int64_t first, Strip *t)
{
    int64_t at = phase + first * q->dh - q->pt, row = at % q->dh;   /* the first window's row, and one of its phase */
    if (row < 0) row += q->dh;
    t->h = q->h > row ? (q->h - row + q->dh - 1) / q->dh : 0;
    t->line = q->dh * q->w;
    t->oh = (q->oh - phase + q->dh - 1) / q->dh;
    t->out_line = q->dh * q->ow;
    t->top = (row - at) / q->dh;
    t->x_at = row * q->w;
    t->y_at = phase * q->ow;
    t->ahead = t->out_ahead = 0;
    if (q->dh == 1) {
        const int64_t rows = rows_of_pass(q);
        if (q->h * q->w > NEAR_FLOATS) { /* large planes do not come by themselves, as strips jump from row to row: twice the time */
            t->ahead = rows * q->sh * q->w;
            t->out_ahead = rows * q->ow;
        } else {
            t->ahead = q->h * q->w;
            t->out_ahead = q->oh * q->ow;
        }
        t->oh = t->oh - from < rows ? t->oh - from : rows;
        t->top -= from * q->sh;
        t->y_at += from * q->ow;
    }
}

/* Columns from `column` on. Returns whether lanes must be masked. */
static int strip_columns(const Conv2d *q, int64_t column, Strip *t)
{
    int64_t left = column * q->sw - q->pl, taps = q->sw == 1 ? q->kw : 3;
    int whole;
    t->count = q->ow - column < LANES ? q->ow - column : LANES;
    t->x_at += left;
    t->y_at += column;
    t->step = q->dw;
    t->there = lanes_between(0, t->count);
    whole = t->count == LANES;
    for (int64_t b = 0; b < taps; b++) {
        int64_t from = left + (q->sw == 1 ? b * q->dw : b * LANES), most = q->sw == 1 ? t->count : LANES;
        int64_t end = clip(q->w - from, 0, most), begin = clip(-from, 0, end);
        t->seen[b] = lanes_between(begin, end);
        whole &= begin == 0 && end == LANES;
    }
    return !whole;
}

/* Calls CALL(k, stride) for the window and stride of q. */
#define BY_WINDOW(CALL) \
    do { \
        if (q->kw == 3 && q->sw == 1) CALL(3, 1); \
        else if (q->kw == 3) CALL(3, 2); \
        else if (q->kw == 5 && q->sw == 1) CALL(5, 1); \
        else if (q->kw == 5) CALL(5, 2); \
        else CALL(7, 1); \
    } while (0)

static __attribute__((noinline)) void forward_by_window(const Conv2d *q, int masked, const Strip *t, const float *x, const float *w,
                          int rotated, float bias, float *y, int add, int relu)
{
#define FORWARD(k, s) \
    do { \
        if (masked) forward_strip(k, s, 1, t, x, w, rotated, bias, y, add, relu); \
        else forward_strip(k, s, 0, t, x, w, rotated, bias, y, add, relu); \
    } while (0)
    BY_WINDOW(FORWARD);
}

/* The passes over a plane: phases of a dilation, or groups of rows. */
#define FOR_PASSES(q, phase, row) \
    for (int64_t phase = 0; phase < ((q)->dh < (q)->oh ? (q)->dh : (q)->oh); phase++) \
        for (int64_t row = 0; row < ((q)->dh == 1 ? (q)->oh : 1); row += rows_of_pass(q))

/* The planes of outputs first .. last - 1 (counted over images and channels), several of them in turns while they fit
 * the nearest cache. As the input gradient (`back`) with the planes of inputs, sums over q's inputs where there are
 * several outputs to an input in the forward direction. */
static void depthwise_planes(
    const Conv2d *q,        /* of the direction computed */
    int64_t first, int64_t last,    /* pairs of an image and the larger of its channels; whole sums when going back */
    int64_t pairs, int64_t fan,     /* pairs of an image; how many share a channel of the other side */
    int back,
    const float *x,         /* IN [n][c][h][w] */
    const float *w,         /* IN [pairs][kh][kw] */
    const float *bias,      /* IN [pairs] or NULL */
    int relu,
    float *y)               /* OUT [n][o][oh][ow] */
{
#if LANES == 16
    if (rows_share_vectors(q)) {
        rows_planes(q, first, last, pairs, fan, back, x, w, bias, relu, y);
        return;
    }
#endif
    const int64_t x_plane = q->h * q->w, y_plane = q->oh * q->ow, together = NEAR_FLOATS / (x_plane + y_plane) * fan + fan;
    for (int64_t start = first, upto; start < last; start = upto) {
        upto = last - start < together ? last : start + together;
        FOR_PASSES(q, phase, row)
            for (int64_t column = 0; column < q->ow; column += LANES) {
                Strip t;
                strip_rows(q, phase, row, 0, &t);
                const int masked = strip_columns(q, column, &t);
                for (int64_t p = start; p < upto; p++) {
                    int64_t few = p / fan, channel = p % pairs;
                    const float *from = x + (back ? p : few) * x_plane;
                    float *to = y + (back ? few : p) * y_plane;
                    forward_by_window(q, masked, &t, from, w + channel * q->kh * q->kw, back,
                                      bias ? bias[channel] : 0.0f, to, back && p % fan, relu);
                }
            }
    }
}

/* Which of a row's tap vectors tap b of a window uses, and which of the two columns it adds to, where neighbouring columns
 * of an image come from the same columns of the gradient: `odd` says whether the padding on the left is. */
#define SOURCE(b, odd) (((b) + (odd)) / 2)
#define COLUMN(b, odd) (((b) + (odd)) & 1)

/* The input gradient of stride 2, two columns of it for each of the strip's: row 2 * i + phase - top of the image adds
 * up the rows i, i - 1, ... of the gradient, taps of every second row and column of the window at a time. */
INLINE void input_strip(
    const int k, const int odd, const Conv2d *q,
    int64_t column,         /* of the gradient; the image's are 2 * column and its right neighbour */
    const float *g,         /* IN, the gradient of the output */
    const float *w,         /* IN [k][k] */
    float *dx,              /* OUT, the gradient of the image; IN too when adding */
    int add)
{
    enum { MOST = 3 };
    const int live = (k + 1) / 2;
    const int64_t columns = q->w - 2 * column, base = column + (q->pl - odd) / 2 + odd;
    const int64_t rest = columns > LANES ? columns - LANES : 0;
    Lanes seen[MOST];
    int64_t i = (q->pt - (q->pt & 1)) / 2 - (live - 1), y = 2 * i - q->pt;
    vec rows[MOST][MOST], weights[25];
#pragma GCC unroll 39
    for (int a = 0; a < k * k; a++) weights[a] = splat(w[a]);
#pragma GCC unroll 3
    for (int b = 0; b < live; b++) {
        const int64_t end = clip(q->ow - (base - b), 0, LANES);
        seen[b] = lanes_between(clip(b - base, 0, end), end);
#pragma GCC unroll 3
        for (int a = 0; a < live; a++) rows[a][b] = (vec){0};
    }
    for (dx += 2 * column; y < q->h; i++) {
#pragma GCC unroll 3
        for (int a = live - 1; a > 0; a--)
#pragma GCC unroll 3
            for (int b = 0; b < live; b++) rows[a][b] = rows[a - 1][b];
#pragma GCC unroll 3
        for (int b = 0; b < live; b++)
            rows[0][b] = (uint64_t)i < (uint64_t)q->oh ? load_lanes(g + i * q->ow + base - b, seen[b], 0.0f) : (vec){0};
#pragma GCC unroll 2
        for (int phase = 0; phase < 2; phase++, y++) {
            if ((uint64_t)y >= (uint64_t)q->h) continue;
            vec sums[2] = {{0}, {0}};
#pragma GCC unroll 3
            for (int a = phase; a < k; a += 2)
#pragma GCC unroll 5
                for (int b = 0; b < k; b++) sums[COLUMN(b, odd)] += weights[a * k + b] * rows[a / 2][SOURCE(b, odd)];
            float *to = dx + y * q->w;
            vec low = weave_low(sums[0], sums[1]), high = weave_high(sums[0], sums[1]);
            if (add) {
                low += load_first(to, columns);
                high += load_first(to + LANES, rest);
            }
            store_first(to, low, columns);
            if (rest) store_first(to + LANES, high, rest);
        }
    }
}

/* The planes first .. last - 1 of the output's gradient, stride 2, to those of the image they come from. */
static void depthwise_spread(
    const Conv2d *q,        /* of the forward direction */
    int64_t first, int64_t last,
    const float *g,         /* IN [n][o][oh][ow] */
    const float *w,         /* IN [o][kh][kw] */
    float *dx)              /* OUT [n][c][h][w] */
{
    const int64_t fan = q->o / q->c;
    const int odd = q->pl & 1;
    for (int64_t p = first; p < last; p++)
        for (int64_t column = 0; 2 * column < q->w; column += LANES) {
            const float *from = g + p * q->oh * q->ow, *taps = w + p % q->o * q->kh * q->kw;
            float *to = dx + p / fan * q->h * q->w;
#define INPUT(k) \
    do { \
        if (odd) input_strip(k, 1, q, column, from, taps, to, p % fan != 0); \
        else input_strip(k, 0, q, column, from, taps, to, p % fan != 0); \
    } while (0)
            if (q->kw == 3) INPUT(3);
            else INPUT(5);
        }
}

/* Rows of a window whose sums fit the registers. */
#if MANY_REGISTERS
#define WINDOW_ROWS(k) 3
#else
#define WINDOW_ROWS(k) ((k) == 3 ? 3 : (k) == 5 ? 2 : 1)
#endif
#define WINDOW_REST(k) ((k) % WINDOW_ROWS(k) ? (k) % WINDOW_ROWS(k) : WINDOW_ROWS(k))

static __attribute__((noinline)) void weights_by_window(
    const Conv2d *q, int masked, int down, const Strip *t, const float *x, const float *g, float *sums)
{
#define WEIGHT_OF(down, k, s) \
    do { \
        if (masked) weight_strip(down, k, s, 1, t, x, g, sums); \
        else weight_strip(down, k, s, 0, t, x, g, sums); \
    } while (0)
#define WEIGHT(k, s) \
    do { \
        if (down == WINDOW_ROWS(k)) WEIGHT_OF(WINDOW_ROWS(k), k, s); \
        else WEIGHT_OF(WINDOW_REST(k), k, s); \
    } while (0)
    BY_WINDOW(WEIGHT);
}

/* Adds the sums over pixels of gradient times image, lane by lane, of outputs first .. last - 1 of one image. */
static void depthwise_weight_sums(
    const Conv2d *q,
    int64_t first, int64_t last,
    const float *x,         /* IN [c][h][w] */
    const float *g,         /* IN [o][oh][ow] */
    float *sums)            /* IN, OUT [last - first][kh][kw][LANES] */
{
#if LANES == 16
    if (rows_share_vectors(q)) {
        rows_weight_sums(q, first, last, x, g, sums);
        return;
    }
#endif
    const int64_t x_plane = q->h * q->w, g_plane = q->oh * q->ow, together = NEAR_FLOATS / (x_plane + g_plane) + 1;
    const int64_t fan = q->o / q->c, most = q->kw == 3 ? WINDOW_ROWS(3) : q->kw == 5 ? WINDOW_ROWS(5) : WINDOW_ROWS(7);
    for (int64_t start = first, upto; start < last; start = upto) {
        upto = last - start < together ? last : start + together;
        FOR_PASSES(q, phase, row)
            for (int64_t column = 0; column < q->ow; column += LANES)
                for (int64_t a = 0, down; a < q->kh; a += down) {
                    Strip t;
                    down = q->kh - a < most ? q->kh - a : most;
                    strip_rows(q, phase, row, a, &t);
                    const int masked = strip_columns(q, column, &t);
                    for (int64_t p = start; p < upto; p++)
                        weights_by_window(q, masked, (int)down, &t, x + p / fan * x_plane, g + p * g_plane,
                                          sums + ((p - first) * q->kh + a) * q->kw * LANES);
                }
    }
}
