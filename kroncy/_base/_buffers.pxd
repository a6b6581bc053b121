from libc.stdint cimport int64_t


cdef void *allocate(int64_t n_bytes) except NULL
cdef void *address(array) except NULL
