/* z[r] = sum_j y[j] t[r, j]: one sample's row times the half-multiplied weights of its first mode.
 * t (lanes, rest), y (rest,), z (lanes,); the lanes are neurons. */
#ifndef KRONCY_CONTRACTION_KERNEL_H
#define KRONCY_CONTRACTION_KERNEL_H

#include <stdint.h>

void kroncy_contract(int is_double, int64_t lanes, int64_t rest, const void *t /* IN */,
                     const void *y /* IN */, void *z /* OUT */);

/* z[r] = t[r * columns] for r < lanes: one column of a table. */
void kroncy_gather(int is_double, int64_t lanes, int64_t columns, const void *t /* IN */,
                   void *z /* OUT */);

#endif
