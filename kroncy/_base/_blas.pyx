"""BLAS seen from row-major arrays.

BLAS thinks in columns.  A row-major (m, k) array is, read in its order, the column-major array of
its transpose; so C = A B in rows is C^T = B^T A^T in columns: swap the operands, keep the flags.
SciPy's `cython_blas` is LP64 (sizes are C int) and knows no const: the casts live here only.
"""
from scipy.linalg.cython_blas cimport dgemm, dgemv, sgemm


cdef void gemm(
    bint trans_a, bint trans_b, int m, int n, int k, real alpha,
    const real *a, int lda, const real *b, int ldb, real beta, real *c, int ldc,
) noexcept nogil:
    """C (m, n) = alpha op(A) op(B) + beta C, all row-major, ld* the length of a stored row."""
    cdef char *op_a = b"T" if trans_a else b"N"
    cdef char *op_b = b"T" if trans_b else b"N"
    if real is float:
        sgemm(op_b, op_a, &n, &m, &k, &alpha, <float *> b, &ldb, <float *> a, &lda, &beta, c, &ldc)
    else:
        dgemm(op_b, op_a, &n, &m, &k, &alpha, <double *> b, &ldb, <double *> a, &lda, &beta, c,
              &ldc)


cdef void gemv(
    bint trans_a, int m, int n, double alpha, const double *a, const double *x, double beta,
    double *y,
) noexcept nogil:
    """Y = alpha op(A) x + beta y, A (m, n) row-major and contiguous."""
    cdef int one = 1
    cdef char *op_a = b"N" if trans_a else b"T"
    dgemv(op_a, &n, &m, &alpha, <double *> a, &n, <double *> x, &one, &beta, y, &one)
