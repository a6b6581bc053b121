/* One pass over memory: a point next to x.  Bound by bandwidth, so threads share it by blocks. */
#include <stddef.h>

#include "_simd.h"

#define BLOCK 8192 /* doubles: 64 kB of x, d and point each stay in the second-level cache */

KRONCY_CLONES
static void write_block(const double *restrict x, const double *restrict d, double h,
                        double *restrict point, size_t n) {
    for (size_t i = 0; i < n; i++) point[i] = x[i] + h * d[i];
}

/* point[p] = x + h d, OUT. */
void kroncy_write_point(const double *x, const double *d, double h, double *point, size_t p,
                        int threads) {
    ptrdiff_t blocks = (ptrdiff_t)((p + BLOCK - 1) / BLOCK);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && blocks > 16)
    for (ptrdiff_t b = 0; b < blocks; b++) {
        size_t start = (size_t)b * BLOCK, n = p - start < BLOCK ? p - start : BLOCK;
        write_block(x + start, d + start, h, point + start, n);
    }
}
