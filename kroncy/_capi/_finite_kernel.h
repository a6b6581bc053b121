/* Whether the n numbers of x are all finite. */
#ifndef KRONCY_FINITE_KERNEL_H
#define KRONCY_FINITE_KERNEL_H

#include <stdint.h>

int kroncy_finite(int is_double, const void *x /* IN */, int64_t n);

#endif
