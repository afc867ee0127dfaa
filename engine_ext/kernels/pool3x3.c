/* Pooling by 3x3 windows of stride 1 or 2: along each row first, then down the rows, in strips of one vector's width.
 *
 * A row's result serves the two or three windows that lie over it. Gradients go the same way: what a row of windows
 * gives to each of its three rows, added up while walking down.
 */
#include "windows.h"
#include "kernels.h"

#define HEIGHT 32 /* rows of a strip: wide images stay in the cache */
#define MINUS_INFINITY (-__builtin_inff())

static int is_3x3(const Pool2d *q)
{
    return q->kh == 3 && q->kw == 3 && q->dh == 1 && q->dw == 1 && q->sh == q->sw && (q->sw == 1 || q->sw == 2) &&
           q->w < 1 << 28 && q->h > 0 && q->w > 0;
}

/* Which of the columns c, c + 1 ... lie in [0, w). */
INLINE Lanes lanes_inside(int64_t c, int64_t w)
{
    const int64_t begin = min64(max64(-c, 0), LANES);
    return lanes_between(begin, max64(min64(w - c, LANES), begin));
}

/* The columns that windows from column c on read in each row: for b = 0, 1, 2 the columns c + b, c + b + step ... */
typedef struct Taps {
    int64_t c;
    Lanes lanes[4];
} Taps;

/* Where the load number b begins. */
INLINE int64_t tap_start(int step, int b) { return step == 1 ? b : b % 2 * LANES + b / 2 * 2; }

INLINE Taps taps_at(int step, int64_t c, int64_t w)
{
    Taps taps = {.c = c};
    for (int b = 0; b < step + 2; b++) taps.lanes[b] = lanes_inside(c + tap_start(step, b), w);
    return taps;
}

/* `fill` for columns outside the image, of which there are none where `inside`. */
INLINE void load_taps(int step, int inside, const float *row, const Taps *taps, float fill, vec v[3])
{
    vec m[4];
    for (int b = 0; b < step + 2; b++) {
        const float *from = row + taps->c + tap_start(step, b);
        m[b] = inside ? load(from) : load_lanes(from, taps->lanes[b], fill);
    }
    v[0] = step == 1 ? m[0] : evens(m[0], m[1]);
    v[1] = step == 1 ? m[1] : odds(m[0], m[1]);
    v[2] = step == 1 ? m[2] : evens(m[2], m[3]);
}

/* Calls STRIP(step, inside, ...) with constants, so that each case has code of its own. */
#define BY_STEP(STRIP, q, inside, ...)                                                                         \
    do {                                                                                                       \
        if ((q)->sw == 1 && (inside)) STRIP(1, 1, q, __VA_ARGS__);                                             \
        else if ((q)->sw == 1) STRIP(1, 0, q, __VA_ARGS__);                                                    \
        else if (inside) STRIP(2, 1, q, __VA_ARGS__);                                                          \
        else STRIP(2, 0, q, __VA_ARGS__);                                                                      \
    } while (0)

/* Where the strip after the one at j begins: the last overlaps the one before, and writes the same again. */
INLINE int64_t next_strip(int64_t j, int64_t n)
{
    return j + LANES < n && j + 2 * LANES > n && n >= LANES ? n - LANES : j + LANES;
}

INLINE int strip_inside(const Pool2d *q, int64_t j)
{
    return j * q->sw >= q->pl && j * q->sw - q->pl + q->sw * LANES + 2 <= q->w;
}

/* ----- The largest ----- */

typedef struct Best {
    vec value;
    ivec tap;
} Best;

INLINE Best better(Best best, vec value, ivec tap)
{
    const ivec wins = beats(value, best.value);
    return (Best){choose(wins, value, best.value), choose_int(wins, tap, best.tap)};
}

/* Of three columns of a row; `first` is the first inside the image. */
INLINE Best best_in_row(int step, int inside, const float *row, const Taps *columns, ivec first)
{
    vec v[3];
    load_taps(step, inside, row, columns, MINUS_INFINITY, v);
    Best best = {v[0], first};
    best = better(best, v[1], (ivec){0} + 1);
    return better(best, v[2], (ivec){0} + 2);
}

/* Outputs j .. j + n (at most LANES) of the rows i .. end of a plane. */
INLINE void max_strip(int step, int inside, const Pool2d *q, int64_t i, int64_t end, int64_t j, int64_t n,
                      const float *x, float *y, uint8_t *taps)
{
    const int64_t c = j * step - q->pl, start = i;
    const Taps columns = taps_at(step, c, q->w);
    const ivec left = (int32_t)c + lane_numbers() * step, first = choose_int(left < 0, -left, (ivec){0});
    Best h[3] = {0};
    for (; i < end; i++) {
        const int64_t top = i * step - q->pt;
        if (step == 1) h[0] = h[1], h[1] = h[2];
        else h[0] = h[2];
#pragma GCC unroll 3
        for (int a = 0; a < 3; a++)
            if ((i == start || a >= 3 - step) && top + a >= 0 && top + a < q->h)
                h[a] = best_in_row(step, inside, x + (top + a) * q->w, &columns, first);
        Best best = top >= 0 ? h[0] : (Best){h[1].value, h[1].tap + 3};
        if (top >= 0 && top + 1 < q->h) best = better(best, h[1].value, h[1].tap + 3);
        if (top == -2) best = (Best){h[2].value, h[2].tap + 6};
        else if (top + 2 < q->h) best = better(best, h[2].value, h[2].tap + 6);
        store_first(y + i * q->ow + j, best.value, n);
        store_bytes(taps + i * q->ow + j, best.tap, n);
    }
}

