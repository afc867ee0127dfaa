/* How bytes are laid out for the tile: matrices and image patches into panels [k][width], width MR or NR.
 *
 * A panel's columns beyond `count` are never used and may hold anything: no zeros are written.
 */

_Static_assert(MR <= LANES || MR % LANES == 0, "pack_columns stores whole vectors");

INLINE void copy_columns(float *panel, const int width, const float *src, int64_t ld, int64_t count, int64_t k)
{
    for (int64_t p = 0; p < k; p += LANES) {
        int64_t steps = k - p < LANES ? k - p : LANES;
#pragma GCC unroll 1
        for (int from = 0; from < width; from += LANES) {
            const int room = width - from < LANES ? width - from : LANES;
            vec m[LANES];
            const float *s = src + from * ld + p;
            if (steps == LANES)     /* rows are often pages apart, where the processor does not look ahead */
#pragma GCC unroll 16
                for (int r = 0; r < LANES; r++) if (r < room) __builtin_prefetch(s + r * ld + 2 * LANES);
            if (steps == LANES && count - from >= room)
#pragma GCC unroll 16
                for (int r = 0; r < LANES; r++) m[r] = r < room ? load(s + r * ld) : (vec){0};
            else
#pragma GCC unroll 16
                for (int r = 0; r < LANES; r++) m[r] = from + r < count ? load_first(s + r * ld, steps) : (vec){0};
            transpose(m);
            float *d = panel + p * width + from;
            if (p + LANES < k) {    /* a vector may run over into the next row, which is written after it */
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) store(d + i * width, m[i]);
            } else
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) if (i < steps) memcpy(d + i * width, &m[i], (size_t)room * sizeof *d);
        }
    }
}

/* A panel from a matrix that is contiguous along k: column j of the panel at src + j * ld. Transposes. */
static void pack_columns(float *panel, int width, const float *src, int64_t ld, int64_t count, int64_t k)
{
    if (width == NR) copy_columns(panel, NR, src, ld, count, k);
    else copy_columns(panel, MR, src, ld, count, k);
}

/* Weights into a panel: row p of it are those at places[p], `step` floats from output to output. */
static void pack_weights(float *panel, int width, const float *w, int64_t step, const int64_t *places, int64_t count,
                         int64_t k)
{
    for (int64_t p = 0; p < k; p++, panel += width) {
        const float *s = w + places[p];
        for (int64_t j = 0; j < count; j++) panel[j] = s[j * step];
    }
}

INLINE void clear_run(float *d, int64_t n)
{
    for (; n > 0; n -= LANES, d += LANES) store_part(d, (vec){0}, n);
}

/* n floats of every second one from s on, of which `there` floats may be read. */
INLINE void copy_seconds(float *d, const float *s, int64_t n, int64_t there)
{
    for (int64_t i = 0; i < n; i += LANES)
        store_part(d + i, evens(load_first(s + 2 * i, there - 2 * i),
                                load_first(s + 2 * i + LANES, there - 2 * i > LANES ? there - 2 * i - LANES : 0)), n - i);
}

/* One channel of an image into its place in a larger plane of zeros, padding (negative: cropping) before and behind;
 * every sh-th row and sw-th column in a plane of its own. */
static void stage_plane(const Stage *q, const float *x, float *plane)
{
    const int64_t h = q->h, w = q->w, sh = q->sh, sw = q->sw, width = q->width, last = q->height;
    for (int64_t a = 0; a < q->rows_apart; a++)
        for (int64_t b = 0; b < q->columns_apart; b++) {
            const int64_t skip = q->left - b, first = skip > 0 ? (skip + sw - 1) / sw : 0;
            int64_t stop = w + skip > 0 ? (w + skip + sw - 1) / sw : 0, y = a - q->top;
            if (stop > width) stop = width;
            const int64_t n = stop - first, from = first * sw - skip;
            for (int64_t i = 0; i < last; i++, y += sh, plane += width) {
                if (y < 0 || y >= h || n <= 0) {
                    clear_run(plane, width);
                    continue;
                }
                const float *s = x + y * w + from;
                clear_run(plane, first);
                if (sw == 1) copy_run(plane + first, s, n);
                else if (sw == 2) copy_seconds(plane + first, s, n, w - from);
                else for (int64_t j = 0; j < n; j++) plane[first + j] = s[j * sw];
                clear_run(plane + stop, width - stop);
            }
        }
}

/* The way back: every sh-th row and sw-th column of y, from planes `apart` floats apart, a row of which is as long as
 * the columns it gives. */
