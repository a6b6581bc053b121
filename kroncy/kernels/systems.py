"""The linear system of ridge regression on pairs, in the unknowns in which it is cheaper.

With rows x_i, weights w_i and targets y_i, f(x) = <theta, x> minimises

    sum_i w_i (y_i - f(x_i))^2 + alpha |theta|^2

`Coordinates`: theta itself, in coordinates of the span of each side's rows in which the system is
nearly diagonal.  Where the pairs were a complete grid it would be diagonal, so that conjugate
gradients end after a few steps.  `Samples`: one coefficient for each sample, as in kernel ridge
regression, for objects that are many and have few samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.linalg

from .._base.threads import blas_threads
from ..data.tables import GEMM_SPEED, Index
from .conjugate_gradients import Operator, Solved, conjugate_gradients
from .groups import Group, Groups
from .vec_trick import (
    BLOCK_BYTES,
    PairKernel,
    PairRows,
    Reals,
    Side,
    is_dense,
    kernel_costs,
    rows_cost,
)

EIGEN_COST = 10  # multiply-adds of an eigendecomposition, in units of u**3
ITERATIONS = 20, 100  # of the two systems, about, for a choice
NEGLIGIBLE = 64 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Basis:
    """Coordinates of the objects of one side.

    Attributes
    ----------
    rows : ndarray of float64, shape (n_objects, rank)
        Of the objects; their inner products are those of the objects.
    moments : ndarray of float64, shape (rank,)
        ``rows.T @ D @ rows = diag(moments)`` for the weights D of the objects.
    back : ndarray of float64, shape (width, rank)
        ``rows = F @ back`` for the features F of the objects, or their kernel.
    """

    rows: Reals
    moments: Reals
    back: Reals


def uses_features(group: Group) -> bool:
    """Whether a side has fewer features than objects, so that they are its coordinates."""
    return group.width <= len(group)


def make_basis(group: Group, weight: Reals) -> Basis:
    """Coordinates of a side, from its features or its kernel."""
    sums = object_weights(group, weight)
    if uses_features(group):
        return basis_of_rows(group.rows(), sums)
    return basis_of_kernel(group.gram(group), sums)


def object_weights(group: Group, weight: Reals) -> Reals:
    """Sum of the weights of the samples of each object."""
    return np.bincount(group.index, weights=weight, minlength=len(group)).astype(np.float64)


def basis_of_rows(rows: Reals, sums: Reals) -> Basis:
    """Coordinates of objects with these features and weights, which are positive."""
    with blas_threads(1):
        moments, vectors = scipy.linalg.eigh(rows.T @ (rows * sums[:, None]))
        used = _is_positive(moments)
        return Basis(rows @ vectors[:, used], moments[used], vectors[:, used])


def basis_of_kernel(kernel: Reals, sums: Reals) -> Basis:
    """Coordinates of objects with this kernel and these weights, which are positive."""
    root = np.sqrt(sums)[:, None]
    with blas_threads(1):
        moments, vectors = scipy.linalg.eigh(kernel * root * root.T)
    used = _is_positive(moments)
    vectors, length = vectors[:, used], np.sqrt(moments[used])
    return Basis(vectors * length / root, moments[used], vectors / length * root)


def _is_positive(values: Reals) -> Any:
    """Which eigenvalues are not 0 up to rounding."""
    return values > NEGLIGIBLE * len(values) * max(values[-1], np.finfo(np.float64).tiny)


class Kernel(Protocol):
    """A kernel of samples that is not formed."""

    def multiply(self, vector: Reals) -> Reals:
        """Product with a vector."""


class System(Protocol):
    """The linear system of a ridge regression.

    Attributes
    ----------
    exact_leverages : bool
        Whether `leverages` are those of the regression, and not of a diagonal system like it.
    """

    exact_leverages: bool

    def solve(
        self, target: Reals, alpha: float, start: Reals | None, tol: float, max_iter: int
    ) -> Solved:
        """The unknown of this ridge and this target."""

    def fitted(self, solution: Reals, target: Reals, alpha: float) -> Reals:
        """Values of the function at the samples."""

    def leverages(self, alpha: float) -> Reals:
        """Leverages of the samples."""

    def coefficients(self, solution: Reals) -> Reals:
        """What the function takes, of an unknown."""


class Coordinates:
    """The system in coordinates; the unknown is a matrix (rank of side 1, rank of side 2).

    Parameters
    ----------
    bases : tuple of Basis
        Of the two sides.
    indices : tuple of ndarray of int64, shape (n_samples,)
        Object of each sample.
    weight : ndarray of float64, shape (n_samples,)
        Positive.
    n_threads : int
        Results do not depend on it.
    """

    exact_leverages = False

    def __init__(
        self,
        bases: tuple[Basis, Basis],
        indices: tuple[Index, Index],
        weight: Reals,
        n_threads: int,
    ) -> None:
        self._bases, self._weight = bases, weight
        self._n_threads = n_threads
        self._left, self._right = (
            Side(np.ascontiguousarray(basis.rows), index)
            for basis, index in zip(bases, indices, strict=True)
        )
        self._rows = PairRows(self._left, self._right, n_threads)
        self._moments = self._squares().adjoint(weight)

    def solve(
        self, target: Reals, alpha: float, start: Reals | None, tol: float, max_iter: int
    ) -> Solved:
        """The unknown of this ridge and this target."""
        rows, weight = self._rows, self._weight
        inverse = 1 / (self._moments + alpha)
        return conjugate_gradients(
            lambda matrix: rows.adjoint(weight * rows.multiply(matrix)) + alpha * matrix,
            lambda matrix: inverse * matrix,
            rows.adjoint(weight * target),
            start,
            tol=tol,
            max_iter=max_iter,
        )

    def fitted(self, solution: Reals, target: Reals, alpha: float) -> Reals:
        """Values of the function at the samples."""
        return self._rows.multiply(solution)

    def leverages(self, alpha: float) -> Reals:
        """Leverages as they would be if the system were diagonal."""
        leverages = self._weight * self._squares().multiply(1 / (self._moments + alpha))
        return leverages / (1 + leverages) if leverages.max() >= 1 else leverages

    def _squares(self) -> PairRows:
        left, right = (Side(side.rows**2, side.index) for side in (self._left, self._right))
        return PairRows(left, right, self._n_threads)

    def coefficients(self, solution: Reals) -> Reals:
        """The unknown, with respect to the features or the kernels of the objects."""
        left, right = self._bases
        with blas_threads(1):
            return left.back @ solution @ right.back.T


class Samples:
    """The system in one coefficient for each sample, with the kernel of the samples.

    Parameters
    ----------
    kernel : Kernel
        Of the samples with themselves.
    diagonal : ndarray of float64, shape (n_samples,)
        Of the kernel.
    weight : ndarray of float64, shape (n_samples,)
        Positive.
    precondition : callable, optional
        Nearly the inverse of the kernel plus the ridges (n_samples,) that it is given.  Default:
        that of the diagonal.
    """

    exact_leverages = False

    def __init__(
        self,
        kernel: Kernel,
        diagonal: Reals,
        weight: Reals,
        precondition: Callable[[Reals], Operator] | None = None,
    ) -> None:
        self._kernel, self._diagonal, self._weight = kernel, diagonal, weight
        self._precondition = precondition or self._divide

    def _divide(self, ridge: Reals) -> Operator:
        return lambda vector: vector / (self._diagonal + ridge)

    def solve(
        self, target: Reals, alpha: float, start: Reals | None, tol: float, max_iter: int
    ) -> Solved:
        """The unknown of this ridge and this target."""
        ridge = alpha / self._weight
        return conjugate_gradients(
            lambda vector: self._kernel.multiply(vector) + ridge * vector,
            self._precondition(ridge),
            target,
            start,
            tol=tol,
            max_iter=max_iter,
        )

    def fitted(self, solution: Reals, target: Reals, alpha: float) -> Reals:
        """Values of the function at the samples."""
        return target - alpha / self._weight * solution

    def leverages(self, alpha: float) -> Reals:
        """Leverages as they would be if the system were diagonal."""
        return self._diagonal / (self._diagonal + alpha / self._weight)

    def coefficients(self, solution: Reals) -> Reals:
        """The unknown itself."""
        return solution


def product_system(groups: Groups, weight: Reals, n_threads: int) -> Samples:
    """The system in coefficients of the samples, with the product of the kernels of the sides."""
    left, right = (np.diagonal(group.gram(group)) for group in groups)
    diagonal = left[groups[0].index] * right[groups[1].index]
    return Samples(pair_kernel(groups, groups, n_threads), diagonal, weight)


def pair_kernel(groups: Groups, others: Groups, n_threads: int) -> PairKernel:
    """The kernel between the samples of two data sets."""
    left, right = (
        Side(here.gram(there), here.index) for here, there in zip(groups, others, strict=True)
    )
    return PairKernel(left, right, (others[0].index, others[1].index), n_threads)


def choose_system(groups: Groups) -> str:
    """Whichever of "coordinates" and "samples" ends first."""
    n = len(groups[0].index)
    objects = len(groups[0]), len(groups[1])
    left, right = (int(min(len(group), group.width)) for group in groups)
    rows = 2 * min(
        rows_cost(n, objects, (left, right)), rows_cost(n, objects[::-1], (right, left))
    )
    eigen = sum(EIGEN_COST * rank**3 / GEMM_SPEED for rank in (left, right))
    cost = {
        "coordinates": eigen + ITERATIONS[0] * rows,
        "samples": ITERATIONS[1] * min(kernel_costs((n, n), objects, objects)),
    }
    return min(cost, key=lambda name: cost[name])


def system_bytes(kind: str, groups: Groups) -> float:
    """Bytes of a system, above all of its kernels or bases, and of its work."""
    n = len(groups[0].index)
    objects = len(groups[0]), len(groups[1])
    ranks = [min(len(group), group.width) for group in groups]
    grid = objects[0] * objects[1] if is_dense(n, objects) else 0
    if kind == "coordinates":
        tables = sum(6 * u * r for u, r in zip(objects, ranks, strict=True))
        parts = 8 * ranks[0] * ranks[1] + 2 * (objects[0] * ranks[1] + objects[1] * ranks[0])
    else:
        tables = sum(3 * u * u for u in objects)
        parts = 4 * objects[0] * objects[1] if grid else 0
    return 8 * (tables + parts + 3 * grid + 20 * n) + 4 * BLOCK_BYTES
