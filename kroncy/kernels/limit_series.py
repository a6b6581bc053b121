"""The limit kernel of pairs as a sum of Kronecker powers, none of which is formed.

A[a_i, c_j] and B[b_i, d_j] are the correlations of the objects of samples i and j on the two sides,
and rho_ij is their product.  By Mehler's formula for the probability that a neuron fires on both,

    H_ij = sum over l >= 0 of s_l(i) s_l(j) rho_ij^(l + 1)  +  skip |x_i| |x_j| rho_ij

    s_0 = |x| Phi(-h),    s_l = |x| phi(h) He_(l - 1)(h) / sqrt(l!),    h = threshold / |x|

A power of rho is a product of powers of A and B, so that a term costs one product by the vec trick.
The sum over l ends at L.  What is left decays slowly where |rho| is near 1: entries of which both
objects are *close* are exact, by a sparse matrix that is added.  Of the others the sum of what is
left in a row is bounded, before anything is computed with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Self

import numpy as np
import scipy.sparse
from scipy.special import ndtr

from ..data.kronecker_data import KroneckerData
from ..data.tables import Index
from ..ntk.limit import are_unit, correlations, firing_share, relative_thresholds, snap
from .grid_preconditioner import GridPreconditioner
from .groups import Group, two_groups
from .vec_trick import Cells, PairKernel, Powers, Reals, Side, is_dense, kernel_costs

LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)  # of the sum
CLOSE = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1 - 1e-9)  # correlations
CLOSE_COST = 3  # operations of a close entry in a product, and a part of those that make it
MOST_CLOSE = 8  # part of all entries above which the kernel itself is the better choice
HIGHEST = 38.0  # a threshold beyond which float64 has no density

Pair = tuple[Reals, Reals]


@dataclass(frozen=True, eq=False)
class PairCorrelations:
    """Correlations of objects of some samples, the rows, with those of others, the columns.

    Attributes
    ----------
    sides : tuple of ndarray of float64
        Of the objects of the left and of the right side.
    rows, columns : tuple of ndarray of int64
        Left and right objects of the samples.
    row_norms, column_norms : ndarray of float64
        Norms of the samples.
    """

    sides: Pair
    rows: tuple[Index, Index]
    columns: tuple[Index, Index]
    row_norms: Reals
    column_norms: Reals

    @classmethod
    def of(cls, data: KroneckerData, other: KroneckerData) -> Self:
        """Of all samples of two data sets."""
        data, other = data.astype(np.float64), other.astype(np.float64)
        columns = two_groups(other.modes)
        rows = two_groups(data.modes, len(columns[0].modes))
        left, right = (
            correlations(here.gram(there), _norms(here), _norms(there))
            for here, there in zip(rows, columns, strict=True)
        )
        return cls(
            (left, right),
            (rows[0].index, rows[1].index),
            (columns[0].index, columns[1].index),
            np.sqrt(data.gram_diagonal()),
            np.sqrt(other.gram_diagonal()),
        )

    @cached_property
    def cells(self) -> Cells:
        """The columns as pairs of objects."""
        return Cells(*self.columns, (self.sides[0].shape[1], self.sides[1].shape[1]))

    @cached_property
    def _logarithms(self) -> Pair:
        with np.errstate(divide="ignore"):
            left, right = (np.log(np.abs(side)) for side in self.sides)
        return left, right

    def largest_sum(self, power: int, closeness: float) -> float:
        """A bound on the sums of ``|rho_ij|**power`` over the j of a row that are not close."""
        every, near = [], []
        for side, logarithm in zip(self.sides, self._logarithms, strict=True):
            powers = np.exp(power * logarithm)
            every.append(powers.sum(axis=1))
            near.append(np.where(np.abs(side) > closeness, powers, 0.0).sum(axis=1))
        return self.cells.most * float(np.max(np.outer(*every) - np.outer(*near), initial=0.0))

    def n_close(self, closeness: float) -> int:
        """A bound on the number of close entries."""
        left, right = (np.count_nonzero(np.abs(side) > closeness, axis=1) for side in self.sides)
        return int(np.sum(left[self.rows[0]] * right[self.rows[1]]))

    def close(self, closeness: float) -> tuple[Index, Index]:
        """Rows, and positions in ``cells.used``, of the close entries."""
        left, right = (scipy.sparse.csr_array(np.abs(side) > closeness) for side in self.sides)
        a, b = self.rows
        counts = np.diff(right.indptr)[b]
        row, number = _enumerate(np.diff(left.indptr)[a] * counts)
        c = left.indices[left.indptr[a[row]] + number // counts[row]]
        d = right.indices[right.indptr[b[row]] + number % counts[row]]
        cell = c.astype(np.int64) * self.sides[1].shape[1] + d
        used = self.cells.used
        position = np.minimum(np.searchsorted(used, cell), len(used) - 1)
        found = used[position] == cell
        return row[found], position[found]


def _norms(group: Group) -> Reals:
    """Norms of the objects of a group."""
    parts = zip(group.modes, group.objects, strict=True)
    squares = [mode.table.squared_norms()[at] for mode, at in parts]
    return np.sqrt(prod(squares[1:], start=squares[0]))


def _enumerate(counts: Index) -> tuple[Index, Index]:
    """``(i, 0), (i, 1) ... (i, counts[i] - 1)`` for each i."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


