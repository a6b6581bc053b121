from libc.stdint cimport int64_t


cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)


cdef void *allocate(int64_t n_bytes) except NULL
cdef void *address(array) except NULL
