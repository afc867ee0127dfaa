/* Rows of classes: softmax, its logarithm, cross-entropy, and their gradients.
 *
 * All of them shift a row by its maximum first. A NaN in a row, or nothing but -inf, gives NaN. Lanes past the end of a
 * row count as exp(-inf) = 0.
 */
#include "elementary.h"
#include "kernels.h"

#define MINUS_INF (-__builtin_inff())

/* The largest of n floats; NaN is passed over. */
INLINE float row_max(int64_t n, const float *x)
{
    vec best = splat(MINUS_INF), v;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) v = load(x + i), best = choose(v > best, v, best);
    if (i < n) v = load_between(x + i, 0, n - i, MINUS_INF), best = choose(v > best, v, best);
    float top = MINUS_INF;
    for (int l = 0; l < LANES; l++) top = best[l] > top ? best[l] : top;
    return top;
}

/* y = exp(x - top), where y is not NULL; returns their sum. */
INLINE float row_exp(int64_t n, const float *x, float top, float *y)
{
    vec sum = {0}, e;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        e = exp_vec(load(x + i) - top);
        if (y) store(y + i, e);
        sum += e;
    }
    if (i < n) {
        e = exp_vec(load_between(x + i, 0, n - i, MINUS_INF) - top);
        if (y) store_first(y + i, e, n - i);
        sum += e;
    }
    return sum_lanes(sum);
}

INLINE float log_of(float x)
{
    return log_vec(splat(x))[0];
}

INLINE void row_scale(int64_t n, float factor, float *y)
{
    for (int64_t i = 0; i < n; i += LANES) store_first(y + i, load_first(y + i, n - i) * factor, n - i);
}

static void softmax_rows(int64_t rows, int64_t n, const float *x, float *y)
{
    for (int64_t r = 0; r < rows; r++, x += n, y += n) row_scale(n, 1.0f / row_exp(n, x, row_max(n, x), y), y);
}

static void log_softmax_rows(int64_t rows, int64_t n, const float *restrict x, float *restrict y)
{
    for (int64_t r = 0; r < rows; r++, x += n, y += n) {
        float top = row_max(n, x), log_sum = log_of(row_exp(n, x, top, NULL));
        for (int64_t i = 0; i < n; i++) y[i] = (x[i] - top) - log_sum;
    }
}

static void softmax_dx_rows(int64_t rows, int64_t n, const float *g, const float *y, float *dx)
{
    for (int64_t r = 0; r < rows; r++, g += n, y += n, dx += n) {
        vec sum = {0};
        for (int64_t i = 0; i < n; i += LANES) sum += load_first(g + i, n - i) * load_first(y + i, n - i);
        float dot = sum_lanes(sum);
        for (int64_t i = 0; i < n; i += LANES) {
            vec d = load_first(y + i, n - i) * (load_first(g + i, n - i) - dot);
            store_first(dx + i, d, n - i);
        }
    }
}

static void log_softmax_dx_rows(int64_t rows, int64_t n, const float *g, const float *y, float *dx)
{
    for (int64_t r = 0; r < rows; r++, g += n, y += n, dx += n) {
        vec sums = {0};
        for (int64_t i = 0; i < n; i += LANES) sums += load_first(g + i, n - i);
        float sum = sum_lanes(sums);
        for (int64_t i = 0; i < n; i += LANES) {
            vec d = load_first(g + i, n - i) - exp_vec(load_first(y + i, n - i)) * sum;
            store_first(dx + i, d, n - i);
        }
    }
}

/* The first label outside 0..n-1, or -1. */
static int64_t bad_label(int64_t rows, int64_t n, const int64_t *labels)
{
    for (int64_t r = 0; r < rows; r++)
        if (labels[r] < 0 || labels[r] >= n) return r;
    return -1;
}

/* losses = log(sum(exp(x))) - x[label]; p = softmax(x). Labels were checked by the caller. */
static void cross_entropy_rows(int64_t rows, int64_t n, const float *x, const int64_t *labels, float *losses, float *p)
{
    for (int64_t r = 0; r < rows; r++, x += n, p += n) {
        float top = row_max(n, x), sum = row_exp(n, x, top, p);
        losses[r] = log_of(sum) - (x[labels[r]] - top);
        row_scale(n, 1.0f / sum, p);
    }
}

/* dx = g * (p - one at the label); g of row r at g[r * step]. */
static void cross_entropy_dx_rows(int64_t rows, int64_t n, const float *g, int64_t step, const float *restrict p,
                                  const int64_t *labels, float *restrict dx)
{
    for (int64_t r = 0; r < rows; r++, g += step, p += n, dx += n) {
        for (int64_t i = 0; i < n; i++) dx[i] = *g * p[i];
        dx[labels[r]] = *g * (p[labels[r]] - 1.0f);
    }
}
