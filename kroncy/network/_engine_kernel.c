#include "_engine_kernel.h"

#include <string.h>

#include "_above.h"
#include "_simd.h"

#define REAL_BODY "_engine_kernel_real.h"
#include "_real.h"

void kroncy_block_activate(int is_double, int rows, int width, int count, int n_outputs,
                           double threshold, const void *z, const void *signs, void *f,
                           uint32_t *masks) {
    REAL_CALL(is_double, kroncy_block_activate, rows, width, count, n_outputs, threshold, z, signs,
              f, masks);
}

void kroncy_sum_outputs(int is_double, int64_t n_parts, int width, int count, int n_outputs,
                        double factor, const void *parts, double *f) {
    REAL_CALL(is_double, kroncy_sum_outputs, n_parts, width, count, n_outputs, factor, parts, f);
}

void kroncy_skip_add(int is_double, int64_t count, int n_outputs, double factor,
                     const int64_t *samples, const double *e, void *v) {
    REAL_CALL(is_double, kroncy_skip_add, count, n_outputs, factor, samples, e, v);
}
