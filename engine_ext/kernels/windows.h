/* 2x2 windows side by side: their four taps in four vectors, and back; the largest of each.
 *
 * Rows of 1, 2, 4 ... outputs that fill a vector together, in images of just twice their width, are read as one run:
 * pairs of columns first, then pairs of rows out of two vectors.
 */
#ifndef ENGINE_WINDOWS_H
#define ENGINE_WINDOWS_H

#include "vec.h"

INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE ivec choose_int(ivec mask, ivec a, ivec b) { return (mask & a) | (~mask & b); }

/* Where v replaces the best so far: the larger, the first of equals, the first NaN above all. */
INLINE ivec beats(vec v, vec best) { return ~(v <= best) & (best == best); }

/* The windows of images [h, w]: `runs` of `count` outputs each, which read `step` floats. */
typedef struct Windows {
    int64_t w, count, step;
    int flat;               /* a run is many rows */
    ivec upper, lower;      /* places of the pairs of even and odd rows in two vectors of pairs */
    ivec first, second;     /* places of two vectors of pairs in the vectors of even and odd rows */
} Windows;

/* `rows` rows of ow outputs. */
INLINE Windows windows_of(int64_t w, int64_t ow, int64_t rows)
{
    Windows s = {.w = w, .count = ow, .step = 2 * w};
    if (w != 2 * ow || ow >= LANES || LANES % ow || LANES == 4) return s;
    s.flat = 1, s.count = rows * ow, s.step = 2 * w * rows;
    for (int l = 0; l < LANES; l++) {
        const int d = (int)ow, row = l / d, in_row = l % d;
        s.upper[l] = row * 2 * d + in_row;
        s.lower[l] = s.upper[l] + d;
        s.first[l] = row % 2 * LANES + row / 2 * d + in_row;
        s.second[l] = s.first[l] + LANES / 2;
    }
    return s;
}

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

/* The taps 0 to 3 of n windows, x the first's corner. */
INLINE void load_windows(int flat, const Windows *s, const float *x, int64_t n, vec v[4])
{
    if (!flat) {
        load_pairs(x, n, v, v + 1);
        load_pairs(x + s->w, n, v + 2, v + 3);
        return;
    }
    vec left, right, more_left, more_right;
    load_pairs(x, min64(2 * n, LANES), &left, &right);
    load_pairs(x + 2 * LANES, max64(2 * n - LANES, 0), &more_left, &more_right);
    v[0] = pick(left, more_left, s->upper);
    v[1] = pick(right, more_right, s->upper);
    v[2] = pick(left, more_left, s->lower);
    v[3] = pick(right, more_right, s->lower);
}

INLINE void store_windows(int flat, const Windows *s, float *x, int64_t n, const vec v[4])
{
    if (!flat) {
        store_pairs(x, n, v[0], v[1]);
        store_pairs(x + s->w, n, v[2], v[3]);
        return;
    }
    store_pairs(x, min64(2 * n, LANES), pick(v[0], v[2], s->first), pick(v[1], v[3], s->first));
    store_pairs(x + 2 * LANES, max64(2 * n - LANES, 0), pick(v[0], v[2], s->second), pick(v[1], v[3], s->second));
}

/* The largest of each window and its tap. */
INLINE vec largest(const vec v[4], ivec *tap)
{
    ivec right = beats(v[1], v[0]), right_low = beats(v[3], v[2]);
    vec upper = choose(right, v[1], v[0]), lower = choose(right_low, v[3], v[2]);
    ivec down = beats(lower, upper);
    *tap = choose_int(down, 2 - right_low, -right);
    return choose(down, lower, upper);
}

/* The same behind a ReLU: 0 and tap 4 where nothing is above 0. */
INLINE vec largest_rectified(const vec v[4], ivec *tap)
{
    vec best = largest(v, tap);
    ivec nothing = best <= 0.0f;
    *tap = choose_int(nothing, (ivec){0} + 4, *tap);
    return choose(nothing, splat(0.0f), best);
}

#endif
