/* Body of _matmul_kernel.c for one dtype: the rows from `begin` up to `end` of each pass. */

KRONCY_CLONES
static void NAMED(add_rows)(const pass *p, ptrdiff_t begin, ptrdiff_t end) {
    const ptrdiff_t columns = p->columns;
    const REAL sign = (REAL)p->sign;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *xi = (const REAL *)p->x + i * p->ldx, *yi = (const REAL *)p->y + i * p->ldy;
        REAL *oi = (REAL *)p->out + i * p->ldout;
/* out is x, y or memory apart, never a shifted part: no iteration reads what another writes. */
#pragma GCC ivdep
        for (ptrdiff_t j = 0; j < columns; j++) oi[j] = xi[j] + sign * yi[j];
    }
}

KRONCY_CLONES
static void NAMED(combine_rows)(const pass *p, ptrdiff_t begin, ptrdiff_t end) {
    const ptrdiff_t columns = p->columns;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *c11 = (const REAL *)p->out + i * p->ldout;
        REAL *c12 = (REAL *)p->out + i * p->ldout + columns;
        REAL *c21 = (REAL *)p->out + (p->rows + i) * p->ldout, *c22 = c21 + columns;
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
static void NAMED(combine_add_rows)(const pass *p, ptrdiff_t begin, ptrdiff_t end) {
    const ptrdiff_t columns = p->columns;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *p1 = (const REAL *)p->x + i * p->ldx, *p6 = p1 + columns;
        const REAL *p7 = (const REAL *)p->x + (p->rows + i) * p->ldx, *p5 = p7 + columns;
        REAL *c11 = (REAL *)p->out + i * p->ldout, *c12 = c11 + columns;
        REAL *c21 = (REAL *)p->out + (p->rows + i) * p->ldout, *c22 = c21 + columns;
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
