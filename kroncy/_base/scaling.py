"""Norms and spreads of numbers in any unit: scaled by a power of two before they are squared.

Squares of 1e-200 or 1e200 leave the range of float64, as those of 1e-25 or 1e22 leave that of
float32.  A power of two changes the exponent alone, so that ordinary results keep their bits.
Entries that vanish beside the largest one may underflow to 0, which is what they are beside it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A spread of so many roundings of the largest number, and one more for each number that is summed,
# may come from the mean alone: NumPy sums columns in the order of the rows.
CONSTANT = 32


def exponents(values: ArrayLike, axis: int | None = None) -> NDArray[np.int64]:
    """Exponents e: the largest ``|values|`` along `axis` is in [2**(e - 1), 2**e); 0 for zeros.

    The axis stays, with length 1; without one e is a single number.
    """
    largest = np.abs(values).max(axis=axis, keepdims=axis is not None)
    return np.frexp(largest)[1].astype(np.int64)


def scale(values: ArrayLike, exponent: ArrayLike) -> NDArray:
    """``values * 2**exponent``, for exponents beyond those of the dtype as well; a new array."""
    with np.errstate(under="ignore"):
        return np.ldexp(values, exponent)


def scale_rows(rows: NDArray) -> NDArray:
    """Each row times the power of two that brings its largest entry into [0.5, 1)."""
    return scale(rows, -exponents(rows, axis=1))


def row_norms(rows: NDArray) -> NDArray:
    """Euclidean norms (n, 1) of rows that `scale_rows` returned."""
    with np.errstate(under="ignore"):
        return np.linalg.norm(rows, axis=1, keepdims=True)


def scale_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative weights in a unit in which their sum is an ordinary number."""
    return scale(weights, -exponents(weights))


def mean_weight(weights: NDArray[np.float64]) -> float:
    """The mean of non-negative weights in any unit."""
    return float(scale(scale_weights(weights).mean(), exponents(weights)))


def center_and_spread(
    values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over the first axis, to standardise by.

    Parameters
    ----------
    values : ndarray of float64, shape (n,) or (n, k)
    weights : ndarray of float64, shape (n,), optional
        Non-negative.

    Returns
    -------
    center, spread : ndarray of float64, shape () or (k,)
        The spread of values that are constant up to rounding is a power of two of their size, or
        1 for zeros: never 0, and not what rounding left of it.
    """
    unit = exponents(values, axis=0)
    weights = None if weights is None else scale_weights(weights)
    with np.errstate(under="ignore"):
        scaled = scale(values, -unit)
        center = np.average(scaled, axis=0, weights=weights)
        spread = np.sqrt(np.average((scaled - center) ** 2, axis=0, weights=weights))
    rounding = (CONSTANT + len(values)) * np.finfo(np.float64).eps
    spread = np.where(spread > rounding, spread, 1.0)
    unit = unit[0]
    return np.asarray(scale(center, unit)), np.asarray(scale(spread, unit))


def is_constant(standardized: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which columns, standardised by `center_and_spread`, are constant up to rounding.

    The root mean square of the others is 1, so that their largest entry is no less.
    """
    return np.abs(standardized).max(axis=0) <= 0.5
