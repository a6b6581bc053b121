/* z[r] = sum_j y[j] t[r, j]: one sample's row against the half-contracted weights of its first factor.
 * t (lanes, rest), y (rest,), z (lanes,); the lanes are neurons. */
#ifndef KRONCY_START_KERNEL_H
#define KRONCY_START_KERNEL_H

#include <stdint.h>

void kroncy_contract_f32(int64_t lanes, int64_t rest, const float *t /* IN */,
                         const float *y /* IN */, float *z /* OUT */);
void kroncy_contract_f64(int64_t lanes, int64_t rest, const double *t /* IN */,
                         const double *y /* IN */, double *z /* OUT */);

#endif
