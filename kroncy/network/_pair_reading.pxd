# Many rows read at once, panel by panel.
from libc.stdint cimport int64_t

from ..pairs._panels cimport PanelProduct
from ..pairs._visits cimport Visits
from ._coefficients cimport Coefficients


cdef class PairReading:
    cdef readonly PanelProduct product
    cdef readonly Visits visits         # the rows in the order in which they are read,
    cdef readonly object places         # and where each was among the rows asked for
    cdef readonly int64_t capacity
    cdef Coefficients coefficients
    cdef object skip_coefficients
    cdef const void *skip_values
    cdef int64_t n_entries, n_groups    # of all ranks
    cdef bint is_zero                   # C and the coefficients of the skip

    cdef void begin_segment(self, int64_t segment, int64_t begin) noexcept nogil
