/* The additions of Strassen-Winograd: passes over blocks of row-major matrices.
 *
 * Every pass reads each operand once and is bound by memory.  `run`, which is kroncy_run, shares rows
 * among threads; an element is written by one and read by no other: the result does not depend on them. */
#ifndef KRONCY_MATMUL_KERNEL_H
#define KRONCY_MATMUL_KERNEL_H

#include <stddef.h>

#include "_team.h"

/* out = x + sign * y; sign is +1 or -1, and out may be x or y itself. */
void kroncy_block_add(int is_double, ptrdiff_t rows, ptrdiff_t columns, const void *x,
                      ptrdiff_t ldx, int sign, const void *y, ptrdiff_t ldy, void *out,
                      ptrdiff_t ldout, kroncy_runner run, int n_threads);

/* The four quadrants of c hold the products P1, P6; P7, P5: turn them into
 * P1, P1+P6+P5; P1+P6+P7, P1+P6+P7+P5. */
void kroncy_block_combine(int is_double, ptrdiff_t rows, ptrdiff_t columns, void *c,
                          ptrdiff_t ldc, kroncy_runner run, int n_threads);

/* The same sums of the products in p, added to c. */
void kroncy_block_combine_add(int is_double, ptrdiff_t rows, ptrdiff_t columns, const void *p,
                              ptrdiff_t ldp, void *c, ptrdiff_t ldc, kroncy_runner run, int n_threads);

#endif
