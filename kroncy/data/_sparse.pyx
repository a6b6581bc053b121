"""Inner products between the rows of two sparse matrices, of which only common columns are read."""
import numpy as np

from libc.stdint cimport int32_t, int64_t

from .._base._buffers cimport address, holds_doubles, real_dtype
from .._base._team cimport team_run

cdef enum:
    CHUNK = 1024        # rows of the result that one thread makes at a time

# Nanoseconds of one thread, roughly.
cdef double CLEAR = 0.1             # an entry set to 0
cdef double ADD = 1.0               # a product added to an entry

cdef struct ProductLoop:
    bint is_double
    int64_t n_left, n_right
    const kroncy_lines *columns
    const kroncy_lines *rows
    void *out


cdef class SparsePair:
    """A left matrix by its columns and a right one by its rows, ready to be multiplied.

    Parameters
    ----------
    columns : tuple (values, places, starts)
        Of the left matrix, compressed by columns: float32 or float64, int32, int64; places ascend
        in each column.
    rows : tuple (values, places, starts)
        Of the right matrix, compressed by rows, with the same columns and dtype.
    n_left : int
        Rows of the left matrix.
    adds : float
        Pairs of numbers that a row of the right matrix shares a column with, on average.
    """

    def __init__(self, columns, rows, n_left, adds):
        self.n_left, self.adds = n_left, adds
        self.n_right = len(rows[2]) - 1
        self.is_double = holds_doubles(columns[0])
        self.arrays = (columns, rows)
        set_lines(&self.columns, columns)
        set_lines(&self.rows, rows)

    def products(self, int n_threads):
        """All inner products, a new array (n_left, n_right); the same for any number of threads."""
        cdef ProductLoop loop
        out = np.empty((self.n_left, self.n_right), real_dtype(self.is_double))
        loop.is_double = self.is_double
        loop.n_left, loop.n_right = self.n_left, self.n_right
        loop.columns, loop.rows = &self.columns, &self.rows
        loop.out = address(out)
        cdef double work = self.n_right * (CLEAR * self.n_left + ADD * self.adds)
        with nogil:
            team_run(n_threads, (loop.n_left + CHUNK - 1) // CHUNK, work, products_chunk, &loop)
        return out


cdef void products_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef ProductLoop *loop = <ProductLoop *> context
    kroncy_sparse_products(
        loop.is_double, chunk * CHUNK, min(loop.n_left, (chunk + 1) * CHUNK), loop.n_right,
        loop.n_right, loop.columns, loop.rows, NULL, loop.out)


cdef int set_lines(kroncy_lines *lines, arrays) except -1:
    values, places, starts = arrays
    if places.dtype != np.int32 or starts.dtype != np.int64:
        raise TypeError("places must be int32, starts int64")
    lines.values = address(values)
    lines.places = <const int32_t *> address(places)
    lines.starts = <const int64_t *> address(starts)
    return 0
