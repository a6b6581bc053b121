"""Tables: the objects of one factor, known by their rows or by a kernel between them.

Both kinds answer the same questions, so that nothing outside this file asks which one it has.
"""

import math
import mmap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._base.threads import blas_threads, resolve_threads
from ..linalg._chunks import multiply_chunks

Matrix = NDArray[np.floating[Any]]  # float32 or float64
Index = NDArray[np.int64]
Labels = NDArray[Any]  # strings or int64

NO_ROWS = "data given as kernels has no explicit rows; use .gram()"
GEMM_SPEED = 8  # multiply-adds of a GEMM in the time of one gathered entry


def freeze(array: NDArray) -> NDArray:
    """The array itself, read-only from now on; nothing else may refer to its memory."""
    array.flags.writeable = False
    return array


def is_mapped(array: NDArray) -> bool:
    """Whether its memory is a file that is mapped for reading alone: nobody can write to it.

    Processes of one machine share it, so it is not copied.
    """
    memory: Any = array
    while isinstance(memory, np.ndarray):
        memory = memory.base
    return isinstance(memory, mmap.mmap) and memoryview(memory).readonly


def equal_arrays(a: NDArray | None, b: NDArray | None) -> bool:
    """Whether two arrays have the same shape and numbers; None equals nothing."""
    if a is None or b is None or a.shape != b.shape:
        return False
    # Most arrays that differ do so in their first row.
    return np.array_equal(a[:1], b[:1]) and np.array_equal(a, b)


