#include "_matmul_kernel.h"

#include "_openmp.h"
#include "_simd.h"

/* Elements of a pass that are worth waking threads for: some ten microseconds of work. */
#define WORTH_SHARING 65536

#define REAL_BODY "_matmul_kernel_real.h"
#include "_real.h"

void kroncy_block_add(int is_double, ptrdiff_t rows, ptrdiff_t columns, const void *x,
                      ptrdiff_t ldx, int sign, const void *y, ptrdiff_t ldy, void *out,
                      ptrdiff_t ldout, int n_threads) {
    REAL_CALL(is_double, kroncy_block_add, rows, columns, x, ldx, sign, y, ldy, out, ldout,
              n_threads);
}

void kroncy_block_combine(int is_double, ptrdiff_t rows, ptrdiff_t columns, void *c,
                          ptrdiff_t ldc, int n_threads) {
    REAL_CALL(is_double, kroncy_block_combine, rows, columns, c, ldc, n_threads);
}

void kroncy_block_combine_add(int is_double, ptrdiff_t rows, ptrdiff_t columns, const void *p,
                              ptrdiff_t ldp, void *c, ptrdiff_t ldc, int n_threads) {
    REAL_CALL(is_double, kroncy_block_combine_add, rows, columns, p, ldp, c, ldc, n_threads);
}
