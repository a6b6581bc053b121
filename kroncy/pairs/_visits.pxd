# The order in which samples are visited, cut into segments of panels.
from libc.stdint cimport int64_t


cdef class Visits:
    cdef readonly int64_t n_rows, n_segments, longest
    cdef readonly bint has_tables           # whether a panel has more than one segment
    cdef readonly object order, ends, panels
    cdef const int64_t *row                 # (n_rows,) samples
    cdef const int64_t *end                 # (n_segments,)
    cdef const int64_t *panel               # (n_segments,) number of the panel, ascending

    cdef bint expects(self, int64_t at, const int64_t *rows, int64_t count) noexcept nogil
    cdef int64_t segment(self, int64_t at) noexcept nogil
    cdef int64_t panel_end(self, int64_t segment) noexcept nogil
