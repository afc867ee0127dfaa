/* Max and average pooling and their gradients, on some rows of some planes.
 *
 * 2x2 and 3x3 windows and whole planes have their own loops. Others run along a row of outputs, a vector of them at a
 * time, tap by tap of the window; where a row has fewer than 4 outputs, windows are visited one by one.
 */
#include "kernels.h"
#include "windows.h"

#define STRIP 64   /* outputs at a time where averages need a buffer */
#define NARROW 4   /* rows with fewer outputs go window by window */
#define WIDE_TAPS(q) ((q)->kh * (q)->kw > 256) /* taps are int32, else uint8 */

INLINE int64_t ceil_div(int64_t a, int64_t b) { return b == 1 ? a : (a + b - 1) / b; } /* divisions are slow */

/* ----- Any windows, along a row of outputs ----- */

/* Columns c, c + 1 ... of a row of w, LANES of them; `fill` for those outside. */
INLINE vec load_neighbours(const float *row, int64_t c, int64_t w, float fill)
{
    if (c >= 0 && c + LANES <= w) return load(row + c);
    const int64_t begin = min64(max64(-c, 0), LANES);
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

/* Outputs row .. end of a plane. */
static void max_rows(const Pool2d *q, int64_t row, int64_t end, const float *x, float *y, void *taps)
{
    for (int64_t i = row; i < end; i++) {
        float *to = y + i * q->ow;
        void *found = (char *)taps + i * q->ow * (WIDE_TAPS(q) ? sizeof(int32_t) : 1);
        if (q->ow < NARROW)
            for (int64_t j = 0; j < q->ow; j++) {
                int32_t tap;
                max_window(q, x, i, j, to + j, &tap);
                if (WIDE_TAPS(q)) ((int32_t *)found)[j] = tap;
                else ((uint8_t *)found)[j] = (uint8_t)tap;
            }
        else if (q->sw == 1) max_row(q, 1, x, i, to, found);
        else if (q->sw == 2) max_row(q, 2, x, i, to, found);
        else max_row(q, q->sw, x, i, to, found);
    }
}

/* The windows of row i that meet the rows row .. end of dx. */
static void scatter_row(const Pool2d *q, int64_t i, int64_t row, int64_t end, const int64_t *offsets, const float *g,
                        const void *taps, float *dx)
{
    const int64_t top = i * q->sh - q->pt, count = q->kh * q->kw;
    const int whole = offsets && top >= row && top + q->dh * (q->kh - 1) < end;
    for (int64_t j = 0; j < q->ow; j++) {
        const int64_t at = i * q->ow + j, left = j * q->sw - q->pl;
        const int64_t t = WIDE_TAPS(q) ? ((const int32_t *)taps)[at] : ((const uint8_t *)taps)[at];
        if (t < 0 || t >= count) continue;
        if (whole && left >= 0 && left + q->dw * (q->kw - 1) < q->w) {
            dx[top * q->w + left + offsets[t]] += g[at];
            continue;
        }
        const int64_t r = top + t / q->kw * q->dh, c = left + t % q->kw * q->dw;
        if (r >= row && r < end && c >= 0 && c < q->w) dx[r * q->w + c] += g[at];
    }
}

/* The rows of windows that reach the rows row .. end of the image. */
INLINE int64_t first_window(const Pool2d *q, int64_t row)
{
    return max64(row + q->pt - q->dh * (q->kh - 1) + q->sh - 1, 0) / q->sh;
}
INLINE int64_t end_window(const Pool2d *q, int64_t end) { return min64((end - 1 + q->pt) / q->sh + 1, q->oh); }

static void scatter_rows(const Pool2d *q, int64_t row, int64_t end, const float *g, const void *taps, float *dx)
{
    int64_t offsets[256]; /* of a tap within the image */
    if (!WIDE_TAPS(q))
        for (int64_t t = 0; t < q->kh * q->kw; t++) offsets[t] = t / q->kw * q->dh * q->w + t % q->kw * q->dw;
    memset(dx + row * q->w, 0, (size_t)((end - row) * q->w) * sizeof *dx);
    for (int64_t i = first_window(q, row); i < end_window(q, end); i++)
        scatter_row(q, i, row, end, WIDE_TAPS(q) ? NULL : offsets, g, taps, dx);
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

/* Outputs row .. end of a plane. */
static void mean_rows(const Pool2d *q, int64_t row, int64_t end, const float *x, float *y)
{
    float sum[STRIP], divisor[STRIP];
    for (int64_t i = row; i < end; i++)
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

/* A row of outputs to the rows row .. end, one tap of the window after the other. */
static void spread_row(const Pool2d *q, const float *share, int64_t i, int64_t row, int64_t end, int64_t j0,
                       int64_t count, float *dx)
{
    const int64_t top = i * q->sh - q->pt;
    for (int64_t a = first_inside(top - row, q->dh); a < q->kh && top + a * q->dh < end; a++)
        for (int64_t b = 0; b < q->kw; b++) {
            int64_t lo = j0, hi = j0 + count;
            columns_inside(q, b, &lo, &hi);
            if (lo >= hi) continue;
            float *to = dx + (top + a * q->dh) * q->w + lo * q->sw + b * q->dw - q->pl;
            if (q->sw == 1) spread_tap(hi - lo, share + lo - j0, 1, to);
            else spread_tap(hi - lo, share + lo - j0, q->sw, to);
        }
}

/* One window to the rows row .. end. */
static void spread_window(const Pool2d *q, float share, int64_t i, int64_t row, int64_t end, int64_t j, float *dx)
{
    const int64_t top = i * q->sh - q->pt, left = j * q->sw - q->pl, b0 = first_inside(left, q->dw);
    const int64_t columns = min64(q->kw, ceil_div(q->w - left, q->dw)) - b0;
    for (int64_t a = first_inside(top - row, q->dh); a < q->kh && top + a * q->dh < end; a++) {
        float *to = dx + (top + a * q->dh) * q->w + left + b0 * q->dw;
        if (q->dw == 1) for (int64_t b = 0; b < columns; b++) to[b] += share;
        else for (int64_t b = 0; b < columns; b++) to[b * q->dw] += share;
    }
}

static void spread_rows(const Pool2d *q, int64_t row, int64_t end, const float *g, float *dx)
{
    float share[STRIP], divisor[STRIP];
    memset(dx + row * q->w, 0, (size_t)((end - row) * q->w) * sizeof *dx);
    for (int64_t i = first_window(q, row); i < end_window(q, end); i++)
        for (int64_t j0 = 0; j0 < q->ow; j0 += STRIP) {
            int64_t count = min64(STRIP, q->ow - j0);
            divisors(q, i, j0, count, divisor);
            for (int64_t j = 0; j < count; j++) share[j] = g[i * q->ow + j0 + j] / divisor[j];
            if (q->ow >= NARROW) spread_row(q, share, i, row, end, j0, count, dx);
            else for (int64_t j = 0; j < count; j++) spread_window(q, share[j], i, row, end, j0 + j, dx);
        }
}

/* ----- Whole planes ----- */

static int is_whole(const Pool2d *q)
{
    return q->oh * q->ow == 1 && q->kh == q->h && q->kw == q->w && (q->pt | q->pb | q->pl | q->pr) == 0 &&
           q->dh == 1 && q->dw == 1;
}

/* LANES planes at a time, a vector of each in a register. */
static void mean_planes(int64_t planes, int64_t n, float divisor, const float *x, float *y)
{
    for (int64_t p = 0; p < planes; p += LANES, x += LANES * n) {
        const int64_t many = min64(LANES, planes - p);
        vec m[LANES] = {{0}};
        if (many == LANES)
            for (int64_t i = 0; i < n; i += LANES)
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++) m[l] += load_first(x + l * n + i, n - i);
        else
            for (int64_t l = 0; l < many; l++)
                for (int64_t i = 0; i < n; i += LANES) m[l] += load_first(x + l * n + i, n - i);
        store_first(y + p, sum_across(m) / divisor, many);
    }
}

static void spread_planes(int64_t planes, int64_t n, float divisor, const float *g, float *dx)
{
    for (int64_t p = 0; p < planes; p++, dx += n) {
        const vec share = splat(g[p] / divisor);
        for (int64_t i = 0; i < n; i += LANES) store_first(dx + i, share, n - i);
    }
}

/* ----- Rows row..row + rows of the planes first..last: of the output, of dx in gradients ----- */

static void max_pool(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x, float *y,
                     void *taps)
{
    const int64_t from = q->h * q->w, to = q->oh * q->ow, tap_size = WIDE_TAPS(q) ? sizeof(int32_t) : 1;
    if (is_2x2(q)) pool_2x2(LARGEST, q, first, last, row, rows, x, y, taps);
    else if (is_3x3(q)) max_3x3(q, first, last, row, rows, x, y, taps);
    else for (int64_t p = first; p < last; p++)
        max_rows(q, row, row + rows, x + p * from, y + p * to, (char *)taps + p * to * tap_size);
}

static void max_pool_dx(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *g,
                        const void *taps, float *dx)
{
    const int64_t from = q->oh * q->ow, to = q->h * q->w, tap_size = WIDE_TAPS(q) ? sizeof(int32_t) : 1;
    if (is_2x2(q)) spread_2x2(LARGEST, q, first, last, row, rows, g, taps, dx);
    else if (is_3x3(q)) max_3x3_dx(q, first, last, row, rows, g, taps, dx);
    else for (int64_t p = first; p < last; p++)
        scatter_rows(q, row, row + rows, g + p * from, (const char *)taps + p * from * tap_size, dx + p * to);
}

static void avg_pool(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x, float *y)
{
    const int64_t from = q->h * q->w, to = q->oh * q->ow;
    if (is_2x2(q)) pool_2x2(MEAN, q, first, last, row, rows, x, y, NULL);
    else if (is_3x3(q)) mean_3x3(q, first, last, row, rows, x, y);
    else if (is_whole(q)) mean_planes(last - first, from, window_divisor(q, 0, 0), x + first * from, y + first);
    else for (int64_t p = first; p < last; p++) mean_rows(q, row, row + rows, x + p * from, y + p * to);
}

static void avg_pool_dx(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *g,
                        float *dx)
{
    const int64_t from = q->oh * q->ow, to = q->h * q->w;
    if (is_2x2(q)) spread_2x2(MEAN, q, first, last, row, rows, g, NULL, dx);
    else if (is_3x3(q)) mean_3x3_dx(q, first, last, row, rows, g, dx);
    else if (is_whole(q) && rows == q->h) spread_planes(last - first, to, window_divisor(q, 0, 0), g + first, dx + first * to);
    else for (int64_t p = first; p < last; p++) spread_rows(q, row, row + rows, g + p * from, dx + p * to);
}
