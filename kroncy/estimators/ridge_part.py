"""The ridge regression that a network begins from: fitted, cross-fitted, and weighed against it.

The network is trained on what predictions of *other* samples leave: the residuals of a function
that has seen a sample are smaller than those that remain to be learned.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._base.scaling import scale_weights
from .._base.validation import check_real
from ..data.kronecker_data import KroneckerData
from ..kernels.pair_ridge import PairFunction, PairRidge
from ..kernels.ridge_problem import Function, RidgeSolution
from .attributes import check_array
from .ridge_path import TOL, choose_ridge, default_alphas

FOLDS = 20  # of the cross-fitted outputs: the more, the nearer to the function that is used
WEIGHTS = (1.0, 0.75, 0.5, 0.25, 0.0)
GAIN = 0.01  # of what its score lacks, for which ridge regression is not left alone

Reals = NDArray[np.float64]
Link = Callable[[Reals, NDArray[np.intp]], tuple[Reals, Reals]]


@dataclass(frozen=True, eq=False)
class RidgePart:
    """A fitted ridge regression in the units of the outputs of a network.

    Attributes
    ----------
    function : Function
    alpha : float
        Its ridge, as in scikit-learn's KernelRidge.
    mean, slope, intercept : ndarray of float64, shape (n_outputs,)
        The output is ``slope * (function + mean) + intercept``.
    """

    function: Function
    alpha: float
    mean: Reals
    slope: Reals
    intercept: Reals

    def __call__(self, data: KroneckerData, **resources: Any) -> Reals:
        """Outputs at samples, (n_samples, n_outputs)."""
        return self.slope * (self.function(data, **resources) + self.mean) + self.intercept

    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """JSON values and named arrays, for `from_state`."""
        meta, arrays = self.function.get_state()
        arrays |= {name: getattr(self, name) for name in ("mean", "slope", "intercept")}
        return {"function": meta, "alpha": self.alpha}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """What `get_state` described; ValueError if a value is missing or does not fit."""
        function = PairFunction.from_state(meta["function"], arrays)
        shape = (len(function.coefficients),)
        parts = {name: arrays[name] for name in ("mean", "slope", "intercept")}
        for name, array in parts.items():
            check_array(array, name, shape, np.float64)
        return cls(function, check_real(meta["alpha"], "alpha", minimum=0.0, strict=True), **parts)


def base_in_words(part: RidgePart | None, weights: Sequence[float]) -> str:
    """What a network completes, and the weights of that and of the network."""
    if part is None:
        return "none"
    of_base, of_network = weights
    return (
        f"ridge regression, alpha {part.alpha:.4g}; weights: {of_base:g} of it, {of_network:g} of "
        "the network"
    )


@dataclass(frozen=True, eq=False)
class FittedPart:
    """A ridge regression on all samples, and outputs at samples that others had not seen.

    Attributes
    ----------
    part : RidgePart
        Fitted to all samples.
    train : ndarray of float64, shape (n_train, n_outputs)
        Outputs at the training samples, each of a function of the other folds.
    held_out : ndarray of float64, shape (n_held_out, n_outputs)
        Outputs at the held-out samples of a function of the training samples.
    share : float
        Weight of the outputs that the network completes.
    """

    part: RidgePart
    train: Reals
    held_out: Reals
    share: float = 1.0


def fit_ridge_part(
    data: KroneckerData,
    target: Reals,
    weight: Reals,
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    link: Link,
    seed: int,
    **resources: Any,
) -> FittedPart:
    """Ridge regression as the base of a network.

    Parameters
    ----------
    data : KroneckerData
    target : ndarray of float64, shape (n_samples, n_outputs)
    weight : ndarray of float64, shape (n_samples,)
    rows : (train, held_out)
        Samples to fit, and samples that choose the ridge; without any of these, leave-one-out does.
    link : callable
        Slope and intercept from outputs at training samples, and these samples.
    seed : int
        Of the folds.
    **resources
        Of `PairRidge` and of its functions.
    """
    train, held = rows
    problem, mean = _problem(data, target, weight, train, resources)
    held_data = data.take(held) if len(held) else None

    def evaluate(solution: RidgeSolution) -> Reals:
        if held_data is None:
            return problem.left_out(target[train] - mean, solution) + mean
        return solution.function(held_data, **resources) + mean

    left = held if len(held) else train
    choice = choose_ridge(
        problem, target[train] - mean, default_alphas(data.gram_diagonal(), weight), evaluate,
        target[left], weight[left],
    )  # fmt: skip
    alpha = choice.solution.alpha
    outputs = np.empty_like(target[train])
    groups = np.random.default_rng(seed).permutation(len(train)) % min(FOLDS, len(train))
    for number in range(groups.max() + 1):
        rest, fold = train[groups != number], train[groups == number]
        others, center = _problem(data, target, weight, rest, resources)
        solved = others.solve(target[rest] - center, alpha, tol=TOL)
        outputs[groups == number] = solved.function(data.take(fold), **resources) + center
    slope, intercept = link(outputs, train)
    held_out = choice.outputs if len(held) else target[held]
    whole, mean = _problem(data, target, weight, np.arange(len(target)), resources)
    final = whole.solve(target - mean, alpha)
    part = RidgePart(final.function, alpha, mean, slope, intercept)
    return FittedPart(part, slope * outputs + intercept, slope * held_out + intercept)


def _problem(
    data: KroneckerData,
    target: Reals,
    weight: Reals,
    rows: NDArray[np.intp],
    resources: Mapping[str, Any],
) -> tuple[PairRidge, Reals]:
    """The problem of these samples, and the mean of their targets."""
    mean = np.average(target[rows], axis=0, weights=scale_weights(weight[rows]))
    return PairRidge(data.take(rows), weight[rows], **resources), mean


def weigh(
    base: Reals, network: Reals, score: Callable[[Reals], float], share: float = 1.0,
    perfect: float = 0.0,
) -> tuple[float, list[float]]:
    """The best score of ``v * base + w * network``, and the weights [v, w].

    The network has a weight only where the score is better than that of the base alone by GAIN of
    what this lacks to a `perfect` one: of many weights one is better by chance.
    """
    best, weights = score(base), [1.0, 0.0]
    wanted = best + GAIN * (perfect - best)
    for of_base, of_network in product(sorted({*WEIGHTS, share}), WEIGHTS[:-1]):
        value = score(of_base * base + of_network * network)
        if value > max(best, wanted):
            best, weights = value, [of_base, of_network]
    return best, weights