static void weave_plane(int64_t rows, int64_t columns, int64_t sh, int64_t sw, const float *planes, int64_t apart, float *y)
{
    for (int64_t i = 0; i < rows; i++, y += columns) {
        const float *first = planes + i % sh * sw * apart;
        if (sw == 1) copy_run(y, first + i / sh * columns, columns);
        else if (sw == 2) {
            const int64_t n = columns / 2;
            const float *even = first + i / sh * (columns - n), *odd = first + apart + i / sh * n;
            for (int64_t j = 0; j < n; j += LANES) {
                vec a = load_first(even + j, n - j), b = load_first(odd + j, n - j);
                store_part(y + 2 * j, weave_low(a, b), 2 * (n - j));
                if (2 * (n - j) > LANES) store_part(y + 2 * j + LANES, weave_high(a, b), 2 * (n - j) - LANES);
            }
            if (columns % 2) y[columns - 1] = even[n];
        } else
            for (int64_t j = 0; j < columns; j++) {
                const int64_t part = j % sw, width = (columns - part + sw - 1) / sw;
                y[j] = first[part * apart + i / sh * width + j / sw];
            }
    }
}

/* Whole vectors from image to panel: copies of compile-time number, so that their places stay in registers. */
INLINE void copy_vectors(const int copies, float *panel, const float *tap, const int64_t *at, const int64_t *base)
{
#pragma GCC unroll 16
    for (int r = 0; r < copies; r++) store(panel + at[r], load(tap + base[r]));
}

/* Patches of `count` pixels from `pixel` on, rows k taps. A panel's pixels lie in a few output rows; within one they
 * are a run of the image. Runs are copied by whole vectors, each overwriting what the one before it has too much. */
static void pack_patches(
    float *panel,           /* OUT [k][pitch], and LANES floats behind it may be overwritten */
    int64_t pitch,          /* NR or MR */
    const float *image,     /* IN, rows of `width` floats */
    const float *end,       /* nothing at or beyond it may be read */
    int64_t width,
    const int64_t *offsets, /* IN [k], from a pixel to its taps */
    int64_t ow, int64_t k, int64_t pixel, int64_t count)
{
    int64_t copies = 0, at[2 * NR], length[2 * NR], base[2 * NR];
    int64_t y = pixel / ow, x = pixel % ow;
    for (int64_t done = 0; done < count; copies++) {
        int64_t n = ow - x < count - done ? ow - x : count - done;
        if (n > LANES) n = LANES;
        at[copies] = done;
        base[copies] = y * width + x;
        length[copies] = n;
        done += n;
        x += n;
        if (x == ow) x = 0, y++;
    }
    const float *last = end - base[copies - 1] - LANES;     /* a tap up to here may be read by whole vectors */
    for (int64_t p = 0; p < k; p++, panel += pitch) {
        const float *tap = image + offsets[p];
        if (tap <= last)
            switch (copies) {
            case 1: copy_vectors(1, panel, tap, at, base); break;
            case 2: copy_vectors(2, panel, tap, at, base); break;
            case 3: copy_vectors(3, panel, tap, at, base); break;
            case 4: copy_vectors(4, panel, tap, at, base); break;
            case 5: copy_vectors(5, panel, tap, at, base); break;
            default: for (int64_t r = 0; r < copies; r++) store(panel + at[r], load(tap + base[r]));
            }
        else
            for (int64_t r = 0; r < copies; r++)
                for (int64_t t = 0; t < length[r]; t++) panel[at[r] + t] = tap[base[r] + t];
    }
}

/* The same patches for the weight gradient: rows are k pixels from `pixel` on, columns `count` taps from k0 on. The kw
 * taps of a window row are a run of the image. */
static void pack_windows(
    float *panel,           /* OUT [k][NR], and 8 floats behind it may be overwritten */
    const Conv2d *q,
    const float *image,     /* IN [c][height][width], staged or without padding */
    const float *end,       /* nothing at or beyond it may be read */
    int64_t k0, int64_t count, int64_t pixel, int64_t k)
{
    int64_t height = staged_height(q), width = staged_width(q), runs = 0;
    int64_t at[NR], length[NR], base[NR];
    for (int64_t done = 0; done < count; runs++) {
        int64_t tap = k0 + done, j = tap % q->kw, i = tap / q->kw % q->kh, c = tap / (q->kw * q->kh);
        at[runs] = done;
        base[runs] = (c * height + i * q->dh) * width + j * q->dw;
        length[runs] = q->kw - j < count - done ? q->kw - j : count - done;
        done += length[runs];
    }
    int64_t longest = q->kw < count ? q->kw : count, furthest = 0;
    for (int64_t r = 0; r < runs; r++) furthest = base[r] > furthest ? base[r] : furthest;
    int64_t y = pixel / q->ow, x = pixel % q->ow;
    for (int64_t p = 0; p < k; p++, panel += NR) {
        const float *window = image + y * q->sh * width + x * q->sw;
        if (q->dw == 1 && longest <= 4 && window + furthest + 4 <= end)
            for (int64_t r = 0; r < runs; r++) *(quad *)(panel + at[r]) = *(const quad *)(window + base[r]);
        else if (q->dw == 1 && longest <= 8 && window + furthest + 8 <= end)
            for (int64_t r = 0; r < runs; r++) *(octet *)(panel + at[r]) = *(const octet *)(window + base[r]);
        else
            for (int64_t r = 0; r < runs; r++)
                for (int64_t t = 0; t < length[r]; t++) panel[at[r] + t] = window[base[r] + t * q->dw];
        if (++x == q->ow) x = 0, y++;
    }
}
