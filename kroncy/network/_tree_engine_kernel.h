/* Fired sets of the tree engine: from a query to outputs and masks, from masks to sparse coefficients.
 *
 * A mask holds one bit for each sample of the panel: bit c of masks[r] says that neuron r fires on it. */
#ifndef KRONCY_TREE_ENGINE_KERNEL_H
#define KRONCY_TREE_ENGINE_KERNEL_H

#include <stdint.h>

/* Neurons that fire on some sample, and (neuron, sample) pairs that do. */
void kroncy_fired_count(int64_t n_neurons, const uint32_t *masks /* IN */, int64_t *neurons /* OUT */,
                        int64_t *pairs /* OUT */);

/* One sample, the c-th of a panel, from its fired set alone, ascending candidates with
 * z = scale * values: over z > threshold, bit c in the masks, and the sums of each block of 256
 * neurons, sums[block, k, c] = sum signs[r, k] (z - threshold), where a block has candidates. */
void kroncy_fired_activate(int is_double, int64_t n, const int64_t *neurons /* IN */,
                           void *values /* IN, WORK */, double scale, double threshold,
                           int n_outputs, const void *signs /* IN */, int width, int c,
                           void *sums /* OUT */, uint32_t *masks /* IN, OUT */);

/* CSR rows, of the neurons that fire at all: scale * what a step adds to C. */
void kroncy_fired_coefficients(int is_double, int64_t n_neurons, double scale, int n_outputs,
                               const uint32_t *masks /* IN */, const double *e /* IN */,
                               const void *signs /* IN */, int64_t *neurons /* OUT */,
                               int64_t *indptr /* OUT */, int64_t *indices /* OUT */,
                               void *values /* OUT */);

/* z[r] = scale * z[r], the product in double precision */
void kroncy_fired_scale(int is_double, int64_t n, double scale, void *z /* IN, OUT */);

#endif
