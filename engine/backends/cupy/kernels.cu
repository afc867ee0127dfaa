/* What the GPU computes better in one kernel than CuPy in several.
 *
 * Compiled once per Real (float, double) by NVRTC, with BLOCK threads a block. Every sum is taken in an order that
 * depends on shapes alone: no atomic additions. Arrays are contiguous, images NCHW, sizes 64 bits.
 */

typedef long long i64;
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned char u8;

/* NVRTC has no headers, so these are not defined by <math.h>. */
#define INFINITE ((Real)__int_as_float(0x7f800000))
#define NOT_A_NUMBER ((Real)__int_as_float(0x7fffffff))

#define EACH(i, n) for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (i64)gridDim.x * blockDim.x)
#define PER_CHANNEL(part, parts, n, plane, j)   /* the elements j of one part of a channel: image j / plane, pixel j % plane */ \
    for (i64 j = (part) * (n) * (plane) / (parts) + threadIdx.x, end_ = ((part) + 1) * (n) * (plane) / (parts); j < end_; \
         j += blockDim.x)

/* Windows on images, as engine.geometry has them: the arguments of a kernel, and these as `q`. */
struct Windows {
    i64 n, c, h, w, kh, kw, oh, ow, sh, sw, top, left, dh, dw;
};
#define WINDOWS i64 n, i64 c, i64 h, i64 w, i64 kh, i64 kw, i64 oh, i64 ow, i64 sh, i64 sw, i64 top, i64 left, i64 dh, i64 dw
#define AS_WINDOWS const Windows q = {n, c, h, w, kh, kw, oh, ow, sh, sw, top, left, dh, dw}

/* The sum of one value from each thread of a block, at every thread. */
__device__ double block_sum(double value)
{
    __shared__ double sums[BLOCK];
    __syncthreads();
    sums[threadIdx.x] = value;
    for (int half = blockDim.x / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return sums[0];
}

__device__ Real block_max(Real value)
{
    __shared__ Real values[BLOCK];
    __syncthreads();
    values[threadIdx.x] = value;
    for (int half = blockDim.x / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            const Real other = values[threadIdx.x + half];
            if (other > values[threadIdx.x] || other != other) values[threadIdx.x] = other;
        }
    }
    __syncthreads();
    return values[0];
}

__device__ Real rectified(Real v) { return v <= 0 ? 0 : v; } /* nan stays */

/* ----- Element by element ----- */

extern "C" __global__ void relu(i64 n, const Real *x, Real *y)
{
    EACH(i, n) y[i] = rectified(x[i]);
}

extern "C" __global__ void relu_dx(i64 n, const Real *g, const Real *y, Real *dx)
{
    EACH(i, n) dx[i] = y[i] <= 0 ? 0 : g[i]; /* nan lets it through */
}

extern "C" __global__ void add_relu(i64 n, const Real *a, const Real *b, Real *y)
{
    EACH(i, n) y[i] = rectified(a[i] + b[i]);
}

/* ----- Patches ----- */

/* cols[n][c * kh * kw][oh * ow] of the images first .. of x. */
extern "C" __global__ void unfold(WINDOWS, const Real *x, Real *cols)
{
    AS_WINDOWS;
    EACH(i, q.n * q.c * q.kh * q.kw * q.oh * q.ow) {
        i64 r = i;
        const i64 ox = r % q.ow, oy = (r /= q.ow) % q.oh, kx = (r /= q.oh) % q.kw, ky = (r /= q.kw) % q.kh;
        const i64 y = oy * q.sh - q.top + ky * q.dh, at = ox * q.sw - q.left + kx * q.dw;
        r /= q.kh; /* image and channel */
        cols[i] = y >= 0 && y < q.h && at >= 0 && at < q.w ? x[(r * q.h + y) * q.w + at] : 0;
    }
}

/* Each pixel of x gathers what the patches that hold it have for it. */
extern "C" __global__ void fold(WINDOWS, const Real *cols, Real *x)
{
    AS_WINDOWS;
    EACH(i, q.n * q.c * q.h * q.w) {
        const i64 at = i % q.w, y = i / q.w % q.h, plane = i / q.w / q.h;
        Real sum = 0;
        for (i64 ky = 0; ky < q.kh; ky++) {
            const i64 down = y + q.top - ky * q.dh, oy = down / q.sh;
            if (down < 0 || down % q.sh || oy >= q.oh) continue;
            for (i64 kx = 0; kx < q.kw; kx++) {
                const i64 across = at + q.left - kx * q.dw, ox = across / q.sw;
                if (across < 0 || across % q.sw || ox >= q.ow) continue;
                sum += cols[(((plane * q.kh + ky) * q.kw + kx) * q.oh + oy) * q.ow + ox];
            }
        }
        x[i] = sum;
    }
}

