/* Batch normalisation: moments of the channels, the map, and the sums and the map of the gradient, each of them also
 * with a ReLU, and a residual added before it, folded in.
 *
 * A `part` is a piece of a block of neighbouring channels in some of the images. Sums run in the lanes of vectors over
 * at most BLOCK floats of a channel and are then added up in double, so that their error does not grow with the batch.
 * Between two rows they lie in memory, one vector a channel: small planes of many channels are read in one run.
 */
#include "vec.h"
#include "kernels.h"
#include <math.h>

#define BLOCK 4096

/* What lies between the map and the gradient that comes in. */
enum { MAPPED, RECTIFIED, AFTER_ADDING };

/* A walk over a part in blocks of at most BLOCK floats of a channel: several whole rows, or a piece of one. */
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

INLINE int64_t plane_of(const Norm *q) { return q->h * q->w; }
INLINE int64_t part_offset(const Norm *q, const NormPart *p)
{
    return (p->image * q->channels + p->channel) * plane_of(q) + p->column;
}

/* The map of a channel: (x - center) * scale + shift. */
typedef struct Line {
    vec center, scale, shift;
} Line;

INLINE Line line_of(const Norm *q, int64_t c)
{
    const float scale = q->weight ? q->invstd[c] * q->weight[c] : q->invstd[c];
    return (Line){splat(q->mean[c]), splat(scale), splat(q->bias ? q->bias[c] : 0.0f)};
}

INLINE vec on_line(Line line, vec x) { return (x - line.center) * line.scale + line.shift; }

/* Asks for two vectors of the next row: it may lie on another page, where the hardware's own prefetching starts anew. */
INLINE void prefetch2(const float *p)
{
    __builtin_prefetch(p);
    __builtin_prefetch(p + LANES);
}

/* NaN passes; -0 becomes 0. And g where that let something through. */
INLINE vec let_through(vec g, vec v) { return choose(v <= 0.0f, splat(0.0f), g); }

/* ----- Moments ----- */

/* Adds those of x[n] - center and of its square; four vectors at a time hide the latency of the sums. The next row lies
 * `next` floats further. */
INLINE void add_deviations(int64_t n, const float *x, int64_t next, vec center, vec *sum, vec *squares)
{
    vec a = *sum, b = {0}, aa = *squares, bb = {0};
    int64_t i = 0;
#pragma GCC unroll 2
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vec p = load(x + i) - center, q = load(x + i + LANES) - center;
        prefetch2(x + i + next);
        a += p;
        b += q;
        aa += p * p;
        bb += q * q;
    }
    for (; i < n; i += LANES) {
        vec p = first_lanes(load_first(x + i, n - i) - center, n - i);
        a += p;
        aa += p * p;
    }
    *sum = a + b;
    *squares = aa + bb;
}

/* The mean of about the first 64 floats of a block: near enough to the block's own that little cancels. */
static float first_mean(const Walk *w, const float *x)
{
    const int64_t rows = w->length >= 64 ? 1 : (63 + w->length) / w->length, all = rows < w->rows ? rows : w->rows;
    const int64_t n = w->length < 64 ? w->length : 64;
    vec sum = {0};
    for (int64_t r = 0; r < all; r++)
        for (int64_t i = 0; i < n; i += LANES) sum += load_first(x + r * w->step + i, n - i);
    return sum_lanes(sum) / (float)(all * n);
}

/* Merges moments of two sets (Chan, Golub and LeVeque): `share` is that of the second in the number of elements, and
 * `weight` the first's number times it. */
INLINE void merge(double *mean, double *squares, double share, double weight, double more_mean, double more_squares)
{
    double delta = more_mean - *mean;
    *mean += delta * share;
    *squares += more_squares + delta * delta * weight;
}

/* mean[channels] and squares[channels], the sums of squared deviations, of the channels of a part.
 *
 * Deviations are from the mean so far: where that is far from a block's own mean, the distance between the two
 * outweighs what cancels. */
static void norm_moments(const Norm *q, const NormPart *p, double *mean, double *squares)
{
    const float *x = q->x + part_offset(q, p);
    const int64_t plane = plane_of(q), step = q->channels * plane;
    double count = 0;
    vec sums[NORM_CHANNELS][2];
    for (int64_t c = 0; c < p->channels; c++) mean[c] = squares[c] = 0;
    for (Walk w = {p->images, p->n, step}; next_block(&w);) {
        const float *from = x + w.offset;
        const double more = (double)(w.rows * w.length), share = more / (count + more);
        float center[NORM_CHANNELS];
        for (int64_t c = 0; c < p->channels; c++) {
            center[c] = count ? (float)mean[c] : first_mean(&w, from + c * plane);
            sums[c][0] = sums[c][1] = (vec){0};
        }
        for (int64_t r = 0; r < w.rows; r++)
            for (int64_t c = 0; c < p->channels; c++)
                add_deviations(w.length, from + r * step + c * plane, step, splat(center[c]), &sums[c][0], &sums[c][1]);
        for (int64_t c = 0; c < p->channels; c++) {
            double sum = sum_lanes(sums[c][0]), deviation = sum / more;
            merge(mean + c, squares + c, share, count * share, center[c] + deviation,
                  sum_lanes(sums[c][1]) - sum * deviation);
        }
        count += more;
    }
}

