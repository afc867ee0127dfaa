/* Random numbers: Philox4x32-10 in vector registers, and what is made of its words.
 *
 * A draw is (seed, stream); its word i is word i % 4 of the block whose counter is (i / 4, stream) under the key `seed`:
 * engine/generator.py. A 64-bit number is two words, the lower one first. Kernels make n elements from number `first`
 * on, a multiple of DRAW, so that the pieces of an array are those of the whole.
 */
#include "kernels.h"
#include "vec.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define DRAW_BLOCKS 32
#define DRAW (4 * DRAW_BLOCKS) /* words made at a time; every kernel goes forward by as many elements or half of it */
#if LANES == 16
#define IN_FLIGHT 4 /* chains of ten rounds side by side, which hide the latency of the products */
#else
#define IN_FLIGHT 2
#endif

typedef uint64_t wide __attribute__((vector_size(4 * LANES)));

/* Products of the lower halves. (Without the instructions made for it a word took 3.5 ns instead of 0.4 to 1.2.) */
INLINE wide product(wide a, wide b)
{
#if defined(__AVX512F__)
    return (wide)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
    return (wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

/* The blocks from number `block` on: 64-bit numbers of words 0 and 1 in `low`, of words 2 and 3 in `high`.
 * A lane holds a word in its lower half; what the upper half holds is nobody's business. */
static void draw_blocks(uint64_t seed, uint64_t stream, uint64_t block, uint64_t *low, uint64_t *high)
{
    const wide zero = {0};
    uint64_t counters[DRAW_BLOCKS];
    for (int j = 0; j < DRAW_BLOCKS; j++) counters[j] = block + j;
    for (int v = 0; v < DRAW_BLOCKS; v += IN_FLIGHT * LANES / 2) {
        wide c0[IN_FLIGHT], c1[IN_FLIGHT], c2[IN_FLIGHT], c3[IN_FLIGHT];
        uint32_t k0 = (uint32_t)seed, k1 = seed >> 32;
#pragma GCC unroll 4
        for (int f = 0; f < IN_FLIGHT; f++) {
            memcpy(&c0[f], counters + v + f * LANES / 2, sizeof c0[f]);
            c1[f] = c0[f] >> 32;
            c2[f] = zero + stream;
            c3[f] = zero + (stream >> 32);
        }
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
#pragma GCC unroll 4
            for (int f = 0; f < IN_FLIGHT; f++) {
                wide p = product(c0[f], zero + 0xD2511F53), q = product(c2[f], zero + 0xCD9E8D57);
                c0[f] = (q >> 32) ^ c1[f] ^ (zero + k0);
                c2[f] = (p >> 32) ^ c3[f] ^ (zero + k1);
                c1[f] = q;
                c3[f] = p;
            }
        }
#pragma GCC unroll 4
        for (int f = 0; f < IN_FLIGHT; f++) {
            wide a = (c0[f] & 0xffffffff) | (c1[f] << 32), b = (c2[f] & 0xffffffff) | (c3[f] << 32);
            memcpy(low + v + f * LANES / 2, &a, sizeof a);
            memcpy(high + v + f * LANES / 2, &b, sizeof b);
        }
    }
}

/* 64-bit numbers `first`, first + 1, ... of a draw, DRAW / 2 of them. */
INLINE void draw_longs(uint64_t seed, uint64_t stream, int64_t first, uint64_t *numbers)
{
    uint64_t low[DRAW_BLOCKS], high[DRAW_BLOCKS];
    draw_blocks(seed, stream, (uint64_t)first / 2, low, high);
    for (int j = 0; j < DRAW_BLOCKS; j++) {
        numbers[2 * j] = low[j];
        numbers[2 * j + 1] = high[j];
    }
}

/* Words `first`, first + 1, ... of a draw, DRAW of them. */
INLINE void draw_words(uint64_t seed, uint64_t stream, int64_t first, uint32_t *words)
{
    uint64_t numbers[DRAW / 2];
    draw_longs(seed, stream, first / 2, numbers);
    for (int j = 0; j < DRAW / 2; j++) {
        words[2 * j] = (uint32_t)numbers[j];
        words[2 * j + 1] = numbers[j] >> 32;
    }
}

/* Runs `body`, which makes `step` elements of `type` at `out`, for all n; the last ones through a buffer. */
#define BY_STEPS(type, step, y, body) \
    for (int64_t i = 0; i < n; i += step) { \
        type buffer[step], *out = n - i < step ? buffer : (y) + i; \
        body; \
        if (n - i < step) memcpy((y) + i, buffer, (n - i) * sizeof(type)); \
    }

static void random_words(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint32_t *y)
{
    BY_STEPS(uint32_t, DRAW, y, draw_words(seed, stream, first + i, out))
}

/* x * scale where a word is at least `threshold`, else x * 0. */
static void dropout(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint32_t threshold, float scale,
                    const float *x, float *y)
{
    uint32_t words[DRAW];
    for (int64_t i = 0; i < n; i += DRAW) {
        draw_words(seed, stream, first + i, words);
        if (n - i >= DRAW)
            for (int j = 0; j < DRAW; j++) y[i + j] = x[i + j] * (words[j] >= threshold ? scale : 0.0f);
        else
            for (int j = 0; j < n - i; j++) y[i + j] = x[i + j] * (words[j] >= threshold ? scale : 0.0f);
    }
}

/* low + width * u, at most `top`, for u in [0, 1) of 24 bits. The product of two floats is exact in double: the bits are
 * the same with and without fused multiply-add. */
INLINE void uniform_step(uint64_t seed, uint64_t stream, int64_t first, float low, float width, float top, float *y)
{
    uint32_t words[DRAW];
    draw_words(seed, stream, first, words);
    for (int j = 0; j < DRAW; j++) {
        float v = (float)(low + (double)width * ((int32_t)(words[j] >> 8) * 0x1p-24));
        y[j] = v < top ? v : top;
    }
}

static void uniform_f32(uint64_t seed, uint64_t stream, int64_t first, int64_t n, float low, float width, float top,
                        float *y)
{
    BY_STEPS(float, DRAW, y, uniform_step(seed, stream, first + i, low, width, top, out))
}

/* An integer below 2^52 as a double: its bits behind those of 2^52, less 2^52. (Vectors of every set can do that.) */
INLINE double whole(uint64_t i)
{
    union { uint64_t i; double d; } v = {.i = i | 0x4330000000000000};
    return v.d - 0x1p52;
}

/* u in [0, 1) of 53 bits. */
INLINE double unit(uint64_t number)
{
    return (whole(number >> 32) + whole(number >> 11 & 0x1fffff) * 0x1p-21) * 0x1p-32;
}

INLINE void uniform_f64_step(uint64_t seed, uint64_t stream, int64_t first, double low, double width, double top,
                             double *y)
{
    uint64_t numbers[DRAW / 2];
    draw_longs(seed, stream, first, numbers);
    for (int j = 0; j < DRAW / 2; j++) {
        double v = low + width * unit(numbers[j]);
        y[j] = v < top ? v : top;
    }
}

static void uniform_f64(uint64_t seed, uint64_t stream, int64_t first, int64_t n, double low, double width, double top,
                        double *y)
{
    BY_STEPS(double, DRAW / 2, y, uniform_f64_step(seed, stream, first + i, low, width, top, out))
}

/* log(m 2^e), sqrt(1/2) <= m < sqrt(2), of a normal number: 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.1716, by its
 * series, plus e log(2). */
INLINE double log_unit(double x)
{
    const uint64_t sqrt_half = 0x3fe6a09e667f3bcd;
    union { double d; uint64_t i; } v = {.d = x};
    uint64_t bits = v.i - sqrt_half + ((uint64_t)1024 << 52); /* so that the exponent is not negative */
    double e = whole(bits >> 52) - 1024;
    v.i = (bits & 0xfffffffffffff) + sqrt_half;
    double s = (v.d - 1) / (v.d + 1), z = s * s, p = 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    s += s;
    return e * 0x1.62e42fefa38p-1 + (s + (s * z * p + e * 0x1.ef35793c7673p-45)); /* log(2) in two parts */
}

/* Box and Muller (1958): two normal numbers from u in (0, 1] and a turn in [0, 1). The angle is cut down to 1/8 of a
 * circle around a multiple of a quarter, exactly; sine and cosine by their series. */
INLINE void normal_pair(double u, double turn, double *first, double *second)
{
    union { double d; uint64_t i; } quarter = {.d = turn * 4 + 0x1.8p52}; /* the nearest integer in the low bits */
    double t = (turn * 4 - (quarter.d - 0x1.8p52)) * 0x1.921fb54442d18p0, z = t * t;
    double s = -1.0 / 1307674368000;
    s = s * z + 1.0 / 6227020800;
    s = s * z - 1.0 / 39916800;
    s = s * z + 1.0 / 362880;
    s = s * z - 1.0 / 5040;
    s = s * z + 1.0 / 120;
    s = s * z - 1.0 / 6;
    s = t + t * z * s;
    double c = 1.0 / 20922789888000;
    c = c * z - 1.0 / 87178291200;
    c = c * z + 1.0 / 479001600;
    c = c * z - 1.0 / 3628800;
    c = c * z + 1.0 / 40320;
    c = c * z - 1.0 / 720;
    c = c * z + 1.0 / 24;
    c = 1 - (0.5 * z - z * z * c);
    double r = __builtin_sqrt(-2 * log_unit(u));
    double cosine = quarter.i & 1 ? s : c, sine = quarter.i & 1 ? c : s;
    *first = r * ((quarter.i + 1) & 2 ? -cosine : cosine);
    *second = r * (quarter.i & 2 ? -sine : sine);
}

/* mean + std * normal number; elements 2j and 2j + 1 are a pair, made from two words. */
INLINE void normal_step(uint64_t seed, uint64_t stream, int64_t first, double mean, double std, float *y)
{
    uint64_t numbers[DRAW / 2];
    double a[DRAW / 2], b[DRAW / 2];
    draw_longs(seed, stream, first / 2, numbers);
    for (int j = 0; j < DRAW / 2; j++)
        normal_pair((whole(numbers[j] & 0xffffffff) + 1) * 0x1p-32, whole(numbers[j] >> 32) * 0x1p-32, a + j, b + j);
    for (int j = 0; j < DRAW / 2; j++) {
        y[2 * j] = (float)(mean + std * a[j]);
        y[2 * j + 1] = (float)(mean + std * b[j]);
    }
}

static void normal_f32(uint64_t seed, uint64_t stream, int64_t first, int64_t n, double mean, double std, float *y)
{
    BY_STEPS(float, DRAW, y, normal_step(seed, stream, first + i, mean, std, out))
}

/* The same in double; a pair is made from two 64-bit numbers. */
INLINE void normal_f64_step(uint64_t seed, uint64_t stream, int64_t first, double mean, double std, double *y)
{
    uint64_t low[DRAW_BLOCKS], high[DRAW_BLOCKS];
    double a[DRAW_BLOCKS], b[DRAW_BLOCKS];
    draw_blocks(seed, stream, (uint64_t)first / 2, low, high);
    for (int j = 0; j < DRAW_BLOCKS; j++) normal_pair(1 - unit(low[j]), unit(high[j]), a + j, b + j);
    for (int j = 0; j < DRAW_BLOCKS; j++) {
        y[2 * j] = mean + std * a[j];
        y[2 * j + 1] = mean + std * b[j];
    }
}

static void normal_f64(uint64_t seed, uint64_t stream, int64_t first, int64_t n, double mean, double std, double *y)
{
    BY_STEPS(double, DRAW / 2, y, normal_f64_step(seed, stream, first + i, mean, std, out))
}

/* low + floor(number * range / 2^64); range 0 means 2^64. */
INLINE void integers_step(uint64_t seed, uint64_t stream, int64_t first, uint64_t low, uint64_t range, int64_t *y)
{
    uint64_t numbers[DRAW / 2];
    draw_longs(seed, stream, first, numbers);
    for (int j = 0; j < DRAW / 2; j++) {
        uint64_t scaled = range ? (unsigned __int128)numbers[j] * range >> 64 : numbers[j];
        y[j] = (int64_t)(low + scaled);
    }
}

static void integers(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint64_t low, uint64_t range, int64_t *y)
{
    BY_STEPS(int64_t, DRAW / 2, y, integers_step(seed, stream, first + i, low, range, out))
}
