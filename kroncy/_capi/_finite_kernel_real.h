/* Body of _finite_kernel.c for one dtype. */

/* Exponents of all ones are NaN or infinity; integers, so that the loop is vectorised. */
static int NAMED(kroncy_finite)(const REAL *x, int64_t n) {
    NAMED(bits) found = 0;
    for (int64_t j = 0; j < n; j++) {
        NAMED(bits) bits;
        memcpy(&bits, x + j, sizeof bits);
        found |= (bits & NAMED(exponent)) == NAMED(exponent);
    }
    return !found;
}
