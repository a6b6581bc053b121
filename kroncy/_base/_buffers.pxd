from libc.stdint cimport int64_t


cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef extern from "_simd.h" nogil:
    enum:
        KRONCY_ALIGNMENT


cdef void *allocate(int64_t n_bytes) except NULL
cdef int grow(void **memory, int64_t *capacity, int64_t n_bytes) except -1
cdef void *address(array) except NULL
cdef bint holds_doubles(array) except -1
cdef real_dtype(bint is_double)
