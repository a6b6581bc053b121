/* Outputs averaged over the part of the weights that training has not observed. */
#ifndef KRONCY_SMOOTHING_KERNEL_H
#define KRONCY_SMOOTHING_KERNEL_H

#include <stdint.h>

/* f[k] += factor sum_r signs[r, k] (E max(z[r] + deviation g - threshold, 0) - max(z[r] - threshold,
 * 0)) over the neurons r, for a standard normal g.  z (n_neurons,), signs (n_neurons, n_outputs). */
void kroncy_add_expected_excess(int is_double, int64_t n_neurons, int n_outputs, double threshold,
                                double deviation, double factor, const void *z /* IN */,
                                const void *signs /* IN */, double *f /* IN, OUT */);

#endif
