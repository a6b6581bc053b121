"""Early stopping: held-out samples, the best state so far, and when training has converged."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class ValidationSet:
    """Held-out samples that are bound to a trainer, so that their outputs are cheap to get."""

    rows: Any  # with a method outputs(): KroneckerSGD.bind returns it
    target: NDArray
    weight: NDArray
    base: NDArray | None = None  # outputs of the ridge regression that the network completes


@dataclass
class ScoreTracker:
    """The best score so far, the state that reached it, and the epochs without improvement."""

    best_score: float = -math.inf
    n_no_improvement: int = 0
    best_is_last: bool = True  # whether the last epoch has the best score
    best_state: Any = None  # a snapshot of the trainer, while epochs are being run

    def update(self, score: float, tol: float) -> bool:
        """Count one epoch; returns whether its score is the best so far.

        An improvement is relative to the best score: a validation loss of 0.05 that still falls
        by 1 % in an epoch has not converged.
        """
        first = self.best_score == -math.inf
        improved = first or score >= self.best_score + tol * abs(self.best_score)
        self.n_no_improvement = 0 if improved else self.n_no_improvement + 1
        self.best_is_last = score > self.best_score
        if self.best_is_last:
            self.best_score = score
        return self.best_is_last


def scores_in_words(model: Any, epoch: int) -> str:
    """The validation scores of an epoch of an estimator: ``log loss 0.3100``, for example."""
    score = model.validation_sign * model.validation_scores_[epoch - 1]
    text = f"{model.validation_metric} {score:.4f}"
    more = getattr(model, "validation_average_precision_", None)
    if more is None or model.validation_metric == "average precision":
        return text
    return f"{text}, average precision {more[epoch - 1]:.4f}"


def best_epoch(model: Any) -> int:
    """The epoch with the best validation score of an estimator, from 1 on."""
    return 1 + int(np.argmax(model.validation_scores_))


def split_validation(
    strata: NDArray, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the training samples and of the held-out samples, each in increasing order.

    About `fraction` of the samples of each stratum is held out, but never its first sample in
    random order.
    """
    order = np.random.RandomState(seed).permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    # Sorted by stratum, a sample is held out where the running quota reaches the next integer.
    quota = np.floor(np.arange(len(order) + 1) * fraction)
    is_first = np.diff(strata[order], prepend=np.nan) != 0
    held_out = (np.diff(quota) > 0) & ~is_first
    return np.sort(order[~held_out]), np.sort(order[held_out])
