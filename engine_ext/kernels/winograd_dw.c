/* The weight gradient of 3x3 convolutions by Winograd's F(3x3,4x4), points 0, +-5/8, +-3/2 and infinity.
 *
 * A tile of 4x4 gradients and the 6x6 pixels under it are transformed to 36 positions; there the sums over tiles are
 * matrix products, and 36 sums turn into 3x3 weights. The pixels' transform is the forward's. Channels come in blocks of
 * LANES; v and d: [position][block][tile][LANES], u: [position][output block][input block][LANES inputs][LANES outputs].
 */

/* Values of g0 + g1 p + g2 p^2 + g3 p^3 at +p and -p. */
INLINE void gradient_pair(vec g0, vec g1, vec g2, vec g3, const float p, vec *plus, vec *minus)
{
    vec even = g0 + g2 * (p * p), odd = alone(g1 * p + g3 * (p * p * p));
    *plus = even + odd;
    *minus = even - odd;
}

INLINE void gradient_row(const vec g[4], float *d, int64_t step)
{
    vec plus, minus;
    store(d, g[0]);
    gradient_pair(g[0], g[1], g[2], g[3], NEAR, &plus, &minus);
    store(d + step, plus);
    store(d + 2 * step, minus);
    gradient_pair(g[0], g[1], g[2], g[3], FAR, &plus, &minus);
    store(d + 3 * step, plus);
    store(d + 4 * step, minus);
    store(d + 5 * step, g[3]);
}

/* One tile: rows of gradients `line` floats apart. */
INLINE void gradient_tile(const float *g, int64_t line, float *d, int64_t step)
{
    vec a[4], b[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) a[j] = load(g + j * LANES), b[j] = load(g + 3 * line + j * LANES);
    gradient_row(a, d, step);
    gradient_row(b, d + 30 * step, step);
#pragma GCC unroll 2
    for (int i = 1; i < 5; i += 2) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            gradient_pair(load(g + j * LANES), load(g + line + j * LANES), load(g + 2 * line + j * LANES),
                          load(g + 3 * line + j * LANES), i == 1 ? NEAR : FAR, &a[j], &b[j]);
        gradient_row(a, d + 6 * i * step, step);
        gradient_row(b, d + 6 * (i + 1) * step, step);
    }
}

/* Transforms the gradients of a rectangle of tiles of one image, up to LANES channels of it; the counterpart of
 * winograd4_input. Gradients beyond the image are 0. */
static void winograd_gradient(
    const Conv2d *q,        /* oh and ow count */
    const float *g,         /* IN, the first of `channels` planes */
    int64_t channels,       /* 1 .. LANES; lanes beyond become 0 */
    const Tiles *t,
    float *stage,           /* scratch [t->rows * 4][t->cols * 4][LANES] */
    float *d,               /* OUT [position 6 * i + j][t->rows][t->cols][LANES] */
    int64_t step)           /* floats between positions */
{
    int64_t height = t->rows * 4, width = t->cols * 4;
    stage_box(g, q->oh, q->ow, channels, t->row * 4, t->col * 4, height, width, stage);
    for (int64_t i = 0; i < height; i += 4)
        for (int64_t j = 0; j < width; j += 4, d += LANES)
            gradient_tile(stage + (i * width + j) * LANES, width * LANES, d, step);
}

#define LINE 16     /* floats of a cache line */
#if LANES == 16
#define DOWN 8      /* input channels of a register tile, which is 2 vectors of outputs wide */
#else
#define DOWN 4
#endif

/* The next run of pixels, then of gradients; `otherwise` when there is none. */
INLINE const float *next_run(Runs *upcoming, const float *otherwise)
{
    for (int i = 0; i < 2; i++)
        if (upcoming && upcoming[i].runs) {
            upcoming[i].runs--;
            upcoming[i].at += upcoming[i].step;
            return upcoming[i].at - upcoming[i].step;
        }
    return otherwise;
}

