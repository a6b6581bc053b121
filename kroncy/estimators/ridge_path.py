"""The choice of a ridge: from large to small ones, until the error of left-out samples grows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._base.scaling import mean_weight, scale_weights
from ..kernels.ridge_problem import MAX_ITER, RidgeProblem, RidgeSolution

EXPONENTS = np.arange(3, -4.1, -0.5)  # of the ridges that "auto" tries, in units of |x|**2
TOL = 1e-4  # of the conjugate gradients for a comparison, whose errors are noisier
PATIENCE = 3  # ridges in succession that are worse than the best one

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RidgeChoice:
    """The ridge with the least error.

    Attributes
    ----------
    solution : RidgeSolution
    alphas, errors : ndarray of float64
        Ridges that were compared, in decreasing order, and their mean squared errors.
    outputs : ndarray of float64, shape (n, n_outputs)
        Outputs of the solution at the samples that were left out.
    """

    solution: RidgeSolution
    alphas: Reals
    errors: Reals
    outputs: Reals


def default_alphas(diagonal: NDArray[np.floating], weight: Reals) -> list[float]:
    """Ridges in units of the mean of the diagonal of the kernel, and of the mean weight.

    So the weights of the samples count relative to each other.
    """
    unit = float(np.average(diagonal, weights=scale_weights(weight))) or 1.0
    unit *= mean_weight(weight)
    return [float(alpha) for alpha in unit * 10.0**EXPONENTS]


def choose_ridge(
    problem: RidgeProblem,
    target: Reals,
    alphas: Iterable[float],
    evaluate: Callable[[RidgeSolution], Reals],
    wanted: Reals,
    weight: Reals,
    *,
    tol: float = TOL,
    max_iter: int = MAX_ITER,
) -> RidgeChoice:
    """The best of `alphas`, of which the last may be left out.

    Parameters
    ----------
    problem : RidgeProblem
    target : ndarray of float64, shape (n_samples, n_outputs)
    alphas : iterable of float
    evaluate : callable
        Outputs (n, n_outputs) of a solution at samples that it has not seen.
    wanted : ndarray of float64, shape (n, n_outputs)
        Their targets.
    weight : ndarray of float64, shape (n,)
        Their weights.
    tol, max_iter : float, int
        Of the conjugate gradients.
    """
    weight = scale_weights(weight)
    tried, errors = [], []
    best: tuple[RidgeSolution, Reals] | None = None
    for solution in problem.path(target, alphas, tol=tol, max_iter=max_iter):
        outputs = evaluate(solution)
        tried.append(solution.alpha)
        errors.append(float(np.average((outputs - wanted) ** 2, axis=0, weights=weight).mean()))
        first = int(np.argmin(errors))
        if best is None or first == len(errors) - 1:
            best = solution, outputs
        elif len(errors) - 1 - first >= PATIENCE:
            break
    if best is None:
        raise ValueError("alphas must hold at least one ridge")
    return RidgeChoice(best[0], np.array(tried), np.array(errors), best[1])
