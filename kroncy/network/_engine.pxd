# What the engines share, and what the loops over batches need of them.
from libc.stdint cimport int64_t, uint32_t

from ._average cimport Average
from ._coefficients cimport Coefficients, Step
from ._columns cimport Columns
from ._fired cimport FiredSets
from ._ranks cimport Ranks
from ._workspace cimport Source, Workspace


cdef enum:
    MAX_GROUP = 8       # blocks of 32 kB that stay in L2 beside a tile of the panel


cdef inline bint near_underflow(double scale) noexcept nogil:
    """Whether a scale should be multiplied into what it scales: below 2 ** -20."""
    return scale < 9.5367431640625e-07


cdef class Engine:
    cdef readonly int64_t n_neurons, n_samples
    cdef readonly int n_outputs
    cdef readonly bint is_double
    cdef public int n_threads
    cdef readonly double threshold, skip
    cdef public double scale, start_scale       # W(t) = start_scale W(0) + scale C X
    cdef readonly Coefficients coefficients     # C
    cdef readonly Average average               # of the iterates; None: not asked for
    cdef Engine mean                            # reads at the average, while training stands still
    cdef readonly object signs
    # The order of those of C, and of the left side of all panels; set before anything is read.
    cdef public Columns columns
    cdef object skip_store          # coefficients of the skip, in that order
    cdef FiredSets fired
    cdef readonly Source source                 # the training samples
    cdef readonly Ranks ranks                   # this engine has the neurons of one of them
    cdef int64_t itemsize           # bytes of a real
    cdef int64_t n_blocks           # of 256 neurons
    cdef void *skip_values          # the same: (n_samples, n_outputs) reals
    cdef Workspace work             # of the training, and its counters

    cdef int64_t n_masks(self, Py_ssize_t batch_size) noexcept nogil
    cdef Engine make_mean(self)
    cdef derive_weights(self)
    cdef int begin_batches(self, Py_ssize_t batch_size) except -1
    cdef void forward(self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count,
                      double *f, void *z_out, const int64_t *places) noexcept nogil
    cdef int backward(self, const int64_t *rows, Py_ssize_t count, const double *e, double step,
                      double decay) noexcept nogil

    # What an engine says about itself.
    cdef int reserve_more(self, Workspace work) except -1
    cdef void panel_forward(self, Workspace work, Source source, const int64_t *rows,
                            Py_ssize_t count, double *f, void *z_out, uint32_t *masks,
                            const int64_t *places) noexcept nogil
    cdef void prepare(self, Workspace work, Source source, const int64_t *rows,
                      Py_ssize_t count) noexcept nogil
    cdef void group_z(self, Workspace work, Source source, int64_t first, int n_blocks,
                      const int64_t *rows, Py_ssize_t count, int width, void *z) noexcept nogil
    cdef int panel_descend(self, const Step *step) noexcept nogil
    cdef double step_work(self, Py_ssize_t count) noexcept nogil
    cdef void block_descend(self, int64_t block, const Step *step) noexcept nogil
    cdef void decay_weights(self, double factor) noexcept nogil
    cdef void skip_outputs(self, Workspace work, Py_ssize_t count, double *f) noexcept nogil
    cdef void skip_descend(self, const int64_t *rows, const int64_t *columns, Py_ssize_t count,
                           const double *e, double step) noexcept nogil
    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil
    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil

    # What it may use.
    cdef int reserve(self, Workspace work, Source source, Py_ssize_t batch_size) except -1
    cdef int reserve_source(self, Workspace work, Source source) except -1
    cdef int group_size(self) noexcept nogil
    cdef int panel_width(self) noexcept nogil
    cdef int row_width(self, Py_ssize_t count) noexcept nogil
    cdef void forward_group(self, Workspace work, Source source, int thread,
                            int64_t group, const int64_t *rows, Py_ssize_t count, int width,
                            void *z_out, uint32_t *masks, const int64_t *places) noexcept nogil
    cdef int step_block(self, int64_t block, const Step *step) noexcept nogil
