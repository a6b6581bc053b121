"""How the spread of an ensemble compares with its errors."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

N_BINS = 5


@dataclass(frozen=True, eq=False)
class SpreadCalibration:
    """How the spread of an ensemble compares with its errors, on held-out samples.

    Parameters
    ----------
    ratio : float
        Root mean square of the errors over that of the spread: the factor by which the spread
        would have to be multiplied to be as large as the errors.  It is usually well above 1.
    rmse, spread : float
        These root mean squares themselves.
    within : float
        Share of the samples whose error is at most their spread; 0.68 for a normal distribution
        whose spread is right.
    std, error : ndarray of shape (n_bins,)
        Root mean squares of the spread and of the error, of samples of similar spread.
    """

    ratio: float
    rmse: float
    spread: float
    within: float
    std: NDArray[np.float64]
    error: NDArray[np.float64]

    @classmethod
    def of(cls, std: NDArray[np.float64], error: NDArray[np.float64]) -> Self:
        """The calibration of these samples.

        Parameters
        ----------
        std, error : ndarray of shape (n_samples,)
            Spread, and measured minus predicted value.

        Returns
        -------
        SpreadCalibration
            In bins of equally many samples.
        """
        bins = np.array_split(np.argsort(std, kind="stable"), min(N_BINS, len(std)))
        with np.errstate(divide="ignore"):  # members that agree on all samples
            ratio = np.divide(root_mean_square(error), root_mean_square(std))
        return cls(
            float(ratio),
            root_mean_square(error),
            root_mean_square(std),
            float(np.mean(np.abs(error) <= std)),
            np.array([root_mean_square(std[part]) for part in bins]),
            np.array([root_mean_square(error[part]) for part in bins]),
        )


def root_mean_square(values: NDArray[np.float64]) -> float:
    """The square root of the mean of the squares."""
    return float(np.sqrt(np.mean(values**2)))
