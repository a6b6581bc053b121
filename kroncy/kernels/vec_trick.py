"""The vec trick: products with Kronecker rows L[a_i] (x) R[b_i] that are never formed.

    multiply   f_i = L[a_i] W R[b_i]^T                  for a matrix W
    adjoint    W   = sum_i v_i L[a_i]^T R[b_i]          for a vector v

Both take one product with L, one with R, and a sum over samples.  A plan chooses the order, and
whether samples are gathered one by one or through the grid of all pairs of objects.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .._base.threads import blas_threads
from ..data.tables import GEMM_SPEED, Index
from ..linalg._chunks import multiply_chunks

BLOCK_BYTES = 2**24  # rows gathered at a time

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the pairs: a row for each object, and the object of each sample.

    Attributes
    ----------
    rows : ndarray of float64, shape (n_objects, width)
    index : ndarray of int64, shape (n_samples,)
    """

    rows: Reals
    index: Index

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Columns of the rows."""
        return self.rows.shape[1]

    @cached_property
    def columns(self) -> Reals:
        """The rows, transposed and contiguous."""
        return np.ascontiguousarray(self.rows.T)


class Powers:
    """Powers of arrays entry by entry, with ascending exponents from 1 on.

    Examples
    --------
    >>> powers = Powers(np.array([2.0, 3.0]))
    >>> [powers.raised(exponent)[0].tolist() for exponent in (1, 3)]
    [[2.0, 3.0], [8.0, 27.0]]
    """

    def __init__(self, *arrays: Reals) -> None:
        self._arrays = self._raised = arrays
        self._exponent = 1

    def raised(self, exponent: int) -> tuple[Reals, ...]:
        """The power of each array, from the one before."""
        for _ in range(self._exponent, exponent):
            self._raised = tuple(
                power * array for power, array in zip(self._raised, self._arrays, strict=True)
            )
        self._exponent = exponent
        return self._raised


class Cells:
    """Cells of a matrix, one for each sample, in which values of the samples are added up.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (n_samples,)
    shape : tuple of int
        Of the matrix.

    Attributes
    ----------
    used : ndarray of int64
        Cells that have a sample, row * shape[1] + column, in ascending order.
    """

    def __init__(self, rows: Index, columns: Index, shape: tuple[int, int]) -> None:
        cells = rows * shape[1] + columns
        self._order = np.argsort(cells, kind="stable")
        cells = cells[self._order]
        self._starts = np.flatnonzero(np.diff(cells, prepend=-1))
        self.used, self._shape = cells[self._starts], shape
        counts = np.bincount(self.used // shape[1], minlength=shape[0])
        self._ends = np.concatenate([[0], np.cumsum(counts)])
        self._columns = self.used % shape[1]

    @property
    def first(self) -> Index:
        """The first sample of each used cell."""
        return self._order[self._starts]

    @property
    def most(self) -> int:
        """Most samples of a cell."""
        return int(np.diff(self._starts, append=len(self._order)).max())

    def dense(self, values: Reals) -> Reals:
        """The matrix, zero in other cells."""
        matrix = np.zeros(self._shape)
        matrix.reshape(-1)[self.used] = self.sums(values)
        return matrix

    def sparse(self, values: Reals) -> scipy.sparse.csr_array:
        """The matrix, as CSR."""
        parts = self.sums(values), self._columns, self._ends
        return scipy.sparse.csr_array(parts, shape=self._shape)

    def sums(self, values: Reals) -> Reals:
        """Sums of the values in each used cell."""
        return np.add.reduceat(values[self._order], self._starts)


class PairRows:
    """The rows L[a_i] (x) R[b_i] of n samples.

    Parameters
    ----------
    left, right : Side
        With one index for each sample.
    n_threads : int
        Results do not depend on it.
    """

    def __init__(self, left: Side, right: Side, n_threads: int) -> None:
        costs = [
            rows_cost(len(left.index), (len(first), len(last)), (first.width, last.width))
            for first, last in ((left, right), (right, left))
        ]
        self._swapped = costs[1] < costs[0]
        self._first, self._last = (right, left) if self._swapped else (left, right)
        self._dense = is_dense(len(left.index), (len(left), len(right)))
        self._n_threads = n_threads

    @cached_property
    def _cells(self) -> Cells:
        return Cells(self._first.index, self._last.index, (len(self._first), len(self._last)))

    def multiply(self, matrix: Reals) -> Reals:
        """``f_i = L[a_i] W R[b_i]^T``, a vector (n_samples,)."""
        first, last = self._first, self._last
        part = self._product(first.rows, matrix.T if self._swapped else matrix)
        if self._dense:
            return self._product(part, last.columns)[first.index, last.index]
        return gather_products(part, first.index, last.rows, last.index)

    def adjoint(self, vector: Reals) -> Reals:
        """``W = sum_i v_i L[a_i]^T R[b_i]``, a matrix."""
        first, last = self._first, self._last
        if self._dense:
            part = self._product(self._cells.dense(vector), last.rows)
        else:
            part = self._cells.sparse(vector) @ last.rows
        matrix = self._product(first.columns, part)
        return np.ascontiguousarray(matrix.T) if self._swapped else matrix

    def _product(self, a: Reals, b: Reals) -> Reals:
        return multiply_matrices(a, b, self._n_threads)


class PairKernel:
    """Inner products of n pairs with m others, through kernels K and H of their objects.

    ``f_i = sum_j K[a_i, c_j] v_j H[b_i, d_j]``.

    Parameters
    ----------
    left, right : Side
        Their rows are those of K and H, their indices (a_i) and (b_i).
    columns : tuple of ndarray of int64
        Indices (c_j) and (d_j).
    n_threads : int
        Results do not depend on it.
    cells : Cells, optional
        Those of another kernel of the same samples and objects.
    """

    def __init__(
        self,
        left: Side,
        right: Side,
        columns: tuple[Index, Index],
        n_threads: int,
        cells: Cells | None = None,
    ) -> None:
        sizes = len(left.index), len(columns[0])
        shape = left.width, right.width
        dense, sparse = kernel_costs(sizes, (len(left), len(right)), shape)
        self._dense, self._n_threads = dense <= sparse, n_threads
        self._first, self._last, self._columns = left, right, columns
        if cells is None:
            cells = Cells(*columns, shape) if self._dense else Cells(*columns[::-1], shape[::-1])
        self._cells = cells

    def with_kernels(self, left: Reals, right: Reals) -> Self:
        """The same samples, with other kernels of their objects."""
        sides = Side(left, self._first.index), Side(right, self._last.index)
        return type(self)(*sides, self._columns, self._n_threads, self._cells)

    @cached_property
    def _rows(self) -> PairRows:
        return PairRows(self._first, self._last, self._n_threads)

    def multiply(self, vector: Reals) -> Reals:
        """``f_i``, a vector (n,)."""
        if self._dense:
            return self._rows.multiply(self._cells.dense(vector))
        first, last = self._first, self._last
        grid = self._cells.sparse(vector)
        result = np.zeros(len(first.index))
        step = max(1, BLOCK_BYTES // (8 * len(first)))
        for begin in range(0, last.width, step):  # a few objects of the right side at a time
            some = slice(begin, begin + step)
            part = np.ascontiguousarray((grid[some] @ first.columns).T)
            right = np.ascontiguousarray(last.rows[:, some])
            result += gather_products(part, first.index, right, last.index)
        return result


def is_dense(n: int, objects: tuple[int, int]) -> bool:
    """Whether a product over the grid of all pairs is cheaper than n gathered rows."""
    return objects[0] * objects[1] < GEMM_SPEED * n


def rows_cost(n: int, objects: tuple[int, int], widths: tuple[int, int]) -> float:
    """Operations of `PairRows`, the first side being multiplied first, in gathered numbers."""
    gathered = min(n, objects[0] * objects[1] / GEMM_SPEED) * widths[1]
    return objects[0] * widths[0] * widths[1] / GEMM_SPEED + gathered


def kernel_costs(
    sizes: tuple[int, int], objects: tuple[int, int], widths: tuple[int, int]
) -> tuple[float, float]:
    """Operations of `PairKernel` over the grid of all columns, and sample by sample."""
    swapped = objects[::-1], widths[::-1]
    dense = min(rows_cost(sizes[0], objects, widths), rows_cost(sizes[0], *swapped))
    return dense, sizes[1] * objects[0] + sizes[0] * widths[1]


def multiply_matrices(a: Reals, b: Reals, n_threads: int) -> Reals:
    """``a @ b``, the same for any number of threads."""
    out = np.empty((len(a), b.shape[1]))
    with blas_threads(1):
        multiply_chunks(np.ascontiguousarray(a), np.ascontiguousarray(b), out, n_threads)
    return out


def gather_products(left: Reals, left_index: Index, right: Reals, right_index: Index) -> Reals:
    """Inner product of row ``left_index[i]`` of `left` with row ``right_index[i]`` of `right`."""
    n = len(left_index)
    products = np.empty(n)
    step = max(1, BLOCK_BYTES // (8 * left.shape[1]))
    for begin in range(0, n, step):
        some = slice(begin, begin + step)
        products[some] = np.einsum(
            "ij,ij->i", left[left_index[some]], right[right_index[some]]
        )
    return products
