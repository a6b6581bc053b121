/* Body of _lazy_kernel.c for one dtype. */

#define WIDE ((int)(128 / sizeof(REAL)))
#define NARROW ((int)(64 / sizeof(REAL)))

/* Sixteen neurons at a time: the transposed reads stay in L1. */
KRONCY_CLONES
static void NAMED(kroncy_block_z)(int rows, int width, int count, REAL scale, const REAL *signs,
                                  REAL z0_scale, const REAL *z0, int64_t stride,
                                  const int64_t *samples, REAL *z) {
    for (int r0 = 0; r0 < rows; r0 += 16) {
        int r1 = r0 + 16 < rows ? r0 + 16 : rows;
        for (int c = 0; c < count; c++) {
            const REAL *row = z0 + samples[c] * stride;
            for (int r = r0; r < r1; r++)
                z[r * width + c] = (signs ? scale * signs[r] : scale) * z[r * width + c] +
                                   z0_scale * row[r];
        }
    }
}

static inline __attribute__((always_inline)) void NAMED(skip)(int64_t begin, int64_t end,
                                                              const int width, int n_outputs,
                                                              const REAL *v, const REAL *panel,
                                                              REAL *f) {
    for (int k = 0; k < n_outputs; k++) {
        REAL sum[WIDE] = {0};
        for (int64_t i = begin; i < end; i++)
            for (int c = 0; c < width; c++) sum[c] += v[i * n_outputs + k] * panel[i * width + c];
        for (int c = 0; c < width; c++) f[k * width + c] = sum[c];
    }
}

/* The two widths are written out so that the inner loops have constant lengths. */
KRONCY_CLONES
static void NAMED(kroncy_skip_outputs)(int64_t begin, int64_t end, int width, int n_outputs,
                                       const REAL *v, const REAL *panel, REAL *f) {
    if (width == WIDE)
        NAMED(skip)(begin, end, WIDE, n_outputs, v, panel, f);
    else
        NAMED(skip)(begin, end, NARROW, n_outputs, v, panel, f);
}

#undef WIDE
#undef NARROW
