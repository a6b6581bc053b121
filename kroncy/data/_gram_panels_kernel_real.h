/* Body of _gram_panels_kernel.c for one dtype. */

static inline __attribute__((always_inline)) void NAMED(combine)(
    int64_t begin, int64_t end, const int width, int n_modes, const void *const *parts,
    const int64_t *const *index, const int *power, REAL *panel) {
    for (int64_t i = begin; i < end; i++) {
        REAL product[KRONCY_ROW_BYTES / sizeof(REAL)];
        for (int c = 0; c < width; c++) product[c] = 1;
        for (int l = 0; l < n_modes; l++) {
            const REAL *first = (const REAL *)parts[l];
            if (index[l] && i + AHEAD < end) {
                const char *later = (const char *)(first + index[l][i + AHEAD] * width);
                __builtin_prefetch(later);
                __builtin_prefetch(later + 64);
            }
            const REAL *part = first + (index[l] ? index[l][i] : i) * width;
            for (int e = 0; e < power[l]; e++)
                for (int c = 0; c < width; c++) product[c] *= part[c];
        }
        for (int c = 0; c < width; c++) panel[i * width + c] = product[c];
    }
}

/* The two widths are written out so that the inner loops have constant lengths. */
KRONCY_CLONES
static void NAMED(kroncy_panel_combine)(int64_t begin, int64_t end, int width, int n_modes,
                                        const void *const *parts, const int64_t *const *index,
                                        const int *power, REAL *panel) {
    enum { LONG = KRONCY_ROW_BYTES / sizeof(REAL) };
    if (width == LONG)
        NAMED(combine)(begin, end, LONG, n_modes, parts, index, power, panel);
    else
        NAMED(combine)(begin, end, LONG / 2, n_modes, parts, index, power, panel);
}

/* Squares transposed in registers, a whole cache line of each source row before the next. */
KRONCY_CLONES
static void NAMED(kroncy_panel_from_rows)(int64_t begin, int64_t end, int width, int count,
                                          const void *const *rows, REAL *panel) {
    enum { LANES = 16 / sizeof(REAL), LINE = 64 / sizeof(REAL) };
    const int whole = count / LANES * LANES;
    const int64_t inside = end - (end - begin) % LANES;
    for (int c0 = 0; c0 < whole; c0 += KRONCY_WAYS) {
        const int c1 = c0 + KRONCY_WAYS < whole ? c0 + KRONCY_WAYS : whole;
        for (int64_t i0 = begin; i0 < inside; i0 += LINE)
            for (int c = c0; c < c1; c += LANES)
                for (int64_t i = i0; i < i0 + LINE && i < inside; i += LANES) {
                    NAMED(quarter) square[LANES];
                    for (int j = 0; j < LANES; j++)
                        memcpy(&square[j], (const REAL *)rows[c + j] + i, sizeof square[j]);
                    NAMED(transpose)(square);
                    for (int j = 0; j < LANES; j++)
                        *(NAMED(quarter) *)(panel + (i + j) * width + c) = square[j];
                }
    }
    for (int64_t i = begin; i < end; i++)
        for (int c = i < inside ? whole : 0; c < width; c++)
            panel[i * width + c] = c < count ? ((const REAL *)rows[c])[i] : 0;
}

static void NAMED(kroncy_panel_to_rows)(int64_t begin, int64_t end, int width, int count,
                                        const REAL *panel, int64_t length, REAL *rows) {
    for (int64_t i = begin; i < end; i++)
        for (int c = 0; c < count; c++) rows[c * length + i] = panel[i * width + c];
}
