/* Body of _tree_engine_kernel.c for one dtype. */

#include "_delta_real.h"

static void NAMED(kroncy_fired_activate)(int64_t n, const int64_t *neurons, REAL *values,
                                         double scale, REAL threshold, int n_outputs,
                                         const REAL *signs, int width, int c, REAL *sums,
                                         uint32_t *masks) {
    for (int64_t begin = 0, end; begin < n; begin = end) {
        const int64_t block = neurons[begin] / KRONCY_BLOCK;
        for (end = begin; end < n && neurons[end] / KRONCY_BLOCK == block; end++) {
            const REAL z = (REAL)(scale * values[end]);
            values[end] = z > threshold ? z - threshold : 0;
            if (!(z > threshold)) continue;
            /* Samples of a panel share the masks, and may be in different threads. */
            __atomic_fetch_or(masks + neurons[end], (uint32_t)1 << c, __ATOMIC_RELAXED);
        }
        for (int k = 0; k < n_outputs; k++) {
            REAL sum = 0;
            for (int64_t j = begin; j < end; j++) sum += signs[neurons[j] * n_outputs + k] * values[j];
            sums[(block * n_outputs + k) * width + c] = sum;
        }
    }
}

static void NAMED(kroncy_fired_coefficients)(int64_t n_neurons, double scale, int n_outputs,
                                             const uint32_t *masks, const double *e,
                                             const REAL *signs, int64_t *neurons, int64_t *indptr,
                                             int64_t *indices, REAL *values) {
    int64_t n = 0, pairs = 0;
    indptr[0] = 0;
    for (int64_t r = 0; r < n_neurons; r++) {
        if (masks[r] == 0) continue;
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1) {
            int c = __builtin_ctz(mask);
            indices[pairs] = c;
            values[pairs++] = (REAL)(scale * NAMED(delta)(n_outputs, signs + r * n_outputs,
                                                          e + c * n_outputs));
        }
        neurons[n++] = r;
        indptr[n] = pairs;
    }
}

static void NAMED(kroncy_fired_scale)(int64_t n, double scale, REAL *z) {
    for (int64_t r = 0; r < n; r++) z[r] = (REAL)(scale * z[r]);
}
