#include "_explicit_kernel.h"

#include "_simd.h"

#define REAL_BODY "_explicit_kernel_real.h"
#include "_real.h"

void kroncy_expand(int is_double, int n_factors, const void *const *rows, const int64_t *widths,
                   void *x) {
    REAL_CALL(is_double, kroncy_expand, n_factors, rows, widths, x);
}

void kroncy_block_add_z0(int is_double, int rows, int width, int count, double factor,
                         const void *z0, int64_t stride, const int64_t *samples, void *z) {
    REAL_CALL(is_double, kroncy_block_add_z0, rows, width, count, factor, z0, stride, samples, z);
}

void kroncy_block_descend(int is_double, int rows, double scale, int n_outputs, int64_t d,
                          const uint32_t *masks, const double *e, const void *signs, const void *x,
                          void *weights) {
    REAL_CALL(is_double, kroncy_block_descend, rows, scale, n_outputs, d, masks, e, signs, x,
              weights);
}

void kroncy_linear_outputs(int is_double, int64_t count, int n_outputs, int64_t d, const void *u,
                           const void *x, double *f) {
    REAL_CALL(is_double, kroncy_linear_outputs, count, n_outputs, d, u, x, f);
}

void kroncy_linear_descend(int is_double, int64_t count, int n_outputs, int64_t d, double factor,
                           const double *e, const void *x, void *u) {
    REAL_CALL(is_double, kroncy_linear_descend, count, n_outputs, d, factor, e, x, u);
}
