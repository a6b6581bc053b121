/* What the lazy engine reads beside the coefficient product: z(0), and the skip's coefficients. */
#ifndef KRONCY_LAZY_KERNEL_H
#define KRONCY_LAZY_KERNEL_H

#include <stdint.h>

/* z[r, c] = scale * signs[r] * z[r, c] + z0_scale * z0[samples[c], r] for the neurons of one block.
 * signs (rows,), NULL: all 1.  z0: the block's first neuron in the (n, stride) array. */
void kroncy_block_z(int is_double, int rows, int width, int count, double scale,
                    const void *signs /* IN */, double z0_scale, const void *z0 /* IN */,
                    int64_t stride, const int64_t *samples /* IN */, void *z /* IN, OUT */);

/* f[k, c] = sum over i in [begin, end) of v[i, k] panel[i, c] */
void kroncy_skip_outputs(int is_double, int64_t begin, int64_t end, int width, int n_outputs,
                         const void *v /* IN */, const void *panel /* IN */, void *f /* OUT */);

#endif
