"""KroneckerRegressor: the network with the squared loss."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin, _fit_context

from .._base.scaling import scale_weights
from ..data.kronecker_data import KroneckerData
from .attributes import check_array
from .incremental import IncrementalKroneckerEstimator
from .parameters import NETWORK_NOTES, NETWORK_PARAMETERS, document
from .real_targets import RealTargets
from .samples import named


@document(
    parameters=NETWORK_PARAMETERS,
    notes=NETWORK_NOTES,
    score="R2, 1 minus the ratio of the\n        mean squared error to the variance of the targets",
    more_parameters="",
)
class KroneckerRegressor(RegressorMixin, RealTargets, IncrementalKroneckerEstimator):
    """Wide two-layer network on Kronecker-structured rows, for one or several real targets.

    The network is trained by exact mini-batch SGD on the squared loss.  The cost of an iteration
    does not depend on the number of features.  Targets are standardised internally; predictions
    are in the units of the targets.

    {parameters}

    See Also
    --------
    KroneckerClassifier : The same network for labels.
    LimitKernelRegressor : The limit of infinite width, solved exactly.
    KroneckerSGD : The trainer, one iteration or epoch at a time.

    {notes}

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> model = KroneckerRegressor(512, n_threads=1, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    validation_metric: str = "R2"
    validation_sign: int = 1
    _default_power_t: ClassVar[float] = 0.5

    def predict(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64] | Any:
        """Predict targets.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.  For pairs that came from pandas (`KroneckerData.from_frames`), a
            Series or DataFrame with their ids.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.

        Notes
        -----
        The cost is that of the initial pre-activations of the samples, and at most ``k * n``
        multiply-adds for each sample.
        """
        return named(X, self._as_predictions(self._outputs(X)))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: KroneckerData | ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these samples, in memory that grows with every new one.

        Samples that are new are added to the training set.  The step size follows the schedule of
        `learning_rate`.  Targets are standardised with the mean and the variance of the first
        call.  Early stopping does not apply.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Training samples; see `layout` for arrays.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative factors of the losses of the samples.  Samples of weight 0 are left out.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            A parameter or an argument is invalid, or a parameter of the network is not what it
            was in the call before, or new samples cannot be added because the training began with
            ``start="gram"``.
        MemoryError
            The training would exceed `memory_limit` or the available memory.  The estimator is
            as it was before the call.
        kroncy.DivergenceError
            The loss is no longer finite.  The message names the iteration and a smaller step size.

        Notes
        -----
        The coefficients of the network refer to all distinct samples seen so far.  Memory and the
        cost of an iteration therefore grow with their number.
        """
        with self._alone("partial_fit"):
            return self._partial_fit(X, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _loss(self) -> str:
        return "squared"

    def _check_attributes(self) -> None:
        super()._check_attributes()
        shape = self.trainer_.targets.shape
        check_array(self._train_target, "_train_target", shape, np.float64)
        self._check_scale(shape[1:])

    def _encode_target(
        self, y: NDArray, weight: NDArray, reset: bool, classes: NDArray | None
    ) -> NDArray[np.float64]:
        """Standardised targets, by the mean and the standard deviation of the first call."""
        y = self._as_reals(y)
        if reset:
            used = weight > 0
            self._learn_scale(y[used], weight[used], stacklevel=7)  # the caller of fit
        elif y.shape[1:] != self._y_mean.shape:
            raise ValueError(f"y has shape {y.shape}, which differs from y in the first call")
        return self._standardized(y)

    def _decode_target(self, target: NDArray) -> NDArray[np.float64]:
        return self._in_units(target)

    def _target_encoding(self) -> Any:
        return [self._y_mean.tolist(), self._y_scale.tolist()]

    def _as_predictions(self, outputs: NDArray) -> NDArray[np.float64]:
        return self._in_units(outputs)

    def _base_targets(self, target: NDArray) -> NDArray[np.float64]:
        return target.reshape(len(target), -1)

    def _base_link(
        self, outputs: NDArray, target: NDArray, weight: NDArray
    ) -> tuple[NDArray, NDArray]:
        return np.ones(outputs.shape[1]), np.zeros(outputs.shape[1])

    def _base_share(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        """What it explains: where that is little, it would only add noise to the targets."""
        score = self._score_outputs(outputs.reshape(target.shape), target, weight)
        return float(np.clip(score, 0.0, 1.0))

    def _leave(self, target: NDArray, base: NDArray) -> tuple[NDArray, dict[str, Any]]:
        return target - base.reshape(target.shape), {}

    @staticmethod
    def _strata(target: NDArray) -> NDArray[np.int64]:
        return np.zeros(len(target), dtype=np.int64)

    def _score_outputs(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        errors = (outputs - target) ** 2
        return 1 - np.average(errors, axis=0, weights=scale_weights(weight)).mean()
