"""A problem of ridge regression: solved for several targets and ridges, and left-out values."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._base.threads import blas_threads
from ..data.kronecker_data import KroneckerData
from .conjugate_gradients import Solved
from .systems import System
from .vec_trick import Reals

COEFFICIENTS = "coefficients"  # name of the array in the state of a function
TOL = 1e-6
MAX_ITER = 1000
PROBES = 8  # random vectors from which a trace is estimated
TINY = 1e-12


class Function(Protocol):
    """A fitted function of samples."""

    @property
    def data(self) -> KroneckerData:
        """Training samples."""

    @property
    def coefficients(self) -> Reals:
        """Of each output."""

    def __call__(
        self,
        data: KroneckerData,
        *,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> Reals:
        """Values at other samples, (n_samples, n_outputs)."""

    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """The function as JSON values and named arrays."""


def saved_coefficients(
    arrays: Mapping[str, NDArray], n_samples: int, *shapes: tuple[int, ...]
) -> Reals:
    """The coefficients in the state of a function, in one of `shapes` for each output.

    Raises
    ------
    ValueError
        They have another shape or dtype, or are not finite.
    """
    found = arrays[COEFFICIENTS]
    reals = found.dtype == np.float64 and np.all(np.isfinite(found))
    if not reals or len(found) == 0 or found.shape[1:] not in shapes:
        raise ValueError(
            f"its coefficients have shape {found.shape} and dtype {found.dtype}, which do not fit "
            f"{n_samples} samples, or they are not finite"
        )
    return np.array(found, order="C")


@dataclass(frozen=True, eq=False)
class RidgeSolution:
    """Ridge regression with one ridge.

    Attributes
    ----------
    alpha : float
        The ridge.
    parts : sequence of Solved
        Of each target.
    function : Function
    """

    alpha: float
    parts: Sequence[Solved]
    function: Function

    @property
    def n_iter(self) -> int:
        """Most iterations of a target."""
        return max(part.n_iter for part in self.parts)

    @property
    def converged(self) -> bool:
        """Whether each target converged."""
        return all(part.converged for part in self.parts)


class RidgeProblem:
    """Ridge regression of samples with a kernel, for any targets and any ridge.

    Parameters
    ----------
    system : System
    weight : ndarray of float64, shape (n_samples,)
        Positive.
    make_function : callable
        The function of coefficients (n_outputs, ...) of the system.
    """

    def __init__(
        self, system: System, weight: Reals, make_function: Callable[[Reals], Function]
    ) -> None:
        self._system, self._weight, self._make_function = system, weight, make_function

    def solve(
        self,
        targets: Reals,
        alpha: float,
        start: RidgeSolution | None = None,
        *,
        tol: float = TOL,
        max_iter: int = MAX_ITER,
    ) -> RidgeSolution:
        """The function of least squares with the penalty ``alpha |theta|^2``.

        Parameters
        ----------
        targets : ndarray of float64, shape (n_samples, n_outputs)
        alpha : float > 0
            As in scikit-learn's KernelRidge.
        start : RidgeSolution, optional
            Of the same targets with another ridge, to begin with.
        tol, max_iter : float, int
            Of `conjugate_gradients`.
        """
        starts = [None] * targets.shape[1] if start is None else [p.solution for p in start.parts]
        parts = [
            self._system.solve(np.ascontiguousarray(target), alpha, begin, tol, max_iter)
            for target, begin in zip(targets.T, starts, strict=True)
        ]
        coefficients = np.stack([self._system.coefficients(part.solution) for part in parts])
        return RidgeSolution(alpha, parts, self._make_function(coefficients))

    def fitted(self, targets: Reals, solution: RidgeSolution) -> Reals:
        """Values of the function at the samples, (n_samples, n_outputs)."""
        return np.stack([
            self._system.fitted(part.solution, target, solution.alpha)
            for part, target in zip(solution.parts, targets.T, strict=True)
        ], axis=1)  # fmt: skip

    def left_out(self, targets: Reals, solution: RidgeSolution) -> Reals:
        """Values at each sample of the function of the other samples, (n_samples, n_outputs).

        Residuals are divided by ``1 - h`` for the leverages h.  Where these are not exact, the
        ratios of ``1 - h`` are those of a diagonal system, and their sum is estimated from random
        signs.
        """
        free = 1 - self._system.leverages(solution.alpha)
        if not self._system.exact_leverages:
            free *= self._free(solution.alpha) / free.sum()
        residuals = targets - self.fitted(targets, solution)
        return targets - residuals / np.clip(free, TINY, 1)[:, None]

    @blas_threads(1)
    def _free(self, alpha: float) -> float:
        """Sum of ``1 - h`` over the samples, estimated."""
        root = np.sqrt(self._weight)
        generator, sums = np.random.default_rng(0), []
        for _ in range(PROBES):
            signs = generator.choice([-1.0, 1.0], len(root))
            part = self._system.solve(signs / root, alpha, None, TOL, MAX_ITER)
            fitted = self._system.fitted(part.solution, signs / root, alpha)
            sums.append(float(np.vdot(signs, signs - root * fitted)))
        return max(float(np.mean(sums)), TINY)

    def path(
        self, targets: Reals, alphas: Iterable[float], *, tol: float = TOL, max_iter: int = MAX_ITER
    ) -> Iterator[RidgeSolution]:
        """`solve` for each of `alphas`, from the largest on, each beginning with the last."""
        solution = None
        for alpha in sorted(alphas, reverse=True):
            solution = self.solve(targets, alpha, solution, tol=tol, max_iter=max_iter)
            yield solution
