/* Explicit im2col: patches of one channel as rows of a matrix, one row per tap, and back. */

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

static void fold_plane(const Conv2d *q, const float *rows, float *x)
{
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
