/* exp, log, tanh and sigmoid of a vector: polynomials in registers, no tables, no calls.
 *
 * Largest errors found over 100 million floats, with and without FMA: exp 1.0, log 0.8, sigmoid 2.5, tanh 1.3 units in
 * the last place. NaN stays NaN, infinities and overflow give their limits. Where the caller flushes subnormals (all of
 * engine_ext does), subnormal arguments count as 0 and subnormal results become 0.
 */
#ifndef ENGINE_ELEMENTARY_H
#define ENGINE_ELEMENTARY_H

#include "vec.h"

typedef uint32_t uvec __attribute__((vector_size(4 * LANES)));

#define LOG2_E 0x1.715476p0f
#define LN2_HIGH 0x1.63p-1f /* few bits: its multiples by exponents are exact */
#define LN2_LOW -0x1.bd0106p-13f

INLINE vec magnitude(vec x) { return (vec)((uvec)x & 0x7fffffffu); }
INLINE vec with_sign_of(vec x, vec sign) { return (vec)((uvec)x | ((uvec)sign & 0x80000000u)); }
/* x no more than high and no less than low; a NaN stays. */
INLINE vec clamp(vec x, float low, float high)
{
#if defined(__AVX512F__)
    return _mm512_max_ps(splat(low), _mm512_min_ps(splat(high), x));
#else
    x = choose(x > high, splat(high), x);
    return choose(x < low, splat(low), x);
#endif
}

/* e^x = 2^k e^r with |r| <= ln(2)/2. 2^k is applied in two factors, so that
 * overflow and underflow round as they should. */
INLINE vec exp_vec(vec x)
{
    const vec round = splat(0x1.8p23f); /* adding it leaves the nearest integer in the low bits */
    x = clamp(x, -104.0f, 89.0f);
    vec t = x * LOG2_E + round;
    vec kf = t - round;
    vec r = x - kf * LN2_HIGH;
    r = r - kf * LN2_LOW;
    vec p = splat(0.000198527617612853646f);
    p = p * r + 0.00139304355252534151f;
    p = p * r + 0.00833336077630519867f;
    p = p * r + 0.0416664853692054749f;
    p = p * r + 0.166666671633720398f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
#if defined(__AVX512F__)
    return _mm512_scalef_ps(p, kf); /* a fifth faster than the products */
#else
    ivec k = (ivec)((uvec)t - (uvec)round), half = k >> 1;
    uvec first = ((uvec)half + 127) << 23, second = ((uvec)(k - half) + 127) << 23;
    return p * (vec)first * (vec)second;
#endif
}

/* log(m 2^e) = log(m) + e log(2) with sqrt(1/2) <= m < sqrt(2). */
INLINE vec log_vec(vec x)
{
    const uint32_t one = 0x3f800000, sqrt_half = 0x3f3504f3;
    ivec tiny = (x < 0x1p-126f) & (x > 0.0f);
    uvec bits = (uvec)choose(tiny, x * 0x1p23f, x) + (one - sqrt_half);
    ivec e = (ivec)(bits >> 23) - 127 - (tiny & 23);
    vec m = (vec)((bits & 0x7fffff) + sqrt_half);
    vec f = m - 1.0f, z = f * f, ef = __builtin_convertvector(e, vec);
    vec p = splat(7.0376836292e-2f);
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    p = p * (f * z) + ef * LN2_LOW - 0.5f * z;
    vec y = (f + p) + ef * LN2_HIGH;
    y = choose(x == __builtin_inff(), x, y);
    y = choose(x == 0.0f, splat(-__builtin_inff()), y);
    return choose(x >= 0.0f, y, splat(__builtin_nanf("")));
}

INLINE vec sigmoid_vec(vec x) { return 1.0f / (1.0f + exp_vec(-x)); }

/* A polynomial near 0, where 1 - 2/(e^2x + 1) would cancel. */
INLINE vec tanh_vec(vec x)
{
    vec a = magnitude(x), z = x * x;
    vec far = 1.0f - 2.0f / (exp_vec(a + a) + 1.0f);
    vec p = splat(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    vec near = a + a * (z * p);
    return with_sign_of(choose(a < 0.625f, near, far), x);
}

#endif
