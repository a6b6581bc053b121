"""By which score of held-out samples the early stopping of a classifier goes."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from .._base.scaling import scale_weights

METRICS = {"log_loss": ("log loss", -1), "average_precision": ("average precision", 1)}

SCORING = """
    {class_weight}
    scoring : {"log_loss", "average_precision"}, default="log_loss"
        Score of early stopping on the held-out samples: minus the mean log loss, or the average
        precision of the rarer of two classes, which is noisy where few of it are held out.\
"""


def choose_scoring(scoring: str, counts: NDArray[np.int64]) -> str:
    """`scoring`, or "log_loss" where no sample is held out; `counts` are those of each class.

    ValueError if "average_precision" is asked for and they do not allow it.
    """
    if scoring == "average_precision" and len(counts) > 2:
        raise ValueError(
            f"scoring='average_precision' is for two classes, got {len(counts)}; use 'log_loss'"
        )
    if scoring == "average_precision" and counts.any() and counts.min() == 0:
        raise ValueError(
            "scoring='average_precision' needs samples of both classes among those that are held "
            "out: use a larger validation_fraction, or 'log_loss'"
        )
    return scoring if counts.any() else "log_loss"


def average_precision(outputs: NDArray, target: NDArray, weight: NDArray) -> float:
    """That of the rarer of two classes, for outputs that rise with class 1."""
    rare = int(2 * np.count_nonzero(target) <= len(target))
    found = average_precision_score(
        target == rare, outputs if rare else -outputs, sample_weight=scale_weights(weight)
    )
    return float(found)
