"""Targets and sample weights, checked and brought into the form of the hot loop."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.validation import check_integer, refuse_masked


def check_targets(
    y: ArrayLike, n_samples: int, loss: str, n_classes: int | None = None
) -> NDArray[np.float64]:
    """`y` as a C-contiguous float64 array (n_samples, n_outputs).

    squared: any finite numbers; logistic: 0 or 1; softmax: labels 0 ... K - 1 become one-hot.
    Every class must occur, unless `n_classes` says how many there are.
    """
    if n_classes is not None:
        check_n_classes(n_classes, loss)
    refuse_masked(y, "y")
    array = np.asarray(y)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"y must be numeric, got dtype {array.dtype}")
    if array.ndim not in (1, 2) or array.shape[0] != n_samples:
        raise ValueError(f"y must have {n_samples} rows, one for each sample, got {array.shape}")
    if array.size == 0:
        raise ValueError("y must have at least one column")
    if not np.all(np.isfinite(array)):
        raise ValueError("y contains NaN or infinity")
    if loss == "softmax":
        return _one_hot(array, n_classes)
    targets = np.array(array.reshape(n_samples, -1), dtype=np.float64, order="C")
    if loss == "logistic":
        if not np.all((targets == 0) | (targets == 1)):
            raise ValueError("y must hold 0 and 1 only for loss='logistic'")
        constant = np.flatnonzero(targets.min(axis=0) == targets.max(axis=0))
        if n_classes is None and len(constant) and n_samples > 1:
            raise ValueError("y has one class only for loss='logistic'; there is nothing to learn")
    return targets


def check_prepared(targets: NDArray[np.float64], loss: str) -> None:
    """ValueError unless `targets`, finite, are such as `check_targets` returns for this loss."""
    binary = loss == "squared" or np.all((targets == 0) | (targets == 1))
    if not binary or (loss == "softmax" and np.any(targets.sum(axis=1) != 1)):
        raise ValueError(f"targets are not those of loss={loss!r}")


def check_sample_weight(
    weights: ArrayLike | None, n_samples: int
) -> NDArray[np.float64] | None:
    """`weights` as float64 (n_samples,), or None."""
    if weights is None:
        return None
    refuse_masked(weights, "sample_weight")
    weights = np.array(weights, dtype=np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), got {weights.shape}")
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError("sample_weight must be finite and >= 0")
    if not np.any(weights > 0):
        raise ValueError("sample_weight must be positive for at least one sample")
    return weights


def check_offset(
    offset: ArrayLike | None, shape: tuple[int, int], loss: str
) -> NDArray[np.float64] | None:
    """`offset` as float64 of this shape, that of the targets, or None."""
    if offset is None:
        return None
    if loss == "squared":
        raise ValueError("offset is for losses of labels; with loss='squared' subtract it from y")
    array = np.array(offset, dtype=np.float64, order="C")
    if array.shape == shape[:1] and shape[1] == 1:
        array = array[:, None]
    if array.shape != shape:
        raise ValueError(f"offset must have shape {shape}, got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError("offset contains NaN or infinity")
    return array


def check_n_classes(n_classes: object, loss: str) -> int:
    """`n_classes` as an int that goes with `loss`."""
    if loss == "squared":
        raise ValueError(f"n_classes is for the losses of labels, not for loss={loss!r}")
    maximum = 2 if loss == "logistic" else None
    return check_integer(n_classes, "n_classes", minimum=2, maximum=maximum)


def _one_hot(labels: NDArray, n_classes: int | None) -> NDArray[np.float64]:
    if labels.ndim != 1:
        raise ValueError(f"y must be one-dimensional labels for loss='softmax', got {labels.shape}")
    if not np.all(labels == np.rint(labels)) or labels.min() < 0:
        raise ValueError("y must hold integer labels 0 ... K - 1 for loss='softmax'")
    labels = labels.astype(np.int64)
    largest = int(labels.max())
    if n_classes is None:
        n_classes = largest + 1
        if n_classes < 2:
            raise ValueError("y has one class only for loss='softmax'; there is nothing to learn")
        absent = np.flatnonzero(np.bincount(labels, minlength=n_classes) == 0)
        if len(absent):
            raise ValueError(f"y has no sample of class {absent[0]} although {largest} occurs")
    elif largest >= n_classes:
        raise ValueError(f"y must hold labels below n_classes={n_classes}, got {largest}")
    return np.eye(n_classes)[labels]
