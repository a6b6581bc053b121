"""Labels of classes, as all classifiers check them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .._base.validation import in_python, refuse_masked


def distinct_labels(labels: Any, name: str) -> NDArray:
    """The labels that occur, in ascending order; TypeError if they are of several kinds."""
    refuse_masked(labels, name)
    try:
        return np.unique(labels)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in np.ravel(labels).tolist()})
        raise TypeError(
            f"{name} must hold labels of one kind, all strings or all numbers, got "
            f"{' and '.join(kinds)}"
        ) from None


def check_labels(y: Any) -> tuple[NDArray, NDArray]:
    """The labels in one dimension, and the distinct ones; ValueError or TypeError if unfit."""
    y = column_or_1d(y, warn=True)
    distinct = distinct_labels(y, "y")
    check_classification_targets(y)
    return y, distinct


def require_two(classes: NDArray) -> None:
    """Raise ValueError if there is one class only."""
    if len(classes) < 2:
        raise ValueError(
            f"y must contain at least 2 classes, got 1 class: {in_python(classes[0])!r}"
        )


def check_classes(classes: Any, n_outputs: int) -> int:
    """The number of classes of a model with so many outputs; ValueError if they are not these."""
    n_classes = 2 if n_outputs == 1 else n_outputs
    ordered = np.array_equal(np.unique(classes), classes)
    if np.shape(classes) != (n_classes,) or not ordered:
        raise ValueError(f"classes_ must be {n_classes} labels in ascending order")
    return n_classes
