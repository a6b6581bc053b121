# What the engines share, and what the loops over batches need of them.
from libc.stdint cimport int64_t, uint32_t

from ._coefficients cimport Coefficients, Step
from ._fired cimport FiredSets


cdef inline bint near_underflow(double scale) noexcept nogil:
    """Whether a scale should be multiplied into what it scales: below 2 ** -20."""
    return scale < 9.5367431640625e-07


cdef class Source:
    cdef readonly int64_t n_rows
    cdef readonly bint is_double
    cdef object keep                # the arrays whose addresses the source holds

    cdef void prepare(self, const int64_t *rows, Py_ssize_t count, int n_threads) noexcept nogil


cdef class Engine:
    cdef readonly int64_t n_neurons, n_samples
    cdef readonly int n_outputs
    cdef readonly bint is_double
    cdef public int n_threads
    cdef readonly double threshold, skip
    cdef public double scale, start_scale       # W(t) = start_scale W(0) + scale C X
    cdef readonly Coefficients coefficients     # C
    cdef readonly object skip_coefficients, signs
    cdef FiredSets fired
    cdef readonly Source source                 # the training samples
    cdef int64_t itemsize           # bytes of a real
    cdef int64_t n_blocks           # of 256 neurons
    cdef void *skip_values          # (n_samples, n_outputs) reals
    cdef uint32_t *masks            # of the last recorded `forward`, n_masks(rows) of them
    cdef int64_t mask_panels        # capacity of `masks` and `scaled`
    cdef double *scaled             # (mask_panels * width, n_outputs): e times the step
    cdef int group                  # blocks that a thread takes at a time
    cdef void *z_workspace          # a group of pre-activations for each thread
    cdef void *f_workspace          # (n_blocks, n_outputs, width) partial outputs
    cdef int64_t multiply_adds, gram_entries, rows_read     # counters

    cdef int64_t n_masks(self, Py_ssize_t batch_size) noexcept nogil
    cdef int reserve(self, Py_ssize_t batch_size) except -1
    cdef void forward(self, Source source, const int64_t *rows, Py_ssize_t count, double *f,
                      void *z_out, bint record) noexcept nogil
    cdef int backward(self, const int64_t *rows, Py_ssize_t count, const double *e, double step,
                      double decay) noexcept nogil

    # What an engine says about itself.
    cdef void panel_forward(self, Source source, const int64_t *rows, Py_ssize_t count, double *f,
                            void *z_out, uint32_t *masks, bint record) noexcept nogil
    cdef void group_z(self, Source source, int64_t first, int n_blocks, const int64_t *rows,
                      Py_ssize_t count, int width, void *z) noexcept nogil
    cdef int panel_descend(self, const Step *step) noexcept nogil
    cdef void block_descend(self, int64_t block, const Step *step) noexcept nogil
    cdef void decay_weights(self, double factor) noexcept nogil
    cdef void skip_outputs(self, Source source, Py_ssize_t count, double *f) noexcept nogil
    cdef void skip_descend(self, const int64_t *rows, Py_ssize_t count, const double *e,
                           double step) noexcept nogil
    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil
    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil

    # What it may use.
    cdef int panel_width(self) noexcept nogil
    cdef int row_width(self, Py_ssize_t count) noexcept nogil
    cdef void forward_group(self, Source source, int64_t first, const int64_t *rows,
                            Py_ssize_t count, int width, void *z_out, uint32_t *masks,
                            bint record) noexcept nogil
    cdef int step_block(self, int64_t block, const Step *step) noexcept nogil
