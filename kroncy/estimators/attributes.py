"""The check of the attributes of an estimator that comes from a file, which may be forged."""

from collections.abc import Collection
from math import prod
from typing import Any

import numpy as np

from .._base.validation import check_integer, check_real
from ..data.kronecker_data import KroneckerData
from ..training.trainer import KroneckerSGD

MOST = 2**63 - 1  # of whatever is counted
DESCRIBED = ("objects", "targets", "predictions")  # of the held-out samples
OPTIONAL_ATTRIBUTES = ("feature_names_in_",)


def check_names(
    given: Collection[str], required: Collection[str], optional: Collection[str]
) -> None:
    """ValueError unless `given` are the required attributes, and none but the optional ones."""
    missing = set(required).difference(given)
    unknown = set(given).difference(required, optional)
    if missing or unknown:
        problem = "is missing" if missing else "is not known"
        raise ValueError(f"its attribute {min(missing or unknown)!r} {problem}")


def check_attributes(estimator: Any) -> None:
    """ValueError or TypeError unless the public attributes fit each other and the trainer."""
    trainer: KroneckerSGD = estimator.trainer_
    n_epochs = check_integer(estimator.n_iter_, "n_iter_", minimum=0, maximum=MOST)
    losses = _check_reals(estimator.loss_curve_, "loss_curve_", minimum=0.0)
    if len(losses) != n_epochs:
        raise ValueError(f"loss_curve_ must have {n_epochs} values, got {len(losses)}")
    _check_validation(estimator, n_epochs)
    check_real(estimator.learning_rate_init_, "learning_rate_init_", minimum=0.0, strict=True)
    check_features(estimator, trainer.data)


def check_array(
    array: Any, name: str, shape: tuple[int, ...], dtype: type, *, minimum: float | None = None
) -> None:
    """ValueError unless `array` is a finite array of this shape and dtype."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array)
        raise ValueError(f"{name} must be {np.dtype(dtype).name} of shape {shape}, got {got}")
    if not np.all(np.isfinite(array)) or (minimum is not None and np.any(array < minimum)):
        raise ValueError(f"{name} is out of range")


def _check_validation(estimator: Any, n_epochs: int) -> None:
    rows, scores = estimator.validation_indices_, estimator.validation_scores_
    best = estimator.best_validation_score_
    if best is not None:
        check_real(best, "best_validation_score_")
    if rows is None or scores is None:
        others = [getattr(estimator, f"validation_{name}_") for name in DESCRIBED]
        if any(value is not None for value in (rows, scores, best, *others)):
            raise ValueError("validation_indices_ and validation_scores_ contradict each other")
        return
    check_array(rows, "validation_indices_", (len(rows),), np.int64, minimum=0)
    if not len(rows) or np.any(rows[1:] <= rows[:-1]):
        raise ValueError("validation_indices_ must ascend")
    if len(_check_reals(scores, "validation_scores_")) > n_epochs:
        raise ValueError(f"validation_scores_ must have at most {n_epochs} values")
    objects, targets, predictions = (
        getattr(estimator, f"validation_{name}_") for name in DESCRIBED
    )
    n_factors = estimator.trainer_.data.n_factors
    check_array(objects, "validation_objects_", (len(rows), n_factors), np.int64, minimum=0)
    if np.shape(targets)[:1] != (len(rows),):
        raise ValueError(f"validation_targets_ must be {len(rows)} targets")
    if (predictions is None) != (best is None):
        raise ValueError("validation_predictions_ and best_validation_score_ contradict each other")
    if predictions is not None:
        shape = (len(rows), *np.shape(predictions)[1:])
        check_array(predictions, "validation_predictions_", shape, np.float64)


def check_scores(precision: Any, scores: Any) -> None:
    """ValueError or TypeError unless `precision` is None or has a value for each score."""
    if precision is None:
        return
    values = _check_reals(precision, "validation_average_precision_", minimum=0.0)
    if scores is None or len(values) != len(scores):
        raise ValueError("validation_average_precision_ and validation_scores_ differ in length")


def check_features(estimator: Any, data: KroneckerData) -> None:
    """ValueError unless `n_features_in_` is the length of a row or a number of columns of X.

    `feature_names_in_`, if there are any, must be as many.
    """
    widths = [mode.table.shape[1] for mode in data.modes]
    columns = [width - (data.bias > 0) for width in widths]
    count = check_integer(estimator.n_features_in_, "n_features_in_")
    if count not in (prod(widths), columns[0], sum(columns)):
        raise ValueError(f"n_features_in_ does not fit factors of {widths} columns, got {count}")
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return
    strings = isinstance(names, np.ndarray) and names.dtype == object
    if not strings or names.shape != (count,):
        raise ValueError(f"feature_names_in_ must be {count} strings")


def _check_reals(values: Any, name: str, minimum: float | None = None) -> list[float]:
    if not isinstance(values, list):
        raise TypeError(f"{name} must be a list, got {values!r}")
    return [check_real(value, name, minimum=minimum) for value in values]