static void max_3x3(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x, float *y,
                    uint8_t *taps)
{
    for (int64_t p = first; p < last; p++)
        for (int64_t i = row; i < row + rows; i += HEIGHT)
            for (int64_t j = 0; j < q->ow; j = next_strip(j, q->ow))
                BY_STEP(max_strip, q, strip_inside(q, j), i, min64(i + HEIGHT, row + rows), j, min64(LANES, q->ow - j),
                        x + p * q->h * q->w, y + p * q->oh * q->ow, taps + p * q->oh * q->ow);
}

/* ----- Gradients: what each row of windows gives to its three rows ----- */

/* Sums that go to the rows top, top + 1 and top + 2 of LANES columns (stride 1), or of LANES pairs of columns. */
typedef struct Given {
    vec even[3], odd[3];
} Given;

/* The strip of windows j: its neighbours to the left, and its columns of dx. */
typedef struct Reach {
    int64_t j, c;
    Lanes windows[3], columns[2]; /* of the windows j - b */
} Reach;

INLINE Reach strip_at(int step, const Pool2d *q, int64_t j)
{
    Reach strip = {.j = j, .c = j * step - q->pl};
    for (int b = 0; b < 4 - step; b++) strip.windows[b] = lanes_inside(j - b, q->ow);
    for (int b = 0; b < step; b++) strip.columns[b] = lanes_inside(strip.c + b * LANES, q->w);
    return strip;
}

INLINE vec load_g(int inside, const float *g, const Reach *s, int b)
{
    return inside ? load(g + s->j - b) : load_lanes(g + s->j - b, s->windows[b], 0.0f);
}

INLINE Given taps_give(int step, int inside, const float *g, const uint8_t *taps, const Reach *s)
{
    Given given;
    vec from[3];
    ivec tap[3];
    for (int b = 0; b < 4 - step; b++) {
        from[b] = load_g(inside, g, s, b);
        tap[b] = inside ? load_bytes(taps + s->j - b, LANES) : load_byte_lanes(taps + s->j - b, s->windows[b]);
    }
#pragma GCC unroll 3
    for (int a = 0; a < 3; a++) {
        const vec none = {0};
        given.even[a] = choose(tap[0] == 3 * a, from[0], none);
        given.odd[a] = choose(tap[0] == 3 * a + 1, from[0], none);
        if (step == 2) given.even[a] += choose(tap[1] == 3 * a + 2, from[1], none);
        else given.even[a] += choose(tap[1] == 3 * a + 1, from[1], none) + choose(tap[2] == 3 * a + 2, from[2], none);
    }
    return given;
}

/* What each of the windows j - b in a row gives to its elements: g over its number of columns. */
INLINE Given shares_give(int step, int inside, const float *g, const vec inverse[3], float scale, const Reach *s)
{
    vec from[3], sum;
    for (int b = 0; b < 4 - step; b++) from[b] = load_g(inside, g, s, b) * inverse[b];
    sum = (step == 1 ? from[0] + from[1] + from[2] : from[0] + from[1]) * scale;
    from[0] *= scale;
    return (Given){{sum, sum, sum}, {from[0], from[0], from[0]}};
}

/* The strip's columns of a row of dx. */
INLINE void store_given(int step, int inside, float *row, const Reach *s, vec even, vec odd)
{
    const vec low = step == 1 ? even : weave_low(even, odd);
    if (inside) store(row + s->c, low);
    else store_lanes(row + s->c, low, s->columns[0]);
    if (step == 1) return;
    const vec high = weave_high(even, odd);
    if (inside) store(row + s->c + LANES, high);
    else store_lanes(row + s->c + LANES, high, s->columns[1]);
}

INLINE float count_rows(const Pool2d *q, int64_t i);
INLINE vec count_columns(const Pool2d *q, int64_t j);

/* Rows row .. end of dx at the strip of windows j: columns j - pl, or pairs of columns from 2 * j - pl. `taps` is NULL
 * where averages spread. */
