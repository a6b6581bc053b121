/* Rows and weights in full, for the explicit engine: x (samples, d), weights (neurons, d).
 *
 * width: reals in a row of z (64 or 128 bytes).  A mask holds one bit for each sample of the panel. */
#ifndef KRONCY_EXPLICIT_KERNEL_H
#define KRONCY_EXPLICIT_KERNEL_H

#include <stdint.h>

/* x = Kronecker product of rows[0] (widths[0],), rows[1] ... */
void kroncy_expand(int is_double, int n_factors, const void *const *rows /* IN */,
                   const int64_t *widths /* IN */, void *x /* OUT */);

/* z[r, c] += factor * z0[samples[c], r].  z0: the block's first neuron in the (n, stride) array. */
void kroncy_block_add_z0(int is_double, int rows, int width, int count, double factor,
                         const void *z0 /* IN */, int64_t stride, const int64_t *samples /* IN */,
                         void *z /* IN, OUT */);

/* weights[r] += scale * sum_c delta x[c], delta what a step adds to C[r, sample c] */
void kroncy_block_descend(int is_double, int rows, double scale, int n_outputs, int64_t d,
                          const uint32_t *masks /* IN */, const double *e /* IN */,
                          const void *signs /* IN */, const void *x /* IN */,
                          void *weights /* IN, OUT */);

/* f[c, k] += <u[k], x[c]> */
void kroncy_linear_outputs(int is_double, int64_t count, int n_outputs, int64_t d,
                           const void *u /* IN */, const void *x /* IN */, double *f /* IN, OUT */);

/* u[k] += sum_c factor e[c, k] x[c] */
void kroncy_linear_descend(int is_double, int64_t count, int n_outputs, int64_t d, double factor,
                           const double *e /* IN */, const void *x /* IN */, void *u /* IN, OUT */);

#endif
