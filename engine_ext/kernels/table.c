/* All kernels of one instruction set: includes their files and defines kernels_<ISA>. Compiled once per set. */
#include "kernels.h"
#include "vec.h"

#include "gemm.c"
#include "direct.c"
#include "pack.c"
#include "product.c"
#include "window.c"
#include "depthwise.c"
#include "unfold.c"
#include "local.c"
#include "phases.c"
#include "winograd.c"
#include "winograd_dw.c"
#include "machine.c"
#include "pointwise.c"
#include "strided.c"
#include "pool2x2.c"
#include "pool3x3.c"
#include "pool.c"
#include "winograd_output.c"
#include "winograd_stride.c"
#include "winograd3.c"
#include "winograd5.c"
#include "winograd_tiles.c"
#include "norm.c"
#include "norm_pool.c"
#include "loss.c"
#include "optim.c"
#include "augment.c"
#include "random.c"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

extern __attribute__((visibility("hidden"))) const KernelTable PASTE(kernels_, ISA);
const KernelTable PASTE(kernels_, ISA) = {
    .isa = TEXT(ISA), .mr = MR, .nr = NR, .lanes = LANES, .strip = STRIP_COLS,
#define KERNEL(result, name, arguments) .name = name,
#include "kernels.def"
#undef KERNEL
};
