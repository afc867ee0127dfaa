/* Winograd's convolution of 3x3 windows with stride 2, and both its gradients.
 *
 * Along an axis an output is w0 x[2i] + w2 x[2i + 2], two taps over the even rows, where F(4, 2) takes five products for
 * four outputs, and w1 x[2i + 1], one product each: 9 in place of 12, 81 in place of 144 for a tile of 4x4 outputs.
 * The input gradient turns that round: tiles of 8x8, every other row from five products, the rest from one each. Positions 0 to 4
 * along an axis are those of F(4, 2), points +-1/2, +-5/4 and infinity; 5 to 8 belong to the odd rows, and have one weight in
 * common: 9 * i + j counts them, 6 * i + j their weights. Positions 4 and 8 serve a tile's last output, its last two going
 * back, alone: see winograd.c. Other points were no more accurate.
 */

/* --- inputs: pixels of the forward direction, or (back) gradients */

/* Which way: forward, or back with the even or the odd rows of the padded image first in a tile, whichever does not begin
 * before the image. */
enum { FORWARD_WAY, BACK_EVEN, BACK_ODD };
INLINE int way_back(const Conv2d *q) { return q->pt & 1 ? BACK_ODD : BACK_EVEN; }

/* Where the even and the odd rows of a tile's input lie: gradients are taken for both. */
#define EVEN_ROW(way, i) ((way) ? (i) : 2 * (i))
#define ODD_ROW(way, i) ((way) == BACK_ODD ? (i) : (way) ? (i) + 1 : 2 * (i) + 1)

/* Five values to five positions. */
INLINE void input_halves(const vec d[5], vec v[5])
{
    vec even = CLOSE * (d[2] - WIDE2 * d[0]), odd = d[3] - WIDE2 * d[1];
    v[0] = odd + even;
    v[1] = odd - even;
    even = WIDE * (d[2] - CLOSE2 * d[0]), odd = d[3] - CLOSE2 * d[1];
    v[2] = odd + even;
    v[3] = odd - even;
    v[4] = d[4] - (CLOSE2 + WIDE2) * d[2] + CLOSE2 * WIDE2 * d[0];
}

INLINE void input_row(const int way, const vec d[9], float *v, int64_t step)
{
    vec even[5], positions[5];
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) even[i] = d[EVEN_ROW(way, i)];
    input_halves(even, positions);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) store(v + i * step, positions[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) store(v + (5 + i) * step, d[ODD_ROW(way, i)]);
}

INLINE void input_stride(const int way, const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage,
                         float *v, int64_t step)
{
    const int apart = way ? 4 : 8, extent = way ? 5 : 9;
    const int64_t before_y = way ? way == BACK_EVEN : q->pt, before_x = way ? way == BACK_EVEN : q->pl;
#define TILE_ROW(i) (tile_start(t->row + (i), t->whole_rows, 4) * apart / 4)
#define TILE_COLUMN(j) (tile_start(t->col + (j), t->whole_cols, 4) * apart / 4)
    const int64_t top = TILE_ROW(0), left = TILE_COLUMN(0);
    const int64_t height = TILE_ROW(t->rows - 1) - top + apart + 1, width = TILE_COLUMN(t->cols - 1) - left + apart + 1;
    stage_box(x, q->h, q->w, channels, top - before_y, left - before_x, height, width, stage);
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++) {
            const float *d = stage + ((TILE_ROW(i) - top) * width + TILE_COLUMN(j) - left) * LANES;
            float *to = v + tile_place(t, i, j) * LANES;
            vec lines[5][9];
#pragma GCC unroll 9
            for (int c = 0; c < extent; c++) {
                vec even[5], positions[5];
#pragma GCC unroll 5
                for (int r = 0; r < 5; r++) even[r] = load(d + (EVEN_ROW(way, r) * width + c) * LANES);
                input_halves(even, positions);
#pragma GCC unroll 5
                for (int r = 0; r < 5; r++) lines[r][c] = positions[r];
            }
#pragma GCC unroll 5
            for (int r = 0; r < 5; r++) input_row(way, lines[r], to + 9 * r * step, step);
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) {
                vec line[9];
#pragma GCC unroll 9
                for (int c = 0; c < extent; c++) line[c] = load(d + (ODD_ROW(way, r) * width + c) * LANES);
                input_row(way, line, to + 9 * (5 + r) * step, step);
            }
        }
#undef TILE_ROW
#undef TILE_COLUMN
}