class Table(ABC):
    """The distinct objects of one factor.  Immutable.

    Parameters
    ----------
    array : ndarray of float32 or float64, C-contiguous
        Taken over: it becomes read-only, and nothing else may refer to its memory.
    labels : ndarray of str or int64, shape (n_objects,), optional
        What the objects are called; taken over as well.

    Attributes
    ----------
    array : ndarray, or csr_array in a `SparseRowTable`
        Read-only.
    labels : ndarray or None
        Read-only.
    kind : {"factors", "kernels"}
    is_sparse : bool
        Whether `array` is sparse.
    """

    __slots__ = ("array", "labels")

    kind: ClassVar[str]
    is_sparse: ClassVar[bool] = False

    def __init__(self, array: Any, labels: Labels | None = None) -> None:
        self.array: Any = freeze(array)
        self.labels = None if labels is None else freeze(labels)

    def __len__(self) -> int:
        return self.array.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the array: objects, and features of rows or, in a kernel, objects again."""
        return self.array.shape[0], self.array.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.array.dtype

    @property
    @abstractmethod
    def width(self) -> float:
        """Features of an object, an int; math.inf where only the kernel is known."""

    @property
    def n_stored(self) -> int:
        """Numbers that are stored: of sparse rows those that are not 0."""
        return int(self.array.size)

    @property
    @abstractmethod
    def column_cost(self) -> float:
        """Cost of the inner products of all objects with one, in entries gathered."""

    @abstractmethod
    def describe(self) -> str:
        """How many objects there are, and what is known of them."""

    def astype(self, dtype: DTypeLike) -> Self:
        """The same objects in `dtype`."""
        return self if self.dtype == dtype else type(self)(self.array.astype(dtype), self.labels)

    def equals(self, other: "Table") -> bool:
        """Whether `other` has the same objects, with the same labels, and they are equal."""
        return (
            type(self) is type(other)
            and self.shape == other.shape
            and self.same_labels(other)
            and all(map(equal_arrays, self.parts(), other.parts()))
        )

    def same_labels(self, other: "Table") -> bool:
        """Whether `other` has equal labels, or neither has any."""
        if self.labels is None or other.labels is None:
            return self.labels is other.labels
        return np.array_equal(self.labels, other.labels)

    def labels_with(self, other: "Table") -> Labels | None:
        """These labels, then those of `other`; None unless both have labels of one kind."""
        pair = [table.labels for table in (self, other) if table.labels is not None]
        if len(pair) < 2 or pair[0].dtype.kind != pair[1].dtype.kind:
            return None
        return np.concatenate(pair)

    def parts(self) -> tuple[NDArray, ...]:
        """The arrays that the objects are stored in, as `KroneckerData.get_state` returns them."""
        return (self.array,)

    @abstractmethod
    def compact(self, index: Index) -> tuple[Self, Index]:
        """The table without objects that `index` does not name, and the index into that."""

    @abstractmethod
    def rows(self, index: Index) -> Matrix:
        """Rows of the objects `index`; ValueError where only the kernel is known."""

    @abstractmethod
    def dense(self) -> Matrix:
        """Rows of all objects, a read-only array if that is what is stored; ValueError as above."""

    @abstractmethod
    def dense_blocks(self, nbytes: int) -> Iterator[tuple[slice, Matrix]]:
        """``(some, rows)``: `dense` of some objects after the others; `nbytes` each if sparse."""

    @abstractmethod
    def project(self, matrix: NDArray[np.float64]) -> "Table":
        """Rows F replaced by F M^T for a `matrix` M; ValueError where only the kernel is known."""

    @abstractmethod
    def append(self, other: Self) -> Self:
        """These objects, then those of a comparable table that are not the same."""

    @abstractmethod
    def matches(self, other: "Table") -> bool:
        """Whether inner products with the objects of `other` are defined."""

    @abstractmethod
    def squared_norms(self) -> Matrix:
        """Inner product of each object with itself."""

    @abstractmethod
    def content(self, index: Index) -> NDArray:
        """What tells objects from each other, one row of an array for each of `index`."""

    # -- inner products: `other` is a table that matches this one ---------------------------------

    @abstractmethod
    def gram(self, other: "Table") -> Matrix:
        """All objects with all of `other`, a new array (len(self), len(other)) in float64."""

    @abstractmethod
    def block(self, left: Index, other: "Table", right: Index) -> Matrix:
        """Objects `left` with objects `right` of `other`, a new array."""

    @abstractmethod
    def operand(self, index: Index, dtype: DTypeLike) -> Any:
        """Objects gathered once for several calls of `multiply`."""

    @abstractmethod
    def multiply(self, left: Any, right: Any, dtype: DTypeLike, n_threads: int) -> Matrix:
        """Inner products between two operands, the same for any number of threads.

        BLAS must run with one thread.
        """

    @property
    def panel_nbytes(self) -> int:
        """Bytes that `panel_arrays` takes besides the tables themselves."""
        return 0

    @abstractmethod
    def panel_arrays(self, other: "Table") -> tuple[Any, Matrix | None]:
        """``(left, right)`` of `GramPanels` from all objects to those of `other`."""


class RowTable(Table):
    """Objects known by their rows, an array (n_objects, width).

    Inner products with sparse rows are left to these.
    """

    __slots__ = ()

    kind = "factors"

    @property
    def width(self) -> int:
        """Columns of the array."""
        return self.shape[1]

    @property
    def column_cost(self) -> float:
        """A GEMM of all rows with one."""
        return len(self) * (self.width / GEMM_SPEED)

    def describe(self) -> str:
        """Number of rows and of features."""
        return f"{len(self):,} rows of {self.width:,} features"

    def compact(self, index: Index) -> tuple[Self, Index]:
        """The rows that `index` names; this table where it names all."""
        used, inverse = np.unique(index, return_inverse=True)
        if len(used) == len(self):
            return self, index
        return self.select(used), freeze(inverse)

    def select(self, objects: Index) -> Self:
        """A table of these objects."""
        labels = None if self.labels is None else self.labels[objects]
        return type(self)(self.array[objects], labels)

    def append(self, other: "RowTable") -> "RowTable":
        """Both arrays, one below the other; this table if `other` equals it."""
        if self.equals(other):
            return self
        if other.is_sparse:
            return other.alike(self).append(other)
        return type(self)(np.vstack([self.array, other.array]), self.labels_with(other))

    def alike(self, other: "RowTable") -> "RowTable":
        """Any rows in the form in which this table multiplies them: dense ones as they are."""
        return other

    def rows(self, index: Index) -> Matrix:
        """Gathered rows."""
        return self.array[index]

    def dense(self) -> Matrix:
        """The array of the rows."""
        return self.array

    def dense_blocks(self, nbytes: int) -> Iterator[tuple[slice, Matrix]]:
        """All rows at once."""
        yield slice(None), self.array

    def project(self, matrix: NDArray[np.float64]) -> "RowTable":
        """A product in float64, rounded to the dtype of the table."""
        with blas_threads(1):
            rows = self.array.astype(np.float64) @ matrix.T
        return type(self)(rows.astype(self.dtype), self.labels)

    def matches(self, other: Table) -> bool:
        """Rows of equal length."""
        return isinstance(other, RowTable) and other.width == self.width

    def squared_norms(self) -> Matrix:
        """Of each row."""
        return np.einsum("ij,ij->i", self.array, self.array)

    def content(self, index: Index) -> NDArray:
        """The rows themselves."""
        return self.array[index]

    def gram(self, other: Table) -> Matrix:
        """One product of the two arrays."""
        if isinstance(other, RowTable) and other.is_sparse:
            return other.alike(self).gram(other)
        left, right = (np.asarray(table.array, np.float64) for table in (self, other))
        return self.multiply(left, right, np.float64, resolve_threads(None))

    def block(self, left: Index, other: Table, right: Index) -> Matrix:
        """One product of gathered rows."""
        if isinstance(other, RowTable) and other.is_sparse:
            return other.alike(self.select(left)).block(np.arange(len(left)), other, right)
        dtype = np.result_type(self.dtype, other.dtype)
        return self.multiply(
            self.operand(left, dtype), other.operand(right, dtype), dtype, resolve_threads(None)
        )

    def operand(self, index: Index, dtype: DTypeLike) -> Any:
        """Gathered rows."""
        return np.ascontiguousarray(self.array[index], dtype=dtype)

    def multiply(self, left: Any, right: Any, dtype: DTypeLike, n_threads: int) -> Matrix:
        """A GEMM in chunks, the same for any number of threads, of BLAS too."""
        product = np.empty((len(left), len(right)), dtype=dtype)
        with blas_threads(1):
            multiply_chunks(left, right, product, n_threads, transpose_b=True)
        return product

    def panel_arrays(self, other: Table) -> tuple[Any, Matrix | None]:
        """Both arrays of rows."""
        if isinstance(other, RowTable) and other.is_sparse:
            return other.alike(self).panel_arrays(other)
        return self.array, other.array


class KernelTable(Table):
    """Objects known by their inner products, a symmetric array (n_objects, n_objects).

    Data sets are comparable only if they have the same kernel, so no object is ever left out.
    """

    __slots__ = ()

    kind = "kernels"

    @property
    def width(self) -> float:
        """Unknown, so infinite."""
        return math.inf

    @property
    def column_cost(self) -> float:
        """A row of the kernel."""
        return len(self)

    def describe(self) -> str:
        """Number of objects."""
        return f"{len(self):,} objects (kernel)"

    def compact(self, index: Index) -> tuple[Self, Index]:
        """Nothing left out: a smaller kernel would not match the others."""
        return self, index

    def rows(self, index: Index) -> Matrix:
        """Unknown."""
        raise ValueError(NO_ROWS)

    def dense(self) -> Matrix:
        """Unknown."""
        raise ValueError(NO_ROWS)

    def dense_blocks(self, nbytes: int) -> Iterator[tuple[slice, Matrix]]:
        """Unknown."""
        raise ValueError(NO_ROWS)

    def project(self, matrix: NDArray[np.float64]) -> Self:
        """Unknown."""
        raise ValueError(NO_ROWS)

    def append(self, other: Self) -> Self:
        """Nothing to add: the other is the same kernel."""
        return self

    def matches(self, other: Table) -> bool:
        """Kernels with equal entries."""
        if self is other:
            return True
        return isinstance(other, KernelTable) and np.array_equal(self.array, other.array)

    def squared_norms(self) -> Matrix:
        """The diagonal."""
        return np.diagonal(self.array)

    def content(self, index: Index) -> NDArray:
        """The numbers of the objects."""
        return index[:, None]

    def gram(self, other: Table) -> Matrix:
        """The kernel, copied."""
        return self.array.astype(np.float64)

    def block(self, left: Index, other: Table, right: Index) -> Matrix:
        """Entries of the kernel."""
        return self.array[np.ix_(left, right)]

    def operand(self, index: Index, dtype: DTypeLike) -> Any:
        """The index itself."""
        return index

    def multiply(self, left: Any, right: Any, dtype: DTypeLike, n_threads: int) -> Matrix:
        """Entries of the kernel."""
        return self.array[np.ix_(left, right)].astype(dtype)

    def panel_arrays(self, other: Table) -> tuple[Any, Matrix | None]:
        """The kernel, whose rows are columns of a panel."""
        return self.array, None
