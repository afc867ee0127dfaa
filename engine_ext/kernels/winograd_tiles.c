/* Winograd's F(4x4, 3x3) with tiles in the lanes of a vector: rows of pixels are loaded as they lie, and nothing is staged.
 *
 * For convolutions that keep an image's size (padding 1), whose rows of `across` whole tiles, 2, 4 ... LANES of them, fill
 * vectors. Tiles are counted over images, rows and columns; LANES of them are four vectors of neighbouring pixels. Tile t
 * of these is in lane 4 * (t % BLOCKS) + t / BLOCKS, as transposing blocks of four lanes leaves it.
 */

#define BLOCKS (LANES / 4)      /* tiles in a vector of pixels */
#define TILE_VECTORS 8          /* of a unit, at most */
/* How many planes on the lines lie that are asked for. Where no cache holds the data, as in a training step, asking for the
 * output's as well, and for more than the next plane, made 64->64 at 16x16 15 % faster, 32->32 at 32x32 11 %. */
#define INPUT_AHEAD 3
#define OUTPUT_AHEAD 2

/* Where the pixels of LANES tiles lie: one piece of a row to a vector, or two where rows are shorter. */
typedef struct Lines {
    int64_t place[2 * 4];       /* of a piece: its first pixel, less the lanes before it */
    Lanes lanes[6][2 * 4];      /* of a piece, in the row above its tiles and the five below: pixels that the image has */
    ivec before, behind;        /* the lane of a tile's neighbour in the row; LANES where there is none */
    int whole;                  /* no lane is without a pixel to write */
} Lines;

INLINE ivec lane_of(ivec tile) { return (tile & (BLOCKS - 1)) * 4 + tile / BLOCKS; }

static __attribute__((noinline)) void find_lines(const Conv2d *q, int64_t apart, int64_t first, int64_t across, Lines *s)
{
    const ivec lane = lane_numbers(), tile = (lane & 3) * BLOCKS + lane / 4, column = tile & (int32_t)(across - 1);
    const ivec none = lane * 0 + LANES;
    int64_t rows = (q->h + 3) / 4, run = across < BLOCKS ? across : BLOCKS, pieces = BLOCKS / run;
    s->before = (ivec)choose(column > 0, (vec)lane_of(tile - 1), (vec)none);
    s->behind = (ivec)choose(column < (int32_t)across - 1, (vec)lane_of(tile + 1), (vec)none);
    s->whole = pieces == 1;
    for (int64_t k = 0; k < 4 * pieces; k++, first += run) {
        int64_t begin = k % pieces * run * 4, line = first / across, image = line / rows, top = (line - image * rows) * 4;
        for (int i = 0; i < 6; i++) {
            int inside = image < q->n && top - 1 + i >= 0 && top - 1 + i < q->h;
            s->lanes[i][k] = lanes_between(begin, inside ? begin + run * 4 : begin);
        }
        s->place[k] = image * apart + top * q->w + first % across * 4 - begin;
        s->whole &= image < q->n && top + 4 <= q->h;
    }
}

