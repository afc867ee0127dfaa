/* Winograd's convolution of 4x4 windows, F(3x3, 4x4), and its weight gradient, F(4x4, 3x3).
 *
 * Six points, those of F(4x4, 3x3), give three outputs of windows of four as they give four of windows of three: the inputs'
 * transform is the same one, tiles lie 3 apart in place of 4. Windows of 7x7 with stride 2 come by here: see halves.pyx.
 */

/* Transforms the inputs of a rectangle of tiles of one image, up to LANES channels of it: see winograd4_input. */
static void winograd3_input(const Conv2d *q, const float *x, int64_t channels, const Tiles *t,
                            float *stage,   /* scratch [t->rows * 3 + 3][t->cols * 3 + 3][LANES] */
                            float *v, int64_t step)
{
    input(3, q, x, channels, t, stage, v, step);
}

/* Four weights to six positions. */
INLINE void weight_line3(const vec g[4], vec u[6])
{
    const float near = 1 / (2 * NEAR2 * (NEAR2 - FAR2)), far = 1 / (2 * FAR2 * (FAR2 - NEAR2));
    u[0] = g[0] * (1 / (NEAR2 * FAR2));
    vec even = near * g[0] + near * NEAR2 * g[2], odd = near * NEAR * (g[1] + NEAR2 * g[3]);
    u[1] = even + odd;
    u[2] = even - odd;
    even = far * g[0] + far * FAR2 * g[2], odd = far * FAR * (g[1] + FAR2 * g[3]);
    u[3] = even + odd;
    u[4] = even - odd;
    u[5] = g[3];
}

/* Transforms the weights of up to LANES outputs and some input channels. */
static void winograd3_weights(
    const float *w,         /* IN, taps [channels][4][4] of output o at o * out_step */
    int64_t out_step, int64_t outs, int64_t channels,
    float *u,               /* OUT [position][channel], rows 2 * LANES apart */
    int64_t step)           /* floats between positions */
{
    float taps[16 * LANES * LANES];
    for (int64_t c = 0; c < channels; c++, u += 2 * LANES) {
        if (c % LANES == 0)
            copy_columns(taps, LANES, w + c * 16, out_step, outs, 16 * (channels - c < LANES ? channels - c : LANES));
        vec columns[6][4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            vec g[4], line[6];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) g[i] = load(taps + (c % LANES * 16 + 4 * i + j) * LANES);
            weight_line3(g, line);
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) columns[i][j] = line[i];
        }
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            vec line[6];
            weight_line3(columns[i], line);
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) store(u + (6 * i + j) * step, line[j]);
        }
    }
}

/* Outputs of a rectangle of tiles of one image, up to LANES channels: see winograd4_output. */
static void winograd3_output(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                             const float *bias, const float *added, int relu, float *stage, float *y)
{
    output(3, 0, q, t, m, step, outs, bias, added, relu, stage, y, NULL);
}

/* --- weight gradient */

/* Three gradients to six positions. */
INLINE void gradient_line3(const vec g[3], vec d[6])
{
    vec even = g[0] + NEAR2 * g[2], odd = NEAR * g[1];
    d[0] = g[0];
    d[1] = even + odd;
    d[2] = even - odd;
    even = g[0] + FAR2 * g[2], odd = FAR * g[1];
    d[3] = even + odd;
    d[4] = even - odd;
    d[5] = g[2];
}

/* Transforms the gradients of a rectangle of tiles of one image: see winograd_gradient. */
static void winograd3_gradient(const Conv2d *q, const float *g, int64_t channels, const Tiles *t,
                               float *stage,    /* scratch [t->rows * 3][t->cols * 3][LANES] */
                               float *d, int64_t step)
{
    const int64_t height = t->rows * 3, width = t->cols * 3;
    stage_box(g, q->oh, q->ow, channels, t->row * 3, t->col * 3, height, width, stage);
    for (int64_t i = 0; i < height; i += 3)
        for (int64_t j = 0; j < width; j += 3, d += LANES) {
            vec lines[6][3];
#pragma GCC unroll 3
            for (int c = 0; c < 3; c++) {
                vec down[3], positions[6];
#pragma GCC unroll 3
                for (int r = 0; r < 3; r++) down[r] = load(stage + ((i + r) * width + j + c) * LANES);
                gradient_line3(down, positions);
#pragma GCC unroll 6
                for (int r = 0; r < 6; r++) lines[r][c] = positions[r];
            }
#pragma GCC unroll 6
            for (int r = 0; r < 6; r++) {
                vec positions[6];
                gradient_line3(lines[r], positions);
#pragma GCC unroll 6
                for (int c = 0; c < 6; c++) store(d + (6 * r + c) * step, positions[c]);
            }
        }
}

/* Weights of one block of inputs and one of outputs from their sums: see winograd_dw.c. */
static void winograd3_dw(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs, int64_t outputs,
                         float *dw, int64_t ldw)
{
    weights_from_sums(4, u, step, parts, part, inputs, outputs, dw, ldw);
}
