"""What an engine reads, and what it writes while it reads."""
from libc.stdint cimport int64_t
from libc.stdlib cimport free


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
        self.z = self.f = self.skip = self.prepared = self.parts = self.query = NULL
        self.masks = NULL
        self.n_threads = self.mask_panels = 0


cdef class Source:
    """Rows whose pre-activations can be asked for: the training samples, or others."""

    cdef int reserve(self, Workspace work) except -1:
        """Memory for `prepare`."""
        return 0

    cdef void prepare(self, Workspace work, const int64_t *rows, Py_ssize_t count) noexcept nogil:
        """Make ready, in the workspace, whatever `Engine.group_z` reads about these rows."""
