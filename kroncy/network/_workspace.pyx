"""What an engine reads, and what it writes while it reads."""
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free

from .._base._buffers cimport grow


cdef class Workspace:
    """What a pass over rows writes, and the operations that it counts: one for each call.

    So any number of threads read a network at once.  The training has one of its own, for as long
    as the engine lives.
    """

    def __dealloc__(self):
        self.release()

    cdef void release(self) noexcept:
        """Free all memory."""
        free(self.z)
        free(self.f)
        free(self.skip)
        free(self.prepared)
        free(self.parts)
        free(self.query)
        free(self.masks)
        free(self.scaled)
        free(self.columns)
        self.z = self.f = self.skip = self.prepared = self.parts = self.query = NULL
        self.masks = NULL
        self.scaled = NULL
        self.columns = NULL
        self.n_threads = 0
        self.mask_bytes = self.scaled_bytes = self.column_bytes = 0

    cdef int reserve_masks(self, int64_t n) except -1:
        """Memory for the masks of a recorded `forward`."""
        return grow(<void **> &self.masks, &self.mask_bytes, n * sizeof(uint32_t))

    cdef int reserve_batch(self, int64_t count, int64_t n_outputs) except -1:
        """Memory for the errors of a batch, times the step, and for its columns of C."""
        grow(<void **> &self.columns, &self.column_bytes, count * sizeof(int64_t))
        return grow(<void **> &self.scaled, &self.scaled_bytes, count * n_outputs * sizeof(double))

    def counters(self):
        """Operations so far, as a dict of int."""
        return {
            "multiply_adds": self.multiply_adds,
            "gram_entries": self.gram_entries,
            "neurons_fired": self.fired.n_fired,
            "neurons_flipped": self.fired.n_flipped,
            "samples": self.rows_read,
        }

    def set_counters(self, counters):
        """Go on counting from the counts of an earlier run."""
        self.multiply_adds = counters["multiply_adds"]
        self.gram_entries = counters["gram_entries"]
        self.fired.n_fired = counters["neurons_fired"]
        self.fired.n_flipped = counters["neurons_flipped"]
        self.rows_read = counters["samples"]


cdef class Source:
    """Rows whose pre-activations can be asked for: the training samples, or others."""

    cdef int reserve(self, Workspace work) except -1:
        """Memory for `prepare`."""
        return 0

    cdef void prepare(self, Workspace work, const int64_t *rows, Py_ssize_t count) noexcept nogil:
        """Make ready, in the workspace, whatever `Engine.group_z` reads about these rows."""
