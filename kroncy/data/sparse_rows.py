"""Sparse rows as they are stored and multiplied: canonical CSR arrays, and lines of entries.

Canonical means that columns ascend in each row, once each, and that no entry is 0, so that equal
rows have equal arrays.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ._sparse import SparsePair

SparseRows = Any  # scipy.sparse.csr_array, which has no types
MOST_PLACES = 2**31 - 1  # rows or columns


@dataclass(frozen=True, eq=False)
class Lines:
    """Entries line by line, rows or columns: as the kernel reads them.

    Attributes
    ----------
    values : ndarray of float32 or float64
    places : ndarray of int32
        Where each value is in its line, in ascending order.
    starts : ndarray of int64, shape (n_lines + 1,)
        Where each line begins.
    """

    values: NDArray
    places: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray, places: NDArray, starts: NDArray) -> Self:
        """Lines of arrays of any integers; empty ones get memory to point to."""
        if not len(values):
            values, places = np.zeros(1, values.dtype), np.zeros(1, places.dtype)
        return cls(
            np.ascontiguousarray(values),
            np.ascontiguousarray(places, dtype=np.int32),
            np.ascontiguousarray(starts, dtype=np.int64),
        )

    def arrays(self, dtype: np.dtype) -> tuple[NDArray, NDArray, NDArray]:
        """The three arrays, with values of this dtype."""
        return self.values.astype(dtype, copy=False), self.places, self.starts


def canonical(rows: SparseRows) -> SparseRows:
    """The rows in canonical form; they may be changed."""
    rows.sum_duplicates()
    rows.eliminate_zeros()
    rows.sort_indices()
    return rows


def freeze_sparse(rows: SparseRows) -> SparseRows:
    """The rows themselves, read-only from now on."""
    for array in (rows.data, rows.indices, rows.indptr):
        array.flags.writeable = False
    return rows


def combine(
    used: NDArray, columns: Lines, right: SparseRows, n_left: int, dtype: np.dtype
) -> SparsePair:
    """A left matrix, known by its `used` columns, and the part of a right one in these columns."""
    place = np.searchsorted(used, right.indices)
    common = place < len(used)
    common[common] = used[place[common]] == right.indices[common]
    starts = np.concatenate([[0], np.cumsum(common)])[right.indptr]
    rows = Lines.of(right.data[common], place[common], starts)
    lengths = np.diff(columns.starts)
    adds = float(lengths[place[common]].sum()) / max(1, right.shape[0])
    return SparsePair(columns.arrays(dtype), rows.arrays(dtype), n_left, adds)


def row_exponents(rows: SparseRows) -> NDArray[np.int64]:
    """Exponents e: the largest absolute entry of each row is in [2**(e - 1), 2**e); 0 for zeros."""
    largest = np.zeros(rows.shape[0], dtype=rows.dtype)
    some = np.flatnonzero(np.diff(rows.indptr))
    if len(some):
        largest[some] = np.maximum.reduceat(np.abs(rows.data), rows.indptr[some])
    return np.frexp(largest)[1].astype(np.int64)


def sum_rows(values: NDArray, rows: SparseRows) -> NDArray[np.float64]:
    """Sum of the values of the entries of each row."""
    sums = np.zeros(rows.shape[0])
    some = np.flatnonzero(np.diff(rows.indptr))
    if len(some):
        sums[some] = np.add.reduceat(values, rows.indptr[some])
    return sums


def repeat_rows(values: NDArray, rows: SparseRows) -> NDArray:
    """The value of each entry's row."""
    return np.repeat(values, np.diff(rows.indptr))


def kronecker_rows(left: SparseRows, right: SparseRows) -> SparseRows:
    """Kronecker product of each row of `left` with that of `right`, as CSR."""
    n, width = left.shape[0], left.shape[1] * right.shape[1]
    n_left, n_right = np.diff(left.indptr), np.diff(right.indptr)
    counts = n_left.astype(np.int64) * n_right
    starts = np.concatenate([[0], np.cumsum(counts)])
    row = np.repeat(np.arange(n), counts)
    position = np.arange(starts[-1]) - starts[row]
    of_left = left.indptr[row] + position // n_right[row]
    of_right = right.indptr[row] + position % n_right[row]
    columns = left.indices[of_left].astype(np.int64) * right.shape[1] + right.indices[of_right]
    values = left.data[of_left] * right.data[of_right]
    return scipy.sparse.csr_array((values, columns, starts), shape=(n, width))