/* ----- Pooling ----- */

/* The largest of each window (nan wins), and the first tap that holds it; -inf and tap 0 where a window sees nothing. */
extern "C" __global__ void max_pool(WINDOWS, const Real *x, Real *y, Tap *taps)
{
    AS_WINDOWS;
    EACH(i, q.n * q.c * q.oh * q.ow) {
        const i64 ox = i % q.ow, oy = i / q.ow % q.oh, plane = i / q.ow / q.oh;
        i64 tap = -1;
        Real best = -INFINITE;
        for (i64 ky = 0; ky < q.kh; ky++) {
            const i64 row = oy * q.sh - q.top + ky * q.dh;
            if (row < 0 || row >= q.h) continue;
            for (i64 kx = 0; kx < q.kw; kx++) {
                const i64 at = ox * q.sw - q.left + kx * q.dw;
                if (at < 0 || at >= q.w) continue;
                const Real v = x[(plane * q.h + row) * q.w + at];
                if (tap < 0 || v > best || (v != v && best == best)) best = v, tap = ky * q.kw + kx;
            }
        }
        y[i] = best;
        taps[i] = (Tap)(tap < 0 ? 0 : tap);
    }
}

extern "C" __global__ void max_pool_dx(WINDOWS, const Real *g, const Tap *taps, Real *dx)
{
    AS_WINDOWS;
    EACH(i, q.n * q.c * q.h * q.w) {
        const i64 at = i % q.w, y = i / q.w % q.h, plane = i / q.w / q.h;
        Real sum = 0;
        for (i64 ky = 0; ky < q.kh; ky++) {
            const i64 down = y + q.top - ky * q.dh, oy = down / q.sh;
            if (down < 0 || down % q.sh || oy >= q.oh) continue;
            for (i64 kx = 0; kx < q.kw; kx++) {
                const i64 across = at + q.left - kx * q.dw, ox = across / q.sw;
                if (across < 0 || across % q.sw || ox >= q.ow) continue;
                const i64 from = (plane * q.oh + oy) * q.ow + ox;
                if (taps[from] == (Tap)(ky * q.kw + kx)) sum += g[from];
            }
        }
        dx[i] = sum;
    }
}

/* sums[o][i][r] of a[o][axis][r] between starts[i] and ends[i]. */
extern "C" __global__ void interval_sums(i64 outer, i64 axis, i64 inner, i64 intervals, const i64 *starts, const i64 *ends,
                                         const Real *a, Real *sums)
{
    EACH(j, outer * intervals * inner) {
        const i64 r = j % inner, i = j / inner % intervals, o = j / inner / intervals;
        Real sum = 0;
        for (i64 t = starts[i]; t < ends[i]; t++) sum += a[(o * axis + t) * inner + r];
        sums[j] = sum;
    }
}

/* ----- Batch normalisation of x[n][channels][plane] ----- */

enum { ALL, WHERE_MAPPED, WHERE_OUTPUT }; /* gradients that a ReLU let through: all; where the map of x is not below 0; where y is not */

__device__ Real mapped(Real x, i64 c, const Real *mean, const Real *invstd, const Real *w, const Real *b)
{
    Real v = (x - mean[c]) * invstd[c];
    if (w) v *= w[c];
    return b ? v + b[c] : v;
}

/* Sums of deviations from a channel's first element, and of their squares: sums[channel][part][2]. Blocks are (part, channel). */
extern "C" __global__ void norm_moments(i64 n, i64 channels, i64 plane, const Real *x, double *sums)
{
    const i64 c = blockIdx.y, parts = gridDim.x, part = blockIdx.x;
    const Real shift = x[c * plane];
    Real sum = 0, squares = 0;
    PER_CHANNEL(part, parts, n, plane, j) {
        const Real d = x[(j / plane * channels + c) * plane + j % plane] - shift;
        sum += d;
        squares += d * d;
    }
    const double s = block_sum(sum), ss = block_sum(squares);
    if (threadIdx.x == 0) sums[2 * (c * parts + part)] = s, sums[2 * (c * parts + part) + 1] = ss;
}

extern "C" __global__ void norm_statistics(i64 n, i64 channels, i64 plane, i64 parts, const Real *x, const double *sums,
                                           Real *mean, Real *variance)
{
    EACH(c, channels) {
        double s = 0, ss = 0;
        for (i64 p = 0; p < parts; p++) s += sums[2 * (c * parts + p)], ss += sums[2 * (c * parts + p) + 1];
        s /= (double)(n * plane);
        const double v = ss / (double)(n * plane) - s * s;
        mean[c] = (Real)((double)x[c * plane] + s);
        variance[c] = (Real)(v < 0 ? 0 : v);
    }
}

