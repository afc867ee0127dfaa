/* One vector type, as wide as the instruction set has it, and the register tile MR x NR that fits its registers.
 *
 * Only the vector extensions that gcc and clang share; intrinsics for nothing but partial vectors.
 */
#ifndef ENGINE_VEC_H
#define ENGINE_VEC_H

#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#define MR 14
#define NV 2 /* vectors in a row of the tile */
#elif defined(__AVX2__)
#define LANES 8
#define MR 6
#define NV 2
#elif defined(__aarch64__)
#define LANES 4
#define MR 8
#define NV 3
#else
#define LANES 4
#define MR 4
#define NV 2
#endif
#define NR (NV * LANES)

/* The lower, wider tile of products: STRIP_ROWS x STRIP_COLS. */
#define STRIP_ROWS 6
#if defined(__AVX512F__) || defined(__aarch64__)
#define STRIP_VECTORS 4
#else
#define STRIP_VECTORS 2     /* 16 registers */
#endif
#define STRIP_COLS (STRIP_VECTORS * LANES)

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
typedef float octet __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

/* Constraint of inline assembly for a value in a vector register. */
#if defined(__AVX512F__)
#define VEC_REGISTER "+v"
#elif defined(__aarch64__)
#define VEC_REGISTER "+w"
#else
#define VEC_REGISTER "+x"
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec v) { *(vec_unaligned *)p = v; }
INLINE vec splat(float s) { return s - (vec){0}; }
/* mask ? a : b, mask as comparisons give it (all bits or none). */
INLINE vec choose(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

/* The first n (0 or more) floats at p; lanes from n on are 0 and not read. Masked instructions where there are some:
 * rows of 10 floats through memcpy took five times as long. */
INLINE vec load_first(const float *p, int64_t n)
{
    if (n >= LANES) return load(p);
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(__AVX2__)
    return _mm256_maskload_ps(p, (__m256i)((ivec){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)n));
#else
    vec v = {0};
    for (int l = 0; l < LANES - 1; l++)
        if (l < n) v[l] = p[l];
    return v;
#endif
}

/* Which lanes of a vector are in memory: begin .. end - 1, 0 <= begin <= end <= LANES. */
#if defined(__AVX512F__)
typedef __mmask16 Lanes;
INLINE Lanes lanes_between(int64_t begin, int64_t end) { return (Lanes)((1u << end) - (1u << begin)); }
#elif defined(__AVX2__)
typedef ivec Lanes;
INLINE Lanes lanes_between(int64_t begin, int64_t end)
{
    const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (lane >= (int32_t)begin) & (lane < (int32_t)end);
}
#else
typedef struct Lanes {
    int begin, end;
} Lanes;
INLINE Lanes lanes_between(int64_t begin, int64_t end) { return (Lanes){(int)begin, (int)end}; }
#endif

/* These floats behind p in their lanes, `fill` in the others, which are not read; and back. */
INLINE vec load_lanes(const float *p, Lanes lanes, float fill)
{
#if defined(__AVX512F__)
    return _mm512_mask_loadu_ps(splat(fill), lanes, p);
#elif defined(__AVX2__)
    return choose(lanes, _mm256_maskload_ps(p, (__m256i)lanes), splat(fill));
#else
    vec v = splat(fill);
    for (int l = 0; l < LANES; l++)
        if (l >= lanes.begin && l < lanes.end) v[l] = p[l];
    return v;
#endif
}

INLINE vec load_between(const float *p, int64_t begin, int64_t end, float fill)
{
    return load_lanes(p, lanes_between(begin, end), fill);
}

INLINE void store_lanes(float *p, vec v, Lanes lanes)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, lanes, v);
#elif defined(__AVX2__)
    _mm256_maskstore_ps(p, (__m256i)lanes, v);
#else
    for (int l = 0; l < LANES; l++)
        if (l >= lanes.begin && l < lanes.end) p[l] = v[l];
#endif
}

/* 0, 1 ... LANES - 1. */
INLINE ivec lane_numbers(void)
{
    ivec number;
    for (int l = 0; l < LANES; l++) number[l] = l;
    return number;
}

