"""KroneckerClassifier: the network with the logistic or the softmax loss."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .._base.scaling import scale_weights
from .._base.validation import in_python
from ..data.kronecker_data import KroneckerData
from .attributes import check_array
from .incremental import IncrementalKroneckerEstimator
from .parameters import NETWORK_NOTES, NETWORK_PARAMETERS, document
from .platt import platt_scaling, softmax_scaling
from .samples import distinct_labels, named


@document(
    parameters=NETWORK_PARAMETERS, notes=NETWORK_NOTES, score="minus the mean log loss"
)
class KroneckerClassifier(ClassifierMixin, IncrementalKroneckerEstimator):
    """Wide two-layer network on Kronecker-structured rows, for two or more classes.

    The network is trained by exact mini-batch SGD on the logistic loss (two classes) or the
    softmax loss (more classes).  The cost of an iteration does not depend on the number of
    features.

    {parameters}
    classes_ : ndarray of shape (n_classes,)
        Class labels in sorted order.

    See Also
    --------
    KroneckerRegressor : The same network for real targets.
    KroneckerSGD : The trainer, one iteration or epoch at a time.

    {notes}

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = KroneckerClassifier(512, n_threads=1, random_state=0).fit(X, y)
    >>> model.classes_
    array(['other', 'same'], dtype='<U5')
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    validation_metric: ClassVar[str] = "log loss"
    validation_sign: ClassVar[int] = -1
    _default_power_t: ClassVar[float] = 1.0
    _target_checks: ClassVar[dict[str, Any]] = {}

    def decision_function(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64]:
        """Compute the outputs of the network.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log odds of the second class if there are two classes, otherwise a logit of each
            class.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.

        Notes
        -----
        The cost is that of the initial pre-activations of the samples, and at most ``k * n``
        multiply-adds for each sample and output.
        """
        return self._outputs(X)

    def predict_proba(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64]:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.

        See Also
        --------
        decision_function : The outputs from which the probabilities are computed.
        predict_log_proba : Their logarithms.
        """
        return self._as_predictions(self._outputs(X))

    def predict_log_proba(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64]:
        """Estimate the logarithm of the probability of each class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Finite logarithms, also where a probability is below the smallest positive float64, in
            the order of `classes_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples.

        See Also
        --------
        predict_proba : The probabilities themselves.
        """
        outputs = self._outputs(X)
        if outputs.ndim == 2:
            return log_softmax(outputs, axis=1)
        return np.column_stack([log_expit(-outputs), log_expit(outputs)])

    def predict(self, X: KroneckerData | ArrayLike) -> NDArray | Any:
        """Predict the most probable class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted labels, elements of `classes_`.  For pairs that came from pandas
            (`KroneckerData.from_frames`), a Series with their ids.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.

        See Also
        --------
        decision_function : The outputs from which the labels are computed.
        """
        outputs = self._outputs(X)
        best = outputs.argmax(axis=1) if outputs.ndim == 2 else (outputs > 0).astype(np.intp)
        return named(X, self.classes_[best])

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: KroneckerData | ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these samples, in memory that grows with every new one.

        Samples that are new are added to the training set.  The step size follows the schedule of
        `learning_rate`.  Early stopping does not apply.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Training samples; see `layout` for arrays.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that can occur in any call.  In the first call, None means the classes of
            `y`; later calls may omit it.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative factors of the losses of the samples.  Samples of weight 0 are left out.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            A parameter or an argument is invalid, or new samples cannot be added because the
            training began with ``start="gram"``.
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
        known = None if classes is None else distinct_labels(classes, "classes")
        with self._alone("partial_fit"):
            return self._partial_fit(X, y, sample_weight, known)

    def _loss(self) -> str:
        return "logistic" if len(self.classes_) == 2 else "softmax"

    def _n_classes(self) -> int:
        return len(self.classes_)

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return (*super()._saved_attributes(), "classes_")

    def _check_attributes(self) -> None:
        super()._check_attributes()
        n_outputs = self.trainer_.network.n_outputs
        n_classes = 2 if n_outputs == 1 else n_outputs
        shape = (n_classes,)
        if np.shape(self.classes_) != shape or not np.array_equal(
            np.unique(self.classes_), self.classes_
        ):
            raise ValueError(f"classes_ must be {n_classes} labels in ascending order")
        target = self._train_target
        check_array(target, "_train_target", (self.trainer_.data.n_samples,), np.int64, minimum=0)
        if self.trainer_.loss != self._loss() or target.max() >= n_classes:
            raise ValueError(f"the targets do not fit {n_classes} classes")

    def _encode_target(
        self, y: NDArray, weight: NDArray, reset: bool, classes: NDArray | None
    ) -> NDArray[np.intp]:
        """Positions of the labels in `classes_`, which are fixed by the first call."""
        y = column_or_1d(y, warn=True)
        distinct = distinct_labels(y, "y")
        check_classification_targets(y)
        if reset:
            known = distinct if classes is None else classes
            if len(known) < 2:
                raise ValueError(
                    f"y must contain at least 2 classes, got 1 class: {in_python(known[0])!r}"
                )
            self.classes_ = known
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes={in_python(classes)} must be the same as in the first call: "
                f"{in_python(self.classes_)}"
            )
        unknown = [label for label in distinct.tolist() if label not in set(self.classes_.tolist())]
        if unknown:
            raise ValueError(
                f"y contains classes that are not in classes_: {in_python(unknown[:5])}; give all "
                "classes in the first call of partial_fit"
            )
        return np.searchsorted(self.classes_, y)

    def _decode_target(self, target: NDArray) -> NDArray:
        return self.classes_[target]

    def _as_predictions(self, outputs: NDArray) -> NDArray[np.float64]:
        if outputs.ndim == 2:
            return softmax(outputs, axis=1)
        return np.column_stack([expit(-outputs), expit(outputs)])

    def _base_targets(self, target: NDArray) -> NDArray[np.float64]:
        columns = np.where(np.arange(len(self.classes_)) == target[:, None], 1.0, -1.0)
        return columns[:, 1:] if len(self.classes_) == 2 else columns

    def _base_link(
        self, outputs: NDArray, target: NDArray, weight: NDArray
    ) -> tuple[NDArray, NDArray]:
        if len(self.classes_) == 2:
            scaled = platt_scaling(outputs[:, 0], target == 1, weight)
            return scaled[:1], scaled[1:]
        return softmax_scaling(outputs, target, weight)

    def _leave(self, target: NDArray, base: NDArray) -> tuple[NDArray, dict[str, Any]]:
        return target, {"offset": base}

    @staticmethod
    def _strata(target: NDArray) -> NDArray:
        return target

    @staticmethod
    def _score_outputs(outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        if outputs.ndim == 2:
            log_likelihood = log_softmax(outputs, axis=1)[np.arange(len(target)), target]
        else:
            log_likelihood = -np.logaddexp(0, np.where(target == 1, -outputs, outputs))
        return np.average(log_likelihood, weights=scale_weights(weight))
