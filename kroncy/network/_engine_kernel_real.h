/* One text for both dtypes: included by _engine_kernel.c with REAL and NAMED defined. */

#define WIDE ((int)(128 / sizeof(REAL)))
#define NARROW ((int)(64 / sizeof(REAL)))

/* Sixteen neurons at a time: the transposed reads stay in L1. */
KRONCY_CLONES
void NAMED(kroncy_block_start)(int rows, int width, int count, REAL scale, const REAL *signs,
                               REAL start_scale, const REAL *const *start, REAL *z) {
    for (int r0 = 0; r0 < rows; r0 += 16) {
        int r1 = r0 + 16 < rows ? r0 + 16 : rows;
        for (int c = 0; c < count; c++)
            for (int r = r0; r < r1; r++)
                z[r * width + c] = (signs ? scale * signs[r] : scale) * z[r * width + c] +
                                   start_scale * start[c][r];
    }
}

static inline __attribute__((always_inline)) void NAMED(activate)(
    int rows, const int width, int count, int n_outputs, REAL threshold, const REAL *z,
    const REAL *signs, REAL *f, uint32_t *masks) {
    const uint32_t used = count < 32 ? ((uint32_t)1 << count) - 1 : ~(uint32_t)0;
    for (int j = 0; j < n_outputs * width; j++) f[j] = 0;
    for (int r = 0; r < rows; r++, z += width, signs += n_outputs) {
        REAL excess[WIDE];
        uint32_t mask = 0;
        for (int c = 0; c < width; c++) mask |= (uint32_t)(z[c] > threshold) << c;
        masks[r] = mask &= used;
        if (mask == 0) continue;
        for (int c = 0; c < width; c++) excess[c] = z[c] > threshold ? z[c] - threshold : 0;
        for (int k = 0; k < n_outputs; k++)
            for (int c = 0; c < width; c++) f[k * width + c] += signs[k] * excess[c];
    }
}

KRONCY_CLONES
void NAMED(kroncy_block_activate)(int rows, int width, int count, int n_outputs, REAL threshold,
                                  const REAL *z, const REAL *signs, REAL *f, uint32_t *masks) {
    if (width == WIDE)
        NAMED(activate)(rows, WIDE, count, n_outputs, threshold, z, signs, f, masks);
    else
        NAMED(activate)(rows, NARROW, count, n_outputs, threshold, z, signs, f, masks);
}

static inline REAL NAMED(delta)(int n_outputs, const REAL *signs, const double *e) {
    double sum = 0;
    for (int k = 0; k < n_outputs; k++) sum += signs[k] * e[k];
    return (REAL)sum;
}

int NAMED(kroncy_block_update)(kroncy_tile *tiles, int rows, int count, int n_outputs,
                               const uint32_t *masks, const int64_t *samples, const double *e,
                               const REAL *signs) {
    int tile[32], sample[32];
    for (int c = 0; c < count; c++) {
        tile[c] = (int)(samples[c] / KRONCY_TILE);
        sample[c] = (int)(samples[c] % KRONCY_TILE);
    }
    /* C is far larger than the caches and its places are known in advance: ask for them all first. */
    for (int r = 0; r < rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1) {
            int c = __builtin_ctz(mask);
            if (tiles[tile[c]].offset != NULL)
                kroncy_tile_prefetch(tiles + tile[c], r, sample[c], sizeof(REAL));
        }
    for (int r = 0; r < rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1) {
            int c = __builtin_ctz(mask);
            REAL delta = NAMED(delta)(n_outputs, signs + r * n_outputs, e + c * n_outputs);
            if (NAMED(kroncy_tile_add)(tiles + tile[c], r, sample[c], delta) != 0) return -1;
        }
    return 0;
}

KRONCY_CLONES
void NAMED(kroncy_block_descend)(int rows, double scale, int n_outputs, int64_t d,
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

void NAMED(kroncy_fired_activate)(int64_t n, const int64_t *neurons, const REAL *values,
                                  double scale, REAL threshold, double norm, int n_outputs,
                                  const REAL *signs, uint32_t bit, double *f, uint32_t *masks) {
    for (int k = 0; k < n_outputs; k++) f[k] = 0;
    for (int64_t j = 0; j < n; j++) {
        const int64_t r = neurons[j];
        const REAL z = (REAL)(scale * values[j]);
        if (!(z > threshold)) continue;
        /* Samples of a panel share the masks, and may be in different threads. */
        __atomic_fetch_or(masks + r, bit, __ATOMIC_RELAXED);
        for (int k = 0; k < n_outputs; k++) f[k] += signs[r * n_outputs + k] * (z - threshold);
    }
    for (int k = 0; k < n_outputs; k++) f[k] *= norm;
}

void NAMED(kroncy_fired_coefficients)(int64_t n_neurons, double scale, int n_outputs,
                                      const uint32_t *masks, const double *e, const REAL *signs,
                                      int64_t *neurons, int64_t *indptr, int64_t *indices,
                                      REAL *values) {
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

KRONCY_CLONES
void NAMED(kroncy_skip_outputs)(int64_t begin, int64_t end, int width, int n_outputs,
                                const REAL *v, const REAL *panel, REAL *f) {
    if (width == WIDE)
        NAMED(skip)(begin, end, WIDE, n_outputs, v, panel, f);
    else
        NAMED(skip)(begin, end, NARROW, n_outputs, v, panel, f);
}

#undef WIDE
#undef NARROW
