# Strassen-Winograd on pointers, for other kernels.  See _matmul.pyx.
from kroncy._base._blas cimport real

cdef Py_ssize_t strassen_workspace(
    Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels
) noexcept nogil

cdef void strassen_matmul(
    bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const real *a, Py_ssize_t lda, const real *b, Py_ssize_t ldb, real *c, Py_ssize_t ldc,
    int levels, real *work, int n_threads,
) noexcept nogil
