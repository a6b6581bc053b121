# The recorded fired sets, for the engines.
from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef class FiredSets:
    cdef readonly object bits
    cdef uint64_t *words            # bits
    cdef int64_t n_neurons, n_words
    cdef public int64_t n_fired, n_flipped

    cdef void record(self, int64_t block, const int64_t *rows, Py_ssize_t count,
                     const uint32_t *masks) noexcept nogil
