/* One step of every optimiser on a piece of a parameter, in place; formulas and order of operations as the reference's.
 *
 * `state` holds up to three arrays as long as the piece, NULL where an optional one is absent. What the fields of
 * Update mean here is set in optim.pyx.
 */
#include "kernels.h"
#include <math.h>

/* The gradient with weight decay. Without decay the weight is not touched: 0 * inf would be NaN. */
static inline float decayed(float g, float w, const Update *u)
{
    return u->decay != 0.0f ? u->sign * g + u->decay * w : u->sign * g;
}

/* mean + share * (g - mean), from the nearer end. */
static inline float approach(float mean, float g, float share)
{
    return share < 0.5f ? mean + share * (g - mean) : g - (g - mean) * (1.0f - share);
}

/* The larger of two, NaN if one is. */
static inline float larger(float a, float b) { return a > b || a != a ? a : b; }

/* state: momentum or NULL. In the first step the buffer becomes the gradient, whatever it held. */
static void sgd_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict buf = state[0];
    if (!buf) {
        for (int64_t i = 0; i < n; i++) p[i] -= u->lr * decayed(g[i], p[i], u);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float d = decayed(g[i], p[i], u);
        float b = u->first ? d : u->keep1 * buf[i] + u->fresh1 * d;
        buf[i] = b;
        p[i] -= u->lr * (u->nesterov ? d + u->keep1 * b : b);
    }
}

/* Loops with optional state are written once and compiled for each case: a store under a condition is not vectorised. */
#define CASE static inline __attribute__((always_inline)) void

CASE adam_case(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *u, int amsgrad)
{
    float *restrict m = state[0], *restrict v = state[1], *restrict top = state[2];
    for (int64_t i = 0; i < n; i++) {
        float w = p[i] * u->keep;
        float d = decayed(g[i], w, u);
        float first = approach(m[i], d, u->fresh1);
        float second = u->keep2 * v[i] + u->fresh2 * (d * d);
        m[i] = first;
        v[i] = second;
        if (amsgrad) top[i] = second = larger(top[i], second);
        p[i] = w - u->size1 * first / (sqrtf(second) * u->scale + u->eps);
    }
}

/* state: m, v, and for AMSGrad the largest v so far. size1 = lr / (1 - beta1^t), scale = 1 / sqrt(1 - beta2^t). */
static void adam_step(int64_t n, float *p, const float *g, float **state, const Update *update)
{
    const Update copy = *update;
    if (state[2]) adam_case(n, p, g, state, &copy, 1);
    else adam_case(n, p, g, state, &copy, 0);
}

/* state: m, v. size1, size2: of the steps along the gradient and along m; scale = 1 / (1 - beta2^t). */
static void nadam_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict m = state[0], *restrict v = state[1];
    for (int64_t i = 0; i < n; i++) {
        float w = p[i] * u->keep;
        float d = decayed(g[i], w, u);
        float first = approach(m[i], d, u->fresh1);
        float second = u->keep2 * v[i] + u->fresh2 * (d * d);
        m[i] = first;
        v[i] = second;
        float divisor = sqrtf(second * u->scale) + u->eps;
        p[i] = w - u->size1 * d / divisor - u->size2 * first / divisor;
    }
}

/* state: m, v. size1 = lr / (1 - beta1^t); scale: of the rectified step, 0 while there is none. */
static void radam_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict m = state[0], *restrict v = state[1];
    for (int64_t i = 0; i < n; i++) {
        float w = p[i] * u->keep;
        float d = decayed(g[i], w, u);
        float first = approach(m[i], d, u->fresh1);
        float second = u->keep2 * v[i] + u->fresh2 * (d * d);
        m[i] = first;
        v[i] = second;
        float move = u->size1 * first;
        p[i] = w - (u->scale != 0.0f ? move * (u->scale / (sqrtf(second) + u->eps)) : move);
    }
}

/* state: m, infinity norm. size1 = lr / (1 - beta1^t). */
static void adamax_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict m = state[0], *restrict norm = state[1];
    for (int64_t i = 0; i < n; i++) {
        float d = decayed(g[i], p[i], u);
        float first = approach(m[i], d, u->fresh1);
        float largest = larger(norm[i] * u->keep2, fabsf(d) + u->eps);
        m[i] = first;
        norm[i] = largest;
        p[i] -= u->size1 * first / largest;
    }
}

CASE rmsprop_case(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *u, int centred,
                  int heavy)
{
    float *restrict v = state[0], *restrict m = state[1], *restrict buf = state[2];
    for (int64_t i = 0; i < n; i++) {
        float d = decayed(g[i], p[i], u);
        float spread = u->keep2 * v[i] + u->fresh2 * (d * d);
        v[i] = spread;
        if (centred) {
            float mean = approach(m[i], d, u->fresh2);
            m[i] = mean;
            spread -= mean * mean;
        }
        float divisor = sqrtf(spread) + u->eps;
        if (heavy) {
            float b = u->keep1 * buf[i] + d / divisor;
            buf[i] = b;
            p[i] -= u->lr * b;
        } else {
            p[i] -= u->lr * d / divisor;
        }
    }
}

/* state: mean of squares, mean or NULL, momentum or NULL. */
static void rmsprop_step(int64_t n, float *p, const float *g, float **state, const Update *update)
{
    const Update copy = *update;
    if (state[1] && state[2]) rmsprop_case(n, p, g, state, &copy, 1, 1);
    else if (state[1]) rmsprop_case(n, p, g, state, &copy, 1, 0);
    else if (state[2]) rmsprop_case(n, p, g, state, &copy, 0, 1);
    else rmsprop_case(n, p, g, state, &copy, 0, 0);
}

/* state: sum of squares. */
static void adagrad_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict sum = state[0];
    for (int64_t i = 0; i < n; i++) {
        float d = decayed(g[i], p[i], u);
        float total = sum[i] + d * d;
        sum[i] = total;
        p[i] -= u->lr * d / (sqrtf(total) + u->eps);
    }
}

/* state: means of the squares of gradients and of moves. */
static void adadelta_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict v = state[0], *restrict moved = state[1];
    for (int64_t i = 0; i < n; i++) {
        float d = decayed(g[i], p[i], u);
        float square = u->keep2 * v[i] + u->fresh2 * (d * d);
        float move = sqrtf(moved[i] + u->eps) / sqrtf(square + u->eps) * d;
        v[i] = square;
        moved[i] = u->keep2 * moved[i] + u->fresh2 * (move * move);
        p[i] -= u->lr * move;
    }
}

/* state: m. */
static void lion_step(int64_t n, float *restrict p, const float *restrict g, float **state, const Update *update)
{
    const Update copy = *update, *u = &copy;
    float *restrict m = state[0];
    for (int64_t i = 0; i < n; i++) {
        float d = u->sign * g[i];
        float c = u->keep1 * m[i] + u->fresh1 * d;
        float sign = c > 0.0f ? 1.0f : c < 0.0f ? -1.0f : c;
        p[i] = p[i] * u->keep - u->lr * sign;
        m[i] = approach(m[i], d, u->fresh2);
    }
}
