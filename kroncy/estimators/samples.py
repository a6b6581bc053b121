"""Checks of the samples that estimators receive, and their conversion to Kronecker rows."""

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight, validate_data

from .._base.validation import FLOATS, check_integer
from ..data.kronecker_data import KroneckerData


def check_samples(
    estimator: Any, X: Any, y: Any, *, reset: bool = True, **target_checks: Any
) -> tuple[KroneckerData, NDArray]:
    """Samples and targets to fit.

    With `reset` the estimator's `n_features_in_` and `feature_names_in_` are set, otherwise X is
    checked against them.
    """
    if isinstance(X, KroneckerData):
        y = validate_data(estimator, y=y, reset=reset, **target_checks)
        check_consistent_length(X, y)
        _check_n_features(estimator, X, reset)
        return X, y
    X, y = validate_data(estimator, X, y, reset=reset, dtype=FLOATS, **target_checks)
    return kronecker_rows(estimator, X), y


def check_weighted_samples(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool, **target_checks: Any
) -> tuple[KroneckerData, NDArray, NDArray[np.float64], NDArray[np.intp]]:
    """``(data, y, weight, rows)`` of the samples with positive weights, which are `rows` of X."""
    data, y = check_samples(estimator, X, y, reset=reset, **target_checks)
    weight = _check_sample_weight(sample_weight, data, dtype=np.float64, ensure_non_negative=True)
    rows = np.flatnonzero(weight)
    if len(rows) < 2:
        raise ValueError(
            f"at least 2 samples with a positive sample_weight are needed, got "
            f"n_samples={len(rows)}"
        )
    if len(rows) < len(weight):
        data, y, weight = data.take(rows), y[rows], weight[rows]
    return data, y, weight, rows


def check_rows(estimator: Any, X: Any) -> KroneckerData:
    """Samples to predict, of the kind that the estimator was fitted to."""
    if isinstance(X, KroneckerData):
        _check_n_features(estimator, X, reset=False)
        return X
    X = validate_data(estimator, X, reset=False, dtype=FLOATS)
    return kronecker_rows(estimator, X)


def kronecker_rows(estimator: Any, X: NDArray) -> KroneckerData:
    """The Kronecker rows that `layout` forms from the columns of a checked array."""
    layout = estimator.layout
    options = {"normalize": estimator.normalize, "bias": float(estimator.bias)}
    if layout == "power":
        return KroneckerData.power(X, **options)
    widths = [check_integer(width, "layout", minimum=1) for width in layout]
    if len(widths) < 2 or sum(widths) != X.shape[1]:
        raise ValueError(
            f"layout={layout} must contain at least 2 widths that add up to the {X.shape[1]} "
            "columns of X"
        )
    return KroneckerData(np.split(X, np.cumsum(widths)[:-1], axis=1), **options)


def fingerprint(data: KroneckerData, *arrays: NDArray) -> str:
    """SHA-256 of a training set: its samples, and arrays such as targets and weights."""
    digest = hashlib.sha256()
    meta, parts = data.get_state()
    digest.update(repr(sorted(meta.items())).encode())
    for array in [*(parts[name] for name in sorted(parts)), *arrays]:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _check_n_features(estimator: Any, data: KroneckerData, reset: bool) -> None:
    """scikit-learn's check of the number of features, which must be an int for kernels, too.

    A precomputed kernel has one column for each object, in scikit-learn's view.  The Kronecker
    product of several kernels then has one for each combination of objects.
    """
    n_features = math.prod(mode.table.shape[1] for mode in data.modes)
    if reset:
        estimator.n_features_in_ = n_features
        vars(estimator).pop("feature_names_in_", None)
    elif n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