@dataclass(frozen=True, eq=False)
class Mehler:
    """The functions s_0 ... s_L of the norms of samples.

    Attributes
    ----------
    values : ndarray of float64, shape (L + 1, number of distinct norms)
    left : ndarray of float64, shape (number of distinct norms,)
        What is left of the sum of their squares.
    index : ndarray of int64, shape (n_samples,)
        Which of these norms a sample has.
    """

    values: Reals
    left: Reals
    index: Index

    @classmethod
    def of(cls, norms: Reals, threshold: float, n_terms: int) -> Self:
        """Of samples with these norms."""
        norms, index = np.unique(norms, return_inverse=True)
        height = np.minimum(relative_thresholds(norms, threshold), HIGHEST)
        values = np.empty((n_terms + 1, len(norms)))
        values[0] = ndtr(-height)
        density = np.exp(-(height**2) / 2) / np.sqrt(2 * np.pi)
        before, now = np.zeros_like(height), np.ones_like(height)  # He_k / sqrt(k!)
        for l in range(1, n_terms + 1):
            values[l] = density * now / np.sqrt(l)
            before, now = now, (height * now - np.sqrt(l - 1) * before) / np.sqrt(l)
        left = norms**2 * np.maximum(values[0] - np.sum(values**2, axis=0), 0.0)
        return cls(norms * values, left, index.reshape(-1))

    @property
    def n_terms(self) -> int:
        """L."""
        return len(self.values) - 1

    def terms(self) -> list[int]:
        """The l whose s_l are not 0."""
        return np.flatnonzero(np.any(self.values != 0, axis=1)).tolist()


@dataclass(frozen=True)
class Expansion:
    """How the sum is made.

    Attributes
    ----------
    mehler : Mehler
        Of the samples, with L + 1 terms.
    closeness : float
        Objects are close where the size of their correlation exceeds this.
    operations : float
        Of a product, in gathered numbers.
    """

    mehler: Mehler
    closeness: float
    operations: float


def term_cost(n: tuple[int, int], shapes: tuple[tuple[int, int], tuple[int, int]]) -> float:
    """Operations of a term, between so many samples whose sides have kernels of these shapes."""
    (u, p), (v, q) = shapes
    return min(kernel_costs(n, (u, v), (p, q))) + u * p + v * q  # these for the next power


def choose_expansion(
    pairs: PairCorrelations, threshold: float, row_error: float
) -> Expansion | None:
    """The cheapest expansion of which no row has a larger sum of errors.

    None where too many entries are close.
    """
    n = len(pairs.row_norms), len(pairs.column_norms)
    term = term_cost(n, (pairs.sides[0].shape, pairs.sides[1].shape))
    best: Expansion | None = None
    for n_terms in LENGTHS:
        mehler = Mehler.of(pairs.row_norms, threshold, n_terms)
        operations = term * len(mehler.terms())
        if best is not None and operations > best.operations:
            break
        closeness = closest(pairs, mehler, mehler, row_error)
        n_close = pairs.n_close(closeness)
        operations += CLOSE_COST * n_close
        if MOST_CLOSE * n_close <= n[0] * n[1] and (
            best is None or operations < best.operations
        ):
            best = Expansion(mehler, closeness, operations)
    return best


