/* What every engine does with one block of neurons in an iteration, once its products are there.
 *
 * width: reals in a row of z (64 or 128 bytes); count <= width: samples of the panel in use.
 * A mask holds one bit for each sample of the panel: bit c of masks[r] says that neuron r fires on it. */
#ifndef KRONCY_ENGINE_KERNEL_H
#define KRONCY_ENGINE_KERNEL_H

#include <stdint.h>

/* f[k, c] = sum_r signs[r, k] max(z[r, c] - threshold, 0);  masks[r] bit c = z > threshold */
void kroncy_block_activate(int is_double, int rows, int width, int count, int n_outputs,
                           double threshold, const void *z /* IN */, const void *signs /* IN */,
                           void *f /* OUT */, uint32_t *masks /* OUT */);

/* f[c, k] += factor * sum_p parts[p, k, c], in the order of p, parts (n_parts, n_outputs, width) */
void kroncy_sum_outputs(int is_double, int64_t n_parts, int width, int count, int n_outputs,
                        double factor, const void *parts /* IN */, double *f /* IN, OUT */);

/* v[samples[c], k] += factor * e[c, k] */
void kroncy_skip_add(int is_double, int64_t count, int n_outputs, double factor,
                     const int64_t *samples /* IN */, const double *e /* IN */,
                     void *v /* IN, OUT */);

#endif
