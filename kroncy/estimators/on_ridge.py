"""A network on a ridge regression: what `base` adds to fitting, validation and prediction."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..data.kronecker_data import KroneckerData
from ..parallel.mpi import as_communicator
from .early_stopping import ValidationSet
from .ridge_part import FittedPart, fit_ridge_part, weigh
from .samples import check_rows, warn_if_known
from .state import join_trainer, split_trainer
from .trained import TrainedEstimator


class NetworkOnRidge(TrainedEstimator):
    """An estimator whose outputs are those of a network and, with ``base="ridge"``, of a ridge
    regression, each with a weight.
    """

    validation_metric: str  # by which held-out samples are scored, higher is better:
    validation_sign: int  # a score is this times the metric

    @property
    def _perfect_score(self) -> float:
        """The best that there is: R2 and average precision are at most 1."""
        return max(self.validation_sign, 0)

    def _trained_targets(self, target: NDArray) -> NDArray:
        """Targets of the trainer, from encoded ones."""
        return target

    @abstractmethod
    def _base_targets(self, target: NDArray) -> NDArray[np.float64]:
        """Columns that the ridge regression fits, one for each output of the network."""

    @abstractmethod
    def _base_link(
        self, outputs: NDArray, target: NDArray, weight: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Slope and intercept that make outputs of the network of those of the regression."""

    def _base_share(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        """Weight of the regression in what the network completes, from cross-fitted outputs."""
        return 1.0

    @abstractmethod
    def _leave(self, target: NDArray, base: NDArray) -> tuple[NDArray, dict[str, Any]]:
        """The trainer's targets and options, for what outputs `base` leave of encoded targets."""

    @abstractmethod
    def _score_outputs(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        """Score of outputs against encoded targets; higher is better."""

    def _scale(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        """Weight of the network where it is alone, from its outputs at held-out samples."""
        return 1.0

    def _choose_loss(
        self,
        data: KroneckerData,
        target: NDArray,
        weight: NDArray,
        rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> None:
        """Choose the loss, if there are several, with (train, held_out) samples."""

    def _learn_link(self, outputs: NDArray, validation: ValidationSet) -> None:
        """Learn from the outputs at held-out samples how these become predictions."""

    def _fit_base(
        self,
        data: KroneckerData,
        target: NDArray,
        weight: NDArray,
        rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> FittedPart | None:
        """The ridge regression, if there is to be one, with (train, held_out) samples."""
        if self.base is None:
            return None
        why = "in turn for the targets of the network"
        warn_if_known(data, rows[0], why, "set base=None", stacklevel=6)  # the caller of fit
        fitted = fit_ridge_part(
            data, self._base_targets(target), weight, rows,
            lambda outputs, train: self._base_link(outputs, target[train], weight[train]),
            self._seed, n_threads=self.n_threads, memory_limit=self.memory_limit,
        )  # fmt: skip
        share = self._base_share(fitted.train, target[rows[0]], weight[rows[0]])
        return replace(fitted, share=share)

    def _set_base(
        self, fitted: FittedPart | None, target: NDArray
    ) -> tuple[NDArray, dict[str, Any]]:
        """Take a ridge regression, or none; the trainer's targets, and options for it."""
        if fitted is None:
            self.base_, self.base_weights_ = None, [0.0, 1.0]
            return self._trained_targets(target), {}
        self.base_, self.base_weights_ = fitted.part, [fitted.share, 1.0]
        return self._leave(target, fitted.share * fitted.train)

    def _score_validation(
        self, validation: ValidationSet
    ) -> tuple[float, list[float], NDArray[np.float64]]:
        """The score on held-out samples, the weights of base and network in it, and outputs."""

        def score(outputs: NDArray) -> float:
            return float(self._score_outputs(outputs, validation.target, validation.weight))

        outputs = validation.rows.outputs()
        if validation.base is None:
            scale = self._scale(outputs, validation.target, validation.weight)
            return score(scale * outputs), [0.0, scale], scale * outputs
        base = validation.base.held_out.reshape(outputs.shape)
        value, weights = weigh(base, outputs, score, validation.base.share, self._perfect_score)
        return value, weights, weights[0] * base + weights[1] * outputs

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs of the fitted network and its base."""
        with as_communicator(self.comm).call("predict"):
            check_is_fitted(self)
            rows = check_rows(self, X, self.trainer_.data)
            self._take_resources()
            of_base, of_network = self.base_weights_
            outputs = of_network * self.trainer_.predict(rows).astype(np.float64)
        if self.base_ is None:
            return outputs
        base = self.base_(rows, n_threads=self.n_threads, memory_limit=self.memory_limit)
        return of_base * base.reshape(outputs.shape) + outputs

    def _take_resources(self) -> None:
        """Let the trainer use the present `comm` and `n_threads`, which may be set at any time."""
        ranks, scores = as_communicator(self.comm), self._scores
        if self.trainer_.comm is not ranks and max(ranks.size, self.trainer_.comm.size) > 1:
            meta, arrays = split_trainer(self.trainer_, scores.best_state)
            self.trainer_, scores.best_state = join_trainer(meta, arrays, True, ranks)
        network = self.trainer_.network
        if network.settings.n_threads != self.n_threads:
            network.n_threads = self.n_threads
