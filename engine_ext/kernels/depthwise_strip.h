/* One strip of a plane of a depthwise convolution: up to a vector of output columns, from the first row to the last.
 *
 * A strip walks down the image: every row is loaded once, as one vector per tap of a window row, and goes into all
 * windows that see it, whose sums wait in registers. Rows outside the image are skipped, lanes outside it are loaded as
 * zeros. Included by depthwise.c.
 */

/* acc[k] is output row o - k. */
INLINE void forward_strip(
    const int k, const int stride, const int masked, const Strip *strip,
    const float *x,         /* IN, the image */
    const float *w,         /* IN [k][k] */
    int rotated,            /* the taps in reverse order */
    float bias,
    float *y,               /* OUT, the output; IN too when adding */
    int add, int relu)
{
    enum { MOST = 7 };
    const Strip own = *strip, *t = &own; /* which no store can change */
    const int live = (k + stride - 1) / stride;
    vec acc[MOST], weights[MOST * MOST];
    const vec start = splat(bias);
#pragma GCC unroll 49
    for (int i = 0; i < k * k; i++) weights[i] = splat(w[rotated ? k * k - 1 - i : i]);
#pragma GCC unroll 7
    for (int i = 0; i < live; i++) acc[i] = start;
    x += t->x_at - t->top * t->line;
    y += t->y_at - (live - 1) * t->out_line;
    for (int64_t o = 0, row = -t->top; o < t->oh + live - 1; o++, y += t->out_line) {
#pragma GCC unroll 7
        for (int i = live - 1; i > 0; i--) acc[i] = acc[i - 1];
        acc[0] = start;
#pragma GCC unroll 2
        for (int phase = 0; phase < stride; phase++, row++, x += t->line) {
            if ((uint64_t)row >= (uint64_t)t->h) continue;
            if (t->ahead) {
                __builtin_prefetch(x + t->ahead);
                if (stride == 2) __builtin_prefetch(x + t->ahead + LANES);
            }
            vec across[MOST];
            taps_in_row(k, stride, masked, 0, t, x, across);
#pragma GCC unroll 7
            for (int b = 0; b < k; b++)
#pragma GCC unroll 7
                for (int a = phase; a < k; a += stride) acc[a / stride] += weights[a * k + b] * across[b];
        }
        if (o < live - 1) continue;
        vec sum = acc[live - 1];
        if (add) sum += load_lanes(y, t->there, 0.0f);
        if (relu) sum = rectify(sum);
        if (masked) store_lanes(y, sum, t->there);
        else store(y, sum);
    }
}

/* Sums over pixels of gradient times image, lane by lane, for `down` of the window's rows from the one on that the
 * strip's padding speaks of. down[k] is row o - k of the gradient. */
INLINE void weight_step(
    const int down, const int k, const int stride, const int masked, const int checked, const Strip *t, int64_t o,
    const float **x, int64_t *row, const float **g, vec *rows, vec *acc)
{
    const int live = (down + stride - 1) / stride;
#pragma GCC unroll 7
    for (int i = live - 1; i > 0; i--) rows[i] = rows[i - 1];
    rows[0] = checked && o >= t->oh ? (vec){0} : masked ? load_lanes(*g, t->there, 0.0f) : load(*g);
    if (t->ahead) __builtin_prefetch(*g + t->out_ahead);
    *g += t->out_line;
#pragma GCC unroll 2
    for (int phase = 0; phase < stride; phase++, ++*row, *x += t->line) {
        if ((uint64_t)*row >= (uint64_t)t->h) continue;
        if (t->ahead) {
            __builtin_prefetch(*x + t->ahead);
            if (stride == 2) __builtin_prefetch(*x + t->ahead + LANES);
        }
        vec across[7];
        taps_in_row(k, stride, masked, 1, t, *x, across);
#pragma GCC unroll 7
        for (int b = 0; b < k; b++)
#pragma GCC unroll 7
            for (int a = phase; a < down; a += stride)
                if (!checked || (uint64_t)(o - a / stride) < (uint64_t)t->oh)
                    acc[a * k + b] += rows[a / stride] * across[b];
    }
}

INLINE void weight_strip(
    const int down, const int k, const int stride, const int masked, const Strip *strip,
    const float *x, const float *g,     /* IN, image and gradient */
    float *sums)                        /* IN, OUT [down][k][LANES] */
{
    const Strip own = *strip, *t = &own;
    const int live = (down + stride - 1) / stride;
    vec acc[21], rows[7];
    int64_t o = 0, row = -t->top;
#pragma GCC unroll 21
    for (int i = 0; i < down * k; i++) acc[i] = (vec){0};
#pragma GCC unroll 7
    for (int i = 0; i < live; i++) rows[i] = (vec){0};
    x += t->x_at - t->top * t->line;
    g += t->y_at;
    for (; o < live - 1; o++) weight_step(down, k, stride, masked, 1, t, o, &x, &row, &g, rows, acc);
    for (; o < t->oh; o++) weight_step(down, k, stride, masked, 0, t, o, &x, &row, &g, rows, acc);
    for (; o < t->oh + live - 1; o++) weight_step(down, k, stride, masked, 1, t, o, &x, &row, &g, rows, acc);
#pragma GCC unroll 21
    for (int i = 0; i < down * k; i++) store(sums + i * LANES, load(sums + i * LANES) + acc[i]);
}
