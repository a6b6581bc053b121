/* What one block of neurons does in an iteration, once its products are there.
 *
 * width: reals in a row of z (64 or 128 bytes); count <= width: samples of the panel in use.
 * A mask holds one bit for each sample of the panel: bit c of masks[r] says that neuron r fires on it. */
#ifndef KRONCY_ENGINE_KERNEL_H
#define KRONCY_ENGINE_KERNEL_H

#include <stdint.h>

#include "_coefficients_kernel.h"

#define KRONCY_BLOCK_WORDS (KRONCY_BLOCK / 64)

#define KRONCY_DECLARE(REAL, SUFFIX)                                                              \
    /* z[r, c] = scale * signs[r] * z[r, c] + start_scale * start[c][r]; signs NULL: all 1 */      \
    void kroncy_block_start_##SUFFIX(int rows, int width, int count, REAL scale,                  \
                                     const REAL *signs /* IN */, REAL start_scale,                \
                                     const REAL *const *start /* IN */, REAL *z /* IN, OUT */);   \
    /* f[k, c] = sum_r signs[r, k] max(z[r, c] - threshold, 0);  masks[r] bit c = z > threshold */ \
    void kroncy_block_activate_##SUFFIX(int rows, int width, int count, int n_outputs,            \
                                        REAL threshold, const REAL *z /* IN */,                   \
                                        const REAL *signs /* IN */, REAL *f /* OUT */,            \
                                        uint32_t *masks /* OUT */);                               \
    /* C[r, samples[c]] += sum_k signs[r, k] e[c, k] wherever r fires on c; -1: out of memory */  \
    int kroncy_block_update_##SUFFIX(kroncy_tile *tiles /* IN, OUT */, int rows, int count,       \
                                     int n_outputs, const uint32_t *masks /* IN */,               \
                                     const int64_t *samples /* IN */, const double *e /* IN */,   \
                                     const REAL *signs /* IN */);                                 \
    /* weights[r] += scale * sum_c delta x[c] for the same deltas; x (samples, d) */              \
    void kroncy_block_descend_##SUFFIX(int rows, double scale, int n_outputs, int64_t d,          \
                                       const uint32_t *masks /* IN */, const double *e /* IN */,  \
                                       const REAL *signs /* IN */, const REAL *x /* IN */,        \
                                       REAL *weights /* IN, OUT */);                              \
    /* f[k, c] = sum over i in [begin, end) of v[i, k] panel[i, c] */                             \
    void kroncy_skip_outputs_##SUFFIX(int64_t begin, int64_t end, int width, int n_outputs,       \
                                      const REAL *v /* IN */, const REAL *panel /* IN */,         \
                                      REAL *f /* OUT */);                                         \
    /* One sample from its fired set alone, ascending candidates with z = scale * values:          \
     * f[k] = norm sum signs[r, k] (z - threshold), and `bit` in the masks, over z > threshold */  \
    void kroncy_fired_activate_##SUFFIX(                                                          \
        int64_t n, const int64_t *neurons /* IN */, const REAL *values /* IN */, double scale,    \
        REAL threshold, double norm, int n_outputs, const REAL *signs /* IN */, uint32_t bit,     \
        double *f /* OUT */, uint32_t *masks /* IN, OUT */);                                      \
    /* CSR rows, of the neurons that fire at all: scale * what kroncy_block_update adds to C */    \
    void kroncy_fired_coefficients_##SUFFIX(                                                      \
        int64_t n_neurons, double scale, int n_outputs, const uint32_t *masks /* IN */,           \
        const double *e /* IN */, const REAL *signs /* IN */, int64_t *neurons /* OUT */,         \
        int64_t *indptr /* OUT */, int64_t *indices /* OUT */, REAL *values /* OUT */);

KRONCY_DECLARE(float, f32)
KRONCY_DECLARE(double, f64)

/* Replace the fired bits of the block's neurons for each sample, bits[c] -> KRONCY_BLOCK_WORDS words;
 * adds the number fired and the number that changed. */
void kroncy_block_record(int rows, int count, const uint32_t *masks /* IN */,
                         uint64_t *const *bits /* IN, OUT */, int64_t *fired, int64_t *flipped);

/* Neurons that fire on some sample, and (neuron, sample) pairs that do. */
void kroncy_fired_count(int64_t n_neurons, const uint32_t *masks /* IN */, int64_t *neurons /* OUT */,
                        int64_t *pairs /* OUT */);

#endif