/* Transforms the inputs of a rectangle of tiles of one image, up to LANES channels of it. */
static void winograd_stride_input(
    int back,
    const Conv2d *q,        /* of the direction computed: h, w, pt and pl count */
    const float *x,         /* IN, the first of `channels` planes */
    int64_t channels,       /* 1 .. LANES; lanes beyond become 0 */
    const Tiles *t,
    float *stage,           /* scratch: vectors of 8 (back: 4) rows and columns a tile, and one of each more */
    float *v,               /* OUT [position][tile_place][LANES] */
    int64_t step)           /* floats between positions */
{
    if (!back) input_stride(FORWARD_WAY, q, x, channels, t, stage, v, step);
    else if (way_back(q) == BACK_EVEN) input_stride(BACK_EVEN, q, x, channels, t, stage, v, step);
    else input_stride(BACK_ODD, q, x, channels, t, stage, v, step);
}

/* --- weights */

/* Transforms the weights of up to LANES outputs and some input channels, as winograd4_weights does. */
static void winograd_stride_weights(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                                    int64_t channels, float *u, int64_t step)
{
    weights(STRIDED, w, out_step, in_step, rotated, outs, channels, u, step);
}

/* m = (m +) v * u at every position, see winograd_products. */
static void winograd_stride_products(const Tiles *t, int64_t channels, int64_t outs, const float *v, int64_t v_step,
                                     int64_t block, const float *u, int64_t u_step, float *m, int64_t m_step,
                                     int accumulate)
{
    for (int64_t i = 0; i < 9; i++)
        for (int64_t j = 0; j < 9; j++, v += v_step, m += m_step)
            position_products(i == 4 || i == 8, j == 4 || j == 8, t, channels, outs, v, block,
                              u + (min64(i, 5) * 6 + min64(j, 5)) * u_step, m, accumulate);
}

/* --- outputs */

/* Nine positions to four outputs, or eight going back. */
INLINE void output_halves(const int way, const vec m[9], vec y[8])
{
    vec near = m[0] + m[1], far = m[2] + m[3], near_odd = m[0] - m[1], far_odd = m[2] - m[3];
    const vec even[4] = {
        near + far, CLOSE * near_odd + WIDE * far_odd, CLOSE2 * near + WIDE2 * far,
        CLOSE * CLOSE2 * near_odd + WIDE * WIDE2 * far_odd + m[4],
    };
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        if (way) y[2 * i + (way == BACK_ODD)] = even[i], y[2 * i + (way == BACK_EVEN)] = m[5 + i];
        else y[i] = even[i] + m[5 + i];
}

/* Outputs of the first tile that lie before the image. */
INLINE int64_t cropped(const int way, int64_t padding) { return way ? 2 - padding - (way == BACK_ODD) : 0; }

INLINE void output_stride(const int way, const Conv2d *q, const Tiles *t, const float *positions, int64_t step,
                          int64_t outs, const float *bias, int relu, float *stage, float *y)
{
    const int side = way ? 8 : 4;
    const vec b = bias ? load_first(bias, outs) : (vec){0};
#define TILE_ROW(i) (tile_start(t->row + (i), t->whole_rows, 4) * side / 4 - cropped(way, q->pt))
#define TILE_COLUMN(j) (tile_start(t->col + (j), t->whole_cols, 4) * side / 4 - cropped(way, q->pl))
    const int64_t y0 = max64(TILE_ROW(0), 0), y1 = min64(TILE_ROW(t->rows), q->oh), plane = q->oh * q->ow;
    const int64_t x0 = max64(TILE_COLUMN(0), 0), x1 = min64(TILE_COLUMN(t->cols), q->ow), width = x1 - x0;
    int64_t done = 0;
    if (y0 >= y1 || x0 >= x1) return;
    y += y0 * q->ow + x0;
    for (int64_t i = 0; i < t->rows; i++) {
        const int64_t row = TILE_ROW(i), first = max64(y0 - row, 0), last = min64(y1, TILE_ROW(i + 1)) - row;
        for (int64_t j = 0; j < t->cols; j++) {
            const int64_t column = TILE_COLUMN(j), stop = min64(x1, TILE_COLUMN(j + 1));
            const float *tile = positions + tile_place(t, i, j) * 2 * LANES;
            vec lines[8][9];
#pragma GCC unroll 9
            for (int c = 0; c < 9; c++) {
                vec down[9], pixels[8];
#pragma GCC unroll 9
                for (int r = 0; r < 9; r++) down[r] = load(tile + (9 * r + c) * step);
                output_halves(way, down, pixels);
#pragma GCC unroll 8
                for (int r = 0; r < side; r++) lines[r][c] = pixels[r];
            }
            for (int64_t r = first; r < last; r++) {
                vec pixels[8];
                float *to = stage + ((row + r - y0) * width + column - x0) * LANES;
                output_halves(way, lines[r], pixels);
#pragma GCC unroll 8
                for (int c = 0; c < side; c++) {
                    if (column + c < x0 || column + c >= stop) continue;
                    store(to + c * LANES, pixels[c] + b);
                }
            }
        }
        const int64_t ready = row + last - y0;
        if (width == q->ow)     /* whole rows are one run */
            done = unstage_run(stage, done, ready * width, i == t->rows - 1, relu, NULL, y, plane, outs);
        else
            for (; done < ready; done++)
                unstage_run(stage + done * width * LANES, 0, width, 1, relu, NULL, y + done * q->ow, plane, outs);
    }
#undef TILE_ROW
#undef TILE_COLUMN
}

