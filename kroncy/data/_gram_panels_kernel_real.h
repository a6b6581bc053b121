/* One text for both dtypes: included by _gram_panels_kernel.c with REAL and NAMED defined. */

static inline __attribute__((always_inline)) void NAMED(combine)(
    int64_t begin, int64_t end, const int width, int n_modes, const REAL *const *parts,
    const int64_t *const *index, const int *power, REAL *panel) {
    for (int64_t i = begin; i < end; i++) {
        REAL product[128 / sizeof(REAL)];
        for (int c = 0; c < width; c++) product[c] = 1;
        for (int l = 0; l < n_modes; l++) {
            if (index[l] && i + AHEAD < end) {
                const char *later = (const char *)(parts[l] + index[l][i + AHEAD] * width);
                __builtin_prefetch(later);
                __builtin_prefetch(later + 64);
            }
            const REAL *part = parts[l] + (index[l] ? index[l][i] : i) * width;
            for (int e = 0; e < power[l]; e++)
                for (int c = 0; c < width; c++) product[c] *= part[c];
        }
        for (int c = 0; c < width; c++) panel[i * width + c] = product[c];
    }
}

/* The two widths are written out so that the inner loops have constant lengths. */
KRONCY_CLONES
void NAMED(kroncy_panel_combine)(int64_t begin, int64_t end, int width, int n_modes,
                                 const REAL *const *parts, const int64_t *const *index,
                                 const int *power, REAL *panel) {
    if (width == (int)(128 / sizeof(REAL)))
        NAMED(combine)(begin, end, 128 / sizeof(REAL), n_modes, parts, index, power, panel);
    else
        NAMED(combine)(begin, end, 64 / sizeof(REAL), n_modes, parts, index, power, panel);
}

/* Sixteen rows of the panel at a time: one cache line of each source row, kept in L1. */
KRONCY_CLONES
void NAMED(kroncy_panel_transpose)(int64_t begin, int64_t end, int width, int count,
                                   const REAL *const *rows, REAL *panel) {
    for (int64_t i0 = begin; i0 < end; i0 += 16) {
        int64_t i1 = i0 + 16 < end ? i0 + 16 : end;
        for (int c = 0; c < count; c++)
            for (int64_t i = i0; i < i1; i++) panel[i * width + c] = rows[c][i];
        for (int64_t i = i0; i < i1; i++)
            for (int c = count; c < width; c++) panel[i * width + c] = 0;
    }
}
