"""Ridge regression with the limit kernel: exactly, or by its expansion in Kronecker powers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg import lapack

from .._base.memory import require_memory
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_integer, check_real
from ..data.kronecker_data import KroneckerData
from ..data.tables import GEMM_SPEED
from ..ntk.limit import WIDEST, limit_diagonal, limit_gram, refuse_silence
from .conjugate_gradients import Solved
from .groups import two_groups
from .limit_series import (
    LENGTHS,
    Expansion,
    LimitSeries,
    Mehler,
    PairCorrelations,
    choose_expansion,
    closest,
    term_cost,
)
from .ridge_problem import COEFFICIENTS, RidgeProblem, saved_coefficients
from .systems import ITERATIONS, Samples, System
from .vec_trick import BLOCK_BYTES, Reals

NUMBERS = "threshold", "skip", "row_error"  # attributes that are values of a state
CHUNK_BYTES = 2**27  # budget for the kernel between new samples and training samples
OWEN_COST = 200  # of a value of Owen's T function, in gathered numbers
CLOSE_BYTES = 100  # of a close entry, while the corrections are made
MOST_RATIO = 10.0  # of weights whose ridges count as about the same
REMEDY = "Use fewer samples, or KroneckerRegressor"


@dataclass(frozen=True, eq=False)
class LimitFunction:
    """A sum of limit kernels with training samples.

    Attributes
    ----------
    data : KroneckerData
        Training samples.
    coefficients : ndarray of float64, shape (n_outputs, n_samples)
    threshold, skip : float
        Of the kernel.
    n_terms : int
        Length of its expansion; 0 where the kernel itself is taken.
    row_error : float
        Largest sum of the errors of the expansion over a row.
    """

    data: KroneckerData
    coefficients: Reals
    threshold: float
    skip: float
    n_terms: int
    row_error: float

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
            What it takes does not fit.
        """
        if self.n_terms == 0:
            return self._dense(data, n_threads, memory_limit)
        require_memory(
            series_bytes(data, self.data),
            f"the prediction of {data.n_samples} samples",
            limit=memory_limit,
            remedy="Predict fewer samples at a time",
        )
        pairs = PairCorrelations.of(data, self.data)
        rows, columns = (
            Mehler.of(norms, self.threshold, self.n_terms)
            for norms in (pairs.row_norms, pairs.column_norms)
        )
        closeness = closest(pairs, rows, columns, self.row_error)
        series = LimitSeries(
            pairs, rows, columns, self.threshold, self.skip, closeness, resolve_threads(n_threads)
        )
        return np.stack([series.multiply(part) for part in self.coefficients], axis=1)

    def _dense(
        self, data: KroneckerData, n_threads: int | None, memory_limit: int | None
    ) -> Reals:
        chunk = max(1, CHUNK_BYTES // (8 * self.data.n_samples))
        parts = []
        for begin in range(0, data.n_samples, chunk):
            some = data.take(np.arange(begin, min(begin + chunk, data.n_samples)))
            kernel = limit_gram(
                some, self.threshold, other=self.data, skip=self.skip, n_threads=n_threads,
                memory_limit=memory_limit,
            )  # fmt: skip
            with blas_threads(1):
                parts.append(kernel @ self.coefficients.T)
        return np.concatenate(parts)

    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """The function as JSON values and named arrays."""
        meta, arrays = self.data.get_state()
        numbers = {name: getattr(self, name) for name in NUMBERS}
        meta = {"data": meta, "n_terms": self.n_terms, **numbers}
        return meta, arrays | {COEFFICIENTS: self.coefficients}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The function that `get_state` described.

        Raises
        ------
        ValueError, TypeError
            A value is missing, of the wrong kind or shape, out of range or not finite.
        """
        data = KroneckerData.from_state(meta["data"], arrays)
        coefficients = saved_coefficients(arrays, data.n_samples, (data.n_samples,))
        n_terms = check_integer(meta["n_terms"], "n_terms", minimum=0, maximum=LENGTHS[-1])
        numbers = {name: check_real(meta[name], name, minimum=0.0) for name in NUMBERS}
        return cls(data, coefficients, n_terms=n_terms, **numbers)


class Cholesky:
    """The system with the kernel itself, whose factor is that of the last ridge.

    Parameters
    ----------
    kernel : ndarray of float64, shape (n_samples, n_samples)
    weight : ndarray of float64, shape (n_samples,)
        Positive.
    """

    exact_leverages = True

    def __init__(self, kernel: Reals, weight: Reals) -> None:
        self._kernel, self._weight = kernel, weight
        self._factored: tuple[float, tuple[Reals, bool]] | None = None

    def solve(
        self, target: Reals, alpha: float, start: Reals | None, tol: float, max_iter: int
    ) -> Solved:
        """The coefficients of the samples."""
        with blas_threads(1):
            solution = scipy.linalg.cho_solve(self._factor(alpha), target, check_finite=False)
        return Solved(solution, 1, True)

    def _factor(self, alpha: float) -> tuple[Reals, bool]:
        if self._factored is None or self._factored[0] != alpha:
            self._factored = None  # its memory is free before another is made
            matrix = self._kernel.copy(order="F")
            matrix.flat[:: len(matrix) + 1] += alpha / self._weight
            try:
                with blas_threads(1):
                    factor = scipy.linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
            except scipy.linalg.LinAlgError:
                raise ValueError(
                    f"the kernel is singular with alpha={alpha}: rows of X are repeated or nearly "
                    "dependent; use a larger alpha, or 'auto'"
                ) from None
            self._factored = alpha, factor
            return factor
        return self._factored[1]

    def fitted(self, solution: Reals, target: Reals, alpha: float) -> Reals:
        """Values of the function at the samples."""
        return target - alpha / self._weight * solution

    def leverages(self, alpha: float) -> Reals:
        """Leverages, from the diagonal of the inverse."""
        factor, lower = self._factor(alpha)
        self._factored = None  # it becomes the inverse
        with blas_threads(1):
            inverse, _ = lapack.dpotri(factor, lower=lower, overwrite_c=True)
        return 1 - alpha / self._weight * np.diagonal(inverse)

    def coefficients(self, solution: Reals) -> Reals:
        """The unknown itself."""
        return solution


class LimitRidge(RidgeProblem):
    """Ridge regression with the limit kernel of samples, for any targets and some ridges.

    Parameters
    ----------
    data : KroneckerData
    weight : ndarray of float64, shape (n_samples,)
        Positive.
    threshold, skip : float
        Of the kernel.
    alpha : float
        The least ridge.
    solver : {"auto", "cholesky", "cg"}, default="auto"
        Whether the kernel is made and factorised, or its expansion multiplied.
    tol : float
        Of the largest weight and the least ridge, the largest sum of the errors of the expansion
        over a row.  It changes the coefficients by at most this part of their length.
    n_threads : int, optional
        Results do not depend on it.
    memory_limit : int, optional
        Budget in bytes.

    Raises
    ------
    ValueError
        The solver is "cg", and the ridge is 0 or the kernel has no expansion that is short enough;
        or no neuron fires on a sample, and `skip` is 0.
    MemoryError
        What it takes does not fit; the message has the estimate.
    """

    def __init__(
        self,
        data: KroneckerData,
        weight: Reals,
        threshold: float,
        skip: float,
        alpha: float,
        *,
        solver: str = "auto",
        tol: float,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        if skip == 0:
            norms = np.sqrt(data.astype(np.float64).gram_diagonal())
            refuse_silence(threshold, WIDEST, norms)
        row_error = tol * alpha / float(weight.max())
        system: System
        found = None
        if solver != "cholesky":
            found = self._expand(data, threshold, alpha, row_error, solver, memory_limit)
        if found is None:
            n_terms = 0
            system = Cholesky(_dense_kernel(data, threshold, skip, n_threads, memory_limit), weight)
        else:
            pairs, expansion = found
            mehler = expansion.mehler
            n_terms = mehler.n_terms
            series = LimitSeries(
                pairs, mehler, mehler, threshold, skip, expansion.closeness,
                resolve_threads(n_threads),
            )  # fmt: skip
            alike = weight.max() <= MOST_RATIO * weight.min()
            precondition = series.preconditioner() if alike else None
            system = Samples(series, limit_diagonal(data, threshold, skip), weight, precondition)
        super().__init__(
            system,
            weight,
            lambda coefficients: LimitFunction(
                data, coefficients, threshold, skip, n_terms, row_error
            ),
        )

    @staticmethod
    def _expand(
        data: KroneckerData, threshold: float, alpha: float, row_error: float, solver: str,
        memory_limit: int | None,
    ) -> tuple[PairCorrelations, Expansion] | None:
        """Correlations and expansion, or None where the kernel itself is the better choice."""
        if alpha == 0:
            if solver == "cg":
                raise ValueError("solver='cg' needs alpha > 0; use solver='cholesky'")
            return None
        n, groups = data.n_samples, two_groups(data.modes)
        dense = OWEN_COST * n**2 / 2 + n**3 / (3 * GEMM_SPEED)
        shapes = (len(groups[0]),) * 2, (len(groups[1]),) * 2
        if solver == "auto" and ITERATIONS[1] * LENGTHS[0] * term_cost((n, n), shapes) > dense:
            return None
        what = f"kernel ridge regression on {n} samples"
        require_memory(series_bytes(data, data), what, limit=memory_limit, remedy=REMEDY)
        pairs = PairCorrelations.of(data, data)
        expansion = choose_expansion(pairs, threshold, row_error)
        if expansion is not None and (
            solver == "cg" or ITERATIONS[1] * expansion.operations < dense
        ):
            close = CLOSE_BYTES * pairs.n_close(expansion.closeness)
            require_memory(close, what, limit=memory_limit, remedy=REMEDY)
            return pairs, expansion
        if solver == "cg":
            raise ValueError(
                f"solver='cg' with alpha={alpha:.3g}: the samples are too few, or too many of them "
                "alike, for an expansion of the kernel; use solver='cholesky' or a larger alpha"
            )
        return None


def _dense_kernel(
    data: KroneckerData, threshold: float, skip: float, n_threads: int | None,
    memory_limit: int | None,
) -> Reals:
    require_memory(
        16 * data.n_samples**2,
        f"kernel ridge regression on {data.n_samples} samples",
        limit=memory_limit,
        remedy=REMEDY,
    )
    return limit_gram(
        data, threshold, skip=skip, n_threads=n_threads, memory_limit=memory_limit
    )


def series_bytes(data: KroneckerData, other: KroneckerData) -> float:
    """Bytes of correlations and powers, and of a product with them, above all."""
    columns = two_groups(other.modes)
    rows = two_groups(data.modes, len(columns[0].modes))
    tables = 6 * sum(len(here) * len(there) for here, there in zip(rows, columns, strict=True))
    grid = 3 * max(len(rows[0]), len(columns[0])) * max(len(rows[1]), len(columns[1]))
    samples = 30 * (data.n_samples + other.n_samples)
    return 8 * (tables + grid + samples) + 4 * BLOCK_BYTES