/* Mean and biased variance of `channels` channels from the moments[parts][2][stride] of parts of counts[parts]
 * elements, in order. */
static void merge_moments(int64_t channels, int64_t parts, int64_t stride, const double *counts,
                          const double *moments, float *mean, float *variance)
{
    for (int64_t c = 0; c < channels; c++) {
        double count = 0, m = 0, s = 0;
        for (int64_t p = 0; p < parts; p++) {
            const double share = counts[p] / (count + counts[p]);
            if (counts[p] == 0) continue;
            merge(&m, &s, share, count * share, moments[2 * p * stride + c], moments[(2 * p + 1) * stride + c]);
            count += counts[p];
        }
        double v = s / count; /* NaN when there is nothing */
        mean[c] = (float)(count > 0 ? m : v);
        variance[c] = (float)(v < 0 ? 0 : v);
    }
}

/* 1 / sqrt(variance + eps). */
static void norm_invstd(int64_t n, const float *variance, float eps, float *invstd)
{
    for (int64_t i = 0; i < n; i++) invstd[i] = 1.0f / sqrtf(variance[i] + eps);
}

/* ----- The map ----- */

INLINE vec mapped(int kind, Line line, vec x, vec residual)
{
    vec v = on_line(line, x);
    if (kind == AFTER_ADDING) v += residual;
    return kind == MAPPED ? v : rectify(v);
}

/* `n` floats from `column` on of each of the planes first..last of all images. */
INLINE void map_planes(int kind, const Norm *q, int64_t first, int64_t last, int64_t column, int64_t n)
{
    int64_t c = first % q->channels;
    for (int64_t p = first; p < last; p++, c = c + 1 < q->channels ? c + 1 : 0) {
        const Line line = line_of(q, c);
        const int64_t at = p * plane_of(q) + column;
        const float *x = q->x + at, *residual = kind == AFTER_ADDING ? q->residual + at : x;
        float *y = q->out + at;
        int64_t i = 0;
#pragma GCC unroll 4
        for (; i + LANES <= n; i += LANES) store(y + i, mapped(kind, line, load(x + i), load(residual + i)));
        if (i < n)
            store_first(y + i, mapped(kind, line, load_first(x + i, n - i), load_first(residual + i, n - i)), n - i);
    }
}

static void norm_map(const Norm *q, int64_t first, int64_t last, int64_t column, int64_t n)
{
    map_planes(MAPPED, q, first, last, column, n);
}

static void norm_relu(const Norm *q, int64_t first, int64_t last, int64_t column, int64_t n)
{
    map_planes(RECTIFIED, q, first, last, column, n);
}

static void norm_add_relu(const Norm *q, int64_t first, int64_t last, int64_t column, int64_t n)
{
    map_planes(AFTER_ADDING, q, first, last, column, n);
}

/* ----- Gradients ----- */

/* The gradient of the map's output at LANES elements. */
INLINE vec inner_gradient(int kind, Line line, vec g, vec x, vec y)
{
    if (kind == MAPPED) return g;
    return let_through(g, kind == RECTIFIED ? on_line(line, x) : y);
}

/* Adds the sums of the inner gradient and of its product with x - mean. The next row lies `next` floats further. */
INLINE void add_gradients(int kind, int64_t n, int64_t next, const float *g, const float *x, const float *y,
                          float *inner, Line line, vec *sum, vec *products)
{
    const int ahead = kind != AFTER_ADDING || n < 512; /* of four long streams it took 8 % more time */
    vec a = *sum, b = {0}, aa = *products, bb = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vec xp = load(x + i), xq = load(x + i + LANES);
        if (ahead) {
            prefetch2(x + i + next);
            prefetch2(g + i + next);
            if (kind == AFTER_ADDING) prefetch2(y + i + next);
        }
        vec p = inner_gradient(kind, line, load(g + i), xp, load(y + i));
        vec q = inner_gradient(kind, line, load(g + i + LANES), xq, load(y + i + LANES));
        if (kind == AFTER_ADDING) store(inner + i, p), store(inner + i + LANES, q);
        a += p;
        b += q;
        aa += p * (xp - line.center);
        bb += q * (xq - line.center);
    }
    for (; i < n; i += LANES) {
        vec xp = load_first(x + i, n - i);
        vec p = inner_gradient(kind, line, load_first(g + i, n - i), xp, load_first(y + i, n - i));
        if (kind == AFTER_ADDING) store_first(inner + i, p, n - i);
        a += p;
        aa += p * (xp - line.center);
    }
    *sum = a + b;
    *products = aa + bb;
}

