/* Body of _matmul_kernel.c for one dtype. */

KRONCY_CLONES
static void NAMED(kroncy_block_add)(ptrdiff_t rows, ptrdiff_t columns, const REAL *x,
                                    ptrdiff_t ldx, REAL sign, const REAL *y, ptrdiff_t ldy,
                                    REAL *out, ptrdiff_t ldout, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(kroncy_team(n_threads)) \
    if (n_threads > 1 && rows * columns >= WORTH_SHARING)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const REAL *xi = x + i * ldx, *yi = y + i * ldy;
        REAL *oi = out + i * ldout;
/* out is x, y or memory apart, never a shifted part: no iteration reads what another writes. */
#pragma GCC ivdep
        for (ptrdiff_t j = 0; j < columns; j++) oi[j] = xi[j] + sign * yi[j];
    }
}

KRONCY_CLONES
static void NAMED(kroncy_block_combine)(ptrdiff_t rows, ptrdiff_t columns, REAL *c, ptrdiff_t ldc,
                                        int n_threads) {
#pragma omp parallel for schedule(static) num_threads(kroncy_team(n_threads)) \
    if (n_threads > 1 && rows * columns >= WORTH_SHARING)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const REAL *c11 = c + i * ldc;
        REAL *c12 = c + i * ldc + columns;
        REAL *c21 = c + (rows + i) * ldc, *c22 = c21 + columns;
#pragma GCC ivdep
        for (ptrdiff_t j = 0; j < columns; j++) {
            REAL u2 = c11[j] + c12[j], u3 = u2 + c21[j], p5 = c22[j];
            c12[j] = u2 + p5;
            c21[j] = u3;
            c22[j] = u3 + p5;
        }
    }
}

KRONCY_CLONES
static void NAMED(kroncy_block_combine_add)(ptrdiff_t rows, ptrdiff_t columns, const REAL *p,
                                            ptrdiff_t ldp, REAL *c, ptrdiff_t ldc, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(kroncy_team(n_threads)) \
    if (n_threads > 1 && rows * columns >= WORTH_SHARING)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const REAL *p1 = p + i * ldp, *p6 = p1 + columns;
        const REAL *p7 = p + (rows + i) * ldp, *p5 = p7 + columns;
        REAL *c11 = c + i * ldc, *c12 = c11 + columns;
        REAL *c21 = c + (rows + i) * ldc, *c22 = c21 + columns;
#pragma GCC ivdep
        for (ptrdiff_t j = 0; j < columns; j++) {
            REAL u2 = p1[j] + p6[j], u3 = u2 + p7[j];
            c11[j] += p1[j];
            c12[j] += u2 + p5[j];
            c21[j] += u3;
            c22[j] += u3 + p5[j];
        }
    }
}
