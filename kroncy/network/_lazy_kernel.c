#include "_lazy_kernel.h"

#include <string.h>

#include "_simd.h"
#include "_transpose.h"

#define AHEAD 8 /* lines of a row, which comes from memory */

#define REAL_BODY "_lazy_kernel_real.h"
#include "_real.h"

void kroncy_block_z(int is_double, int rows, int width, int count, double scale, const void *signs,
                    double z0_scale, const void *z0, int64_t stride, const int64_t *samples,
                    void *z) {
    REAL_CALL(is_double, kroncy_block_z, rows, width, count, scale, signs, z0_scale, z0, stride,
              samples, z);
}

void kroncy_skip_outputs(int is_double, int64_t begin, int64_t end, int width, int n_outputs,
                         const void *v, const void *panel, void *f) {
    REAL_CALL(is_double, kroncy_skip_outputs, begin, end, width, n_outputs, v, panel, f);
}
