/* Max and average pooling of one plane, and their gradients.
 *
 * Windows of 2x2 side by side have their own loops. Others run along a row of outputs, a vector of them at a time, tap
 * by tap of the window; where a row has fewer than 4 outputs, windows are visited one by one.
 */
#include "kernels.h"
#include "vec.h"

#define STRIP 64   /* outputs at a time where averages need a buffer */
#define NARROW 4   /* rows with fewer outputs go window by window */
#define MINUS_INFINITY (-__builtin_inff())
#define WIDE_TAPS(q) ((q)->kh * (q)->kw > 256) /* taps are int32, else uint8 */

INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t ceil_div(int64_t a, int64_t b) { return b == 1 ? a : (a + b - 1) / b; } /* divisions are slow */

/* Where v replaces the best so far: the larger, the first of equals, the first NaN above all. */
INLINE ivec beats(vec v, vec best) { return ~(v <= best) & (best == best); }
INLINE ivec choose_int(ivec mask, ivec a, ivec b) { return (mask & a) | (~mask & b); }

/* ----- 2x2 windows side by side ----- */

static int is_2x2(const Pool2d *q)
{
    return q->kh == 2 && q->kw == 2 && q->sh == 2 && q->sw == 2 && q->dh == 1 && q->dw == 1 && q->pt == 0 &&
           q->pl == 0 && 2 * q->oh <= q->h && 2 * q->ow <= q->w;
}

/* The vectors of a row of `count` outputs: the last overlaps the one before and writes the same again; a row shorter
 * than a vector is a partial one. */
#define FOR_ROW(j, n, count)                                                                                   \
    for (int64_t j = 0, n = min64(LANES, count); j < (count);                                                  \
         j = j + LANES < (count) && j + 2 * LANES > (count) ? (count)-LANES : j + LANES)

/* Left and right floats of n windows of a row. */
INLINE void load_pairs(const float *x, int64_t n, vec *left, vec *right)
{
    vec a = load_first(x, 2 * n), b = load_first(x + LANES, max64(2 * n - LANES, 0));
    *left = evens(a, b);
    *right = odds(a, b);
}

INLINE void store_pairs(float *x, int64_t n, vec left, vec right)
{
    store_first(x, weave_low(left, right), 2 * n);
    store_first(x + LANES, weave_high(left, right), max64(2 * n - LANES, 0));
}

static void max_rows_2x2(int64_t w, int64_t count, const float *x, float *y, uint8_t *taps)
{
    FOR_ROW(j, n, count)
    {
        vec a, b, c, d;
        load_pairs(x + 2 * j, n, &a, &b);
        load_pairs(x + w + 2 * j, n, &c, &d);
        ivec right = beats(b, a), right_low = beats(d, c);
        vec upper = choose(right, b, a), lower = choose(right_low, d, c);
        ivec down = beats(lower, upper);
        store_first(y + j, choose(down, lower, upper), n);
        store_bytes(taps + j, choose_int(down, 2 - right_low, -right), n);
    }
}

static void max_rows_2x2_dx(int64_t w, int64_t count, const float *g, const uint8_t *taps, float *dx)
{
    const vec none = {0};
    FOR_ROW(j, n, count)
    {
        vec v = load_first(g + j, n);
        ivec tap = load_bytes(taps + j, n);
        store_pairs(dx + 2 * j, n, choose(tap == 0, v, none), choose(tap == 1, v, none));
        store_pairs(dx + w + 2 * j, n, choose(tap == 2, v, none), choose(tap == 3, v, none));
    }
}

static void mean_rows_2x2(int64_t w, int64_t count, const float *x, float scale, float *y)
{
    FOR_ROW(j, n, count)
    {
        vec a, b, c, d;
        load_pairs(x + 2 * j, n, &a, &b);
        load_pairs(x + w + 2 * j, n, &c, &d);
        store_first(y + j, (((a + b) + c) + d) * scale, n);
    }
}

