# The order in which an engine stores the columns of C.
from libc.stdint cimport int64_t


cdef class Columns:
    cdef readonly object samples        # sample of each column; None: the order of the samples
    cdef object places                  # column of each sample
    cdef const int64_t *place           # the same; NULL: that of the sample

    cdef const int64_t *of(self, const int64_t *rows, int64_t count,
                           int64_t *buffer) noexcept nogil