extern "C" __global__ void norm_map(i64 size, i64 channels, i64 plane, int relu, const Real *x, const Real *mean,
                                    const Real *invstd, const Real *w, const Real *b, const Real *residual, Real *y)
{
    EACH(i, size) {
        Real v = mapped(x[i], i / plane % channels, mean, invstd, w, b);
        if (residual) v += residual[i];
        y[i] = relu ? rectified(v) : v;
    }
}

__device__ Real let_through(int mask, Real g, Real x, Real y, i64 c, const Real *mean, const Real *invstd, const Real *w,
                            const Real *b)
{
    if (mask == WHERE_MAPPED) y = mapped(x, c, mean, invstd, w, b);
    return mask != ALL && y <= 0 ? 0 : g;
}

/* Sums of g and of g times the normalised x: sums[channel][part][2]. Blocks are (part, channel). */
extern "C" __global__ void norm_sums(i64 n, i64 channels, i64 plane, int mask, const Real *g, const Real *y, const Real *x,
                                     const Real *mean, const Real *invstd, const Real *w, const Real *b, double *sums)
{
    const i64 c = blockIdx.y, parts = gridDim.x, part = blockIdx.x;
    Real sum = 0, products = 0;
    PER_CHANNEL(part, parts, n, plane, j) {
        const i64 i = (j / plane * channels + c) * plane + j % plane;
        const Real d = let_through(mask, g[i], x[i], mask == WHERE_OUTPUT ? y[i] : 0, c, mean, invstd, w, b);
        sum += d;
        products += d * ((x[i] - mean[c]) * invstd[c]);
    }
    const double s = block_sum(sum), sp = block_sum(products);
    if (threadIdx.x == 0) sums[2 * (c * parts + part)] = s, sums[2 * (c * parts + part) + 1] = sp;
}

extern "C" __global__ void norm_weights(i64 channels, i64 parts, const double *sums, Real *dw, Real *db)
{
    EACH(c, channels) {
        double s = 0, sp = 0;
        for (i64 p = 0; p < parts; p++) s += sums[2 * (c * parts + p)], sp += sums[2 * (c * parts + p) + 1];
        db[c] = (Real)s;
        dw[c] = (Real)sp;
    }
}

/* dx where mean and variance are those of x (`constant`: where they are numbers); what the ReLU let through as well, unless NULL. */
extern "C" __global__ void norm_dx(i64 size, i64 n, i64 channels, i64 plane, int mask, int constant, const Real *g,
                                   const Real *y, const Real *x, const Real *mean, const Real *invstd, const Real *w,
                                   const Real *b, const Real *dw, const Real *db, Real *dx, Real *through)
{
    const Real items = (Real)(n * plane);
    EACH(i, size) {
        const i64 c = i / plane % channels;
        const Real scale = w ? invstd[c] * w[c] : invstd[c], normed = (x[i] - mean[c]) * invstd[c];
        const Real d = let_through(mask, g[i], x[i], mask == WHERE_OUTPUT ? y[i] : 0, c, mean, invstd, w, b);
        if (through) through[i] = d;
        dx[i] = constant ? d * scale : (d - db[c] / items - normed * (dw[c] / items)) * scale;
    }
}

/* ----- Losses ----- */

/* Leaves the first label out of range that is met, for whoever looks at a number next: suspect[4] holds NOBODY, or its row,
 * the label, the number of classes and which operation it was. Returns whether the label is in range. */
#define NOBODY (~(u64)0)

__device__ bool checked(i64 row, i64 label, i64 classes, i64 operation, u64 *suspect)
{
    if (label >= 0 && label < classes) return true;
    if (atomicCAS(suspect, NOBODY, (u64)row) == NOBODY)
        suspect[1] = (u64)label, suspect[2] = (u64)classes, suspect[3] = (u64)operation;
    return false;
}

/* Labels, with 0 for those out of range. */
extern "C" __global__ void check_labels(i64 n, i64 classes, i64 operation, const i64 *labels, i64 *clean, u64 *suspect)
{
    EACH(i, n) clean[i] = checked(i, labels[i], classes, operation, suspect) ? labels[i] : 0;
}

