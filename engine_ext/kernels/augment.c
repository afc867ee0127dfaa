/* Images for a network: bytes to normalised floats. */
#include "kernels.h"

/* y = x * scale + shift. */
static void normalize_plane(int64_t n, const uint8_t *restrict x, float scale, float shift, float *restrict y)
{
    for (int64_t i = 0; i < n; i++) y[i] = (float)x[i] * scale + shift;
}

/* The first index outside 0..count-1, or -1. */
static int64_t bad_index(int64_t n, int64_t count, const int64_t *indices)
{
    for (int64_t i = 0; i < n; i++)
        if (indices[i] < 0 || indices[i] >= count) return i;
    return -1;
}
