/* Which kernel tables were compiled and which of them this CPU can run. Compiled once, for the base architecture. */
#include "kernels.h"

#define ISA(name, test) extern const KernelTable kernels_##name;
#include "isas.def"
#undef ISA

static const KernelTable *const tables[] = {
#define ISA(name, test) &kernels_##name,
#include "isas.def"
#undef ISA
};

int isa_count(void) { return (int)(sizeof tables / sizeof *tables); }

const KernelTable *isa_table(int index) { return tables[index]; }

int isa_runs(int index)
{
    int i = 0;
#define ISA(name, test) if (i++ == index) return (test) != 0;
#include "isas.def"
#undef ISA
    return 0;
}

const char *cpu_feature(int index)
{
    const char *found[16];
    int n = 0;
#if defined(__x86_64__)
#define FEATURE(name) if (__builtin_cpu_supports(name)) found[n++] = name;
    FEATURE("sse4.2") FEATURE("avx") FEATURE("avx2") FEATURE("fma") FEATURE("avx512f") FEATURE("avx512bw")
    FEATURE("avx512dq") FEATURE("avx512vl") FEATURE("avx512vnni") FEATURE("avx512bf16")
#undef FEATURE
#elif defined(__aarch64__)
    found[n++] = "neon";
#endif
    return index < n ? found[index] : NULL;
}
