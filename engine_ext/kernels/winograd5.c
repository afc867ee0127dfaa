/* Winograd's convolution of 5x5 windows, F(2x2, 5x5), and its weight gradient, F(5x5, 2x2).
 *
 * Six points, those of F(4x4, 3x3), give two outputs of windows of five: 36 products in place of 100. The inputs' transform
 * is the same one, tiles lie 2 apart in place of 4.
 */

/* Transforms the inputs of a rectangle of tiles of one image, up to LANES channels of it: see winograd4_input. */
static void winograd5_input(const Conv2d *q, const float *x, int64_t channels, const Tiles *t,
                            float *stage,   /* scratch [t->rows * 2 + 4][t->cols * 2 + 4][LANES] */
                            float *v, int64_t step)
{
    input(FIVE, q, x, channels, t, stage, v, step);
}

/* Five weights to six positions. */
INLINE void weight_line5(const vec g[5], vec u[6])
{
    const float near = 1 / (2 * NEAR2 * (NEAR2 - FAR2)), far = 1 / (2 * FAR2 * (FAR2 - NEAR2));
    u[0] = g[0] * (1 / (NEAR2 * FAR2));
    vec even = near * (g[0] + NEAR2 * (g[2] + NEAR2 * g[4])), odd = near * NEAR * (g[1] + NEAR2 * g[3]);
    u[1] = even + odd;
    u[2] = even - odd;
    even = far * (g[0] + FAR2 * (g[2] + FAR2 * g[4])), odd = far * FAR * (g[1] + FAR2 * g[3]);
    u[3] = even + odd;
    u[4] = even - odd;
    u[5] = g[4];
}

/* Transforms the weights of up to LANES outputs and some input channels: see winograd4_weights. */
static void winograd5_weights(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                              int64_t channels, float *u, int64_t step)
{
    float taps[25 * LANES];
    for (int64_t c = 0; c < channels; c++, w += in_step, u += 2 * LANES) {
        vec columns[6][5];
        copy_columns(taps, LANES, w, out_step, outs, 25);
#pragma GCC unroll 5
        for (int j = 0; j < 5; j++) {
            vec g[5], line[6];
#pragma GCC unroll 5
            for (int i = 0; i < 5; i++) g[i] = load(taps + (rotated ? 24 - 5 * i - j : 5 * i + j) * LANES);
            weight_line5(g, line);
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) columns[i][j] = line[i];
        }
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            vec line[6];
            weight_line5(columns[i], line);
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) store(u + (6 * i + j) * step, line[j]);
        }
    }
}

/* Outputs of a rectangle of tiles of one image, up to LANES channels: see winograd4_output. */
static void winograd5_output(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                             const float *bias, const float *added, int relu, float *stage, float *y)
{
    output(FIVE, 0, q, t, m, step, outs, bias, added, relu, stage, y, NULL);
}

/* The same behind ReLU and max pooling by 2x2: see winograd4_output_pool. */
static void winograd5_output_pool(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                  const float *bias, float *stage, float *y, uint8_t *taps)
{
    output(FIVE, 1, q, t, m, step, outs, bias, NULL, 0, stage, y, taps);
}

/* --- weight gradient */

/* Two gradients to six positions. */
INLINE void gradient_line5(const vec g[2], vec d[6])
{
    const vec near = NEAR * g[1], far = FAR * g[1];
    d[0] = g[0];
    d[1] = g[0] + near;
    d[2] = g[0] - near;
    d[3] = g[0] + far;
    d[4] = g[0] - far;
    d[5] = g[1];
}

/* Transforms the gradients of a rectangle of tiles of one image: see winograd_gradient. */
static void winograd5_gradient(const Conv2d *q, const float *g, int64_t channels, const Tiles *t,
                               float *stage,    /* scratch [t->rows * 2][t->cols * 2][LANES] */
                               float *d, int64_t step)
{
    const int64_t height = t->rows * 2, width = t->cols * 2;
    stage_box(g, q->oh, q->ow, channels, t->row * 2, t->col * 2, height, width, stage);
    for (int64_t i = 0; i < height; i += 2)
        for (int64_t j = 0; j < width; j += 2, d += LANES) {
            vec columns[2][6];
#pragma GCC unroll 2
            for (int c = 0; c < 2; c++) {
                const vec down[2] = {load(stage + (i * width + j + c) * LANES),
                                     load(stage + ((i + 1) * width + j + c) * LANES)};
                gradient_line5(down, columns[c]);
            }
#pragma GCC unroll 6
            for (int r = 0; r < 6; r++) {
                const vec along[2] = {columns[0][r], columns[1][r]};
                vec positions[6];
                gradient_line5(along, positions);
#pragma GCC unroll 6
                for (int c = 0; c < 6; c++) store(d + (6 * r + c) * step, positions[c]);
            }
        }
}

/* Weights of one block of inputs and one of outputs from their sums: see winograd_dw.c. */
static void winograd5_dw(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs, int64_t outputs,
                         float *dw, int64_t ldw)
{
    weights_from_sums(5, u, step, parts, part, inputs, outputs, dw, ldw);
}
