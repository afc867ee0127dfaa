/* The contract between C and Cython: a table of function pointers, one table per instruction set.
 *
 * Every kernel is serial, allocates nothing and knows neither Python nor OpenMP. kernels.def lists them; the same
 * signatures stand in _isa.pxd.
 */
#ifndef ENGINE_KERNELS_H
#define ENGINE_KERNELS_H

#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

/* A pooling: the fields of Pool2dGeometry.ints, in its order. */
typedef struct Pool2d {
    int64_t n, c, h, w, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, oh, ow, include, divisor;
} Pool2d;

/* One step of an optimiser. sign: -1 to go up the gradient; decay: the share of the weight added to it; keep: what
 * decoupled decay leaves of a weight; keep1, fresh1, keep2, fresh2: shares of old and new in two running means; the
 * rest as optim.c says. */
typedef struct Update {
    float lr, sign, decay, keep, keep1, fresh1, keep2, fresh2, eps, size1, size2, scale;
    int first, nesterov;
} Update;
typedef void (*update_step)(int64_t n, float *p, const float *g, float **state, const Update *update);

/* Batch normalisation of x[images, channels, h, w] and what lies behind it: the arrays of one call, NULL where it has
 * none. `weight` and `bias` may be NULL. */
#define NORM_CHANNELS 64 /* at most, in a part */
typedef struct Norm {
    int64_t images, channels, h, w;
    const float *x, *mean, *invstd, *weight, *bias;
    const float *residual; /* what is added before the ReLU */
    const float *g, *y;    /* gradient of the output; the output */
    const uint8_t *taps;   /* where a pooling behind found the largest: 2*i + j, or 4 */
    float *out;            /* OUT y, or dx */
    float *inner;          /* OUT the gradient that the ReLU lets through, that of the residual */
    uint8_t *found;        /* OUT taps */
} Norm;

/* The floats column..column + n of the planes of some neighbouring channels in some neighbouring images. */
typedef struct NormPart {
    int64_t image, images, channel, channels, column, n;
} NormPart;
typedef void (*norm_planes)(const Norm *q, int64_t first, int64_t last, int64_t column, int64_t n);
typedef void (*norm_reduction)(const Norm *q, const NormPart *p, double *sum, double *products);
typedef void (*norm_gradient)(const Norm *q, const NormPart *p, const float *factors);

/* A convolution's sizes, as engine/geometry.py has them: x[n, c, h, w], weights [o, c / groups, kh, kw]. */
typedef struct Conv2d {
    int64_t n, c, h, w, o, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, uh, uw, oh, ow;
} Conv2d;

/* A rectangle of Winograd's tiles, counted in tiles, of one image or the same of several. Tiles of an image from whole_rows
 * and whole_cols on have one output less along that axis. */
typedef struct Tiles {
    int64_t row, rows, col, cols, whole_rows, whole_cols, image, images;
} Tiles;

/* Floats that are read soon, `runs` of them `step` apart; their length is with who takes them. */
typedef struct Runs {
    const float *at;
    int64_t step, runs;
} Runs;

/* How a channel h x w is laid out in zeros, with `top` and `left` (negative: cropped) before it: the staged rows
 * a, a + sh, ... and columns b, b + sw, ... in planes [rows_apart][columns_apart][height][width]. */
typedef struct Stage {
    int64_t h, w, top, left, sh, sw, rows_apart, columns_apart, height, width;
} Stage;

/* Height and width of an image with its padding, and with zeros between the rows and columns of an upsampled one. */
static inline int64_t staged_height(const Conv2d *q) { return (q->h - 1) * q->uh + 1 + q->pt + q->pb; }
static inline int64_t staged_width(const Conv2d *q) { return (q->w - 1) * q->uw + 1 + q->pl + q->pr; }

typedef struct KernelTable {
    const char *isa;
    int mr, nr;   /* rows and columns of the register tile of gemm_tile */
    int lanes;    /* floats in a vector */
    int strip;    /* columns of gemm_strip */
#define KERNEL(result, name, arguments) result (*name) arguments;
#include "kernels.def"
#undef KERNEL
} KernelTable;

/* select.c: the tables that were compiled, best first, and which of them this CPU runs. */
int isa_count(void);
const KernelTable *isa_table(int index);
int isa_runs(int index);
/* Names of the CPU's features that matter here, one after the other: NULL past the last. */
const char *cpu_feature(int index);

#endif
