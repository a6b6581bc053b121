"""Nearly the inverse of a kernel of pairs, for pairs that fill a good part of the grid of objects.

A sum of Kronecker products of powers of two kernels is nearly diagonal in the products of the
eigenvectors of the two.  On a complete grid that gives an inverse, of which samples that are a part
of the grid take their rows and columns.
"""

from collections.abc import Iterable

import numpy as np
import scipy.linalg

from .._base.threads import blas_threads
from ..data.tables import Index
from .conjugate_gradients import Operator
from .vec_trick import Cells, Powers, Reals, multiply_matrices

Term = tuple[int, float]


class GridPreconditioner:
    """Preconditioner for ``sum over terms of c (A^p)[a_i, a_j] (B^p)[b_i, b_j]`` plus a ridge.

    Powers are entry by entry.  Samples of one pair of objects, of which the kernel is the same, are
    one sample that counts several times, and differences of them, of which the kernel is 0.

    Parameters
    ----------
    sides : tuple of ndarray of float64
        A and B.
    terms : iterable of (int, float)
        Powers p, ascending, and factors c.
    rest : float
        What is added to the diagonal of a pair of objects.
    samples : tuple of ndarray of int64
        The objects a_i and b_i.
    n_threads : int
        Results do not depend on it.
    """

    def __init__(
        self,
        sides: tuple[Reals, Reals],
        terms: Iterable[Term],
        rest: float,
        samples: tuple[Index, Index],
        n_threads: int,
    ) -> None:
        shape = len(sides[0]), len(sides[1])
        self._samples, self._n_threads = samples, n_threads
        self._cells = Cells(*samples, shape)
        self._counts = np.maximum(self._cells.dense(np.ones(len(samples[0]))), 1.0)
        with blas_threads(1):
            left, right = (scipy.linalg.eigh(side)[1] for side in sides)
        self._vectors = left, right
        self._eigenvalues = np.full(shape, rest)
        powers = Powers(*sides)
        for power, factor in terms:
            parts = [
                np.sum(vectors * multiply_matrices(kernel, vectors, n_threads), axis=0)
                for vectors, kernel in zip(self._vectors, powers.raised(power), strict=True)
            ]
            self._eigenvalues += factor * np.outer(*parts)
        self._eigenvalues = np.maximum(self._eigenvalues, 0.0)

    def __call__(self, ridge: Reals) -> Operator:
        """The preconditioner with the ridge of each sample, about the same for all."""
        mean = float(np.mean(ridge))
        density = len(ridge) / self._counts.size
        inverse = 1 / (density * self._eigenvalues + mean)
        root, at = np.sqrt(self._counts), self._samples

        def apply(vector: Reals) -> Reals:
            sums = self._cells.dense(vector)
            grid = self._rotate(self._rotate(sums / root, True) * inverse, False) / root
            if self._cells.most == 1:
                return grid[at]
            return grid[at] + (vector - (sums / self._counts)[at]) / mean

        return apply

    def _rotate(self, grid: Reals, forwards: bool) -> Reals:
        """The grid in coordinates of the eigenvectors, or back."""
        left, right = self._vectors
        if forwards:
            left, right = left.T, right.T
        part = multiply_matrices(left, grid, self._n_threads)
        return multiply_matrices(part, right.T, self._n_threads)
