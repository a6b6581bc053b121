"""kroncy from Cython: one tree for each row, asked in parallel without the GIL."""
from cython.parallel cimport prange
from libc.stdint cimport int64_t

from kroncy.capi cimport (
    KRONCY_SMALL_BUFFER, kroncy_strerror, kroncy_tree, kroncy_tree_create_f64, kroncy_tree_free,
    kroncy_tree_query
)


cdef class Rows:
    """Rows of numbers that can be asked how many of theirs exceed a threshold."""

    cdef kroncy_tree *tree
    cdef int64_t n_rows

    def __cinit__(self, const double[:, ::1] values):
        if values.shape[0] == 0 or values.shape[1] == 0:
            raise ValueError("values must not be empty")
        self.n_rows = values.shape[0]
        check(kroncy_tree_create_f64(
            &self.tree, values.shape[0], values.shape[1], &values[0, 0], 1))

    def __dealloc__(self):
        kroncy_tree_free(self.tree)     # NULL is all right

    def count_above(self, double threshold, int n_threads):
        """The counts, row by row."""
        cdef int64_t i
        cdef int status, failed = 0
        cdef int64_t[::1] found = memoryview(bytearray(8 * self.n_rows)).cast("q")
        for i in prange(self.n_rows, nogil=True, num_threads=n_threads):
            # Capacity 0: only the number is asked for.
            status = kroncy_tree_query(self.tree, i, threshold, 0, NULL, &found[i])
            if status != 0 and status != KRONCY_SMALL_BUFFER:
                failed += status    # an exception has no place in prange
        if failed:
            raise ValueError("the threshold must be a number")
        return list(found)


cdef int check(int status) except -1:
    if status:
        raise ValueError(kroncy_strerror(status).decode())
    return 0
