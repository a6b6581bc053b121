# Row-major BLAS for the two dtypes.  See _blas.pyx for the one trick behind it.
from ._real cimport real


cdef void gemm(
    bint trans_a, bint trans_b, int m, int n, int k, real alpha,
    const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc,
) noexcept nogil

cdef void gemv(
    bint trans_a, int m, int n, double alpha, const double *a, const double *x, double beta,
    double *y,
) noexcept nogil
