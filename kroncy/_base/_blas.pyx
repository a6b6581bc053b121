"""BLAS for row-major arrays.

BLAS assumes column-major arrays.  A row-major (m, k) array is the column-major array of its
transpose; so C = A B in rows is C^T = B^T A^T in columns: swap the operands, keep the flags.
SciPy's `cython_blas` is LP64 (sizes are C int) and takes no const pointers: only this file casts.
"""
from scipy.linalg.cython_blas cimport dgemm, dgemv, sgemm


cdef void gemm(
    bint is_double, bint trans_a, bint trans_b, int m, int n, int k,
    const void *a, int lda, const void *b, int ldb, bint accumulate, void *c, int ldc,
) noexcept nogil:
    """C (m, n) = op(A) op(B), or C += op(A) op(B), all row-major; ld* is the length of a row."""
    cdef char *op_a = b"T" if trans_a else b"N"
    cdef char *op_b = b"T" if trans_b else b"N"
    cdef double alpha = 1, beta = accumulate
    cdef float alpha_f32 = 1, beta_f32 = accumulate
    if is_double:
        dgemm(op_b, op_a, &n, &m, &k, &alpha, <double *> b, &ldb, <double *> a, &lda, &beta,
              <double *> c, &ldc)
    else:
        sgemm(op_b, op_a, &n, &m, &k, &alpha_f32, <float *> b, &ldb, <float *> a, &lda, &beta_f32,
              <float *> c, &ldc)


cdef void gemv(
    bint trans_a, int m, int n, const double *a, const double *x, bint accumulate, double *y,
) noexcept nogil:
    """Y = op(A) x, or y += op(A) x, A (m, n) row-major and contiguous."""
    cdef int one = 1
    cdef double alpha = 1, beta = accumulate
    cdef char *op_a = b"N" if trans_a else b"T"
    dgemv(op_a, &n, &m, &alpha, <double *> a, &n, <double *> x, &one, &beta, y, &one)