/* A value on its own, in a register. With which of two products a sum is contracted is the compiler's choice, and would be
 * another one, with other bits, for each ending. Nor is a factor contracted into a sum and a difference: two additions, which
 * have units of their own, take less time than two more multiplications. And gcc likes to load a factor of several sums again
 * for each. */
INLINE vec alone(vec value)
{
    __asm__("" : VEC_REGISTER(value));
    return value;
}

/* Lanes below n are kept, the others 0. */
INLINE vec first_lanes(vec v, int64_t n)
{
    return n >= LANES ? v : choose(lane_numbers() < (int32_t)n, v, splat(0.0f));
}

/* ReLU; nan stays. */
INLINE vec rectify(vec v) { return choose(v <= 0.0f, splat(0.0f), v); }

INLINE void store_first(float *p, vec v, int64_t n)
{
    if (n >= LANES) {
        store(p, v);
        return;
    }
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
#elif defined(__AVX2__)
    _mm256_maskstore_ps(p, (__m256i)((ivec){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)n), v);
#else
    for (int l = 0; l < LANES - 1; l++)
        if (l < n) p[l] = v[l];
#endif
}

/* Integers 0 to 255 as n (0 or more, at most LANES are touched) bytes, and back. */
typedef uint8_t bytes_vec __attribute__((vector_size(LANES)));

INLINE void store_bytes(uint8_t *p, ivec v, int64_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_cvtepi32_storeu_epi8(p, n >= LANES ? 0xffff : (__mmask16)((1u << n) - 1), (__m512i)v);
#else
    bytes_vec b = __builtin_convertvector(v, bytes_vec);
    if (n >= LANES) memcpy(p, &b, LANES);
    else for (int l = 0; l < LANES - 1; l++)
        if (l < n) p[l] = b[l];
#endif
}

INLINE ivec load_bytes(const uint8_t *p, int64_t n)
{
#if defined(__AVX512F__)
    return (ivec)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(n >= LANES ? 0xffff : (__mmask16)((1u << n) - 1), p));
#else
    bytes_vec b = {0};
    if (n >= LANES) memcpy(&b, p, LANES);
    else for (int l = 0; l < LANES - 1; l++)
        if (l < n) b[l] = p[l];
    return __builtin_convertvector(b, ivec);
#endif
}

/* These bytes behind p in their lanes, 0 in the others, which are not read. */
INLINE ivec load_byte_lanes(const uint8_t *p, Lanes lanes)
{
#if defined(__AVX512F__)
    return (ivec)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, p));
#else
    bytes_vec b = {0};
    for (int l = 0; l < LANES; l++)
#if defined(__AVX2__)
        if (lanes[l]) b[l] = p[l];
#else
        if (l >= lanes.begin && l < lanes.end) b[l] = p[l];
#endif
    return __builtin_convertvector(b, ivec);
#endif
}

