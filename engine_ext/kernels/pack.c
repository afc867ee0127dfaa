/* How bytes are laid out for the tile: matrices and image patches into panels [k][width], width MR or NR.
 *
 * A panel's columns beyond `count` are never used and may hold anything: no zeros are written.
 */

_Static_assert(MR <= LANES || MR % LANES == 0, "pack_columns stores whole vectors");

INLINE void copy_rows(float *panel, const int width, const float *src, int64_t ld, int64_t count, int64_t k)
{
    if (count == width)
        for (int64_t p = 0; p < k; p++) memcpy(panel + p * width, src + p * ld, (size_t)width * sizeof *src);
    else
        for (int64_t p = 0; p < k; p++)
            for (int64_t j = 0; j < count; j++) panel[p * width + j] = src[p * ld + j];
}

INLINE void copy_columns(float *panel, const int width, const float *src, int64_t ld, int64_t count, int64_t k)
{
    for (int64_t p = 0; p < k; p += LANES) {
        int64_t steps = k - p < LANES ? k - p : LANES;
#pragma GCC unroll 1
        for (int from = 0; from < width; from += LANES) {
            const int room = width - from < LANES ? width - from : LANES;
            vec m[LANES];
            const float *s = src + from * ld + p;
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

/* A panel from a matrix that is contiguous across the panel: row p of it at src + p * ld. */
static void pack_rows(float *panel, int width, const float *src, int64_t ld, int64_t count, int64_t k)
{
    if (width == NR) copy_rows(panel, NR, src, ld, count, k);
    else copy_rows(panel, MR, src, ld, count, k);
}

/* A panel from a matrix that is contiguous along k: column j of the panel at src + j * ld. Transposes. */
static void pack_columns(float *panel, int width, const float *src, int64_t ld, int64_t count, int64_t k)
{
    if (width == NR) copy_columns(panel, NR, src, ld, count, k);
    else copy_columns(panel, MR, src, ld, count, k);
}

/* Weights as the input gradient needs them: column j of the panel is input channel j, row (o, t) the tap taps - 1 - t
 * of output o. `w` points at the first of these channels, outputs ldo apart. */
static void pack_rotated(float *panel, int width, const float *w, int64_t ldo, int64_t taps, int64_t count, int64_t k0,
                         int64_t k)
{
    for (int64_t p = 0; p < k; p++) {
        int64_t o = (k0 + p) / taps, t = (k0 + p) % taps;
        const float *s = w + o * ldo + (taps - 1 - t);
        for (int64_t j = 0; j < count; j++) panel[p * width + j] = s[j * taps];
    }
}

/* One channel of an image into its place in a larger plane of zeros: padding (negative: cropping) around it, and
 * uh - 1, uw - 1 zeros between its rows and columns. */
static void stage_plane(const Conv2d *q, const float *x, float *plane)
{
    int64_t height = staged_height(q), width = staged_width(q);
    memset(plane, 0, (size_t)(height * width) * sizeof *plane);
    for (int64_t i = 0; i < q->h; i++) {
        int64_t y = q->pt + i * q->uh;
        if (y < 0 || y >= height) continue;
        float *row = plane + y * width;
        int64_t first = q->pl >= 0 ? 0 : (-q->pl + q->uw - 1) / q->uw;
        int64_t stop = width - q->pl <= 0 ? 0 : (width - q->pl + q->uw - 1) / q->uw;
        if (stop > q->w) stop = q->w;
        if (stop <= first) continue;
        if (q->uw == 1) memcpy(row + q->pl + first, x + i * q->w + first, (size_t)(stop - first) * sizeof *x);
        else for (int64_t j = first; j < stop; j++) row[q->pl + j * q->uw] = x[i * q->w + j];
    }
}

/* Whole vectors from image to panel: copies of compile-time number, so that their places stay in registers. */
INLINE void copy_vectors(const int copies, float *panel, const float *tap, const int64_t *at, const int64_t *base)
{
#pragma GCC unroll 16
    for (int r = 0; r < copies; r++) store(panel + at[r], load(tap + base[r]));
}

/* Patches for the forward product: rows k0 .. k0 + k are taps (c, i, j), columns are `count` pixels from `pixel` on. A
 * panel's pixels lie in a few output rows; within one, and at horizontal stride 1, they are a run of the image. Runs are
 * copied by whole vectors, each overwriting what the one before it has too much. */
static void pack_patches(
    float *panel,           /* OUT [k][NR], and LANES floats behind it may be overwritten */
    const Conv2d *q,
    const float *image,     /* IN [c][height][width], staged or without padding */
    const float *end,       /* nothing at or beyond it may be read */
    int64_t k0, int64_t k, int64_t pixel, int64_t count)
{
    int64_t height = staged_height(q), width = staged_width(q), copies = 0;
    int64_t at[2 * NR], length[2 * NR], base[2 * NR];
    int64_t y = pixel / q->ow, x = pixel % q->ow;
    for (int64_t done = 0; done < count; copies++) {
        int64_t n = q->ow - x < count - done ? q->ow - x : count - done;
        if (n > LANES) n = LANES;
        at[copies] = done;
        base[copies] = y * q->sh * width + x * q->sw;
        length[copies] = n;
        done += n;
        x += n;
        if (x == q->ow) x = 0, y++;
    }
    const float *last = end - base[copies - 1] - LANES;     /* a tap up to here may be read by whole vectors */
    int64_t j = k0 % q->kw, i = k0 / q->kw % q->kh, c = k0 / (q->kw * q->kh);
    for (int64_t p = 0; p < k; p++, panel += NR) {
        const float *tap = image + (c * height + i * q->dh) * width + j * q->dw;
        if (q->sw == 1 && tap <= last)
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
                for (int64_t t = 0; t < length[r]; t++) panel[at[r] + t] = tap[base[r] + t * q->sw];
        if (++j == q->kw) {
            j = 0;
            if (++i == q->kh) i = 0, c++;
        }
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
