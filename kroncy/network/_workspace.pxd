# What an engine reads, and what it writes while it reads.
from libc.stdint cimport int64_t, uint32_t

from ._fired cimport FiredSets


cdef class Workspace:
    cdef int n_threads              # for which there is memory; 0: none yet
    cdef int group                  # blocks that a thread takes at a time
    cdef void *z                    # a group of pre-activations for each thread
    cdef void *f                    # (n_blocks, n_outputs, width) partial outputs
    cdef void *skip                 # (chunks, n_outputs, width) partial sums of the skip
    cdef void *prepared             # what a source has made ready, and
    cdef void *parts                # what it needs for that
    cdef const char *linear         # C G of the prepared rows, a row of neurons for each, in groups
    cdef int64_t linear_stride      # that are so many bytes apart; NULL: not made yet
    cdef void *query                # scratch of the queries of each thread
    cdef uint32_t *masks            # of the last recorded `forward`
    cdef double *scaled             # (samples of a batch, n_outputs): e times the step
    cdef int64_t *columns           # (samples of a batch,): of C
    cdef int64_t mask_bytes, scaled_bytes, column_bytes     # capacities
    cdef FiredSets fired            # where `forward` records fired sets
    cdef int64_t multiply_adds, gram_entries, rows_read, nodes_read     # counters

    cdef void release(self) noexcept
    cdef int reserve_masks(self, int64_t n) except -1
    cdef int reserve_batch(self, int64_t count, int64_t n_outputs) except -1


cdef class Source:
    cdef readonly int64_t n_rows
    cdef readonly bint is_double
    cdef object keep                # the arrays whose addresses the source holds

    cdef int reserve(self, Workspace work) except -1
    cdef void prepare(self, Workspace work, const int64_t *rows,
                      Py_ssize_t count) noexcept nogil
