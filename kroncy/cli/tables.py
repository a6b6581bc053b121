"""From CSV tables to Kronecker data, in the same way for training and prediction."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.kronecker_data import KroneckerData
from .csv import Objects, Pairs


def column_scaling(table: Objects, standardize: bool) -> dict[str, Any]:
    """Names of the columns, with the mean and the scale of each: a JSON value for `pair_data`."""
    scaling: dict[str, Any] = {"names": table.names, "center": None, "scale": None}
    if standardize:
        deviation = table.values.std(axis=0)
        scaling["center"] = table.values.mean(axis=0).tolist()
        scaling["scale"] = np.where(deviation > 0, deviation, 1.0).tolist()
    return scaling


def pair_data(
    left: Objects, right: Objects, pairs: Pairs, note: dict[str, Any], bias: float
) -> KroneckerData:
    """The samples of `pairs`, from the columns that `note` describes for "left" and "right"."""
    factors = [_scaled(left, note["left"], bias), _scaled(right, note["right"], bias)]
    return KroneckerData(factors, pairs.indices, bias=bias)


def _scaled(table: Objects, scaling: dict[str, Any], bias: float) -> NDArray[np.float64]:
    values = table.select(scaling["names"])
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
