"""Checks of the samples that estimators receive, and their conversion to Kronecker rows."""

import hashlib
import math
import reprlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight, validate_data

from .._base.scaling import is_constant
from .._base.validation import FLOATS, refuse_masked
from ..data.kronecker_data import KroneckerData
from ..kernels.profiled_pairs import ProfiledPairs


def check_samples(
    estimator: Any, X: Any, y: Any, *, like: KroneckerData | None = None,
    y_numeric: bool = False, **target_checks: Any,
) -> tuple[KroneckerData, NDArray]:
    """Samples and targets to fit.

    `y_numeric` says that targets are numbers, and no labels.  `like` are the samples of a training
    that goes on, which X must match.  Without them the estimator's `n_features_in_` and
    `feature_names_in_` are set.
    """
    reset = like is None
    refuse_masked(X, "X")
    refuse_masked(y, "y")
    if y_numeric and y is not None:
        y = _as_numbers(y)
    if isinstance(X, KroneckerData):
        y = validate_data(estimator, y=y, reset=reset, **target_checks)
        check_consistent_length(X, y)
        if reset:
            _set_n_features(estimator, X)
        data = X
    else:
        _refuse_sparse(X)
        X, y = validate_data(estimator, X, y, reset=reset, dtype=FLOATS, **target_checks)
        data = kronecker_rows(estimator, X)
    if like is not None:
        like.check_compatible(data, "X")
    return data, y


def _as_numbers(y: Any) -> Any:
    """Targets as numbers where text or objects hold them; ValueError that shows what is none."""
    values = np.asarray(y)
    if values.dtype.kind in "mM":
        raise TypeError(
            f"y must hold numbers, got dtype {values.dtype}; make numbers of these, such as days"
        )
    if values.dtype.kind not in "OSU":
        return y
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        for value in values.ravel().tolist():
            try:
                float(value)
            except (ValueError, TypeError):
                raise ValueError(
                    f"y must hold numbers, got {reprlib.repr(value)}; for labels use a classifier, "
                    "such as KroneckerClassifier"
                ) from None
            except OverflowError:
                raise ValueError("y must hold numbers in the range of float64") from None
        raise


def warn_if_constant(
    standardized: NDArray[np.float64], center: NDArray[np.float64], stacklevel: int
) -> None:
    """Warn of targets (n,) or (n, k), standardised from this center, that teach nothing."""
    constant = np.flatnonzero(is_constant(standardized))
    if len(constant):
        output = f" of output {constant[0]}" if standardized.ndim == 2 else ""
        warnings.warn(
            f"The targets{output} are constant, all {center.flat[constant[0]]:.6g}: there is "
            "nothing to learn from them.",
            stacklevel=stacklevel + 1,
        )


def check_weight(
    sample_weight: Any, data: KroneckerData, minimum: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """``(weight, rows)``: a weight for each sample, and the samples whose weight is positive.

    ValueError if these are fewer than `minimum`.
    """
    refuse_masked(sample_weight, "sample_weight")
    weight = _check_sample_weight(sample_weight, data, dtype=np.float64, ensure_non_negative=True)
    rows = np.flatnonzero(weight)
    if not len(rows):  # in the words of scikit-learn, of which older versions let them pass
        raise ValueError("sample_weight must contain at least one non-zero number")
    if len(rows) < minimum:
        raise ValueError(
            f"at least {minimum} sample{'s' * (minimum > 1)} with a positive sample_weight "
            f"{'are' if minimum > 1 else 'is'} needed, got n_samples={len(rows)}"
        )
    return weight, rows


def warn_if_known(
    data: KroneckerData, held_out: NDArray[np.integer], why: str, remedy: str, stacklevel: int
) -> None:
    """Warn of samples that are held out, although the kernels were made from their labels."""
    if isinstance(data, ProfiledPairs) and data.knows(held_out):
        warnings.warn(
            f"X has kernels of ProfileKernels that were made from the labels of samples which are "
            f"held out {why}: these are predicted from themselves. Fit ProfileKernels to other "
            f"pairs, or {remedy}.",
            stacklevel=stacklevel + 1,
        )


def check_rows(estimator: Any, X: Any, like: KroneckerData) -> KroneckerData:
    """Samples to predict, which must match the training samples `like`."""
    if not isinstance(X, KroneckerData):
        refuse_masked(X, "X")
        _refuse_sparse(X)
        X = validate_data(estimator, X, reset=False, dtype=FLOATS)
        X = kronecker_rows(estimator, X)
    like.check_compatible(X, "X")
    return X


def named(X: Any, predictions: NDArray) -> Any:
    """Predictions for X: a Series, or a DataFrame, by pair if its pairs came from pandas."""
    from_pandas = isinstance(X, KroneckerData) and X.frames is not None and X.frames.from_pandas
    return X.by_pair(predictions) if from_pandas else predictions


def _refuse_sparse(X: Any) -> None:
    if issparse(X):
        raise TypeError(
            "X must not be a sparse array; KroneckerData.power(X) and KroneckerData([left, right], "
            "indices) take sparse arrays, which stay sparse"
        )


def kronecker_rows(estimator: Any, X: NDArray) -> KroneckerData:
    """The Kronecker rows that `layout` forms from the columns of a checked array."""
    layout = estimator.layout
    options = {"normalize": estimator.normalize, "bias": float(estimator.bias)}
    if layout == "power":
        return KroneckerData.power(X, **options)
    if sum(layout) != X.shape[1]:
        raise ValueError(f"layout={layout} must add up to the {X.shape[1]} columns of X")
    return KroneckerData(np.split(X, np.cumsum(layout)[:-1], axis=1), **options)


def fingerprint(data: KroneckerData, *arrays: NDArray) -> str:
    """SHA-256 of a training set: its samples, and arrays such as targets and weights."""
    digest = hashlib.sha256()
    meta, parts = data.get_state()
    digest.update(repr(sorted(meta.items())).encode())
    for array in [*(parts[name] for name in sorted(parts)), *arrays]:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _set_n_features(estimator: Any, data: KroneckerData) -> None:
    """The attributes of scikit-learn's check of features, which need an int for kernels, too.

    A precomputed kernel has one column for each object, in scikit-learn's view.  The Kronecker
    product of several kernels then has one for each combination of objects.
    """
    estimator.n_features_in_ = math.prod(mode.table.shape[1] for mode in data.modes)
    vars(estimator).pop("feature_names_in_", None)
