"""Weights of classes, as scikit-learn's parameter `class_weight` gives them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.validation import check_real, in_python


def weigh_classes(
    class_weight: Mapping[Any, float] | str | None,
    classes: NDArray,
    position: NDArray[np.intp],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """A factor of the weight of each sample, from the position of its label in `classes`.

    "balanced" gives all classes that occur the same total; a class that a mapping does not name
    has the factor 1.

    Raises
    ------
    ValueError, TypeError
        A weight is not positive, or a mapping names a class that there is not, and not all others.
    """
    if class_weight is None:
        return np.ones(len(position))
    if isinstance(class_weight, str):
        totals = np.bincount(position, weights=weight, minlength=len(classes))
        mean = totals.sum() / np.count_nonzero(totals)
        factors = np.divide(mean, totals, out=np.ones(len(classes)), where=totals > 0)
        return factors[position]
    factors = np.ones(len(classes))
    unknown, n_named = [], 0
    for label, value in class_weight.items():
        found = np.flatnonzero(classes == label)
        factors[found] = check_real(value, f"class_weight[{label!r}]", minimum=0.0, strict=True)
        n_named += len(found)
        if not len(found):
            unknown.append(label)
    if unknown and n_named < len(classes):
        raise ValueError(
            f"class_weight names {unknown[0]!r}, which is not a class of y, and not all classes of "
            f"y: {in_python(classes[:5])}"
        )
    return factors[position]
