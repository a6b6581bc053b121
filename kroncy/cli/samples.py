"""From tables to Kronecker data, in the same way for training and prediction."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.scaling import center_and_spread
from ..data.kronecker_data import KroneckerData
from .tables import Objects, Pairs


def column_scaling(table: Objects, standardize: bool) -> dict[str, Any]:
    """Names of the columns, with the mean and the scale of each: a JSON value for `pair_data`."""
    center = scale = None
    if standardize:
        center, scale = (part.tolist() for part in center_and_spread(table.values))
    return {"names": table.names, "center": center, "scale": scale}


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
