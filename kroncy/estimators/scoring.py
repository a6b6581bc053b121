"""By which score of held-out samples the early stopping of a classifier goes."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from .._base.scaling import scale_weights

METRICS = {
    "log_loss": ("log loss", -1),
    "r2": ("R2", 1),
    "average_precision": ("average precision", 1),
}
SCORINGS = {"auto", "log_loss", "average_precision"}  # the parameter

SCORING = """
    {class_weight}
    scoring : {"auto", "log_loss", "average_precision"}, default="auto"
        Score of early stopping on the held-out samples: minus the mean log loss, or the average
        precision of the rarer of two classes, which is noisy where few of it are held out.  "auto"
        is that of `loss`: the log loss, or R2 of the numbers that the squared error fits.  Where
        one class alone is held out, R2 is 1 minus their mean squared error.\
"""


def choose_scoring(scoring: str, natural: str, counts: NDArray[np.int64]) -> str:
    """`scoring`, or the `natural` one where this is "auto" or no sample is held out.

    ValueError if "average_precision" is asked for and `counts`, the held-out samples of each class,
    do not allow it.
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
    return scoring if scoring != "auto" and counts.any() else natural


def average_precision(outputs: NDArray, target: NDArray, weight: NDArray) -> float:
    """That of the rarer of two classes, for outputs that rise with class 1."""
    rare = int(2 * np.count_nonzero(target) <= len(target))
    found = average_precision_score(
        target == rare, outputs if rare else -outputs, sample_weight=scale_weights(weight)
    )
    return float(found)
