"""Ridge regression on pairs: the problem, solved for several targets and ridges, and its function.

Nothing has the size of a Kronecker row, or of the Gram matrix of all samples.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._base.memory import require_memory
from .._base.threads import resolve_threads
from ..data.kronecker_data import KroneckerData
from .conjugate_gradients import Solved
from .groups import Group, two_groups
from .systems import (
    Coordinates,
    Samples,
    choose_system,
    make_basis,
    pair_kernel,
    system_bytes,
    uses_features,
)
from .vec_trick import PairKernel, PairRows, Reals, Side

TOL = 1e-6
MAX_ITER = 1000
COEFFICIENTS = "coefficients"  # name of the array in a state
PROBES = 8  # random vectors from which a trace is estimated
TINY = 1e-12
REMEDY = "Use fewer samples or fewer objects"


@dataclass(frozen=True, eq=False)
class PairFunction:
    """A function of samples, ``f(x) = <theta, x>`` or a sum of kernels with training samples.

    Attributes
    ----------
    data : KroneckerData
        Training samples.
    coefficients : ndarray of float64
        (n_outputs, p, q): theta, with respect to the features of a side that has fewer features
        than training objects, and else to the kernel of these objects.  (n_outputs, n_samples):
        coefficients of the samples.
    """

    data: KroneckerData
    coefficients: Reals

    def __call__(
        self,
        data: KroneckerData,
        *,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> Reals:
        """Values at other samples, (n_samples, n_outputs).

        Raises
        ------
        MemoryError
            The kernels between their objects and the training objects do not fit.
        """
        trained = two_groups(self.data.modes)
        given = two_groups(data.modes, len(trained[0].modes))
        n_threads = resolve_threads(n_threads)
        sizes = [8 * len(g) * _width(t) for g, t in zip(given, trained, strict=True)]
        what = f"the prediction of {data.n_samples} samples"
        require_memory(3 * sum(sizes), what, limit=memory_limit, remedy=REMEDY)
        product: PairRows | PairKernel
        if self.coefficients.ndim == 2:
            product = pair_kernel(given, trained, n_threads)
        else:
            left, right = (
                Side(here.rows() if uses_features(there) else here.gram(there), here.index)
                for here, there in zip(given, trained, strict=True)
            )
            product = PairRows(left, right, n_threads)
        return np.stack([product.multiply(part) for part in self.coefficients], axis=1)

    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """The function as JSON values and named arrays."""
        meta, arrays = self.data.get_state()
        return {"data": meta}, arrays | {COEFFICIENTS: self.coefficients}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The function that `get_state` described.

        Raises
        ------
        ValueError
            A value is missing, of the wrong kind or shape, out of range or not finite.
        """
        data = KroneckerData.from_state(meta["data"], arrays)
        coefficients = arrays[COEFFICIENTS]
        groups = two_groups(data.modes)
        shapes = (_width(groups[0]), _width(groups[1])), (data.n_samples,)
        reals = coefficients.dtype == np.float64 and np.all(np.isfinite(coefficients))
        if not reals or len(coefficients) == 0 or coefficients.shape[1:] not in shapes:
            raise ValueError(
                f"its coefficients have shape {coefficients.shape} and dtype {coefficients.dtype}, "
                f"which do not fit {data.n_samples} samples, or they are not finite"
            )
        return cls(data, np.array(coefficients, order="C"))


def _width(group: Group) -> int:
    """Columns of the features, or of the kernel, that stand for the objects of a group."""
    return int(min(group.width, len(group)))


@dataclass(frozen=True, eq=False)
class RidgeSolution:
    """Ridge regression with one ridge.

    Attributes
    ----------
    alpha : float
        The ridge.
    parts : sequence of Solved
        Of each target.
    function : PairFunction
    """

    alpha: float
    parts: Sequence[Solved]
    function: PairFunction

    @property
    def n_iter(self) -> int:
        """Most iterations of a target."""
        return max(part.n_iter for part in self.parts)

    @property
    def converged(self) -> bool:
        """Whether each target converged."""
        return all(part.converged for part in self.parts)


class PairRidge:
    """Ridge regression on the Kronecker rows of samples, for any targets and any ridge.

    Parameters
    ----------
    data : KroneckerData
    weight : ndarray of float64, shape (n_samples,), optional
        Positive.  Default: 1.
    n_threads : int, optional
        Results do not depend on it.
    memory_limit : int, optional
        Budget in bytes.

    Raises
    ------
    MemoryError
        The kernels or the coordinates of the objects do not fit; the message has the estimate.
    """

    def __init__(
        self,
        data: KroneckerData,
        weight: Reals | None = None,
        *,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        groups = two_groups(data.modes)
        weight = np.ones(data.n_samples) if weight is None else weight
        kind = choose_system(groups)
        self._data, self._weight = data, weight
        require_memory(
            system_bytes(kind, groups),
            f"ridge regression on {data.n_samples} samples",
            limit=memory_limit,
            remedy=REMEDY,
        )
        n_threads = resolve_threads(n_threads)
        self._system: Coordinates | Samples
        if kind == "samples":
            self._system = Samples(groups, weight, n_threads)
        else:
            bases = make_basis(groups[0], weight), make_basis(groups[1], weight)
            indices = groups[0].index, groups[1].index
            self._system = Coordinates(bases, indices, weight, n_threads)

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
        return RidgeSolution(alpha, parts, PairFunction(self._data, coefficients))

    def fitted(self, targets: Reals, solution: RidgeSolution) -> Reals:
        """Values of the function at the samples, (n_samples, n_outputs)."""
        return np.stack([
            self._system.fitted(part.solution, target, solution.alpha)
            for part, target in zip(solution.parts, targets.T, strict=True)
        ], axis=1)  # fmt: skip

    def left_out(self, targets: Reals, solution: RidgeSolution) -> Reals:
        """Values at each sample of the function of the other samples, (n_samples, n_outputs).

        Residuals are divided by ``1 - h`` for the leverages h.  The ratios of these numbers are
        those of a system that were diagonal; their sum is estimated from random signs.
        """
        alpha, root = solution.alpha, np.sqrt(self._weight)
        generator, sums = np.random.default_rng(0), []
        for _ in range(PROBES):
            signs = generator.choice([-1.0, 1.0], len(root))
            part = self._system.solve(signs / root, alpha, None, TOL, MAX_ITER)
            fitted = self._system.fitted(part.solution, signs / root, alpha)
            sums.append(float(np.vdot(signs, signs - root * fitted)))
        free = 1 - self._system.leverages(alpha)
        free *= max(np.mean(sums), TINY) / free.sum()
        residuals = targets - self.fitted(targets, solution)
        return targets - residuals / np.clip(free, TINY, 1)[:, None]

    def path(
        self, targets: Reals, alphas: Iterable[float], *, tol: float = TOL, max_iter: int = MAX_ITER
    ) -> Iterator[RidgeSolution]:
        """`solve` for each of `alphas`, from the largest on, each beginning with the last."""
        solution = None
        for alpha in sorted(alphas, reverse=True):
            solution = self.solve(targets, alpha, solution, tol=tol, max_iter=max_iter)
            yield solution