/* Sum over the lanes in a fixed order: halves onto one another. */
INLINE float sum_lanes(vec v)
{
    float s[LANES];
    memcpy(s, &v, sizeof s);
#pragma GCC unroll 8
    for (int half = LANES / 2; half; half /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}

#define LIST4(F, j, d) F(j, d), F(j + 1, d), F(j + 2, d), F(j + 3, d)
#if LANES == 16
#define LIST(F, d) LIST4(F, 0, d), LIST4(F, 4, d), LIST4(F, 8, d), LIST4(F, 12, d)
#elif LANES == 8
#define LIST(F, d) LIST4(F, 0, d), LIST4(F, 4, d)
#else
#define LIST(F, d) LIST4(F, 0, d)
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE_BY(x, y, F, d) __builtin_shufflevector(x, y, LIST(F, d))
#else
#define SHUFFLE_BY(x, y, F, d) __builtin_shuffle(x, y, (ivec){LIST(F, d)})
#endif
/* Transposes m. First within blocks of four lanes, row i of four rows against row i + d: x[0] y[0] x[1] y[1], then by
 * pairs; then the blocks themselves, which are even and odd ones of two vectors. Shuffles of this form need no index. */
#define PAIR_LOW(j, d) ((j) / 4 * 4 + ((j) & 1) * LANES + (j) % 4 / 2)
#define PAIR_HIGH(j, d) (PAIR_LOW(j, d) + 2)
#define HALF_LOW(j, d) ((j) / 4 * 4 + ((j) & 2) / 2 * LANES + (j) % 2)
#define HALF_HIGH(j, d) (HALF_LOW(j, d) + 2)
#define EVEN_BLOCK(j, d) ((j) / 4 * 8 % LANES + (j) % 4 + ((j) * 2 >= LANES ? LANES : 0))
#define ODD_BLOCK(j, d) (EVEN_BLOCK(j, d) + 4)
#define SWAP(a, b, LOW, HIGH) \
    { vec low = SHUFFLE_BY(m[a], m[b], LOW, 0); m[b] = SHUFFLE_BY(m[a], m[b], HIGH, 0); m[a] = low; }

/* Within blocks of four lanes alone: lane j of vector i, in every block, against lane i of vector j. */
INLINE void transpose_fours(vec m[4])
{
    SWAP(0, 1, PAIR_LOW, PAIR_HIGH)
    SWAP(2, 3, PAIR_LOW, PAIR_HIGH)
    SWAP(0, 2, HALF_LOW, HALF_HIGH)
    SWAP(1, 3, HALF_LOW, HALF_HIGH)
    vec middle = m[1];
    m[1] = m[2];
    m[2] = middle;
}

INLINE void transpose(vec m[LANES])
{
#pragma GCC unroll 4
    for (int i = 0; i < LANES; i += 4) transpose_fours(m + i);
#if LANES == 8
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) SWAP(i, i + 4, EVEN_BLOCK, ODD_BLOCK)
#elif LANES == 16
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        SWAP(i, i + 4, EVEN_BLOCK, ODD_BLOCK)
        SWAP(i + 8, i + 12, EVEN_BLOCK, ODD_BLOCK)
        SWAP(i, i + 8, EVEN_BLOCK, ODD_BLOCK)
        SWAP(i + 4, i + 12, EVEN_BLOCK, ODD_BLOCK)
    }
#endif
}

/* The sums over the lanes of m[0], m[1] ... in one vector; m is overwritten. */
#define FOLD_LOW(j, d) (((j) & (d)) ? LANES + (j) - (d) : (j))
#define FOLD_HIGH(j, d) (((j) & (d)) ? LANES + (j) : (j) + (d))
#define SUM_ROUND(d) \
    _Pragma("GCC unroll 8") \
    for (int i = 0; i < (d); i++) \
        m[i] = SHUFFLE_BY(m[i], m[i + (d)], FOLD_LOW, d) + SHUFFLE_BY(m[i], m[i + (d)], FOLD_HIGH, d);

INLINE vec sum_across(vec m[LANES])
{
#if LANES == 16
    SUM_ROUND(8)
#endif
#if LANES >= 8
    SUM_ROUND(4)
#endif
    SUM_ROUND(2)
    SUM_ROUND(1)
    return m[0];
}

/* Every second float of two vectors in a row; and back, the two halves of a[0] b[0] a[1] b[1] ... */
#define EVEN(j, d) (2 * (j))
#define ODD(j, d) (2 * (j) + 1)
#define WEAVE_LOW(j, d) ((j) % 2 * LANES + (j) / 2)
#define WEAVE_HIGH(j, d) ((j) % 2 * LANES + LANES / 2 + (j) / 2)
INLINE vec evens(vec a, vec b) { return SHUFFLE_BY(a, b, EVEN, 0); }
INLINE vec odds(vec a, vec b) { return SHUFFLE_BY(a, b, ODD, 0); }
INLINE vec weave_low(vec a, vec b) { return SHUFFLE_BY(a, b, WEAVE_LOW, 0); }
INLINE vec weave_high(vec a, vec b) { return SHUFFLE_BY(a, b, WEAVE_HIGH, 0); }

/* Lane l is that of number index[l] of a and b in a row. */
INLINE vec pick(vec a, vec b, ivec index)
{
#if defined(__AVX512F__)
    return _mm512_permutex2var_ps(a, (__m512i)index, b);
#elif defined(__AVX2__)
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(a, (__m256i)index), _mm256_permutevar8x32_ps(b, (__m256i)index),
                            (vec)(index << 28));
#else
    vec v;
    for (int l = 0; l < LANES; l++) v[l] = index[l] < LANES ? a[index[l]] : b[index[l] - LANES];
    return v;
#endif
}

#endif
