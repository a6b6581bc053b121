from libc.stdint cimport int64_t, uint32_t, uint64_t

from ._coefficients cimport Coefficients
from ._shared_values cimport KeptEntries


cdef class Source:
    cdef readonly int64_t n_rows
    cdef readonly bint is_double
    cdef object keep

    cdef void prepare(self, const int64_t *rows, Py_ssize_t count, int n_threads) noexcept nogil


cdef class Engine:
    cdef readonly int64_t n_neurons, n_samples
    cdef readonly int n_outputs
    cdef readonly bint is_double
    cdef public int n_threads
    cdef readonly double threshold, skip
    cdef public double scale, start_scale
    cdef readonly Coefficients coefficients   # C but for the kept entries
    cdef readonly KeptEntries kept            # None with several outputs
    cdef readonly object skip_coefficients, signs, fired_bits
    cdef readonly Source source
    cdef void *sign_values          # (n_neurons, n_outputs) reals
    cdef void *skip_values          # (n_samples, n_outputs) reals
    cdef uint64_t *bits             # (n_samples, n_words)
    cdef int64_t n_words
    cdef uint32_t *masks            # (panels of the batch, n_blocks * KRONCY_BLOCK)
    cdef int64_t mask_panels
    cdef double *scaled             # (mask_panels * width, n_outputs): e times the step
    cdef int group                  # blocks that a thread takes at a time
    cdef void *z_room               # a group of pre-activations for each thread
    cdef void *f_room               # (n_blocks, n_outputs, width) partial outputs
    cdef readonly int64_t multiply_adds, gram_entries, neurons_fired, neurons_flipped, rows_read

    cdef int panel_width(self) noexcept nogil
    cdef int64_t n_entries(self) noexcept nogil
    cdef int reserve(self, Py_ssize_t batch_size) except -1
    cdef void forward(self, Source source, const int64_t *rows, Py_ssize_t count, double *f,
                      void *z_out, bint record) noexcept nogil
    cdef void panel_forward(self, Source source, const int64_t *rows, Py_ssize_t count, double *f,
                            void *z_out, uint32_t *masks, bint record) noexcept nogil
    cdef void panel_record(self, const int64_t *rows, Py_ssize_t count,
                           const uint32_t *masks) noexcept nogil
    cdef int backward(self, const int64_t *rows, Py_ssize_t count, const double *e, double step,
                      double decay) noexcept nogil
    cdef void group_z(self, Source source, int64_t first, int n_blocks, const int64_t *rows,
                      Py_ssize_t count, int width, void *z) noexcept nogil
    cdef int panel_descend(self, const int64_t *rows, Py_ssize_t count, const uint32_t *masks,
                           const double *e) noexcept nogil
    cdef void block_descend(self, int64_t block, Py_ssize_t count, const uint32_t *masks,
                            const double *e) noexcept nogil
    cdef void decay_weights(self, double factor) noexcept nogil
    cdef void skip_outputs(self, Source source, Py_ssize_t count, int width,
                           double *f) noexcept nogil
    cdef void skip_descend(self, const int64_t *rows, Py_ssize_t count, const double *e,
                           double step) noexcept nogil
    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil
    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil
