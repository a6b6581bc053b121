"""The average of the iterates W_t of a training, exact, at a second number for each of C.

With W_t = start_scale_t W(0) + scale_t C_t X the sum over the iterates is

    beta W(0) + (alpha C + D) X,    alpha = sum_t scale_t,    beta = sum_t start_scale_t.

A step that adds dC to C adds -alpha dC to D, since the earlier iterates do not contain dC; then
alpha grows by the scale.  So a step touches no entry of D whose entry of C it does not touch (Xu,
arXiv:1107.2490, section 4.2).  The skip's coefficients have sums of the same kind.

Weight decay lets alpha C and D grow without bound while their sum does not, and would leave nothing
of the digits of float32.  They are added up (`settle`) before that: D += alpha C, alpha = 0.
"""
import numpy as np

from libc.stdint cimport int64_t

from .._base._buffers cimport address, holds_doubles


cdef extern from "_coefficients_kernel.h" nogil:
    void kroncy_average(bint, int64_t, double, double, const void *, const void *, void *)
    void kroncy_add_scaled(bint, int64_t, double, const void *, void *)

cdef extern from "_engine_kernel.h" nogil:
    void kroncy_skip_add(bint, int64_t, int, double, const int64_t *, const double *, void *)

cdef enum:
    MOST_CANCELLED = 16     # times the average, that alpha C / count may be


cdef class Average:
    """Sums over the iterates of an engine.

    Parameters
    ----------
    coefficients : Coefficients
        Of the engine; they hold D.
    skip_coefficients : ndarray of shape (n_samples, n_outputs)
        Of the engine.
    """

    def __init__(self, Coefficients coefficients, skip_coefficients):
        coefficients.start_sums()
        self.coefficients = coefficients
        self.skip_coefficients = skip_coefficients
        self.skip_sums = np.zeros_like(skip_coefficients)
        self.skip_values = address(skip_coefficients)
        self.skip_sum_values = address(self.skip_sums)
        self.is_double = holds_doubles(skip_coefficients)

    def arrays(self):
        """The sums beside those in the coefficient store: copies, for `set`."""
        return {"skip_sums": self.skip_sums.copy()}

    def scalars(self):
        """``(alpha, beta, count)``, for `set`."""
        return self.alpha, self.beta, self.count

    def set(self, arrays, scalars):
        """Replace the sums by what `arrays` and `scalars` returned; other names are ignored."""
        self.skip_sums[...] = arrays["skip_sums"]
        self.alpha, self.beta, self.count = scalars

    def restart(self):
        """Forget the iterates so far."""
        self.coefficients.clear_sums()
        self.skip_sums[...] = 0
        self.alpha = self.beta = self.count = 0

    cdef Coefficients mean_coefficients(self):
        """A store of C averaged, to be read only."""
        return self.coefficients.average(self.alpha, self.count)

    cdef mean(self, values, sums, double factor):
        """(factor values + sums) / count."""
        out = np.empty_like(values)
        kroncy_average(self.is_double, values.size, factor, self.count, address(values),
                       address(sums), address(out))
        return out

    cdef void count_iterate(self, double scale, double start_scale) noexcept nogil:
        """The present iterate becomes one of those that are averaged."""
        if self.alpha > MOST_CANCELLED * self.count * scale:
            self.settle()
        self.alpha += scale
        self.beta += start_scale
        self.count += 1

    cdef void settle(self) noexcept nogil:
        """D += alpha C, alpha = 0: the same sum."""
        self.coefficients.settle(self.alpha)
        kroncy_add_scaled(
            self.is_double, self.coefficients.n_samples * self.coefficients.n_outputs, self.alpha,
            self.skip_values, self.skip_sum_values)
        self.alpha = 0

    cdef void skip_descend(
        self, const int64_t *columns, Py_ssize_t count, const double *e, double step
    ) noexcept nogil:
        """What a step that adds -step e to the skip's coefficients adds to their sums."""
        kroncy_skip_add(self.is_double, count, self.coefficients.n_outputs, self.alpha * step,
                        columns, e, self.skip_sum_values)
