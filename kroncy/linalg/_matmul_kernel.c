#include "_matmul_kernel.h"

#include "_simd.h"

#define ROWS 16     /* of a pass that a thread makes at a time */
#define ELEMENT 0.5 /* nanoseconds for each of an operand, roughly */

/* The arguments of a pass over rows: x and y, or p, are read; out, or c, is written. */
typedef struct {
    ptrdiff_t rows, columns, ldx, ldy, ldout;
    const void *x, *y;
    void *out;
    int sign, is_double;
} pass;

#define REAL_BODY "_matmul_kernel_real.h"
#include "_real.h"

static void share(pass *p, double operands, kroncy_body body, kroncy_runner run, int n_threads) {
    run(n_threads, (p->rows + ROWS - 1) / ROWS, ELEMENT * operands * p->rows * p->columns, body,
        p);
}

/* The rows of one index: from, and up to. */
#define FROM(index) ((index) * ROWS)
#define UP_TO(p, index) ((index) * ROWS + ROWS < (p)->rows ? (index) * ROWS + ROWS : (p)->rows)

static void add_rows(void *context, int64_t index, int thread) {
    const pass *p = context;
    (void)thread;
    REAL_CALL(p->is_double, add_rows, p, FROM(index), UP_TO(p, index));
}

static void combine_rows(void *context, int64_t index, int thread) {
    const pass *p = context;
    (void)thread;
    REAL_CALL(p->is_double, combine_rows, p, FROM(index), UP_TO(p, index));
}

static void combine_add_rows(void *context, int64_t index, int thread) {
    const pass *p = context;
    (void)thread;
    REAL_CALL(p->is_double, combine_add_rows, p, FROM(index), UP_TO(p, index));
}

void kroncy_block_add(int is_double, ptrdiff_t rows, ptrdiff_t columns, const void *x,
                      ptrdiff_t ldx, int sign, const void *y, ptrdiff_t ldy, void *out,
                      ptrdiff_t ldout, kroncy_runner run, int n_threads) {
    pass p = {rows, columns, ldx, ldy, ldout, x, y, out, sign, is_double};
    share(&p, 1, add_rows, run, n_threads);
}

void kroncy_block_combine(int is_double, ptrdiff_t rows, ptrdiff_t columns, void *c, ptrdiff_t ldc,
                          kroncy_runner run, int n_threads) {
    pass p = {rows, columns, 0, 0, ldc, NULL, NULL, c, 0, is_double};
    share(&p, 2, combine_rows, run, n_threads);
}

void kroncy_block_combine_add(int is_double, ptrdiff_t rows, ptrdiff_t columns, const void *x,
                              ptrdiff_t ldx, void *c, ptrdiff_t ldc, kroncy_runner run,
                              int n_threads) {
    pass p = {rows, columns, ldx, 0, ldc, x, NULL, c, 0, is_double};
    share(&p, 4, combine_add_rows, run, n_threads);
}
