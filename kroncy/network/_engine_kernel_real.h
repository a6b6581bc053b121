/* Body of _engine_kernel.c for one dtype. */

#define WIDE ((int)(128 / sizeof(REAL)))
#define NARROW ((int)(64 / sizeof(REAL)))

/* width and n_outputs are constants once inlined into the calls below.  Half of the rows fire on
 * nothing, which no branch predictor foresees: with one output they are added too, as zeros. */
static inline __attribute__((always_inline)) void NAMED(activate)(
    int rows, const int width, int count, int n_outputs, REAL threshold, const REAL *z,
    const REAL *signs, REAL *f, uint32_t *masks) {
    const uint32_t used = count < 32 ? ((uint32_t)1 << count) - 1 : ~(uint32_t)0;
    REAL sum[WIDE] = {0};
    for (int j = 0; n_outputs > 1 && j < n_outputs * width; j++) f[j] = 0;
    for (int r = 0; r < rows; r++, z += width, signs += n_outputs) {
        REAL excess[WIDE];
        uint32_t mask = 0;
        for (int c = 0; c < width; c += NARROW) mask |= NAMED(above)(z + c, threshold) << c;
        masks[r] = mask &= used;
        if (n_outputs > 1 && mask == 0) continue;
        for (int c = 0; c < width; c++) excess[c] = z[c] > threshold ? z[c] - threshold : 0;
        if (n_outputs == 1)
            for (int c = 0; c < width; c++) sum[c] += signs[0] * excess[c];
        else
            for (int k = 0; k < n_outputs; k++)
                for (int c = 0; c < width; c++) f[k * width + c] += signs[k] * excess[c];
    }
    if (n_outputs == 1) memcpy(f, sum, width * sizeof *f);
}

/* Written out, so that the inner loops have constant lengths. */
KRONCY_CLONES
static void NAMED(kroncy_block_activate)(int rows, int width, int count, int n_outputs,
                                         REAL threshold, const REAL *z, const REAL *signs, REAL *f,
                                         uint32_t *masks) {
    if (width == WIDE && n_outputs == 1)
        NAMED(activate)(rows, WIDE, count, 1, threshold, z, signs, f, masks);
    else if (width == WIDE)
        NAMED(activate)(rows, WIDE, count, n_outputs, threshold, z, signs, f, masks);
    else if (n_outputs == 1)
        NAMED(activate)(rows, NARROW, count, 1, threshold, z, signs, f, masks);
    else
        NAMED(activate)(rows, NARROW, count, n_outputs, threshold, z, signs, f, masks);
}

static void NAMED(kroncy_sum_outputs)(int64_t n_parts, int width, int count, int n_outputs,
                                      double factor, const REAL *parts, double *f) {
    for (int c = 0; c < count; c++)
        for (int k = 0; k < n_outputs; k++) {
            double total = 0;
            for (int64_t p = 0; p < n_parts; p++)
                total += parts[(p * n_outputs + k) * width + c];
            f[c * n_outputs + k] += factor * total;
        }
}

static void NAMED(kroncy_skip_add)(int64_t count, int n_outputs, double factor,
                                   const int64_t *samples, const double *e, REAL *v) {
    for (int64_t c = 0; c < count; c++)
        for (int k = 0; k < n_outputs; k++)
            v[samples[c] * n_outputs + k] += (REAL)(factor * e[c * n_outputs + k]);
}

#undef WIDE
#undef NARROW
