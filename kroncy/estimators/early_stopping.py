"""Early stopping: held-out samples, the best state so far, and when training has converged."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.validation import check_indices
from ..data.kronecker_data import KroneckerData
from .ridge_part import FittedPart
from .samples import warn_if_known

VALIDATION_BY = ("pairs", "left", "right", "both")


@dataclass
class ValidationSet:
    """Held-out samples that are bound to a trainer, so that their outputs are cheap to get."""

    rows: Any  # with a method outputs(): KroneckerSGD.bind returns it
    target: NDArray
    weight: NDArray
    base: FittedPart | None = None  # the ridge regression that the network completes


@dataclass
class ScoreTracker:
    """The best score so far, the state that reached it, and the epochs without improvement."""

    best_score: float = -math.inf
    n_no_improvement: int = 0
    best_is_last: bool = True  # whether the last epoch has the best score
    best_state: Any = None  # a snapshot of the trainer, while epochs are being run

    def update(self, score: float, tol: float, perfect: float = 0.0) -> bool:
        """Count one epoch; returns whether its score is the best so far.

        An improvement is relative to what is missing to a `perfect` score, the log loss or the
        share of the variance that is not explained: 0.05 of either that still falls by 1 % in an
        epoch has not converged.
        """
        first = self.best_score == -math.inf
        self.best_is_last = score > self.best_score
        enough = score >= self.best_score + tol * (perfect - self.best_score)
        improved = first or (self.best_is_last and enough)
        self.n_no_improvement = 0 if improved else self.n_no_improvement + 1
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


def hold_out(
    data: KroneckerData, strata: NDArray, by: str, fraction: float, seed: int
) -> NDArray[np.intp]:
    """Samples to hold out, in increasing order: random ones, or those of random objects.

    Parameters
    ----------
    data : KroneckerData
    strata : ndarray of shape (n_samples,)
        Stratum of each sample; used by "pairs".
    by : {"pairs", "left", "right", "both"}
        What the held-out samples do not share with the training samples.
    fraction : float
        Of the samples, or of the objects of a side.
    seed : int

    Raises
    ------
    ValueError
        No sample consists of held-out objects.
    """
    if by == "pairs":
        return split_validation(strata, fraction, seed)[1]
    sides = _sides(data, by)
    if all(len(np.unique(index)) == data.n_samples for _, index in sides):
        raise ValueError(
            f"validation_by={by!r} needs samples that share objects, but each of these has objects "
            "of its own, as the rows of an array have: use a KroneckerData with indices"
        )
    held = np.ones(data.n_samples, dtype=bool)
    for table, index in sides:
        objects = np.unique(np.concatenate([other for of, other in sides if of == table]))
        count = max(1, round(fraction * len(objects)))
        # The seed is the same for each side, so that sides of one table lose the same objects.
        held &= np.isin(index, np.random.RandomState(seed).permutation(objects)[:count])
    if not held.any():
        raise ValueError(
            f"validation_by={by!r} with validation_fraction={fraction:g}: no sample consists of "
            "held-out objects; use a larger validation_fraction, or another validation_by"
        )
    return np.flatnonzero(held)


def split_samples(
    model: Any, data: KroneckerData, strata: NDArray, rows: NDArray[np.intp],
    wanted: NDArray[np.intp] | None, seed: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Samples to train on, and samples that are held out, by the parameters of an estimator.

    The samples are `rows` of what the user gave, of which the user may want some held out.
    """
    by, fraction = model.validation_by, model.validation_fraction
    if wanted is not None:
        if not model.early_stopping:
            raise ValueError("validation needs early_stopping=True, which looks at it")
        held_out = np.flatnonzero(np.isin(rows, wanted))
    elif model.early_stopping:
        held_out = hold_out(data, strata, by, fraction, seed)
    else:
        every = np.arange(len(rows))
        return every, every[:0]
    train = training_samples(data, held_out, by)
    if len(train) < 2:
        cause = f"validation_fraction={fraction}" if wanted is None else "validation"
        raise ValueError(
            f"{cause} leaves {len(train)} of {len(rows)} samples to train on; at least 2 are needed"
        )
    remedy = "set early_stopping=False, with the number of epochs as max_iter"
    warn_if_known(data, held_out, "for early stopping", remedy, stacklevel=6)  # the caller of fit
    return train, held_out


def training_samples(
    data: KroneckerData, held_out: NDArray[np.intp], by: str
) -> NDArray[np.intp]:
    """Samples that share nothing with held-out ones: no pair, or no object of the sides of `by`."""
    shared = np.zeros(data.n_samples, dtype=bool)
    shared[held_out] = True
    if by != "pairs":
        sides = _sides(data, by)
        for table, index in sides:
            shared |= np.isin(index, [other[held_out] for of, other in sides if of == table])
    return np.flatnonzero(~shared)


def _sides(data: KroneckerData, by: str) -> list[tuple[int, NDArray[np.int64]]]:
    """The number of the table, and the index, of each factor that `by` speaks of."""
    last = data.n_factors - 1
    factors = {"left": [0], "right": [last], "both": range(last + 1)}[by]
    return [(data.modes.keys[factor][0], data.indices[factor]) for factor in factors]


def check_validation(validation: ArrayLike, n_samples: int) -> NDArray[np.int64]:
    """Samples that the user holds out, ascending; ValueError or TypeError if they are none."""
    chosen = check_indices(validation, "validation", n_samples, what="samples")
    if not len(chosen) or len(np.unique(chosen)) < len(chosen):
        raise ValueError("validation must name at least one sample, each of them once")
    return np.sort(chosen)


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
