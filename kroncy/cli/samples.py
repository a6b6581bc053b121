"""From tables to Kronecker data, in the same way for training and prediction."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.kronecker_data import KroneckerData
from .tables import Objects, Pairs


def column_scaling(table: Objects, standardize: bool) -> dict[str, Any]:
    """Names of the columns, with the mean and the scale of each: a JSON value for `pair_data`."""
    center = scale = None
    if standardize:
        center, scale = (part.tolist() for part in _mean_and_deviation(table.values))
    return {"names": table.names, "center": center, "scale": scale}


def _mean_and_deviation(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mean and standard deviation of columns, which is a unit for one that is constant.

    Constant is what rounding cannot tell from a constant, as in scikit-learn's `StandardScaler`.
    Columns are brought near 1 first, by powers of 2: squares of 1e200 and 1e-200 are out of range.
    """
    exponent = np.frexp(np.abs(values).max(axis=0))[1]
    values = np.ldexp(values, -exponent)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    rounding = len(values) * np.finfo(values.dtype).eps
    constant = deviation**2 <= rounding * deviation**2 + (rounding * mean) ** 2
    return np.ldexp(mean, exponent), np.ldexp(np.where(constant, 1.0, deviation), exponent)


def pair_data(
    left: Objects, right: Objects, pairs: Pairs, note: dict[str, Any], bias: float
) -> KroneckerData:
    """The samples of `pairs`, scaled as `note` describes for "left" and "right"."""
    factors = [_scaled(left, note["left"], bias), _scaled(right, note["right"], bias)]
    return KroneckerData(factors, pairs.indices, bias=bias)


def _scaled(table: Objects, scaling: dict[str, Any], bias: float) -> NDArray[np.float64]:
    values = table.values
    if scaling["center"] is not None:
        values = (values - scaling["center"]) / scaling["scale"]
    if bias == 0:
        for name, row in table.rows.items():
            if not values[row].any():
                raise ValueError(
                    f"{table.path}: all columns of id {name!r} are 0, and such a row cannot be "
                    "scaled to norm 1; leave it out, or train with a --bias greater than 0"
                )
    return values
