/* Explicit im2col: patches of one channel as rows of a matrix, one row per tap, and back. */

#define MOST_GATHERED 7     /* columns of a window */

/* The outputs along one axis, from *first to before *stop, for which tap `tap` falls inside `size`. */
INLINE void inside(int64_t tap, int64_t stride, int64_t pad, int64_t size, int64_t out, int64_t *first, int64_t *stop)
{
    int64_t shift = pad - tap; /* position of output p is p * stride - shift */
    *first = shift > 0 ? (shift + stride - 1) / stride : 0;
    *stop = size + shift > 0 ? (size + shift + stride - 1) / stride : 0;
    if (*stop > out) *stop = out;
    if (*first > *stop) *first = *stop;
}

static void unfold_plane(const Conv2d *q, const float *x, float *rows)
{
    for (int64_t i = 0; i < q->kh; i++)
        for (int64_t j = 0; j < q->kw; j++, rows += q->oh * q->ow) {
            int64_t y0, y1, x0, x1;
            inside(i * q->dh, q->sh, q->pt, q->h, q->oh, &y0, &y1);
            inside(j * q->dw, q->sw, q->pl, q->w, q->ow, &x0, &x1);
            if (y0 > 0 || y1 < q->oh || x0 > 0 || x1 < q->ow) memset(rows, 0, (size_t)(q->oh * q->ow) * sizeof *rows);
            for (int64_t y = y0; y < y1 && x0 < x1; y++) {
                const float *s = x + (y * q->sh - q->pt + i * q->dh) * q->w + x0 * q->sw - q->pl + j * q->dw;
                float *d = rows + y * q->ow + x0;
                if (q->sw == 1) copy_run(d, s, x1 - x0);
                else for (int64_t t = 0; t < x1 - x0; t++) d[t] = s[t * q->sw];
            }
        }
}

/* An image of stride 1 from its patches: a vector of a row takes what each tap has for it, a sum for each column of
 * the window so that additions need not wait for each other. */
INLINE void gather_plane(const int kw, const Conv2d *q, const float *rows, float *x)
{
    int64_t pixels = q->oh * q->ow;
    for (int64_t left = 0; left < q->w; left += LANES) {
        Lanes lanes[MOST_GATHERED];
        int64_t first[MOST_GATHERED];
#pragma GCC unroll 7
        for (int j = 0; j < kw; j++) {
            first[j] = left + q->pl - j * q->dw;
            int64_t begin = first[j] < 0 ? -first[j] : 0, end = q->ow - first[j] < LANES ? q->ow - first[j] : LANES;
            lanes[j] = begin < end ? lanes_between(begin, end) : lanes_between(0, 0);
        }
        for (int64_t y = 0; y < q->h; y++) {
            vec sums[MOST_GATHERED];
#pragma GCC unroll 7
            for (int j = 0; j < kw; j++) sums[j] = (vec){0};
            for (int64_t i = 0; i < q->kh; i++) {
                int64_t line = y + q->pt - i * q->dh;
                const float *tap = rows + i * kw * pixels + line * q->ow;
                if (line < 0 || line >= q->oh) continue;
#pragma GCC unroll 7
                for (int j = 0; j < kw; j++) sums[j] += load_lanes(tap + j * pixels + first[j], lanes[j], 0.0f);
            }
#pragma GCC unroll 7
            for (int j = 1; j < kw; j++) sums[0] += sums[j];
            store_first(x + y * q->w + left, sums[0], q->w - left);
        }
    }
}

static void fold_plane(const Conv2d *q, const float *rows, float *x)
{
    if (q->sh == 1 && q->sw == 1)
        switch (q->kw) {
            case 3: gather_plane(3, q, rows, x); return;
            case 5: gather_plane(5, q, rows, x); return;
            case 7: gather_plane(7, q, rows, x); return;
        }
    memset(x, 0, (size_t)(q->h * q->w) * sizeof *x);
    for (int64_t i = 0; i < q->kh; i++)
        for (int64_t j = 0; j < q->kw; j++, rows += q->oh * q->ow) {
            int64_t y0, y1, x0, x1;
            inside(i * q->dh, q->sh, q->pt, q->h, q->oh, &y0, &y1);
            inside(j * q->dw, q->sw, q->pl, q->w, q->ow, &x0, &x1);
            for (int64_t y = y0; y < y1 && x0 < x1; y++) {
                float *d = x + (y * q->sh - q->pt + i * q->dh) * q->w + x0 * q->sw - q->pl + j * q->dw;
                const float *s = rows + y * q->ow + x0;
                for (int64_t t = 0; t < x1 - x0; t++) d[t * q->sw] += s[t];
            }
        }
}