static void mean_rows_2x2_dx(int64_t w, int64_t count, const float *g, float scale, float *dx)
{
    FOR_ROW(j, n, count)
    {
        vec v = load_first(g + j, n) * scale;
        store_pairs(dx + 2 * j, n, v, v);
        store_pairs(dx + w + 2 * j, n, v, v);
    }
}

/* Rows and columns of dx that no 2x2 window covers. */
static void zero_rest(const Pool2d *q, float *dx)
{
    if (q->w > 2 * q->ow)
        for (int64_t r = 0; r < 2 * q->oh; r++) memset(dx + r * q->w + 2 * q->ow, 0, (size_t)(q->w - 2 * q->ow) * 4);
    memset(dx + 2 * q->oh * q->w, 0, (size_t)((q->h - 2 * q->oh) * q->w) * 4);
}

/* ----- Any windows, along a row of outputs ----- */

/* Columns c, c + 1 ... of a row of w, LANES of them; `fill` for those outside. */
INLINE vec load_neighbours(const float *row, int64_t c, int64_t w, float fill)
{
    if (c >= 0 && c + LANES <= w) return load(row + c);
    int64_t begin = min64(max64(-c, 0), LANES);
    return load_between(row + c, begin, max64(min64(w - c, LANES), begin), fill);
}

/* Columns c, c + step ... of a row of w, LANES of them; `fill` for those outside. */
INLINE vec load_columns(const float *row, int64_t c, int64_t step, int64_t w, float fill)
{
    if (step == 1) return load_neighbours(row, c, w, fill);
    if (step == 2 && c >= 0 && c + 2 * LANES <= w) return evens(load(row + c), load(row + c + LANES));
    if (step == 2) return evens(load_neighbours(row, c, w, fill), load_neighbours(row, c + LANES, w, fill));
    vec v = splat(fill);
    for (int l = 0; l < LANES; l++)
        if (c + l * step >= 0 && c + l * step < w) v[l] = row[c + l * step];
    return v;
}

/* The first tap of a window that is inside the image, along one axis. */
INLINE int64_t first_inside(int64_t start, int64_t dilation) { return start < 0 ? ceil_div(-start, dilation) : 0; }

/* The first tap of window (i, j) that is inside the image; 0 when none is. */
INLINE int32_t first_tap(const Pool2d *q, int64_t i, int64_t j)
{
    const int64_t top = i * q->sh - q->pt, left = j * q->sw - q->pl;
    const int64_t a = first_inside(top, q->dh), b = first_inside(left, q->dw);
    return top + a * q->dh < q->h && left + b * q->dw < q->w ? (int32_t)(a * q->kw + b) : 0;
}

/* The largest of LANES windows from (i, j) on, and their taps. */
INLINE vec max_windows(const Pool2d *q, int64_t step, const float *x, int64_t i, int64_t j, ivec *taps)
{
    const int64_t top = i * q->sh - q->pt, left = j * step - q->pl, first = first_inside(top, q->dh);
    vec best = splat(MINUS_INFINITY);
    ivec tap = (ivec){0} + first_tap(q, i, j);
    if (left < 0)
        for (int l = 0; l < LANES; l++) tap[l] = first_tap(q, i, j + l);
    for (int64_t a = first; a < q->kh && top + a * q->dh < q->h; a++)
        for (int64_t b = 0; b < q->kw; b++) {
            vec v = load_columns(x + (top + a * q->dh) * q->w, left + b * q->dw, step, q->w, MINUS_INFINITY);
            ivec wins = beats(v, best);
            best = choose(wins, v, best);
            tap = choose_int(wins, (ivec){0} + (int32_t)(a * q->kw + b), tap);
        }
    *taps = tap;
    return best;
}

INLINE vec sum_windows(const Pool2d *q, int64_t step, const float *x, int64_t i, int64_t j)
{
    const int64_t top = i * q->sh - q->pt, left = j * step - q->pl;
    vec sum = {0};
    for (int64_t a = first_inside(top, q->dh); a < q->kh && top + a * q->dh < q->h; a++)
        for (int64_t b = 0; b < q->kw; b++)
            sum += load_columns(x + (top + a * q->dh) * q->w, left + b * q->dw, step, q->w, 0.0f);
    return sum;
}

