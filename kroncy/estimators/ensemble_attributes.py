"""What a fitted ensemble has of its members."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from .base import BaseKroneckerEstimator
from .calibration import SpreadCalibration
from .members import moments


class EnsembleAttributes:
    """Attributes that are those of the members, or made of them."""

    estimators_: list[BaseKroneckerEstimator]

    @property
    def n_features_in_(self) -> int:
        """Number of columns of X, as the members count them."""
        return self._first("n_features_in_")

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the columns, only if X was a data frame."""
        return self._first("feature_names_in_")

    @property
    def classes_(self) -> NDArray:
        """Class labels in sorted order, of a classifier."""
        return self._first("classes_")

    @property
    def validation_indices_(self) -> NDArray[np.int64] | None:
        """Samples of X that all members held out."""
        return self._first("validation_indices_")

    @property
    def validation_objects_(self) -> NDArray[np.int64] | None:
        """The objects of these samples."""
        return self._first("validation_objects_")

    @property
    def validation_targets_(self) -> NDArray | None:
        """Their targets."""
        return self._first("validation_targets_")

    @property
    def validation_predictions_(self) -> NDArray[np.float64] | None:
        """What the ensemble predicts for them."""
        return None if self.validation_indices_ is None else self._held_out()[0]

    @property
    def validation_std_(self) -> NDArray[np.float64] | None:
        """The standard deviation of these predictions among the members."""
        return None if self.validation_indices_ is None else self._held_out()[1]

    @property
    def calibration_(self) -> SpreadCalibration | None:
        """Spread against error on the held-out samples, of a regressor."""
        targets = self.validation_targets_
        if targets is None or is_classifier(self):
            return None
        mean, std = self._held_out()
        return SpreadCalibration.of(std.ravel(), (targets - mean).ravel())

    def _held_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return moments([member.validation_predictions_ for member in self.estimators_])

    def _first(self, name: str) -> Any:
        """An attribute that all members share; AttributeError before `fit`."""
        if "estimators_" not in vars(self):
            raise AttributeError(f"{name} is there after fit only")
        return getattr(self.estimators_[0], name)
