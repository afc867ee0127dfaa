/* Element by element: arithmetic, activations and their derivatives.
 *
 * The result may be one of the operands (same start), so no pointer is `restrict`; `ivdep` says the rest. Arithmetic
 * rounds the same wherever an element stands; the others go through the same vector code in body and tail.
 */
#include "elementary.h"
#include <math.h>

#define NO_OVERLAP _Pragma("GCC ivdep")

/* op_rows: a[rows, n] op b[n]; op_right: a[n] op scalar; op_left: scalar op a[n]. */
#define ARITHMETIC(op, sign)                                                                                   \
    static void op##_rows(int64_t rows, int64_t n, const float *a, const float *b, float *y)                   \
    {                                                                                                          \
        for (int64_t r = 0; r < rows; r++, a += n, y += n) {                                                   \
            NO_OVERLAP for (int64_t i = 0; i < n; i++) y[i] = a[i] sign b[i];                                  \
        }                                                                                                      \
    }                                                                                                          \
    static void op##_right(int64_t n, const float *a, float s, float *y)                                       \
    {                                                                                                          \
        NO_OVERLAP for (int64_t i = 0; i < n; i++) y[i] = a[i] sign s;                                         \
    }                                                                                                          \
    static void op##_left(int64_t n, const float *a, float s, float *y)                                        \
    {                                                                                                          \
        NO_OVERLAP for (int64_t i = 0; i < n; i++) y[i] = s sign a[i];                                         \
    }

ARITHMETIC(add, +)
ARITHMETIC(sub, -)
ARITHMETIC(mul, *)
ARITHMETIC(div, /)

static void map_neg(int64_t n, const float *a, float *y)
{
    NO_OVERLAP for (int64_t i = 0; i < n; i++) y[i] = -a[i];
}

static void map_sqrt(int64_t n, const float *a, float *y)
{
    NO_OVERLAP for (int64_t i = 0; i < n; i++) y[i] = sqrtf(a[i]);
}

/* NaN passes; -0 becomes 0. */
static void map_relu(int64_t n, const float *a, float *y)
{
    NO_OVERLAP for (int64_t i = 0; i < n; i++) y[i] = a[i] <= 0.0f ? 0.0f : a[i];
}

#define MAP(name, function)                                                                                    \
    static void map_##name(int64_t n, const float *a, float *y)                                                \
    {                                                                                                          \
        int64_t i = 0;                                                                                         \
        for (; i + LANES <= n; i += LANES) store(y + i, function(load(a + i)));                                \
        if (i < n) store_first(y + i, function(load_first(a + i, n - i)), n - i);                              \
    }

MAP(exp, exp_vec)
MAP(log, log_vec)
MAP(sigmoid, sigmoid_vec)
MAP(tanh, tanh_vec)

/* relu(a + b); y may be either of them. */
static void add_relu(int64_t n, const float *a, const float *b, float *y)
{
    for (int64_t i = 0; i < n; i += LANES)
        store_first(y + i, rectify(load_first(a + i, n - i) + load_first(b + i, n - i)), n - i);
}

/* Gradients from g and the output y. As PyTorch, relu passes g where y is NaN. */
static void relu_dx(int64_t n, const float *g, const float *y, float *dx)
{
    NO_OVERLAP for (int64_t i = 0; i < n; i++) dx[i] = y[i] <= 0.0f ? 0.0f : g[i];
}

static void sigmoid_dx(int64_t n, const float *g, const float *y, float *dx)
{
    NO_OVERLAP for (int64_t i = 0; i < n; i++) dx[i] = g[i] * ((1.0f - y[i]) * y[i]);
}

static void tanh_dx(int64_t n, const float *g, const float *y, float *dx)
{
    NO_OVERLAP for (int64_t i = 0; i < n; i++) dx[i] = g[i] * (1.0f - y[i] * y[i]);
}