INLINE void max_row(const Pool2d *q, int64_t step, const float *x, int64_t i, float *y, void *taps)
{
    for (int64_t j = 0; j < q->ow; j += LANES) {
        int64_t n = min64(LANES, q->ow - j);
        ivec tap;
        vec best = max_windows(q, step, x, i, j, &tap);
        store_first(y + j, best, n);
        if (WIDE_TAPS(q)) memcpy((int32_t *)taps + j, &tap, (size_t)n * sizeof(int32_t));
        else store_bytes((uint8_t *)taps + j, tap, n);
    }
}

static void sum_row_of_windows(const Pool2d *q, const float *x, int64_t i, int64_t j0, int64_t count, float *sum)
{
    for (int64_t j = 0; j < count; j += LANES) {
        if (q->sw == 1) store(sum + j, sum_windows(q, 1, x, i, j0 + j));
        else if (q->sw == 2) store(sum + j, sum_windows(q, 2, x, i, j0 + j));
        else store(sum + j, sum_windows(q, q->sw, x, i, j0 + j));
    }
}

/* One window on its own. */
static void max_window(const Pool2d *q, const float *x, int64_t i, int64_t j, float *y, int32_t *tap)
{
    const int64_t top = i * q->sh - q->pt, left = j * q->sw - q->pl;
    const int64_t a0 = first_inside(top, q->dh), b0 = first_inside(left, q->dw);
    float best = MINUS_INFINITY;
    *tap = first_tap(q, i, j);
    for (int64_t a = a0; a < q->kh && top + a * q->dh < q->h; a++)
        for (int64_t b = b0; b < q->kw && left + b * q->dw < q->w; b++) {
            float v = x[(top + a * q->dh) * q->w + left + b * q->dw];
            if (v > best || (v != v && best == best)) best = v, *tap = (int32_t)(a * q->kw + b);
        }
    *y = best;
}

/* The sum of n floats. */
INLINE float sum_row(int64_t n, const float *x)
{
    vec sum = {0};
    for (int64_t i = 0; i < n; i += LANES) sum += load_first(x + i, n - i);
    return sum_lanes(sum);
}

static float sum_window(const Pool2d *q, const float *x, int64_t i, int64_t j)
{
    const int64_t top = i * q->sh - q->pt, left = j * q->sw - q->pl;
    const int64_t a0 = first_inside(top, q->dh), b0 = first_inside(left, q->dw);
    const int64_t rows = min64(q->kh, ceil_div(q->h - top, q->dh)) - a0;
    const int64_t columns = min64(q->kw, ceil_div(q->w - left, q->dw)) - b0;
    const float *from = x + (top + a0 * q->dh) * q->w + left + b0 * q->dw;
    if (columns == q->w && q->dh == 1 && rows > 0) return sum_row(rows * columns, from);
    float sum = 0;
    for (int64_t a = 0; a < rows; a++, from += q->dh * q->w) {
        if (q->dw == 1) sum += sum_row(columns, from);
        else for (int64_t b = 0; b < columns; b++) sum += from[b * q->dw];
    }
    return sum;
}

/* ----- Planes ----- */

static void max_pool_plane(const Pool2d *q, const float *x, float *y, void *taps)
{
    if (is_2x2(q)) {
        for (int64_t i = 0; i < q->oh; i++)
            max_rows_2x2(q->w, q->ow, x + 2 * i * q->w, y + i * q->ow, (uint8_t *)taps + i * q->ow);
        return;
    }
    const int64_t tap_size = WIDE_TAPS(q) ? sizeof(int32_t) : 1;
    for (int64_t i = 0; i < q->oh; i++, y += q->ow, taps = (char *)taps + q->ow * tap_size) {
        if (q->ow < NARROW)
            for (int64_t j = 0; j < q->ow; j++) {
                int32_t tap;
                max_window(q, x, i, j, y + j, &tap);
                if (WIDE_TAPS(q)) ((int32_t *)taps)[j] = tap;
                else ((uint8_t *)taps)[j] = (uint8_t)tap;
            }
        else if (q->sw == 1) max_row(q, 1, x, i, y, taps);
        else if (q->sw == 2) max_row(q, 2, x, i, y, taps);
        else max_row(q, q->sw, x, i, y, taps);
    }
}

