/* Images for a network: windows of bytes, mirrored or not, to normalised floats. */
#include "kernels.h"

/* y = x * scale + shift, from the last to the first with `flip`. */
INLINE void normalize_run(int64_t n, const uint8_t *restrict x, int flip, float scale, float shift, float *restrict y)
{
    if (flip)
        for (int64_t i = 0; i < n; i++) y[i] = (float)x[n - 1 - i] * scale + shift;
    else
        for (int64_t i = 0; i < n; i++) y[i] = (float)x[i] * scale + shift;
}

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

INLINE void fill_run(int64_t n, float value, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = value;
}

/* The window of oh x ow at (top, left) of a plane of h x w bytes; `fill` stands outside of it. */
static void augment_plane(int64_t h, int64_t w, const uint8_t *x, int64_t top, int64_t left, int flip, int64_t oh,
                          int64_t ow, float fill, float scale, float shift, float *y)
{
    const float outside = fill * scale + shift;
    /* columns of the window before the plane, in it, behind it; as seen in the mirror with `flip` */
    const int64_t before = left >= 0 ? 0 : left <= -ow ? ow : -left;
    const int64_t inside = before == ow || left >= w ? 0 : least(w - (left + before), ow - before);
    const int64_t behind = ow - before - inside;
    const int64_t first = flip ? behind : before;
    for (int64_t r = 0; r < oh; r++, y += ow) {
        const int64_t row = top > INT64_MAX - r ? INT64_MAX : top + r;
        if (row < 0 || row >= h || !inside) {
            fill_run(ow, outside, y);
            continue;
        }
        fill_run(first, outside, y);
        normalize_run(inside, x + row * w + left + before, flip, scale, shift, y + first);
        fill_run(ow - first - inside, outside, y + first + inside);
    }
}

/* The part of the rectangle of h x w at (row, column) that lies in the plane of oh x ow becomes `value`. */
static void erase_plane(int64_t oh, int64_t ow, int64_t row, int64_t column, int64_t h, int64_t w, float value, float *y)
{
    if (h <= 0 || w <= 0) return;
    const int64_t bottom = row < oh - h ? row + h : oh, right = column < ow - w ? column + w : ow;
    if (column < 0) column = 0;
    for (int64_t r = row < 0 ? 0 : row; r < bottom; r++) fill_run(right - column, value, y + r * ow + column);
}

/* The first index outside 0..count-1, or -1. */
static int64_t bad_index(int64_t n, int64_t count, const int64_t *indices)
{
    for (int64_t i = 0; i < n; i++)
        if (indices[i] < 0 || indices[i] >= count) return i;
    return -1;
}
