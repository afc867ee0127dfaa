/* One step of SGD and of Adam on a piece of a parameter, in place; formulas and order of operations as PyTorch 2. */
#include "kernels.h"
#include <math.h>

/* The gradient with weight decay. Without decay the weight is not touched: 0 * inf would be NaN. */
#define DECAYED(g, w) (decay != 0.0f ? sign * (g) + decay * (w) : sign * (g))

/* `buf` is NULL without momentum. In the first step the buffer becomes the gradient. */
static void sgd_step(int64_t n, float *restrict p, const float *restrict g, float *restrict buf, const SgdStep *s)
{
    const float lr = s->lr, decay = s->weight_decay, sign = s->maximize ? -1.0f : 1.0f;
    const float momentum = s->momentum, fresh = 1.0f - s->dampening;
    const int first = s->first, nesterov = s->nesterov;
    if (!buf) {
        for (int64_t i = 0; i < n; i++) p[i] -= lr * DECAYED(g[i], p[i]);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float d = DECAYED(g[i], p[i]);
        float b = first ? d : momentum * buf[i] + fresh * d;
        buf[i] = b;
        p[i] -= lr * (nesterov ? d + momentum * b : b);
    }
}

/* The caller puts the bias corrections into step_size = lr / (1 - beta1^t) and scale = 1 / sqrt(1 - beta2^t). */
static void adam_step(int64_t n, float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
                      const AdamStep *s)
{
    const float keep = s->keep, decay = s->weight_decay, sign = s->maximize ? -1.0f : 1.0f;
    const float fresh1 = s->fresh1, beta2 = s->beta2, fresh2 = s->fresh2;
    const float step_size = s->step_size, scale = s->scale, eps = s->eps;
    for (int64_t i = 0; i < n; i++) {
        float w = p[i] * keep;
        float d = DECAYED(g[i], w);
        float first = m[i] + fresh1 * (d - m[i]);
        float second = beta2 * v[i] + fresh2 * (d * d);
        m[i] = first;
        v[i] = second;
        p[i] = w - step_size * first / (sqrtf(second) * scale + eps);
    }
}
