/* Body of _contraction_kernel.c for one dtype. */

/* Sums of WIDTH partial products, in an order that depends on `rest` alone.  Four neurons share
 * each read of y; t is read once, and that is the limit where it does not come from cache. */
KRONCY_CLONES
static void NAMED(kroncy_contract)(int64_t lanes, int64_t rest, const REAL *t, const REAL *y,
                                   REAL *z) {
    int64_t whole = rest - rest % WIDTH, r = 0;
    for (; r < lanes; r += 4) {
        int n = lanes - r < 4 ? (int)(lanes - r) : 4;
        const REAL *row[4];
        REAL sums[4][WIDTH] = {{0}};
        for (int l = 0; l < 4; l++) row[l] = t + (r + (l < n ? l : 0)) * rest;
        for (int64_t j = 0; j < whole; j += WIDTH)
            for (int l = 0; l < 4; l++)
                for (int k = 0; k < WIDTH; k++) sums[l][k] += row[l][j + k] * y[j + k];
        for (int l = 0; l < n; l++) {
            REAL total = 0;
            for (int k = 0; k < WIDTH; k++) total += sums[l][k];
            for (int64_t j = whole; j < rest; j++) total += row[l][j] * y[j];
            z[r + l] = total;
        }
    }
}

static void NAMED(kroncy_gather)(int64_t lanes, int64_t columns, const REAL *t, REAL *z) {
    for (int64_t r = 0; r < lanes; r++) z[r] = t[r * columns];
}
