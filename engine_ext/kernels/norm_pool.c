/* Batch normalisation, ReLU and max pooling of 2x2 windows side by side in one pass, and the gradient of the three.
 *
 * The gradient reaches each window at one tap; elsewhere, and in rows and columns that no window covers, it is 0.
 */
#include "windows.h"
#include "kernels.h"

/* Outputs row..row + rows of each of the planes first..last of all images. */
INLINE void map_windows(int flat, const Norm *q, const Windows *s, int64_t runs, int64_t p, int64_t row)
{
    const Line line = line_of(q, p % q->channels);
    const int64_t ow = q->w / 2, to = (p * (q->h / 2) + row) * ow;
    const float *x = q->x + p * plane_of(q) + 2 * row * q->w;
    for (int64_t r = 0; r < runs; r++)
        for (int64_t j = 0; j < s->count; j += LANES) {
            const int64_t n = min64(LANES, s->count - j), at = to + r * s->count + j;
            vec v[4];
            ivec tap;
            load_windows(flat, s, x + r * s->step + (flat ? 4 : 2) * j, n, v);
            for (int t = 0; t < 4; t++) v[t] = on_line(line, v[t]);
            store_first(q->out + at, largest_rectified(v, &tap), n);
            store_bytes(q->found + at, tap, n);
        }
}

static void norm_relu_pool(const Norm *q, int64_t first, int64_t last, int64_t row, int64_t rows)
{
    const Windows s = windows_of(q->w, q->w / 2, rows);
    for (int64_t p = first; p < last; p++) {
        if (s.flat) map_windows(1, q, &s, 1, p, row);
        else map_windows(0, q, &s, rows, p, row);
    }
}

/* Adds the gradients g that arrive in n windows, and their products with x - mean. */
INLINE void add_windows(int flat, const Windows *s, int64_t n, const float *x, const float *g, const uint8_t *taps,
                        vec center, vec *sum, vec *products)
{
    const ivec tap = load_bytes(taps, n);
    const vec arrived = choose(tap < 4, load_first(g, n), splat(0.0f));
    vec v[4];
    load_windows(flat, s, x, n, v);
    const vec at = choose(tap < 2, choose(tap == 0, v[0], v[1]), choose(tap == 2, v[2], v[3]));
    *sum += arrived;
    *products += arrived * (at - center);
}

INLINE void sum_windows_of(int flat, const Norm *q, const Windows *s, int64_t runs, int64_t p, double *sum,
                           double *products)
{
    const vec center = splat(q->mean[p % q->channels]);
    const int64_t from = p * (q->h / 2) * (q->w / 2);
    const float *x = q->x + p * plane_of(q);
    vec a = {0}, aa = {0};
    int64_t pending = 0;
    for (int64_t r = 0; r < runs; r++) {
        for (int64_t j = 0; j < s->count; j += LANES) {
            const int64_t at = from + r * s->count + j;
            add_windows(flat, s, min64(LANES, s->count - j), x + r * s->step + (flat ? 4 : 2) * j, q->g + at,
                        q->taps + at, center, &a, &aa);
        }
        pending += s->count;
        if (pending < BLOCK && r + 1 < runs) continue;
        *sum += sum_lanes(a);
        *products += sum_lanes(aa);
        a = aa = (vec){0};
        pending = 0;
    }
}

static void norm_pool_sums(const Norm *q, const NormPart *p, double *sum, double *products)
{
    const Windows s = windows_of(q->w, q->w / 2, q->h / 2);
    for (int64_t c = 0; c < p->channels; c++) sum[c] = products[c] = 0;
    for (int64_t m = p->image; m < p->image + p->images; m++)
        for (int64_t c = 0; c < p->channels; c++) {
            const int64_t plane = m * q->channels + p->channel + c;
            if (s.flat) sum_windows_of(1, q, &s, 1, plane, sum + c, products + c);
            else sum_windows_of(0, q, &s, q->h / 2, plane, sum + c, products + c);
        }
}

INLINE void spread_windows(int flat, const Norm *q, const Windows *s, int64_t runs, int64_t p, vec center, Slope slope)
{
    const int64_t from = p * (q->h / 2) * (q->w / 2);
    for (int64_t r = 0; r < runs; r++)
        for (int64_t j = 0; j < s->count; j += LANES) {
            const int64_t n = min64(LANES, s->count - j), at = from + r * s->count + j;
            const int64_t place = p * plane_of(q) + r * s->step + (flat ? 4 : 2) * j;
            const vec g = load_first(q->g + at, n);
            const ivec tap = load_bytes(q->taps + at, n);
            vec v[4];
            load_windows(flat, s, q->x + place, n, v);
            for (int t = 0; t < 4; t++) v[t] = on_slope(slope, choose(tap == t, g, splat(0.0f)), v[t] - center);
            store_windows(flat, s, q->out + place, n, v);
        }
}

/* n floats whose gradient is 0. */
INLINE void spread_nothing(int64_t n, const float *x, vec center, Slope slope, float *dx)
{
    for (int64_t i = 0; i < n; i += LANES)
        store_first(dx + i, on_slope(slope, splat(0.0f), load_first(x + i, n - i) - center), n - i);
}

static void norm_pool_dx(const Norm *q, const NormPart *p, const float *factors)
{
    const int64_t oh = q->h / 2, ow = q->w / 2;
    const Windows s = windows_of(q->w, ow, oh);
    for (int64_t m = p->image; m < p->image + p->images; m++)
        for (int64_t c = p->channel; c < p->channel + p->channels; c++) {
            const vec center = splat(q->mean[c]);
            const Slope slope = slope_of(q, factors, c);
            const int64_t plane = m * q->channels + c, start = plane * plane_of(q);
            if (s.flat) spread_windows(1, q, &s, 1, plane, center, slope);
            else spread_windows(0, q, &s, oh, plane, center, slope);
            for (int64_t r = 0; q->w > 2 * ow && r < 2 * oh; r++) {
                const int64_t at = start + r * q->w + 2 * ow;
                spread_nothing(q->w - 2 * ow, q->x + at, center, slope, q->out + at);
            }
            const int64_t below = start + 2 * oh * q->w;
            spread_nothing((q->h - 2 * oh) * q->w, q->x + below, center, slope, q->out + below);
        }
}
