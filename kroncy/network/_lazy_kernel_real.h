/* Body of _lazy_kernel.c for one dtype. */

#define WIDE ((int)(128 / sizeof(REAL)))
#define NARROW ((int)(64 / sizeof(REAL)))

/* z = scale C G (with signs, if there are any) + z0_scale z(0), for one element. */
#define Z(r, c)                                                                                 \
    z[(r) * width + (c)] = (signs ? scale * signs[r] : scale) * z[(r) * width + (c)] +          \
                           z0_scale * z0[samples[c] * stride + (r)]

/* z(0) is stored sample by sample: squares of it are transposed in registers, a whole cache line of
 * each sample before the next. */
KRONCY_CLONES
static void NAMED(kroncy_block_z)(int rows, int width, int count, REAL scale, const REAL *signs,
                                  REAL z0_scale, const REAL *z0, int64_t stride,
                                  const int64_t *samples, REAL *z) {
    enum { LANES = 16 / sizeof(REAL) };
    const int whole = count / LANES * LANES, inside = rows / LANES * LANES;
    for (int c0 = 0; c0 < whole; c0 += KRONCY_WAYS) {
        const int c1 = c0 + KRONCY_WAYS < whole ? c0 + KRONCY_WAYS : whole;
        for (int r0 = 0; r0 < inside; r0 += NARROW) {
            for (int c = c0; c < c1; c++)
                __builtin_prefetch(z0 + samples[c] * stride + r0 + AHEAD * NARROW);
            for (int c = c0; c < c1; c += LANES)
                for (int r = r0; r < r0 + NARROW && r < inside; r += LANES) {
                    NAMED(quarter) start[LANES];
                    for (int j = 0; j < LANES; j++)
                        memcpy(&start[j], z0 + samples[c + j] * stride + r, sizeof start[j]);
                    NAMED(transpose)(start);
                    for (int j = 0; j < LANES; j++) {
                        NAMED(quarter) *out = (NAMED(quarter) *)(z + (r + j) * width + c);
                        *out = (signs ? scale * signs[r + j] : scale) * *out + z0_scale * start[j];
                    }
                }
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = r < inside ? whole : 0; c < count; c++) Z(r, c);
}

#undef Z

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
