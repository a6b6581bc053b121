/* The additions of Strassen-Winograd: passes over blocks of row-major matrices.
 *
 * Every pass reads each operand once and is bound by memory.  Rows are shared among threads; an
 * element is written by one thread and read by none other, so the result never depends on them. */
#ifndef KRONCY_MATMUL_KERNEL_H
#define KRONCY_MATMUL_KERNEL_H

#include <stddef.h>

#define DECLARE_PASSES(real, suffix)                                                             \
    /* out = x + sign * y; sign is +1 or -1, and out may be x or y itself. */                    \
    void block_add_##suffix(ptrdiff_t rows, ptrdiff_t columns, const real *x, ptrdiff_t ldx,     \
                            real sign, const real *y, ptrdiff_t ldy, real *out, ptrdiff_t ldout, \
                            int n_threads);                                                      \
    /* The four quadrants of c hold the products P1, P6; P7, P5: turn them into                  \
     * P1, P1+P6+P5; P1+P6+P7, P1+P6+P7+P5. */                                                   \
    void block_combine_##suffix(ptrdiff_t rows, ptrdiff_t columns, real *c, ptrdiff_t ldc,       \
                                int n_threads);                                                  \
    /* The same sums of the products in p, added to c. */                                        \
    void block_combine_add_##suffix(ptrdiff_t rows, ptrdiff_t columns, const real *p,            \
                                    ptrdiff_t ldp, real *c, ptrdiff_t ldc, int n_threads);

DECLARE_PASSES(float, f32)
DECLARE_PASSES(double, f64)

#endif
