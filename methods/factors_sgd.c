/* One step of SGD with momentum on w = o_1 * ... * o_D, number by number.

   The chain rule, the penalty's decay, the momentum and the new product in one pass: D factors, D momenta and
   the gradient are read once; factors, momenta and the weight are written once. DEPTH is D. Each operation is
   rounded as in torch's own kernels, so the result is theirs bit for bit; fused.py makes sure of it. */

#include <stddef.h>

#define BLOCK 64  /* numbers moved between prefetches */
#define AHEAD 256 /* numbers between what is moved and what is fetched: pages are too short for the hardware's guess */
#define LINE 16   /* numbers in a cache line */

static inline void move(size_t n, size_t row, float *restrict omega, float *restrict momenta,
                        const float *restrict grad, float *restrict weight, float lr, float momentum, float decay)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float o[DEPTH], slope[DEPTH];
        for (int d = 0; d < DEPTH; d++)
            o[d] = omega[d * row + i];
        /* slope[d] = grad * (product of all factors but d): prefixes, then suffixes. */
        slope[0] = grad[i];
        for (int d = 1; d < DEPTH; d++)
            slope[d] = slope[d - 1] * o[d - 1];
        float suffix = o[DEPTH - 1];
        for (int d = DEPTH - 2; d >= 0; d--) {
            slope[d] *= suffix;
            suffix *= o[d];
        }
        for (int d = 0; d < DEPTH; d++) {
            float m = momenta[d * row + i] * momentum + __builtin_fmaf(o[d], decay, slope[d]);
            momenta[d * row + i] = m;
            o[d] = __builtin_fmaf(-lr, m, o[d]);
            omega[d * row + i] = o[d];
        }
        float product = o[0];
        for (int d = 1; d < DEPTH; d++)
            product *= o[d];
        weight[i] = product;
    }
}

/* A layer of n weights; `row` numbers lie between a factor and the next, and between their momenta. */
void step(size_t n, size_t row, float *restrict omega, float *restrict momenta, const float *restrict grad,
          float *restrict weight, float lr, float momentum, float decay)
{
    size_t at = 0;
    for (; at + BLOCK <= n; at += BLOCK) {
        for (size_t next = at + AHEAD; next < at + AHEAD + BLOCK; next += LINE) {
            for (int d = 0; d < DEPTH; d++) {
                __builtin_prefetch(omega + d * row + next, 1);
                __builtin_prefetch(momenta + d * row + next, 1);
            }
            __builtin_prefetch(grad + next, 0);
            __builtin_prefetch(weight + next, 1);
        }
        move(BLOCK, row, omega + at, momenta + at, grad + at, weight + at, lr, momentum, decay);
    }
    move(n - at, row, omega + at, momenta + at, grad + at, weight + at, lr, momentum, decay);
}
