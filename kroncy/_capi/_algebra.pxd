# See include/kroncy.h; void pointers lead to the dtype that is_double gives.
from libc.stdint cimport int64_t

from ..lrgd._derivatives cimport data_function

cdef int matmul_workspace(
    int64_t m, int64_t k, int64_t n, int levels, int64_t *n_elements
) noexcept nogil
cdef int matmul(
    bint is_double, bint trans_a, bint trans_b, int64_t m, int64_t n, int64_t k, const void *a,
    int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int levels, void *work,
    int64_t n_work, int n_threads
) noexcept nogil
cdef int gram_rows(
    bint is_double, int n_factors, int64_t n_samples, const int64_t *n_unique,
    const int64_t *widths, const void *const *factors, const int64_t *const *indices,
    int64_t n_rows, const int64_t *rows, void *out, int n_threads
) noexcept nogil
cdef int lrgd_project(
    int64_t q, int64_t p, const double *directions, const double *vector, double *out
) noexcept nogil
cdef int lrgd_lift(
    int64_t q, int64_t p, const double *directions, const double *x, const double *s, double *out
) noexcept nogil
cdef int lrgd_evaluate(
    data_function function, void *user_data, int64_t q, int64_t p, const double *x,
    const double *directions, const double *steps, double *values, int n_threads
) noexcept nogil