static void max_pool_plane_dx(const Pool2d *q, const float *g, const void *taps, float *dx)
{
    if (is_2x2(q)) {
        zero_rest(q, dx);
        for (int64_t i = 0; i < q->oh; i++)
            max_rows_2x2_dx(q->w, q->ow, g + i * q->ow, (const uint8_t *)taps + i * q->ow, dx + 2 * i * q->w);
        return;
    }
    memset(dx, 0, (size_t)(q->h * q->w) * sizeof *dx);
    const int64_t count = q->kh * q->kw, inner_h = q->dh * (q->kh - 1), inner_w = q->dw * (q->kw - 1);
    int64_t offsets[256]; /* of a tap within the image */
    if (!WIDE_TAPS(q))
        for (int64_t t = 0; t < count; t++) offsets[t] = t / q->kw * q->dh * q->w + t % q->kw * q->dw;
    for (int64_t i = 0; i < q->oh; i++) {
        const int64_t top = i * q->sh - q->pt;
        const int inside_h = !WIDE_TAPS(q) && top >= 0 && top + inner_h < q->h;
        for (int64_t j = 0; j < q->ow; j++) {
            const int64_t at = i * q->ow + j, left = j * q->sw - q->pl;
            const int64_t t = WIDE_TAPS(q) ? ((const int32_t *)taps)[at] : ((const uint8_t *)taps)[at];
            if (t < 0 || t >= count) continue;
            if (inside_h && left >= 0 && left + inner_w < q->w) {
                dx[top * q->w + left + offsets[t]] += g[at];
                continue;
            }
            const int64_t r = top + t / q->kw * q->dh, c = left + t % q->kw * q->dw;
            if (r >= 0 && r < q->h && c >= 0 && c < q->w) dx[r * q->w + c] += g[at];
        }
    }
}

/* Taps from `start` on, `dilation` apart, that lie in [low, high). */
INLINE int64_t taps_between(int64_t start, int64_t k, int64_t dilation, int64_t low, int64_t high)
{
    int64_t first = start < low ? ceil_div(low - start, dilation) : 0;
    int64_t end = high <= start ? 0 : ceil_div(high - start, dilation);
    return max64(min64(end, k) - first, 0);
}

/* What the sum of window (i, j) is divided by: its taps inside the image, or inside the padded image. */
INLINE float window_divisor(const Pool2d *q, int64_t i, int64_t j)
{
    if (q->divisor) return (float)q->divisor;
    int64_t top = i * q->sh - q->pt, left = j * q->sw - q->pl;
    int64_t around = q->include ? 1 : 0;
    return (float)(taps_between(top, q->kh, q->dh, -around * q->pt, q->h + around * q->pb) *
                   taps_between(left, q->kw, q->dw, -around * q->pl, q->w + around * q->pr));
}

static void divisors(const Pool2d *q, int64_t i, int64_t j0, int64_t count, float *d)
{
    if (q->divisor || (q->pt | q->pb | q->pl | q->pr) == 0) { /* then only the last column's can be cut off */
        float inner = window_divisor(q, i, j0);
        for (int64_t j = 0; j < count; j++) d[j] = inner;
        d[count - 1] = window_divisor(q, i, j0 + count - 1);
    } else {
        for (int64_t j = 0; j < count; j++) d[j] = window_divisor(q, i, j0 + j);
    }
}

