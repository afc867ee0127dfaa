/* Batch normalisation: moments of a channel, the affine map, and the sums and the map of the gradient.
 *
 * A `part` of a channel is `n` neighbouring floats in each of `images` planes that lie `step` floats apart. Sums run in
 * the lanes of vectors over at most BLOCK floats and are then added up in double, so that their error does not grow
 * with the batch.
 */
#include "vec.h"
#include "kernels.h"

#define BLOCK 4096

/* A walk over a part in blocks of at most BLOCK floats: several whole rows, or a piece of one. */
typedef struct Walk {
    int64_t images, n, step, image, column; /* the part, and where the next block starts */
    int64_t rows, length, offset;           /* the block: `rows` of `length`, the first at `offset` */
} Walk;

INLINE int next_block(Walk *w)
{
    if (w->image >= w->images || w->n <= 0) return 0;
    w->offset = w->image * w->step + w->column;
    w->rows = w->n < BLOCK ? BLOCK / w->n : 1;
    if (w->rows > w->images - w->image) w->rows = w->images - w->image;
    w->length = w->n - w->column < BLOCK ? w->n - w->column : BLOCK;
    w->column += w->length;
    if (w->column >= w->n) w->column = 0, w->image += w->rows;
    return 1;
}

/* Lanes below n (at most LANES) are kept, the others 0. */
INLINE vec first_lanes(vec v, int64_t n)
{
    ivec index;
    for (int l = 0; l < LANES; l++) index[l] = l;
    return choose(index < (int32_t)n, v, splat(0.0f));
}

static double block_sum(int64_t rows, int64_t n, int64_t step, const float *x)
{
    vec a = {0}, b = {0}, c = {0}, d = {0};
    for (int64_t r = 0; r < rows; r++, x += step) {
        int64_t i = 0;
        for (; i + 4 * LANES <= n; i += 4 * LANES) {
            a += load(x + i);
            b += load(x + i + LANES);
            c += load(x + i + 2 * LANES);
            d += load(x + i + 3 * LANES);
        }
        for (; i + LANES <= n; i += LANES) a += load(x + i);
        if (i < n) b += load_first(x + i, n - i);
    }
    return sum_lanes((a + b) + (c + d));
}

/* Sums of (x - center) and of its square. */
static void block_deviations(int64_t rows, int64_t n, int64_t step, const float *x, float center, double *sum,
                             double *squares)
{
    vec a = {0}, b = {0}, aa = {0}, bb = {0};
    for (int64_t r = 0; r < rows; r++, x += step) {
        int64_t i = 0;
        for (; i + 2 * LANES <= n; i += 2 * LANES) {
            vec p = load(x + i) - center, q = load(x + i + LANES) - center;
            a += p;
            b += q;
            aa += p * p;
            bb += q * q;
        }
        for (; i < n; i += LANES) {
            vec p = load_first(x + i, n - i) - center;
            if (n - i < LANES) p = first_lanes(p, n - i);
            a += p;
            aa += p * p;
        }
    }
    *sum = sum_lanes(a + b);
    *squares = sum_lanes(aa + bb);
}

/* Adds to (count, mean, squared deviations) those of another set (Chan, Golub and LeVeque). */
static void merge(double *into, double count, double mean, double squares)
{
    double total = into[0] + count, delta = mean - into[1];
    if (count == 0) return;
    into[1] += delta * (count / total);
    into[2] += squares + delta * delta * (into[0] * (count / total));
    into[0] = total;
}

/* moments[3]: count, mean and sum of squared deviations of a part.
 *
 * Deviations are from the first block's mean, then from the mean so far: where that is far from a block's own mean,
 * the distance between the two outweighs what cancels. */
static void part_moments(int64_t images, int64_t n, int64_t step, const float *x, double *moments)
{
    moments[0] = moments[1] = moments[2] = 0;
    for (Walk w = {images, n, step}; next_block(&w);) {
        double count = (double)(w.rows * w.length), sum, squares;
        float center = (float)(moments[0] ? moments[1] : block_sum(w.rows, w.length, step, x + w.offset) / count);
        block_deviations(w.rows, w.length, step, x + w.offset, center, &sum, &squares);
        merge(moments, count, center + sum / count, squares - sum * (sum / count));
    }
}

/* Mean and biased variance of a channel from the moments of its parts, in order. */
static void merge_moments(int64_t parts, const double *moments, float *mean, float *variance)
{
    double all[3] = {0, 0, 0};
    for (int64_t p = 0; p < parts; p++) merge(all, moments[3 * p], moments[3 * p + 1], moments[3 * p + 2]);
    double v = all[2] / all[0]; /* NaN when there is nothing */
    *mean = (float)(all[0] > 0 ? all[1] : v);
    *variance = (float)(v < 0 ? 0 : v);
}

/* y = (x - mean) * (invstd * w) + b on the planes first..last of all images, n floats each; w and b may be NULL. */
static void affine_planes(int64_t first, int64_t last, int64_t channels, int64_t n, const float *x, const float *mean,
                          const float *invstd, const float *w, const float *b, float *y)
{
    int64_t c = first % channels;
    for (int64_t p = first; p < last; p++, c = c + 1 < channels ? c + 1 : 0) {
        const float center = mean[c], scale = w ? invstd[c] * w[c] : invstd[c], shift = b ? b[c] : 0.0f;
        const float *restrict from = x + p * n;
        float *restrict to = y + p * n;
        for (int64_t i = 0; i < n; i++) to[i] = (from[i] - center) * scale + shift;
    }
}

/* Adds to sums[2] those of g and of g * (x - mean) over a block. */
static void block_gradient_sums(int64_t rows, int64_t n, int64_t step, const float *g, const float *x, float mean,
                                double *sums)
{
    vec a = {0}, b = {0}, ax = {0}, bx = {0};
    for (int64_t r = 0; r < rows; r++, g += step, x += step) {
        int64_t i = 0;
        for (; i + 2 * LANES <= n; i += 2 * LANES) {
            vec p = load(g + i), q = load(g + i + LANES);
            a += p;
            b += q;
            ax += p * (load(x + i) - mean);
            bx += q * (load(x + i + LANES) - mean);
        }
        for (; i < n; i += LANES) {
            vec p = load_first(g + i, n - i);
            a += p;
            ax += p * (load_first(x + i, n - i) - mean);
        }
    }
    sums[0] += sum_lanes(a + b);
    sums[1] += sum_lanes(ax + bx);
}

/* sums[2]: of g and of g * (x - mean) over a part. */
static void part_gradient_sums(int64_t images, int64_t n, int64_t step, const float *g, const float *x, float mean,
                               double *sums)
{
    sums[0] = sums[1] = 0;
    for (Walk w = {images, n, step}; next_block(&w);)
        block_gradient_sums(w.rows, w.length, step, g + w.offset, x + w.offset, mean, sums);
}

/* dx = kg * g + kx * (x - mean) + k on one part. */
static void part_gradient(int64_t images, int64_t n, int64_t step, const float *g, const float *x, float mean, float kg,
                          float kx, float k, float *dx)
{
    for (int64_t i = 0; i < images; i++) {
        const float *restrict gi = g + i * step, *restrict xi = x + i * step;
        float *restrict to = dx + i * step;
        for (int64_t j = 0; j < n; j++) to[j] = kg * gi[j] + (kx * (xi[j] - mean) + k);
    }
}
