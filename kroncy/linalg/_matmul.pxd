# Strassen-Winograd on pointers, for other kernels.  See _matmul.pyx.

# Looks at signals while a product runs; its owner sets both to 0.
cdef struct Watch:
    double done                 # multiplications since the last look
    bint interrupted            # a signal handler has raised: the exception is pending

cdef Py_ssize_t strassen_workspace(
    Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels
) noexcept nogil

cdef void strassen_matmul(
    bint is_double, bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const void *a, Py_ssize_t lda, const void *b, Py_ssize_t ldb, void *c, Py_ssize_t ldc,
    int levels, void *work, int n_threads, Watch *watch,
) noexcept nogil