/* One channel of LANES tiles. */
INLINE void tiles_input(const int pieces, const Lines *s, const float *x, int64_t width, int64_t ahead, float *v,
                        int64_t step)
{
    const float *from[2 * 4];
#pragma GCC unroll 8
    for (int k = 0; k < 4 * pieces; k++) {
        from[k] = x + s->place[k] - width;
#pragma GCC unroll 4
        for (int r = 1; r < 5; r++) __builtin_prefetch(from[k] + ahead + r * width);
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {      /* positions 0 .. 2 of the columns, then 3 .. 5 */
        const float point = half ? FAR : NEAR, other2 = half ? NEAR2 : FAR2;
        vec a[3][4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            vec d[5];
#pragma GCC unroll 5
            for (int r = 0; r < 5; r++) {
                int k = i * pieces, row = half + r;
                d[r] = load_lanes(from[k] + row * width, s->lanes[row][k], 0.0f);
                if (pieces == 2)
                    d[r] = (vec)((ivec)d[r] | (ivec)load_lanes(from[k + 1] + row * width, s->lanes[row][k + 1], 0.0f));
            }
            vec even = d[4 - half] - other2 * d[2 - half];
            vec odd = alone(point * d[3 - half] - point * other2 * d[1 - half]);
            a[2 * half][i] = d[4] - (NEAR2 + FAR2) * d[2] + NEAR2 * FAR2 * d[0];
            a[1 - half][i] = even + odd;
            a[2 - half][i] = even - odd;
        }
#pragma GCC unroll 3
        for (int r = 0; r < 3; r++) {
            vec d[6];
            transpose_fours(a[r]);
            memcpy(d + 1, a[r], sizeof a[r]);
            d[0] = pick(d[4], (vec){0}, s->before);
            d[5] = pick(d[1], (vec){0}, s->behind);
            input_line4(d, v + (3 * half + r) * 6 * step, step);
        }
    }
}

/* Transforms the inputs of some vectors of tiles, all channels: plane by plane, so that memory is read in runs. */
static void winograd_tiles_input(
    const Conv2d *q,        /* n, c, h and w count */
    const float *x,         /* IN [n][c][h][w] */
    int64_t image,          /* floats between images */
    int64_t first, int64_t across,  /* the first tile, a multiple of LANES; tiles in a row */
    int64_t vectors,        /* 1 .. TILE_VECTORS */
    float *v,               /* OUT [pair of vectors][position 6 * i + j][c][2 * LANES] */
    int64_t step, int64_t pair)     /* floats between positions, pairs */
{
    Lines s[TILE_VECTORS];
    int64_t plane = q->h * q->w, pieces = across < BLOCKS ? 2 : 1;
    for (int64_t i = 0; i < vectors; i++) find_lines(q, image, first + i * LANES, across, s + i);
    for (int64_t c = 0; c < q->c; c++, x += plane, v += 2 * LANES)
        for (int64_t i = 0; i < vectors; i++) {
            float *to = v + i / 2 * pair + i % 2 * LANES;
            if (pieces == 1) tiles_input(1, s + i, x, q->w, INPUT_AHEAD * plane, to, step);
            else tiles_input(2, s + i, x, q->w, INPUT_AHEAD * plane, to, step);
        }
}

/* Outputs of some vectors of tiles. */
static void winograd_tiles_output(
    const Conv2d *q,        /* n, h and w count */
    int64_t first, int64_t across, int64_t vectors,
    const float *m, int64_t step, int64_t pair,     /* IN [pair of vectors][position][outs][2 * LANES] */
    int64_t outs,           /* 1 .. 2 * LANES */
    const float *bias,      /* IN [outs] or NULL */
    const float *added,     /* IN, as y, or NULL */
    int relu,
    float *y,               /* OUT [n][outs][h][w] */
    int64_t image)          /* floats between images */
{
    Lines s[TILE_VECTORS];
    int64_t plane = q->h * q->w, pieces = across < BLOCKS ? 2 : 1;
    for (int64_t i = 0; i < vectors; i++) find_lines(q, image, first + i * LANES, across, s + i);
    for (int64_t o = 0; o < outs; o++, m += 2 * LANES)
        for (int64_t i = 0; i < vectors; i++) {
            vec pixels[4][4];
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
#pragma GCC unroll 4
                for (int r = 0; r < 4; r++)
                    __builtin_prefetch(y + s[i].place[j * pieces] + (o + OUTPUT_AHEAD) * plane + r * q->w, 1);
            output_tile(4, m + i / 2 * pair + i % 2 * LANES, step, bias ? splat(bias[o]) : (vec){0}, pixels);
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) {
                transpose_fours(pixels[r]);
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++)
                    for (int64_t k = j * pieces; k < j * pieces + pieces; k++) {
                        int64_t at = s[i].place[k] + o * plane + r * q->w;
                        vec pixel = pixels[r][j];
                        if (added) pixel += load_lanes(added + at, s[i].lanes[1 + r][k], 0.0f);
                        if (relu) pixel = rectify(pixel);
                        if (s[i].whole) store(y + at, pixel);
                        else store_lanes(y + at, pixel, s[i].lanes[1 + r][k]);
                    }
            }
        }
}
