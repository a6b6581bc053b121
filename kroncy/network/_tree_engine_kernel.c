#include "_tree_engine_kernel.h"

#include "_tile.h"

void kroncy_fired_count(int64_t n_neurons, const uint32_t *masks, int64_t *neurons,
                        int64_t *pairs) {
    *neurons = *pairs = 0;
    for (int64_t r = 0; r < n_neurons; r++) {
        *neurons += masks[r] != 0;
        *pairs += __builtin_popcount(masks[r]);
    }
}

#define REAL_BODY "_tree_engine_kernel_real.h"
#include "_real.h"

void kroncy_fired_activate(int is_double, int64_t n, const int64_t *neurons, void *values,
                           double scale, double threshold, int n_outputs, const void *signs,
                           int width, int c, void *sums, uint32_t *masks) {
    REAL_CALL(is_double, kroncy_fired_activate, n, neurons, values, scale, threshold, n_outputs,
              signs, width, c, sums, masks);
}

void kroncy_fired_coefficients(int is_double, int64_t n_neurons, double scale, int n_outputs,
                               const uint32_t *masks, const double *e, const void *signs,
                               int64_t *neurons, int64_t *indptr, int64_t *indices, void *values) {
    REAL_CALL(is_double, kroncy_fired_coefficients, n_neurons, scale, n_outputs, masks, e, signs,
              neurons, indptr, indices, values);
}

void kroncy_fired_scale(int is_double, int64_t n, double scale, void *z) {
    REAL_CALL(is_double, kroncy_fired_scale, n, scale, z);
}
