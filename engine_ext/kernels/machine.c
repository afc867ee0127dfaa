/* What the machine can do at best: multiply-adds from registers alone, and bytes moved. For benchmarks only. */

/* Independent chains of multiply-adds, enough to hide their latency; returns the flops done. */
static double fma_chains(int64_t rounds)
{
    enum { CHAINS = LANES == 16 ? 24 : 12 };
    vec acc[CHAINS], scale = splat(0.999f), shift = splat(0.001f);
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++) acc[i] = splat((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; i++) {
            acc[i] = acc[i] * scale + shift;
            __asm__ volatile("" : VEC_REGISTER(acc[i]));    /* keeps each chain in a register of its own */
        }
    }
    vec sum = acc[0];
#pragma GCC unroll 24
    for (int i = 1; i < CHAINS; i++) sum += acc[i];
    /* The sum is finite, so this adds nothing; it keeps the chains from being optimised away. */
    return 2.0 * LANES * CHAINS * (double)rounds + (sum_lanes(sum) > 1e30f);
}

static void stream_read(const float *x, int64_t n, float *sum)
{
    vec acc[8] = {{0}};
    for (int64_t i = 0; i + 8 * LANES <= n; i += 8 * LANES)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) acc[j] += load(x + i + j * LANES);
    *sum = sum_lanes(((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7])));
}

static void stream_write(float *x, int64_t n, float value)
{
    for (int64_t i = 0; i + LANES <= n; i += LANES) store(x + i, splat(value));
}

static void stream_copy(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i + LANES <= n; i += LANES) store(y + i, load(x + i));
}
