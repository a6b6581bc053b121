from libc.stdint cimport int32_t, int64_t


cdef extern from "_sparse_kernel.h" nogil:
    ctypedef struct kroncy_lines:
        const int64_t *starts
        const int32_t *places
        const void *values

    void kroncy_sparse_products(
        bint is_double, int64_t begin, int64_t end, int64_t width, int64_t count,
        const kroncy_lines *columns_of_a, const kroncy_lines *rows_of_b, const int64_t *chosen,
        void *products)


cdef class SparsePair:
    cdef readonly int64_t n_left, n_right
    cdef readonly bint is_double
    cdef readonly double adds
    cdef kroncy_lines columns, rows
    cdef object arrays          # what the pointers lead to
