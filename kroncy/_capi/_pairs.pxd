# See include/kroncy.h; void pointers lead to the dtype that is_double gives.
from libc.stdint cimport int64_t

cdef int panel_add(
    bint is_double, int64_t n_neurons, int64_t n_inner, int64_t n_outer, const void *columns,
    int64_t n, const int64_t *rows, const int64_t *inner, const int64_t *outer,
    const void *values, void *table
) noexcept nogil
cdef int panel_product(
    bint is_double, int64_t n_neurons, int64_t n_inner, const void *table, const void *kernel,
    int64_t n_samples, const int64_t *inner, const int64_t *places, void *out, int n_threads
) noexcept nogil
