# See include/kroncy.h; void pointers lead to the dtype that is_double gives.
from libc.stdint cimport int64_t

cdef int tree_create(
    void **out, int64_t n_trees, int64_t n_leaves, const void *values, bint is_double,
    int n_threads,
) noexcept nogil
cdef int tree_free(void *tree) noexcept nogil
cdef int tree_query(
    void *tree, int64_t i, double threshold, int64_t capacity, int64_t *leaves,
    int64_t *n_found
) noexcept nogil
cdef int tree_query_many(
    void *tree, int64_t n, const int64_t *trees, double threshold, int64_t capacity,
    int64_t *indptr, int64_t *leaves
) noexcept nogil
cdef int tree_change(
    void *tree, int kind, int64_t n, const int64_t *leaves, const void *rows,
    bint is_double
) noexcept nogil
cdef int tree_max(void *tree, int64_t i, double *value) noexcept nogil
cdef int tree_top_k(
    void *tree, int64_t i, int64_t k, int64_t *leaves
) noexcept nogil