/* sum[channels] and products[channels] over a part, and the inner gradient itself where it is asked for (AFTER_ADDING). */
INLINE void gradient_sums(int kind, const Norm *q, const NormPart *p, double *sum, double *products)
{
    const int64_t plane = plane_of(q), step = q->channels * plane, start = part_offset(q, p);
    vec sums[NORM_CHANNELS][2];
    for (int64_t c = 0; c < p->channels; c++) sum[c] = products[c] = 0;
    for (Walk w = {p->images, p->n, step}; next_block(&w);) {
        memset(sums, 0, sizeof sums[0] * (size_t)p->channels);
        for (int64_t r = 0; r < w.rows; r++)
            for (int64_t c = 0; c < p->channels; c++) {
                const int64_t at = start + w.offset + r * step + c * plane;
                add_gradients(kind, w.length, step, q->g + at, q->x + at, kind == AFTER_ADDING ? q->y + at : q->g + at,
                              kind == AFTER_ADDING ? q->inner + at : NULL, line_of(q, p->channel + c), &sums[c][0],
                              &sums[c][1]);
            }
        for (int64_t c = 0; c < p->channels; c++) {
            sum[c] += sum_lanes(sums[c][0]);
            products[c] += sum_lanes(sums[c][1]);
        }
    }
}

static void norm_sums(const Norm *q, const NormPart *p, double *sum, double *products)
{
    gradient_sums(MAPPED, q, p, sum, products);
}

static void norm_relu_sums(const Norm *q, const NormPart *p, double *sum, double *products)
{
    gradient_sums(RECTIFIED, q, p, sum, products);
}

static void norm_add_relu_sums(const Norm *q, const NormPart *p, double *sum, double *products)
{
    gradient_sums(AFTER_ADDING, q, p, sum, products);
}

/* From the sums[parts][2][C] of channels first..last: dw, db, and the factors[3][C] of dx = kg * inner gradient +
 * (kx * (x - mean) + k); kx and k are 0 where mean and invstd are constants. */
static void norm_factors(const Norm *q, int64_t first, int64_t last, int64_t parts, const double *sums, int constants,
                         float *factors, float *dw, float *db)
{
    const int64_t stride = q->channels;
    const double count = (double)(q->images * plane_of(q));
    for (int64_t c = first; c < last; c++) {
        double sum = 0, products = 0;
        for (int64_t p = 0; p < parts; p++) {
            sum += sums[2 * p * stride + c];
            products += sums[(2 * p + 1) * stride + c];
        }
        const double invstd = q->invstd[c], scale = invstd * (q->weight ? q->weight[c] : 1.0);
        dw[c] = (float)(products * invstd);
        db[c] = (float)sum;
        factors[c] = (float)scale;
        factors[stride + c] = constants ? 0.0f : (float)(-scale * invstd * invstd * products / count);
        factors[2 * stride + c] = constants ? 0.0f : (float)(-scale * sum / count);
    }
}

/* What `factors` say of a channel. */
typedef struct Slope {
    vec kg, kx, k;
} Slope;

INLINE Slope slope_of(const Norm *q, const float *factors, int64_t c)
{
    return (Slope){splat(factors[c]), splat(factors[q->channels + c]), splat(factors[2 * q->channels + c])};
}

INLINE vec on_slope(Slope s, vec g, vec deviation) { return s.kg * g + (s.kx * deviation + s.k); }

/* `sent` is the gradient of the output, or where that is there the inner one. */
INLINE void gradient(int kind, const Norm *q, const NormPart *p, const float *sent, const float *factors)
{
    const int64_t plane = plane_of(q), start = part_offset(q, p), n = p->n;
    for (int64_t m = 0; m < p->images; m++)
        for (int64_t c = 0; c < p->channels; c++) {
            const int64_t at = start + (m * q->channels + c) * plane;
            const float *g = sent + at, *x = q->x + at;
            float *dx = q->out + at;
            const Line line = line_of(q, p->channel + c);
            const Slope slope = slope_of(q, factors, p->channel + c);
            int64_t i = 0;
#pragma GCC unroll 4
            for (; i + LANES <= n; i += LANES) {
                vec v = load(x + i), inner = inner_gradient(kind, line, load(g + i), v, v);
                store(dx + i, on_slope(slope, inner, v - line.center));
            }
            if (i < n) {
                vec v = load_first(x + i, n - i), inner = inner_gradient(kind, line, load_first(g + i, n - i), v, v);
                store_first(dx + i, on_slope(slope, inner, v - line.center), n - i);
            }
        }
}

static void norm_dx(const Norm *q, const NormPart *p, const float *factors) { gradient(MAPPED, q, p, q->g, factors); }

static void norm_relu_dx(const Norm *q, const NormPart *p, const float *factors)
{
    gradient(RECTIFIED, q, p, q->g, factors);
}

static void norm_add_relu_dx(const Norm *q, const NormPart *p, const float *factors)
{
    gradient(MAPPED, q, p, q->inner, factors);
}