/* u[inputs][outputs] (+)= sum over tiles of v[tile][input] * d[tile][output], for `vectors` blocks of outputs. */
INLINE void tile_sums(
    const int vectors, int64_t tiles,
    const float *v,         /* IN [tiles][LANES] */
    const float *d,         /* IN, blocks `d_block` floats apart, of [tiles][LANES] */
    int64_t d_block,
    float *u,               /* OUT, blocks `u_block` floats apart, of [LANES][LANES]; IN too when accumulating */
    int64_t u_block,
    int accumulate,
    Runs *upcoming)         /* a cache line of a run is fetched with each tile */
{
    for (int from = 0; from < LANES; from += DOWN) {
        vec acc[DOWN][2];
        const float *ahead = next_run(upcoming, d);
#pragma GCC unroll 8
        for (int r = 0; r < DOWN; r++) acc[r][0] = acc[r][1] = (vec){0};
        for (int64_t t = 0; t < tiles; t++) {
            vec across[2];
            __builtin_prefetch(ahead + t * LINE, 0, 2);     /* to the L2 cache */
#pragma GCC unroll 2
            for (int w = 0; w < vectors; w++) across[w] = load(d + w * d_block + t * LANES);
#pragma GCC unroll 8
            for (int r = 0; r < DOWN; r++) {
                vec down = splat(v[t * LANES + from + r]);
#pragma GCC unroll 2
                for (int w = 0; w < vectors; w++) acc[r][w] += down * across[w];
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < DOWN; r++)
#pragma GCC unroll 2
            for (int w = 0; w < vectors; w++) {
                float *sum = u + w * u_block + (from + r) * LANES;
                store(sum, accumulate ? acc[r][w] + load(sum) : acc[r][w]);
            }
    }
}

/* Sums over tiles at some positions, for blocks of inputs and outputs. */
static void winograd_tile_sums(
    int64_t positions, int64_t inputs, int64_t outputs, int64_t tiles,
    const float *v, int64_t v_step,         /* IN, positions v_step floats apart, of [inputs][block] */
    const float *d, int64_t d_step,         /* IN, of [outputs][block] */
    int64_t block,                          /* floats of a block of channels: [tiles][LANES] and what stands behind */
    float *u, int64_t u_step,               /* OUT, of [outputs][u_block]; IN too when accumulating */
    int64_t u_block,                        /* floats of the sums of a block of outputs: [inputs][LANES][LANES] and more */
    int accumulate,
    Runs *upcoming)                         /* pixels and gradients of the next sums, [2], fetched meanwhile; or NULL */
{
    for (int64_t p = 0; p < positions; p++, v += v_step, d += d_step, u += u_step)
        for (int64_t o = 0; o < outputs; o += 2)
            for (int64_t i = 0; i < inputs; i++) {
                float *sums = u + o * u_block + i * LANES * LANES;
                const float *from = v + i * block, *with = d + o * block;
                if (o + 1 < outputs) tile_sums(2, tiles, from, with, block, sums, u_block, accumulate, upcoming);
                else tile_sums(1, tiles, from, with, block, sums, u_block, accumulate, upcoming);
            }
}

/* `size` weights, 3 to 5, from the sums at six positions: powers of the points over the products of their distances. */
#define STRIDES 2       /* in place of size: 3, of windows with stride 2 */

INLINE void weight_row(const int size, const vec m[6], vec y[5])
{
    if (size == STRIDES) {      /* winograd_stride.c */
        const float close = 1 / (2 * CLOSE * (CLOSE2 - WIDE2)), wide = 1 / (2 * WIDE * (WIDE2 - CLOSE2));
        y[0] = (m[0] - m[1]) * close + (m[2] - m[3]) * wide;
        y[1] = m[5];
        y[2] = (m[0] + m[1]) * (close * CLOSE) + (m[2] + m[3]) * (wide * WIDE) + m[4];
        return;
    }
    const float a = NEAR * NEAR, b = FAR * FAR, at_near = 1 / (2 * a * (a - b)), at_far = 1 / (2 * b * (b - a));
    vec near = (m[1] + m[2]) * at_near, far = (m[3] + m[4]) * at_far;
    y[0] = m[0] * (1 / (a * b)) + near + far;
    y[1] = (m[1] - m[2]) * (NEAR * at_near) + (m[3] - m[4]) * (FAR * at_far);
    y[2] = near * a + far * b;
    if (size > 3) y[3] = (m[1] - m[2]) * (NEAR * a * at_near) + (m[3] - m[4]) * (FAR * b * at_far);
    if (size > 4) y[4] = near * (a * a) + far * (b * b);
    y[size - 1] += m[5];
}

/* Weights of one block of inputs and one of outputs from their sums at all positions. */
INLINE void weights_from_sums(
    const int form,         /* size of a window, or STRIDES */
    const float *u,         /* IN, positions `step` floats apart, of [LANES inputs][LANES outputs] */
    int64_t step,
    int64_t parts, int64_t part,        /* so many of these, `part` floats apart, are added in order */
    int64_t inputs, int64_t outputs,    /* of the block, 1..LANES */
    float *dw, int64_t ldw) /* OUT [outputs][inputs][size][size], outputs ldw apart */
{
    enum { MOST = 5 };
    const int size = form == STRIDES ? 3 : form;
    float across[MOST * MOST * LANES * LANES];  /* [inputs][size][size][LANES] */
    for (int64_t c = 0; c < inputs; c++) {
        vec half[6][MOST];
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            vec m[6];
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) m[i] = load(u + (6 * i + j) * step + c * LANES);
            for (int64_t p = 1; p < parts; p++)
#pragma GCC unroll 6
                for (int i = 0; i < 6; i++) m[i] += load(u + p * part + (6 * i + j) * step + c * LANES);
            weight_row(form, m, half[j]);
        }
#pragma GCC unroll 5
        for (int i = 0; i < size; i++) {
            vec m[6], y[MOST];
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) m[j] = half[j][i];
            weight_row(form, m, y);
#pragma GCC unroll 5
            for (int j = 0; j < size; j++) store(across + ((size * c + i) * size + j) * LANES, y[j]);
        }
    }
    const int64_t taps = size * size * inputs;
    for (int64_t t = 0; t < taps; t += LANES) {
        vec m[LANES];
        int64_t n = taps - t < LANES ? taps - t : LANES;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) m[i] = i < n ? load(across + (t + i) * LANES) : (vec){0};
        transpose(m);
        for (int64_t o = 0; o < outputs; o++) store_first(dw + o * ldw + t, m[o], n);
    }
}

static void winograd_weights(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs, int64_t outputs,
                             float *dw, int64_t ldw)
{
    weights_from_sums(3, u, step, parts, part, inputs, outputs, dw, ldw);
}
