/* Pooling by 2x2 windows side by side: largest, largest behind a ReLU, mean, and the gradients. */
#include "windows.h"
#include "kernels.h"

static int is_2x2(const Pool2d *q)
{
    return q->kh == 2 && q->kw == 2 && q->sh == 2 && q->sw == 2 && q->dh == 1 && q->dw == 1 && q->pt == 0 &&
           q->pl == 0 && 2 * q->oh <= q->h && 2 * q->ow <= q->w;
}

enum { LARGEST, LARGEST_RECTIFIED, MEAN };

INLINE float mean_scale(const Pool2d *q) { return 1.0f / (q->divisor ? (float)q->divisor : 4.0f); }

INLINE void pool_windows(int kind, int flat, const Windows *s, int64_t runs, float scale, const float *x, float *y,
                         uint8_t *taps)
{
    for (int64_t r = 0; r < runs; r++, x += s->step, y += s->count, taps += s->count)
        for (int64_t j = 0; j < s->count; j += LANES) {
            const int64_t n = min64(LANES, s->count - j);
            vec v[4];
            ivec tap;
            load_windows(flat, s, x + (flat ? 4 : 2) * j, n, v);
            if (kind == MEAN) {
                store_first(y + j, (((v[0] + v[1]) + v[2]) + v[3]) * scale, n);
                continue;
            }
            store_first(y + j, kind == LARGEST ? largest(v, &tap) : largest_rectified(v, &tap), n);
            store_bytes(taps + j, tap, n);
        }
}

/* Output rows row..row + rows of the planes first..last. Images of even height are one tall image. */
INLINE void pool_2x2(int kind, const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x,
                     float *y, uint8_t *taps)
{
    const int tall = rows == q->oh && q->h == 2 * q->oh;
    const int64_t runs = tall ? (last - first) * rows : rows;
    const Windows s = windows_of(q->w, q->ow, runs);
    for (int64_t p = first; p < last; p += tall ? last - first : 1) {
        const int64_t to = (p * q->oh + row) * q->ow;
        const float *from = x + (p * q->h + 2 * row) * q->w;
        uint8_t *found = kind == MEAN ? NULL : taps + to;
        if (s.flat) pool_windows(kind, 1, &s, 1, mean_scale(q), from, y + to, found);
        else pool_windows(kind, 0, &s, runs, mean_scale(q), from, y + to, found);
    }
}

INLINE void spread_2x2_runs(int kind, int flat, const Windows *s, int64_t runs, float scale, const float *g,
                            const uint8_t *taps, float *dx)
{
    for (int64_t r = 0; r < runs; r++, dx += s->step, g += s->count, taps += s->count)
        for (int64_t j = 0; j < s->count; j += LANES) {
            const int64_t n = min64(LANES, s->count - j);
            const vec from = load_first(g + j, n) * scale;
            vec v[4] = {from, from, from, from};
            if (kind != MEAN) {
                const ivec tap = load_bytes(taps + j, n);
                for (int t = 0; t < 4; t++) v[t] = choose(tap == t, from, splat(0.0f));
            }
            store_windows(flat, s, dx + (flat ? 4 : 2) * j, n, v);
        }
}

/* Input rows row..row + rows, of which the first is even, of the planes first..last. */
INLINE void spread_2x2(int kind, const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows,
                       const float *g, const uint8_t *taps, float *dx)
{
    const int tall = rows == q->h && q->h == 2 * q->oh;
    const int64_t begin = min64(row / 2, q->oh), end = min64((row + rows) / 2, q->oh);
    const int64_t runs = tall ? (last - first) * q->oh : end - begin;
    const float scale = kind == MEAN ? mean_scale(q) : 1.0f;
    const Windows s = windows_of(q->w, q->ow, runs);
    for (int64_t p = first; p < last; p += tall ? last - first : 1) {
        const int64_t from = (p * q->oh + begin) * q->ow;
        float *to = dx + (p * q->h + row) * q->w, *below = to + 2 * runs * q->w;
        const uint8_t *found = kind == MEAN ? NULL : taps + from;
        if (s.flat) spread_2x2_runs(kind, 1, &s, 1, scale, g + from, found, to);
        else spread_2x2_runs(kind, 0, &s, runs, scale, g + from, found, to);
        if (q->w > 2 * q->ow)
            for (int64_t r = 0; r < 2 * runs; r++)
                memset(to + r * q->w + 2 * q->ow, 0, (size_t)(q->w - 2 * q->ow) * sizeof *dx);
        if (!tall) memset(below, 0, (size_t)((row + rows - 2 * (begin + runs)) * q->w) * sizeof *dx);
    }
}

/* relu(x), then the largest of each window; tap 4 where nothing is above 0. */
static void relu_max_pool(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x,
                          float *y, void *taps)
{
    pool_2x2(LARGEST_RECTIFIED, q, first, last, row, rows, x, y, taps);
}
