/* Body of _explicit_kernel.c for one dtype. */

#include "_delta_real.h"

static void NAMED(kroncy_expand)(int n_factors, const void *const *rows, const int64_t *widths,
                                 REAL *x) {
    int64_t size = 1;
    x[0] = 1;
    for (int l = 0; l < n_factors; l++) {
        const REAL *row = rows[l];
        const int64_t p = widths[l];
        /* From the back, so that no product is overwritten before it is read. */
        for (int64_t j = size - 1; j >= 0; j--)
            for (int64_t k = p - 1; k >= 0; k--) x[j * p + k] = x[j] * row[k];
        size *= p;
    }
}

static void NAMED(kroncy_block_add_z0)(int rows, int width, int count, REAL factor, const REAL *z0,
                                       int64_t stride, const int64_t *samples, REAL *z) {
    for (int c = 0; c < count; c++) {
        const REAL *row = z0 + samples[c] * stride;
        for (int r = 0; r < rows; r++) z[r * width + c] += factor * row[r];
    }
}

KRONCY_CLONES
static void NAMED(kroncy_block_descend)(int rows, double scale, int n_outputs, int64_t d,
                                        const uint32_t *masks, const double *e, const REAL *signs,
                                        const REAL *x, REAL *weights) {
    for (int r = 0; r < rows; r++, weights += d)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1) {
            int c = __builtin_ctz(mask);
            REAL delta = (REAL)(scale * NAMED(delta)(n_outputs, signs + r * n_outputs,
                                                     e + c * n_outputs));
            const REAL *row = x + c * d;
            for (int64_t j = 0; j < d; j++) weights[j] += delta * row[j];
        }
}

static void NAMED(kroncy_linear_outputs)(int64_t count, int n_outputs, int64_t d, const REAL *u,
                                         const REAL *x, double *f) {
    for (int64_t c = 0; c < count; c++)
        for (int k = 0; k < n_outputs; k++) {
            double total = 0;
            for (int64_t j = 0; j < d; j++) total += u[k * d + j] * x[c * d + j];
            f[c * n_outputs + k] += total;
        }
}

static void NAMED(kroncy_linear_descend)(int64_t count, int n_outputs, int64_t d, double factor,
                                         const double *e, const REAL *x, REAL *u) {
    for (int64_t c = 0; c < count; c++)
        for (int k = 0; k < n_outputs; k++) {
            const REAL delta = (REAL)(factor * e[c * n_outputs + k]);
            for (int64_t j = 0; j < d; j++) u[k * d + j] += delta * x[c * d + j];
        }
}
