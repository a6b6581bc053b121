from libc.stdint cimport int64_t, uint32_t, uint64_t

from ._coefficients cimport Coefficients


cdef class KeptEntries:
    cdef readonly Coefficients pattern      # tiles without values
    cdef readonly object bits, shared       # (n_samples, n_words), (n_samples,)
    cdef void *shared_values
    cdef uint64_t *kept                     # bits
    cdef int64_t n_words

    cdef uint32_t adopt(self, const int64_t *rows, Py_ssize_t count) noexcept nogil
    cdef int update_block(
        self, Coefficients rest, int64_t block, const int64_t *rows, Py_ssize_t count,
        uint32_t adopt, const uint64_t *fired, const double *e) noexcept nogil
    cdef void settle(self, const int64_t *rows, Py_ssize_t count, const double *e) noexcept nogil