def closest(pairs: PairCorrelations, rows: Mehler, columns: Mehler, row_error: float) -> float:
    """The largest closeness with which no row has a larger sum of errors than `row_error`."""
    left = float(np.sqrt(rows.left.max() * columns.left.max()))
    power = rows.n_terms + 2
    begin, end = 0, len(CLOSE)  # where all entries but those that are 0 are close, there is none
    while end - begin > 1:
        middle = (begin + end) // 2
        fine = left * pairs.largest_sum(power, CLOSE[middle]) <= row_error
        begin, end = (middle, end) if fine else (begin, middle)
    return CLOSE[begin]


class LimitSeries:
    """The limit kernel between samples, for products with vectors.

    Parameters
    ----------
    pairs : PairCorrelations
    rows, columns : Mehler
        Of its row_norms and of its column_norms, with the same number of terms.
    threshold, skip : float
        As of `kroncy.ntk.limit_gram`.
    closeness : float
    n_threads : int
        Results do not depend on it.
    """

    def __init__(
        self,
        pairs: PairCorrelations,
        rows: Mehler,
        columns: Mehler,
        threshold: float,
        skip: float,
        closeness: float,
        n_threads: int,
    ) -> None:
        self._pairs, self._skip, self._n_threads = pairs, skip, n_threads
        self._rows, self._columns = rows, columns
        sides = [Side(side, index) for side, index in zip(pairs.sides, pairs.rows, strict=True)]
        self._kernel = PairKernel(sides[0], sides[1], pairs.columns, n_threads)
        self._corrections = self._correct(threshold, closeness)

    def multiply(self, vector: Reals) -> Reals:
        """Product with a vector (n_columns,)."""
        result = self._corrections @ self._pairs.cells.sums(vector)
        powers = Powers(*self._pairs.sides)
        for power, rows, columns in self._terms():
            kernel = self._kernel.with_kernels(*powers.raised(power))
            result += rows * kernel.multiply(columns * vector)
        return result

    def preconditioner(self) -> GridPreconditioner | None:
        """One for the kernel of samples with themselves; None where they fill too little of a grid.

        None for rows of other norms than 1, too, with which the ridge is not about the same for
        all.
        """
        pairs = self._pairs
        objects = len(pairs.sides[0]), len(pairs.sides[1])
        if not (is_dense(len(pairs.row_norms), objects) and are_unit(pairs.row_norms)):
            return None
        terms = ((power, float(np.mean(rows * columns))) for power, rows, columns in self._terms())
        rest = float(np.mean(self._rows.left))
        return GridPreconditioner(pairs.sides, terms, rest, pairs.rows, self._n_threads)

    def _terms(self) -> Iterator[tuple[int, Reals, Reals]]:
        """Power of rho, factors of the rows and of the columns of each term."""
        rows, columns, pairs = self._rows, self._columns, self._pairs
        if self._skip:
            root = np.sqrt(self._skip)
            yield 1, root * pairs.row_norms, root * pairs.column_norms
        for l in columns.terms():
            yield l + 1, rows.values[l, rows.index], columns.values[l, columns.index]

    def _correct(self, threshold: float, closeness: float) -> scipy.sparse.csr_array:
        """Exact entries minus those of the sum, where both objects are close."""
        pairs, cells = self._pairs, self._pairs.cells
        row, position = pairs.close(closeness)
        column = cells.first[position]  # all samples of a cell are equal
        rho = np.ones(len(row))
        for side, a, c in zip(pairs.sides, pairs.rows, pairs.columns, strict=True):
            rho *= side[a[row], c[column]]
        rho = snap(rho)
        norms = pairs.row_norms[row], pairs.column_norms[column]
        values = norms[0] * norms[1] * rho * (firing_share(rho, *norms, threshold) + self._skip)
        powers = Powers(rho)
        for power, rows, columns in self._terms():
            values -= rows[row] * columns[column] * powers.raised(power)[0]
        shape = len(pairs.row_norms), len(cells.used)
        return scipy.sparse.csr_array((values, (row, position)), shape=shape)