/* A block per row of x[rows][classes]: its loss (nan for a label out of range) and softmax. */
extern "C" __global__ void cross_entropy(i64 rows, i64 classes, i64 operation, const Real *x, const i64 *labels, Real *losses,
                                         Real *softmax, u64 *suspect)
{
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        const Real *scores = x + row * classes;
        Real most = -INFINITE;
        for (i64 j = threadIdx.x; j < classes; j += blockDim.x)
            if (scores[j] > most || scores[j] != scores[j]) most = scores[j];
        most = block_max(most);
        Real part = 0;
        for (i64 j = threadIdx.x; j < classes; j += blockDim.x) part += exp(scores[j] - most);
        const Real sum = (Real)block_sum(part);
        for (i64 j = threadIdx.x; j < classes; j += blockDim.x) softmax[row * classes + j] = exp(scores[j] - most) / sum;
        if (threadIdx.x == 0)
            losses[row] = checked(row, labels[row], classes, operation, suspect) ? log(sum) - (scores[labels[row]] - most) : NOT_A_NUMBER;
    }
}

/* (softmax - one at the label) * g[row], or * g[0] / rows where there is one for the mean of all rows (`each` 0, 1). */
extern "C" __global__ void cross_entropy_dx(i64 rows, i64 classes, int each, Real scale, const Real *g, const Real *softmax,
                                            const i64 *labels, Real *dx)
{
    EACH(i, rows * classes) {
        const i64 row = i / classes;
        dx[i] = (softmax[i] - (labels[row] == i % classes ? (Real)1 : 0)) * (g[each ? row : 0] * scale);
    }
}

/* ----- Random numbers: Philox4x32-10, as engine/generator.py defines it ----- */

__device__ void philox(u64 block, u64 stream, u64 seed, u32 out[4])
{
    u32 c0 = (u32)block, c1 = (u32)(block >> 32), c2 = (u32)stream, c3 = (u32)(stream >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (int i = 0; i < 10; i++) {
        const u64 p = (u64)c0 * 0xD2511F53u, q = (u64)c2 * 0xCD9E8D57u;
        c0 = (u32)(q >> 32) ^ c1 ^ k0, c1 = (u32)q;
        c2 = (u32)(p >> 32) ^ c3 ^ k1, c3 = (u32)p;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

extern "C" __global__ void random_words(i64 n, u64 seed, u64 stream, u32 *words)
{
    EACH(block, (n + 3) / 4) {
        u32 four[4];
        philox((u64)block, stream, seed, four);
        for (int i = 0; i < 4 && 4 * block + i < n; i++) words[4 * block + i] = four[i];
    }
}

/* x * scale where the word of an element is at least `least`, else x * 0. */
extern "C" __global__ void dropout(i64 n, u64 seed, u64 stream, u32 least, Real scale, const Real *x, Real *y)
{
    EACH(block, (n + 3) / 4) {
        u32 four[4];
        philox((u64)block, stream, seed, four);
        for (int i = 0; i < 4 && 4 * block + i < n; i++) y[4 * block + i] = x[4 * block + i] * (four[i] >= least ? scale : 0);
    }
}

/* ----- Optimisers: pieces of all parameters of a group in one launch, a block per piece ----- */

struct Piece {
    Real *p, *g, *m, *v;
    i64 count;
};

extern "C" __global__ void sgd(const Piece *pieces, Real lr, Real momentum, Real dampening, Real weight_decay, int nesterov,
                               int maximize, int first)
{
    const Piece q = pieces[blockIdx.x];
    for (i64 i = threadIdx.x; i < q.count; i += blockDim.x) {
        Real g = maximize ? -q.g[i] : q.g[i];
        if (weight_decay != 0) g += weight_decay * q.p[i];
        if (q.m) {
            const Real buffer = first ? g : momentum * q.m[i] + (1 - dampening) * g;
            q.m[i] = buffer;
            g = nesterov ? g + momentum * buffer : buffer;
        }
        q.p[i] -= lr * g;
    }
}

extern "C" __global__ void adam(const Piece *pieces, Real size, Real correction, Real lr, Real beta1, Real beta2, Real eps,
                                Real weight_decay, int decoupled, int maximize)
{
    const Piece q = pieces[blockIdx.x];
    for (i64 i = threadIdx.x; i < q.count; i += blockDim.x) {
        Real p = q.p[i], g = maximize ? -q.g[i] : q.g[i];
        if (decoupled) p *= 1 - lr * weight_decay;
        else if (weight_decay != 0) g += weight_decay * p;
        const Real m = 1 - beta1 < (Real)0.5 ? q.m[i] + (1 - beta1) * (g - q.m[i]) : g - (g - q.m[i]) * beta1;
        const Real v = beta2 * q.v[i] + (1 - beta2) * g * g;
        q.m[i] = m, q.v[i] = v;
        q.p[i] = p - size * m / (sqrt(v) / correction + eps);
    }
}
