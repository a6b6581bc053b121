"""KroneckerClassifier: the network for labels."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit, log_softmax
from sklearn.base import ClassifierMixin, _fit_context

from ..data.kronecker_data import KroneckerData
from .class_losses import LOSS
from .labelled import LabelledNetwork
from .labels import distinct_labels
from .parameters import (
    LABEL_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    NETWORK_NOTES,
    NETWORK_PARAMETERS,
    document,
)
from .samples import named
from .scoring import SCORING


@document(
    parameters=NETWORK_PARAMETERS, notes=NETWORK_NOTES, score="see `scoring`",
    more_parameters=SCORING + LOSS,
)
class KroneckerClassifier(ClassifierMixin, LabelledNetwork):
    """Wide two-layer network on Kronecker-structured rows, for two or more classes.

    The network is trained by exact mini-batch SGD on the log loss, or on the squared error where
    the classes stand far apart.  The cost of an iteration does not depend on the number of
    features.

    {parameters}
    classes_ : ndarray of shape (n_classes,)
        Class labels in sorted order.
    validation_average_precision_ : list of float or None
        Average precision of the rarer of two classes on the held-out samples after each epoch.
        None with more classes, or without samples of both that are held out.
    loss_ : {"log_loss", "squared_error"}
        The loss of the training.
    scoring_ : {"log_loss", "r2", "average_precision"}
        The score of early stopping; that of `loss_` without.

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
        **LABEL_CONSTRAINTS,
    }
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
        scoring: str = "auto",
        loss: str = "auto",
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
        self.loss = loss

    def decision_function(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64]:
        """Compute the logits of the classes.

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
        return self._logits(self._outputs(X), self._link)

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
        decision_function : The logits from which the probabilities are computed.
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
        logits = self.decision_function(X)
        if logits.ndim == 2:
            return log_softmax(logits, axis=1)
        return np.column_stack([log_expit(-logits), log_expit(logits)])

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
        decision_function : The logits from which the labels are computed.
        """
        logits = self.decision_function(X)
        best = logits.argmax(axis=1) if logits.ndim == 2 else (logits > 0).astype(np.intp)
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
            samples to come are not known, or a parameter of the network is not what it was in the
            call before, or new samples cannot be added because the training began with
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
            if isinstance(self.class_weight, str):
                raise ValueError(
                    "partial_fit knows a part of the samples only: class_weight must be a dict or "
                    f"None, got {self.class_weight!r}"
                )
            known = None if classes is None else distinct_labels(classes, "classes")
            return self._partial_fit(X, y, sample_weight, known)
