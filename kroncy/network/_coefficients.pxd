# The coefficient store: C of W(t) = W(0) + C X, and what a step adds to it.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ..pairs._panels cimport PanelStore
from ._ranks cimport Ranks
from ._tiles cimport TiledMatrix


# What a step on the samples of one panel adds, but for the store's scale:
# C[r, columns[c]] += sum_k signs[r, k] e[c, k] wherever neuron r fires on sample rows[c].
cdef struct Step:
    const int64_t *rows         # (count,)
    const int64_t *columns      # (count,): of C, as it is stored
    int count
    const double *e             # (count, n_outputs)
    double alpha                # of the average, before the step
    const uint32_t *masks       # (n_blocks * 256,): bit c of masks[r] says that r fires on rows[c]
    const uint64_t *fired_bits  # (n_samples, n_blocks * 4): the same, recorded for these rows


cdef class Coefficients(PanelStore):
    cdef readonly int n_outputs
    cdef readonly bint is_double
    cdef readonly bint averaged             # whether D is stored, too
    cdef readonly TiledMatrix entries       # those with a value of their own
    cdef public Ranks ranks                 # this store has the neurons of one of them
    cdef object signs
    cdef const void *sign_values            # (n_neurons, n_outputs) reals
    cdef int64_t itemsize                   # bytes of a real

    cdef const void *block_signs(self, int64_t block) noexcept nogil
    cdef void scale(self, double factor) noexcept nogil
    cdef void settle(self, double alpha) noexcept nogil
    cdef void product(self, int64_t first, int n_blocks, const void *panel, int row_bytes,
                      void *out) noexcept nogil
    cdef const void *row_signs(self, int64_t block) noexcept nogil
    cdef uint32_t without_pattern(self, const int64_t *columns, int count) noexcept nogil
    cdef void begin_add(self, const Step *step) noexcept nogil
    cdef int add(self, int64_t block, const Step *step) noexcept nogil
    cdef void end_add(self, const Step *step) noexcept nogil


cdef class SharedCoefficients(Coefficients):
    cdef readonly TiledMatrix pattern       # tiles without values
    cdef readonly object pattern_bits       # (n_samples, n_words): the same as bitsets
    cdef readonly object shared_values      # (n_samples,)
    cdef readonly object shared_sums        # (n_samples,): of the average; None without
    cdef void *shared
    cdef void *sums                         # NULL without
    cdef uint64_t *bits
    cdef int64_t n_words
    cdef uint32_t adopt                     # bit c: row c of the step had no pattern

    cdef set_pattern(self, bits)
    cdef set_shared(self, values, sums)
