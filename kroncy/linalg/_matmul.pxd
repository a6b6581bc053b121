# Strassen-Winograd on pointers, for other kernels.  See _matmul.pyx.

cdef Py_ssize_t strassen_workspace(
    Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels
) noexcept nogil

cdef void strassen_matmul(
    bint is_double, bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const void *a, Py_ssize_t lda, const void *b, Py_ssize_t ldb, void *c, Py_ssize_t ldc,
    int levels, void *work, int n_threads,
) noexcept nogil
