"""KroneckerClassifier: the network with the logistic or the softmax loss."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from .._base.validation import check_choice, in_python
from ..data.kronecker_data import KroneckerData
from .attributes import check_array, check_scores
from .class_weight import weigh_classes
from .early_stopping import ValidationSet
from .incremental import IncrementalKroneckerEstimator
from .labels import check_classes, check_labels, distinct_labels, require_two
from .parameters import (
    CLASS_WEIGHTS,
    NETWORK_CONSTRAINTS,
    NETWORK_NOTES,
    NETWORK_PARAMETERS,
    document,
)
from .platt import log_loss, platt_scaling, shrinkage, softmax_scaling
from .samples import named
from .scoring import METRICS, SCORING, average_precision, choose_scoring


@document(
    parameters=NETWORK_PARAMETERS, notes=NETWORK_NOTES, score="see `scoring`",
    more_parameters=SCORING,
)
class KroneckerClassifier(ClassifierMixin, IncrementalKroneckerEstimator):
    """Wide two-layer network on Kronecker-structured rows, for two or more classes.

    The network is trained by exact mini-batch SGD on the logistic loss (two classes) or the
    softmax loss (more classes).  The cost of an iteration does not depend on the number of
    features.

    {parameters}
    classes_ : ndarray of shape (n_classes,)
        Class labels in sorted order.
    validation_average_precision_ : list of float or None
        Average precision of the rarer of two classes on the held-out samples after each epoch.
        None with more classes, or without samples of both that are held out.
    scoring_ : {"log_loss", "average_precision"}
        The score of early stopping; "log_loss" without.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NETWORK_CONSTRAINTS,
        "class_weight": CLASS_WEIGHTS,
        "scoring": [StrOptions(set(METRICS))],
    }
    scoring_: str
    validation_average_precision_: list[float] | None
    _default_power_t: ClassVar[float] = 1.0
    _target_checks: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        n_hidden: int = 1024,
        *,
        threshold: float | None = None,
        layout: str | Sequence[int] = "power",
        normalize: bool = True,
        bias: float = 1.0,
        skip: float = 0.0,
        base: str | None = None,
        alpha: float = 0.0,
        learning_rate_init: float | str = "auto",
        learning_rate: str = "auto",
        power_t: float | None = None,
        batch_size: int | str = "auto",
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 2e-3,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        validation_by: str = "pairs",
        n_iter_no_change: int = 2,
        average: bool | int | str = "epoch",
        warm_start: bool = False,
        start: str = "auto",
        compress: bool | str = "auto",
        engine: str = "auto",
        order: str = "auto",
        dtype: str = "float32",
        n_threads: int | None = None,
        memory_limit: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
        comm: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        scoring: str = "log_loss",
    ) -> None:
        super().__init__(
            n_hidden,
            threshold=threshold,
            layout=layout,
            normalize=normalize,
            bias=bias,
            skip=skip,
            base=base,
            alpha=alpha,
            learning_rate_init=learning_rate_init,
            learning_rate=learning_rate,
            power_t=power_t,
            batch_size=batch_size,
            solver=solver,
            max_iter=max_iter,
            tol=tol,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            validation_by=validation_by,
            n_iter_no_change=n_iter_no_change,
            average=average,
            warm_start=warm_start,
            start=start,
            compress=compress,
            engine=engine,
            order=order,
            dtype=dtype,
            n_threads=n_threads,
            memory_limit=memory_limit,
            random_state=random_state,
            verbose=verbose,
            comm=comm,
        )
        self.class_weight = class_weight
        self.scoring = scoring

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
            A parameter or an argument is invalid, such as ``class_weight="balanced"`` when the
            samples to come are not known, or new samples cannot be added because the training
            began with ``start="gram"``.
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
            if isinstance(self.class_weight, str):
                raise ValueError(
                    "partial_fit knows a part of the samples only: class_weight must be a dict or "
                    f"None, got {self.class_weight!r}"
                )
            known = None if classes is None else distinct_labels(classes, "classes")
            return self._partial_fit(X, y, sample_weight, known)

    def _loss(self) -> str:
        return "logistic" if len(self.classes_) == 2 else "softmax"

    def _n_classes(self) -> int:
        return len(self.classes_)

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return (
            *super()._saved_attributes(), "classes_", "scoring_", "validation_average_precision_",
        )

    def _check_attributes(self) -> None:
        super()._check_attributes()
        n_classes = check_classes(self.classes_, self.trainer_.network.n_outputs)
        check_choice(self.scoring_, "scoring_", tuple(METRICS))
        check_scores(self.validation_average_precision_, self.validation_scores_)
        target = self._train_target
        check_array(target, "_train_target", (self.trainer_.data.n_samples,), np.int64, minimum=0)
        if self.trainer_.loss != self._loss() or target.max() >= n_classes:
            raise ValueError(f"the targets do not fit {n_classes} classes")

    def _encode_target(
        self, y: NDArray, weight: NDArray, reset: bool, classes: NDArray | None
    ) -> NDArray[np.intp]:
        """Positions of the labels in `classes_`, which are fixed by the first call."""
        y, distinct = check_labels(y)
        if reset:
            known = distinct if classes is None else classes
            require_two(known)
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

    def _target_encoding(self) -> Any:
        return self.classes_.tolist()

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

    @property
    def validation_metric(self) -> str:  # type: ignore[override]
        """By which held-out samples are scored."""
        return METRICS[self.scoring_][0]

    @property
    def validation_sign(self) -> int:  # type: ignore[override]
        """A score, of which higher is better, is this times the metric."""
        return METRICS[self.scoring_][1]

    def _start_training(self, *samples: Any, **options: Any) -> None:
        super()._start_training(*samples, **options)
        self.scoring_, self.validation_average_precision_ = "log_loss", None

    def _choose_scoring(self, target: NDArray) -> None:
        counts = np.bincount(target, minlength=len(self.classes_))
        self.scoring_ = choose_scoring(self.scoring, counts)
        if len(counts) == 2 and counts.min() > 0:
            self.validation_average_precision_ = []

    def _record_outputs(self, outputs: NDArray, validation: ValidationSet) -> None:
        if self.validation_average_precision_ is not None:
            if self.scoring_ == "average_precision":
                precision = self.validation_scores_[-1]
            else:
                precision = average_precision(outputs, validation.target, validation.weight)
            self.validation_average_precision_.append(precision)

    def _class_factors(self, target: NDArray, weight: NDArray) -> NDArray[np.float64]:
        return weigh_classes(self.class_weight, self.classes_, target, weight)

    @staticmethod
    def _strata(target: NDArray) -> NDArray:
        return target

    def _scale(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        return shrinkage(outputs, target, weight)

    def _score_outputs(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        if self.scoring_ == "average_precision":
            return average_precision(outputs, target, weight)
        return -log_loss(outputs, target, weight)