INLINE void spread_strip(int step, int inside, const Pool2d *q, int taken, int64_t row, int64_t end, int64_t j,
                         const float *g, const uint8_t *taps, float *dx)
{
    const Reach strip = strip_at(step, q, j);
    vec inverse[3], even[2] = {0}, odd = {0};
    if (!taken)
        for (int b = 0; b < 4 - step; b++) inverse[b] = 1.0f / count_columns(q, j - b);
    /* The first row of windows that reaches `row`, and before it those whose rows hang over. */
    for (int64_t i = step == 1 ? row + q->pt - 2 : (row + q->pt) / 2 - 1; i * step - q->pt < end; i++) {
        const int64_t top = i * step - q->pt;
        Given given = {0};
        if (i >= 0 && i < q->oh)
            given = taken ? taps_give(step, inside, g + i * q->ow, taps + i * q->ow, &strip)
                          : shares_give(step, inside, g + i * q->ow, inverse, 1.0f / count_rows(q, i), &strip);
        if (top >= row) store_given(step, inside, dx + top * q->w, &strip, even[0] + given.even[0], odd + given.odd[0]);
        if (step == 1) {
            even[0] = even[1] + given.even[1];
            even[1] = given.even[2];
            continue;
        }
        if (top + 1 >= row && top + 1 < end)
            store_given(step, inside, dx + (top + 1) * q->w, &strip, given.even[1], given.odd[1]);
        even[0] = given.even[2];
        odd = given.odd[2];
    }
}

/* Input rows row..row + rows of the planes first..last. */
INLINE void spread_3x3(int taken, const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows,
                       const float *g, const uint8_t *taps, float *dx)
{
    for (int64_t p = first; p < last; p++)
        for (int64_t r = row; r < row + rows; r += HEIGHT)
            for (int64_t j = q->sw == 1 ? q->pl : 0; j * q->sw - q->pl < q->w; j += LANES) {
                const int64_t at = p * q->oh * q->ow, c = j * q->sw - q->pl;
                const int inside = c >= 0 && c + q->sw * LANES <= q->w && j >= 2 && j + LANES <= q->ow;
                BY_STEP(spread_strip, q, inside, taken, r, min64(r + HEIGHT, row + rows), j, g + at,
                        taken ? taps + at : NULL, dx + p * q->h * q->w);
            }
}

static void max_3x3_dx(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *g,
                       const uint8_t *taps, float *dx)
{
    spread_3x3(1, q, first, last, row, rows, g, taps, dx);
}

/* ----- Averages: the divisor is the product of the number of rows and of columns ----- */

INLINE float count_rows(const Pool2d *q, int64_t i)
{
    const int64_t around = q->include ? 1 : 0, top = i * q->sh - q->pt;
    if (q->divisor) return (float)q->divisor;
    return (float)max64(min64(top + 3, q->h + around * q->pb) - max64(top, -around * q->pt), 1);
}

/* Of the windows j, j + 1 ... */
INLINE vec count_columns(const Pool2d *q, int64_t j)
{
    const int32_t around = q->include ? 1 : 0;
    const ivec none = {0}, left = (int32_t)(j * q->sw - q->pl) + lane_numbers() * (int32_t)q->sw;
    const ivec low = none - around * (int32_t)q->pl, high = none + (int32_t)(q->w + around * q->pr);
    ivec count = choose_int(left + 3 < high, left + 3, high) - choose_int(left > low, left, low);
    if (q->divisor) count = none + 1;
    return __builtin_convertvector(choose_int(count < 1, none + 1, count), vec);
}

INLINE vec sum_in_row(int step, int inside, const float *row, const Taps *columns)
{
    vec v[3];
    load_taps(step, inside, row, columns, 0.0f, v);
    return v[0] + v[1] + v[2];
}

INLINE void mean_strip(int step, int inside, const Pool2d *q, int64_t i, int64_t end, int64_t j, int64_t n,
                       const float *x, float *y)
{
    const int64_t c = j * step - q->pl, start = i;
    const Taps columns = taps_at(step, c, q->w);
    const vec count = count_columns(q, j);
    vec h[3] = {0};
    for (; i < end; i++) {
        const int64_t top = i * step - q->pt;
        if (step == 1) h[0] = h[1], h[1] = h[2];
        else h[0] = h[2];
#pragma GCC unroll 3
        for (int a = 0; a < 3; a++)
            if (i == start || a >= 3 - step)
                h[a] = top + a >= 0 && top + a < q->h ? sum_in_row(step, inside, x + (top + a) * q->w, &columns)
                                                      : (vec){0};
        store_first(y + i * q->ow + j, (h[0] + h[1] + h[2]) / (count * count_rows(q, i)), n);
    }
}

static void mean_3x3(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x, float *y)
{
    for (int64_t p = first; p < last; p++)
        for (int64_t i = row; i < row + rows; i += HEIGHT)
            for (int64_t j = 0; j < q->ow; j = next_strip(j, q->ow))
                BY_STEP(mean_strip, q, strip_inside(q, j), i, min64(i + HEIGHT, row + rows), j, min64(LANES, q->ow - j),
                        x + p * q->h * q->w, y + p * q->oh * q->ow);
}

static void mean_3x3_dx(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *g,
                        float *dx)
{
    spread_3x3(0, q, first, last, row, rows, g, NULL, dx);
}
