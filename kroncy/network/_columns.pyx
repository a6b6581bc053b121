"""The order of the columns of C: which of them each training sample has.

An engine may store C, and the coefficients of the skip, with its columns in an order in which they
are read faster.  What it is given and returns is in the order of the samples, except for the arrays
of a `NetworkState`, which says in which order they are: to sort all entries would take longer than
an epoch of a small network.
"""
import numpy as np
import scipy.sparse

from libc.stdint cimport int64_t

from .._base._buffers cimport address

PER_SAMPLE = (  # parts of the coefficients with a row for each sample
    "pattern_bits", "shared_values", "shared_sums", "skip_coefficients", "skip_sums",
)


cdef class Columns:
    """The training samples in the order of the columns of C.

    Parameters
    ----------
    samples : ndarray of int64 (n_samples,), optional
        Sample of each column, a permutation.  Default: their own order.
    """

    def __init__(self, samples=None):
        self.samples = samples
        if samples is not None:
            self.places = np.empty_like(samples)
            self.places[samples] = np.arange(len(samples))
            self.place = <const int64_t *> address(self.places)

    cdef const int64_t *of(
        self, const int64_t *rows, int64_t count, int64_t *buffer
    ) noexcept nogil:
        """Columns of some samples, in `buffer` (count,) where they are not `rows` themselves."""
        cdef int64_t c
        if self.place == NULL:
            return rows
        for c in range(count):
            buffer[c] = self.place[rows[c]]
        return buffer

    def by_sample(self, arrays):
        """The coefficients of an engine, as named arrays, in the order of the samples."""
        return arrays if self.samples is None else renumbered(arrays, self.samples, self.places)

    def by_column(self, arrays):
        """The same arrays in the order of the columns."""
        return arrays if self.samples is None else renumbered(arrays, self.places, self.samples)

    def rows_by_sample(self, array):
        """An array with a row for each column of C in the order of the samples."""
        return array if self.samples is None else array[self.places]

    def csr_by_sample(self, matrix):
        """A csr_array with the columns of C in the order of the samples, entries ascending."""
        return matrix if self.samples is None else renumbered_csr(matrix, self.samples)

    def csr_by_column(self, matrix):
        """A csr_array with a column for each sample in the order of the columns of C."""
        return matrix if self.samples is None else renumbered_csr(matrix, self.places)


def renumbered(arrays, new, old):
    """`arrays` with column j as column new[j], and so column old[i] as column i."""
    made = dict(arrays)
    for name in sorted(arrays.keys() & PER_SAMPLE):
        made[name] = arrays[name][old]
    indices, indptr = arrays["c_indices"], arrays["c_indptr"]
    numbers = scipy.sparse.csr_array(
        (np.arange(len(indices)), indices, indptr), shape=(len(indptr) - 1, len(new)))
    moved = renumbered_csr(numbers, new)
    made["c_indices"] = moved.indices.astype(indices.dtype)
    for name in sorted(arrays.keys() & {"c_values", "c_sums"}):
        made[name] = arrays[name][moved.data]
    return made


def renumbered_csr(matrix, new):
    """`matrix` with column j as column new[j]."""
    made = scipy.sparse.csr_array(
        (matrix.data.copy(), new[matrix.indices], matrix.indptr), shape=matrix.shape)
    made.sort_indices()
    return made