/* Outputs of a rectangle of tiles of one image, up to LANES channels. */
static void winograd_stride_output(
    int back,
    const Conv2d *q,        /* of the direction computed: oh, ow, pt and pl count */
    const Tiles *t,
    const float *m, int64_t step,   /* IN [position][tile_place], tiles 2 * LANES apart */
    int64_t outs,           /* 1 .. LANES */
    const float *bias,      /* IN [outs] or NULL */
    int relu,
    float *stage,           /* scratch: a vector for each output of the tiles, and LANES more */
    float *y)               /* OUT, the first of `outs` planes */
{
    if (!back) output_stride(FORWARD_WAY, q, t, m, step, outs, bias, relu, stage, y);
    else if (way_back(q) == BACK_EVEN) output_stride(BACK_EVEN, q, t, m, step, outs, bias, relu, stage, y);
    else output_stride(BACK_ODD, q, t, m, step, outs, bias, relu, stage, y);
}

/* --- weight gradient: the pixels' transform is the forward's */

INLINE void gradient_halves(const vec g[4], vec d[5])
{
    gradient_pair(g[0], g[1], g[2], g[3], CLOSE, &d[0], &d[1]);
    gradient_pair(g[0], g[1], g[2], g[3], WIDE, &d[2], &d[3]);
    d[4] = g[3];
}

INLINE void stride_gradient_row(const vec g[4], float *d, int64_t step)
{
    vec positions[5];
    gradient_halves(g, positions);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) store(d + i * step, positions[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) store(d + (5 + i) * step, g[i]);
}

/* Transforms the gradients of a rectangle of tiles of one image: see winograd_gradient. */
static void winograd_stride_gradient(const Conv2d *q, const float *g, int64_t channels, const Tiles *t, float *stage,
                                     float *d, int64_t step)
{
    const int64_t height = t->rows * 4, width = t->cols * 4;
    stage_box(g, q->oh, q->ow, channels, t->row * 4, t->col * 4, height, width, stage);
    for (int64_t i = 0; i < height; i += 4)
        for (int64_t j = 0; j < width; j += 4, d += LANES) {
            vec rows[4][4], lines[5][4];
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++) {
                vec down[4], positions[5];
#pragma GCC unroll 4
                for (int r = 0; r < 4; r++) down[r] = rows[r][c] = load(stage + ((i + r) * width + j + c) * LANES);
                gradient_halves(down, positions);
#pragma GCC unroll 5
                for (int r = 0; r < 5; r++) lines[r][c] = positions[r];
            }
#pragma GCC unroll 5
            for (int r = 0; r < 5; r++) stride_gradient_row(lines[r], d + 9 * r * step, step);
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) stride_gradient_row(rows[r], d + 9 * (5 + r) * step, step);
        }
}

/* Sums over tiles for 36 weights, those of odd rows over several positions: see winograd_tile_sums. */
static void winograd_stride_sums(
    int64_t inputs, int64_t outputs, int64_t tiles, const float *v, int64_t v_step, const float *d, int64_t d_step,
    int64_t block, float *u, int64_t u_step, int64_t u_block, int accumulate, Runs *upcoming)
{
    for (int64_t p = 0; p < 36; p++, u += u_step) {
        const int64_t i = p / 6, j = p % 6;
        int more = accumulate;
        for (int64_t a = i; a < (i < 5 ? i + 1 : 9); a++)
            for (int64_t b = j; b < (j < 5 ? j + 1 : 9); b++, more = 1)
                winograd_tile_sums(1, inputs, outputs, tiles, v + (9 * a + b) * v_step, v_step, d + (9 * a + b) * d_step,
                                   d_step, block, u, u_step, u_block, more, upcoming);
    }
}

/* Weights of one block of inputs and one of outputs from their sums: see winograd_dw.c. */
static void winograd_stride_dw(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs, int64_t outputs,
                               float *dw, int64_t ldw)
{
    weights_from_sums(STRIDES, u, step, parts, part, inputs, outputs, dw, ldw);
}
