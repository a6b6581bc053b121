# Row-major BLAS for the two dtypes.  See _blas.pyx for the one trick behind it.

cdef void gemm(
    bint is_double, bint trans_a, bint trans_b, int m, int n, int k,
    const void *a, int lda, const void *b, int ldb, bint accumulate, void *c, int ldc,
) noexcept nogil

cdef void gemv(
    bint trans_a, int m, int n, const double *a, const double *x, bint accumulate, double *y,
) noexcept nogil
