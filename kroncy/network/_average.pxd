# The average of the iterates of an engine, for the engines.
from libc.stdint cimport int64_t

from ._coefficients cimport Coefficients


cdef class Average:
    cdef readonly double alpha, beta        # sums of scale and of start_scale over the iterates
    cdef readonly int64_t count             # iterates
    cdef readonly object skip_sums          # (n_samples, n_outputs): D of the skip
    cdef Coefficients coefficients
    cdef object skip_coefficients
    cdef bint is_double
    cdef void *skip_values
    cdef void *skip_sum_values

    cdef Coefficients mean_coefficients(self)
    cdef mean(self, values, sums, double factor)
    cdef void count_iterate(self, double scale, double start_scale) noexcept nogil
    cdef void settle(self) noexcept nogil
    cdef void skip_descend(self, const int64_t *columns, Py_ssize_t count, const double *e,
                           double step) noexcept nogil
