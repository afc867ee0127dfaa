/* The phases of a dilation: every dh-th row and dw-th column of a plane, as planes of their own, and back. */

INLINE void take_columns(const int64_t step, int64_t begin, int64_t end, const float *x, float *y)
{
    for (int64_t j = begin; j < end; j++) y[j] = x[j * step];
}

INLINE void put_columns(const int64_t step, int64_t n, const float *y, float *x)
{
    for (int64_t j = 0; j < n; j++) x[j * step] = y[j];
}

/* y of phase (r, s) at (i, j) = x at (r - top + i * dh, s - left + j * dw), 0 outside. */
static void split_plane(
    int64_t h, int64_t w, int64_t top, int64_t left, int64_t dh, int64_t dw,
    const float *x,         /* IN [h][w] */
    int64_t rows, int64_t columns,
    float *y,               /* OUT [dh][dw], planes [rows][columns] at a distance of */
    int64_t step)
{
    for (int64_t r = 0; r < dh; r++)
        for (int64_t s = 0; s < dw; s++, y += step) {
            int64_t begin, end;
            inside(s, dw, left, w, columns, &begin, &end);
            for (int64_t i = 0; i < rows; i++) {
                const int64_t row = r - top + i * dh;
                float *to = y + i * columns;
                if (row < 0 || row >= h) {
                    memset(to, 0, (size_t)columns * sizeof *to);
                    continue;
                }
                const float *from = x + row * w + s - left;
                memset(to, 0, (size_t)begin * sizeof *to);
                memset(to + end, 0, (size_t)(columns - end) * sizeof *to);
                if (dw == 2) take_columns(2, begin, end, from, to);
                else take_columns(dw, begin, end, from, to);
            }
        }
}

/* The way back: x at (r + i * dh, s + j * dw) = y of phase (r, s) at (i, j). */
static void merge_plane(
    int64_t h, int64_t w, int64_t dh, int64_t dw,
    const float *y,         /* IN [dh][dw], planes [rows][columns] at a distance of */
    int64_t step, int64_t rows, int64_t columns,
    float *x)               /* OUT [h][w] */
{
    for (int64_t r = 0; r < dh; r++)
        for (int64_t s = 0; s < dw; s++, y += step) {
            int64_t begin, end;
            inside(s, dw, 0, w, columns, &begin, &end);
            for (int64_t i = 0; i < rows && r + i * dh < h; i++) {
                const float *from = y + i * columns;
                float *to = x + (r + i * dh) * w + s;
                if (dw == 2) put_columns(2, end, from, to);
                else put_columns(dw, end, from, to);
            }
        }
}