static void avg_pool_plane(const Pool2d *q, const float *x, float *y)
{
    if (is_2x2(q)) {
        float scale = 1.0f / (q->divisor ? (float)q->divisor : 4.0f);
        for (int64_t i = 0; i < q->oh; i++) mean_rows_2x2(q->w, q->ow, x + 2 * i * q->w, scale, y + i * q->ow);
        return;
    }
    float sum[STRIP], divisor[STRIP];
    for (int64_t i = 0; i < q->oh; i++)
        for (int64_t j0 = 0; j0 < q->ow; j0 += STRIP) {
            int64_t count = min64(STRIP, q->ow - j0);
            if (q->ow < NARROW) for (int64_t j = 0; j < count; j++) sum[j] = sum_window(q, x, i, j0 + j);
            else sum_row_of_windows(q, x, i, j0, count, sum);
            divisors(q, i, j0, count, divisor);
            for (int64_t j = 0; j < count; j++) y[i * q->ow + j0 + j] = sum[j] / divisor[j];
        }
}

/* Which outputs begin <= j < end have tap column b inside the image. */
INLINE void columns_inside(const Pool2d *q, int64_t b, int64_t *begin, int64_t *end)
{
    int64_t first = b * q->dw - q->pl, last = q->w - 1 - first;
    if (first < 0) *begin = max64(*begin, ceil_div(-first, q->sw));
    *end = last < 0 ? *begin : min64(*end, last / q->sw + 1);
}

INLINE void spread_tap(int64_t count, const float *restrict g, int64_t step, float *restrict dx)
{
    for (int64_t j = 0; j < count; j++) dx[j * step] += g[j];
}

/* A row of outputs, one tap of the window after the other. */
static void spread_row(const Pool2d *q, const float *share, int64_t i, int64_t j0, int64_t count, float *dx)
{
    const int64_t top = i * q->sh - q->pt;
    for (int64_t a = first_inside(top, q->dh); a < q->kh && top + a * q->dh < q->h; a++)
        for (int64_t b = 0; b < q->kw; b++) {
            int64_t lo = j0, hi = j0 + count;
            columns_inside(q, b, &lo, &hi);
            if (lo >= hi) continue;
            float *to = dx + (top + a * q->dh) * q->w + lo * q->sw + b * q->dw - q->pl;
            if (q->sw == 1) spread_tap(hi - lo, share + lo - j0, 1, to);
            else spread_tap(hi - lo, share + lo - j0, q->sw, to);
        }
}

/* One window on its own. */
static void spread_window(const Pool2d *q, float share, int64_t i, int64_t j, float *dx)
{
    const int64_t top = i * q->sh - q->pt, left = j * q->sw - q->pl, b0 = first_inside(left, q->dw);
    const int64_t columns = min64(q->kw, ceil_div(q->w - left, q->dw)) - b0;
    for (int64_t a = first_inside(top, q->dh); a < q->kh && top + a * q->dh < q->h; a++) {
        float *to = dx + (top + a * q->dh) * q->w + left + b0 * q->dw;
        if (q->dw == 1) for (int64_t b = 0; b < columns; b++) to[b] += share;
        else for (int64_t b = 0; b < columns; b++) to[b * q->dw] += share;
    }
}

static void avg_pool_plane_dx(const Pool2d *q, const float *g, float *dx)
{
    if (is_2x2(q)) {
        float scale = 1.0f / (q->divisor ? (float)q->divisor : 4.0f);
        zero_rest(q, dx);
        for (int64_t i = 0; i < q->oh; i++) mean_rows_2x2_dx(q->w, q->ow, g + i * q->ow, scale, dx + 2 * i * q->w);
        return;
    }
    float share[STRIP], divisor[STRIP];
    memset(dx, 0, (size_t)(q->h * q->w) * sizeof *dx);
    for (int64_t i = 0; i < q->oh; i++)
        for (int64_t j0 = 0; j0 < q->ow; j0 += STRIP) {
            int64_t count = min64(STRIP, q->ow - j0);
            divisors(q, i, j0, count, divisor);
            for (int64_t j = 0; j < count; j++) share[j] = g[i * q->ow + j0 + j] / divisor[j];
            if (q->ow >= NARROW) spread_row(q, share, i, j0, count, dx);
            else for (int64_t j = 0; j < count; j++) spread_window(q, share[j], i, j0 + j, dx);
        }
}
