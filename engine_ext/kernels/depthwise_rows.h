/* Planes of a depthwise convolution whose rows are so short that a vector of 16 lanes holds several of them.
 *
 * A 3x3 window at stride 1 over as many rows and columns as the image has. A group is a vector of whole rows. It is
 * loaded once, permuted to its pixels' neighbours on the left and the right, and the sums of each row of the window are
 * permuted to the rows above and below: four permutations for nine products. (Loaded nine times, almost every vector
 * would lie in two cache lines.) Included by depthwise.c.
 */

typedef struct Groups {
    int64_t count, size;        /* in a plane, and floats of each but the last */
    Lanes whole, last;          /* pixels of a group, and of the last one */
    Lanes lower, upper;         /* those of all rows but a group's first, and of all rows but the last group's last */
    Lanes right, left;          /* those of all columns but the first, and but the last */
    ivec row_before, row_behind;    /* where the pixels a row above and below are: lanes of two groups in a row */
    ivec before, behind;        /* where the neighbours on the left and the right are */
} Groups;

INLINE int rows_share_vectors(const Conv2d *q)
{
    return q->kh == 3 && q->kw == 3 && q->sh == 1 && q->sw == 1 && q->dh == 1 && q->dw == 1 && q->pt == 1 && q->pl == 1
        && q->oh == q->h && q->ow == q->w && q->w > 0 && 2 * q->w <= LANES;
}

static Groups groups_of(const Conv2d *q)
{
    const int width = (int)q->w, rows = LANES / width, size = rows * width;
    const int64_t count = (q->h + rows - 1) / rows, rest = (q->h - (count - 1) * rows) * width;
    Groups t = {.count = count, .size = size, .whole = lanes_between(0, size), .last = lanes_between(0, rest)};
    t.lower = lanes_between(width, size);
    t.upper = lanes_between(0, rest - width);
    t.before = lane_numbers() - 1;
    t.behind = lane_numbers() + 1;
    for (int lane = 0; lane < size; lane++) {
        if (lane % width) t.right |= lanes_between(lane, lane + 1);
        if (lane % width < width - 1) t.left |= lanes_between(lane, lane + 1);
        t.row_before[lane] = lane < width ? lane + size - width : lane - width + LANES;
        t.row_behind[lane] = lane + width < size ? lane + width : lane + width - size + LANES;
    }
    return t;
}

/* The pixels of group i; there is none behind the last. */
INLINE Lanes lanes_of(const Groups *t, int64_t i)
{
    const Lanes beyond = i < t->count ? t->last : 0;
    return i < t->count - 1 ? t->whole : beyond;
}

/* The pixels that each of a group's pixels sees in its row. */
INLINE void columns_of(const Groups *t, vec group, vec columns[3])
{
    columns[0] = _mm512_maskz_permutexvar_ps(t->right, (__m512i)t->before, group);
    columns[1] = group;
    columns[2] = _mm512_maskz_permutexvar_ps(t->left, (__m512i)t->behind, group);
}

INLINE vec row_before(const Groups *t, vec before, vec group)
{
    return _mm512_permutex2var_ps(before, (__m512i)t->row_before, group);
}

INLINE vec row_behind(const Groups *t, vec group, vec behind)
{
    return _mm512_permutex2var_ps(group, (__m512i)t->row_behind, behind);
}

/* As depthwise_planes. */
static void rows_planes(
    const Conv2d *q, int64_t first, int64_t last, int64_t pairs, int64_t fan, int back, const float *x, const float *w,
    const float *bias, int relu, float *y)
{
    const Groups own = groups_of(q), *t = &own;
    const int64_t plane = q->h * q->w;
    for (int64_t p = first, few = p / fan, part = p % fan, channel = p % pairs; p < last; p++) {
        const float *from = x + (back ? p : few) * plane, *taps = w + channel * 9;
        float *to = y + (back ? few : p) * plane - t->size;
        const vec start = splat(bias ? bias[channel] : 0.0f);
        vec weights[9], before[3] = {{0}}, sums[3] = {{0}};  /* of the rows of the window, in the groups i - 2 and i - 1 */
#pragma GCC unroll 9
        for (int i = 0; i < 9; i++) weights[i] = splat(taps[back ? 8 - i : i]);
        for (int64_t i = 0; i <= t->count; i++, from += t->size, to += t->size) {
            const Lanes there = lanes_of(t, i - 1);
            vec columns[3], behind[3];
            columns_of(t, load_lanes(from, lanes_of(t, i), 0.0f), columns);
#pragma GCC unroll 3
            for (int a = 0; a < 3; a++)
                behind[a] = weights[3 * a] * columns[0] + weights[3 * a + 1] * columns[1] + weights[3 * a + 2] * columns[2];
            if (i) {
                vec sum = start + sums[1] + row_before(t, before[0], sums[0]) + row_behind(t, sums[2], behind[2]);
                if (back && part) sum += load_lanes(to, there, 0.0f);
                store_lanes(to, relu ? rectify(sum) : sum, there);
            }
#pragma GCC unroll 3
            for (int a = 0; a < 3; a++) {
                before[a] = sums[a];
                sums[a] = behind[a];
            }
        }
        if (++part == fan) part = 0, few++;
        if (++channel == pairs) channel = 0;
    }
}

/* As depthwise_weight_sums. */
static void rows_weight_sums(const Conv2d *q, int64_t first, int64_t last, const float *x, const float *g, float *sums)
{
    const Groups own = groups_of(q), *t = &own;
    const int64_t fan = q->o / q->c, plane = q->h * q->w;
    for (int64_t p = first; p < last; p++, sums += 9 * LANES) {
        const float *from = x + p / fan * plane, *gradient = g + p * plane;
        Lanes there = lanes_of(t, 0), lower = t->lower;
        vec acc[9], before = {0}, rows[3] = {{0}, load_lanes(gradient, there, 0.0f), {0}};
#pragma GCC unroll 9
        for (int i = 0; i < 9; i++) acc[i] = load(sums + i * LANES);
        for (int64_t i = 0; i < t->count; i++, from += t->size) {
            const Lanes next = lanes_of(t, i + 1);
            const vec behind = load_lanes(gradient += t->size, next, 0.0f), group = rows[1];
            vec columns[3];
            columns_of(t, load_lanes(from, there, 0.0f), columns);
            rows[0] = row_behind(t, group, behind);
            rows[2] = row_before(t, before, group);
            const Lanes seen[3] = {i < t->count - 1 ? t->whole : t->upper, there, there & lower};
#pragma GCC unroll 9
            for (int j = 0; j < 9; j++)
                acc[j] = _mm512_mask3_fmadd_ps(rows[j / 3], columns[j % 3], acc[j], seen[j / 3]);
            before = group;
            rows[1] = behind;
            there = next;
            lower = t->whole;
        }
#pragma GCC unroll 9
        for (int i = 0; i < 9; i++) store(sums + i * LANES, acc[i]);
    }
}
