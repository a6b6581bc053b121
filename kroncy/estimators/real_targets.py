"""Real targets, which a regressor standardises: by its first training, if there are several."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from .._base.scaling import center_and_spread
from .attributes import check_array
from .samples import warn_if_constant
from .stored import StoredEstimator

Reals = NDArray[np.float64]


class RealTargets(StoredEstimator):
    """An estimator of one or several real targets."""

    _target_checks: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}
    _y_mean: Reals  # (n_outputs,), or () for one-dimensional targets
    _y_scale: Reals

    @staticmethod
    def _as_reals(y: NDArray) -> Reals:
        """Targets (n,) or (n, k) with k > 1."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y.astype(np.float64)

    def _learn_scale(self, y: Reals, weight: NDArray, stacklevel: int) -> None:
        """Take mean and spread of these targets; warn the caller at `stacklevel` of constants."""
        self._y_mean, self._y_scale = center_and_spread(y, weight)
        warn_if_constant(self._standardized(y), self._y_mean, stacklevel + 1)

    def _standardized(self, y: Reals) -> Reals:
        return (y - self._y_mean) / self._y_scale

    def _in_units(self, standardized: NDArray) -> Reals:
        """Values in the units of the targets."""
        return standardized * self._y_scale + self._y_mean

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return (*super()._saved_attributes(), "_y_mean", "_y_scale")

    def _check_scale(self, shape: tuple[int, ...]) -> None:
        """ValueError unless mean and spread are those of targets of this shape."""
        check_array(self._y_mean, "_y_mean", shape, np.float64)
        check_array(self._y_scale, "_y_scale", shape, np.float64)
        if not np.all(self._y_scale > 0):
            raise ValueError("_y_scale must be positive")
