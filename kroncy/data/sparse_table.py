"""SparseRowTable: the objects of a factor whose rows are mostly zeros."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import DTypeLike, NDArray

from .._base.memory import require_memory
from .._base.threads import resolve_threads
from ._sparse import SparsePair
from .sparse_rows import Lines, SparseRows, canonical, combine, freeze_sparse, sum_rows
from .tables import Index, Labels, Matrix, RowTable, Table, freeze

CLEARING = 8  # entries of a column that are set to 0 in the time of one that is added to
CONTENT = 32  # bytes that stand for a row
COPIES = 3  # of a dense table at a time, where it is taken apart


class SparseRowTable(RowTable):
    """Objects known by the entries of their rows that are not 0.

    Parameters
    ----------
    array : scipy.sparse.csr_array of float32 or float64
        Canonical: columns ascend in each row, once each, and no entry is 0.  Taken over.
    labels : ndarray, optional
        As for `Table`.

    Notes
    -----
    Inner products read only columns that both objects have.  What makes dense arrays is `rows`,
    `dense`, `dense_blocks` and `project`.
    """

    __slots__ = ("__dict__",)

    is_sparse = True

    def __init__(self, array: SparseRows, labels: Labels | None = None) -> None:
        self.array = freeze_sparse(array)
        self.labels = None if labels is None else freeze(labels)

    @property
    def column_cost(self) -> float:
        """What the products with one object add, and the zeros that they are added to."""
        counts = np.unique(self.array.indices, return_counts=True)[1]
        return float(np.square(counts, dtype=float).sum()) / len(self) + len(self) / CLEARING

    def describe(self) -> str:
        """Number of rows, of features and of entries that are not 0."""
        return f"{super().describe()} (sparse, {self.n_stored:,} not 0)"

    @cached_property
    def columns(self) -> tuple[Index, Lines]:
        """``(used, lines)``: the columns that have entries, and those entries, column by column."""
        used, places = np.unique(self.array.indices, return_inverse=True)
        values = self.array.data, places, self.array.indptr
        by_row = scipy.sparse.csr_array(values, shape=(len(self), len(used)))
        by_column = by_row.tocsc()
        return used, Lines.of(by_column.data, by_column.indices, by_column.indptr)

    # -- other rows, other forms ------------------------------------------------------------------

    def astype(self, dtype: DTypeLike) -> Self:
        """The same objects in `dtype`, in which small entries may become 0."""
        if self.dtype == dtype:
            return self
        return type(self)(canonical(self.array.astype(dtype)), self.labels)

    def append(self, other: RowTable) -> Self:
        """Both, one below the other, as sparse rows; this table if `other` equals it."""
        if self.equals(other):
            return self
        rows = scipy.sparse.vstack([self.array, self.alike(other).array], format="csr")
        return type(self)(canonical(rows), self.labels_with(other))

    def alike(self, other: RowTable) -> "SparseRowTable":
        """Any rows, as sparse ones."""
        if isinstance(other, SparseRowTable):
            return other
        return type(self)(canonical(scipy.sparse.csr_array(other.array)), other.labels)

    def parts(self) -> tuple[NDArray, NDArray, NDArray]:
        """Values, columns, and where each row begins among them."""
        return self.array.data, self.array.indices, self.array.indptr

    def rows(self, index: Index) -> Matrix:
        """Gathered rows, dense."""
        return self.array[index].toarray()

    def dense(self) -> Matrix:
        """All rows, dense."""
        size = COPIES * len(self) * self.width * self.dtype.itemsize
        require_memory(size, f"a dense copy of a sparse factor of shape {self.shape}")
        return self.array.toarray()

    def dense_blocks(self, nbytes: int) -> Iterator[tuple[slice, Matrix]]:
        """``(some, rows)``: a few rows at a time, as dense arrays."""
        step = max(1, nbytes // (self.width * self.dtype.itemsize))
        for begin in range(0, len(self), step):
            some = slice(begin, begin + step)
            yield some, self.array[some].toarray()

    def project(self, matrix: NDArray[np.float64]) -> RowTable:
        """A product in float64, dense, rounded to the dtype of the table."""
        rows = self.array.astype(np.float64) @ matrix.T
        return RowTable(np.ascontiguousarray(rows, dtype=self.dtype), self.labels)

    def squared_norms(self) -> Matrix:
        """Of each row."""
        squares = np.square(self.array.data, dtype=np.float64)
        return sum_rows(squares, self.array).astype(self.dtype)

    def content(self, index: Index) -> NDArray:
        """A digest of each row."""
        values, columns, starts = self.parts()
        digests = np.empty((len(self), CONTENT), dtype=np.uint8)
        for row in np.unique(index).tolist():
            some = slice(starts[row], starts[row + 1])
            digest = hashlib.blake2b(columns[some].astype(np.int64).tobytes(), digest_size=CONTENT)
            digest.update(values[some].tobytes())
            digests[row] = np.frombuffer(digest.digest(), dtype=np.uint8)
        return digests[index]

    # -- inner products ---------------------------------------------------------------------------

    def gram(self, other: Table) -> Matrix:
        """One product of all rows."""
        return self.multiply(self, self._rows_of(other), np.float64, resolve_threads(None))

    def block(self, left: Index, other: Table, right: Index) -> Matrix:
        """One product of gathered rows."""
        dtype = np.result_type(self.dtype, other.dtype)
        others = self._rows_of(other).select(right)
        return self.multiply(self.select(left), others, dtype, resolve_threads(None))

    def operand(self, index: Index, dtype: DTypeLike) -> Any:
        """A table of the gathered rows."""
        return self.select(index).astype(dtype)

    def multiply(self, left: Any, right: Any, dtype: DTypeLike, n_threads: int) -> Matrix:
        """Products of sparse rows, the same for any number of threads."""
        return self._pair(left, right, dtype).products(n_threads)

    @property
    def panel_nbytes(self) -> int:
        """Two copies, by columns and by rows; a column has an entry, so it has a start."""
        return 2 * (self.n_stored * (self.dtype.itemsize + 4 + 8) + 8 * len(self))

    def panel_arrays(self, other: Table) -> tuple[SparsePair, None]:
        """Both, ready to be multiplied."""
        return self._pair(self, self._rows_of(other), self.dtype), None

    def _rows_of(self, other: Table) -> "SparseRowTable":
        if not isinstance(other, RowTable):
            raise TypeError(f"rows cannot be multiplied by {other.kind}")
        return self.alike(other)

    @staticmethod
    def _pair(left: "SparseRowTable", right: "SparseRowTable", dtype: DTypeLike) -> SparsePair:
        used, columns = left.columns
        return combine(used, columns, right.array, len(left), np.dtype(dtype))
